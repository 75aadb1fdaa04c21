//! What the codec allocates where a server uses it for every message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use goim_core::{ClientMsgId, ConversationId, Entry, Epoch, Seq, UserId};
use goim_proto::frame::PREFIX_BYTES;
use goim_proto::splice::{NotificationHead, notification_frame};
use goim_proto::{
    Call, ClientFrame, Content, EncodedEntry, FrameReader, Request, Send, Slice, decode, encode_frame,
};

/// How often a call of `operation` allocates; the same each time but the first.
fn allocations(mut operation: impl FnMut()) -> u64 {
    operation();
    let once = measure(&mut operation).count_total;
    let more = measure(|| (0..100).for_each(|_| operation())).count_total;
    assert_eq!(more, once * 100);
    once
}

fn id(n: u8) -> ClientMsgId {
    ClientMsgId::mint(1_700_000_000_000, &[n; 10])
}

fn body() -> Bytes {
    Content::text("x".repeat(100)).encode()
}

fn send() -> ClientFrame {
    let (conversation, client_msg_id, after) = (ConversationId::new(70_000), id(2), Some(id(1)));
    let send = Send { conversation, client_msg_id, after, retry: false, body: body() };
    ClientFrame::Request(Request { id: 1_000, call: Call::Send(send) })
}

fn entry() -> Entry<Bytes> {
    let (seq, sender, client_msg_id) = (Seq::new(100_000), UserId::new(70_000), id(1));
    Entry { seq, sender, client_msg_id, at_ms: 1_700_000_000_000, count: 99_000, body: body() }
}

#[test]
fn a_frame_is_encoded_into_a_buffer_without_an_allocation() {
    let (frame, mut out) = (send(), BytesMut::with_capacity(1_024));
    let encode = || {
        out.clear();
        encode_frame(&frame, &mut out).unwrap();
    };
    assert_eq!(allocations(encode), 0);
}

#[test]
fn a_send_is_decoded_without_an_allocation_and_its_body_kept_by_one() {
    let mut wire = BytesMut::new();
    encode_frame(&send(), &mut wire).unwrap();
    let frame = wire.split_off(PREFIX_BYTES).freeze();
    let borrowed = || assert!(decode::<ClientFrame<Slice<'_>>>(&frame).is_ok());
    assert_eq!(allocations(borrowed), 0);
    let kept = || assert!(decode::<ClientFrame>(&frame).is_ok());
    assert_eq!(allocations(kept), 1);
}

#[test]
fn an_entry_is_encoded_by_two_allocations_and_told_to_each_reader_by_none() {
    let entry = entry();
    assert_eq!(allocations(|| drop(EncodedEntry::new(&entry))), 2);
    let (conversation, head) = (ConversationId::new(70_000), Seq::new(100_000));
    let head = NotificationHead { conversation, head, epoch: Epoch::new(1), read_marker: Seq::new(99_999) };
    let (entries, mut out) = ([EncodedEntry::new(&entry)], BytesMut::with_capacity(1_024));
    let tell = || {
        out.clear();
        notification_frame(&head, &entries, &mut out).unwrap();
    };
    assert_eq!(allocations(tell), 0);
}

/// As long as frames are let go before the buffer is full.
#[test]
fn a_stream_is_cut_into_frames_without_an_allocation() {
    let mut wire = BytesMut::new();
    encode_frame(&send(), &mut wire).unwrap();
    let mut reader = FrameReader::default();
    let cut = || {
        (0..10).for_each(|_| reader.buffer().extend_from_slice(&wire));
        (0..10).for_each(|_| assert!(reader.next_frame().unwrap().is_some()));
    };
    assert_eq!(allocations(cut), 0);
}
