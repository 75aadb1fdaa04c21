//! A send with a body of 100 bytes, and a notification with one such entry: `goim-proto`'s codec
//! against what `rmp-serde` makes of types with derived traits.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use goim_core::{ClientMsgId, ConversationId, Entry, Epoch, Seq, UserId};
use goim_proto::splice::{NotificationHead, notification_frame};
use goim_proto::{Call, ClientFrame, Content, EncodedEntry, Request, Send, Slice, decode, encode_frame};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use uuid::Uuid;

/// Of an encoded frame.
const PREFIX_BYTES: usize = 4;

/// The same frames as somebody would write them without rules of growth.
#[derive(Serialize, Deserialize)]
enum Derived<B> {
    Request {
        id: u64,
        call: DerivedCall<B>,
    },
    /// Of entries that were encoded before.
    Notification {
        conversation: u64,
        head: u64,
        epoch: u64,
        read_marker: u64,
        entries: Vec<B>,
    },
}

#[derive(Serialize, Deserialize)]
enum DerivedCall<B> {
    Send { conversation: u64, client_msg_id: Uuid, after: Option<Uuid>, retry: bool, body: B },
}

#[derive(Serialize)]
struct DerivedEntry {
    seq: u64,
    sender: u64,
    client_msg_id: Uuid,
    at_ms: u64,
    count: u64,
    body: Bytes,
}

fn id(n: u8) -> ClientMsgId {
    ClientMsgId::mint(1_700_000_000_000, &[n; 10])
}

fn body() -> Bytes {
    Content::text("x".repeat(100)).encode()
}

fn request() -> ClientFrame {
    let (conversation, client_msg_id, after) = (ConversationId::new(70_000), id(2), Some(id(1)));
    let send = Send { conversation, client_msg_id, after, retry: false, body: body() };
    ClientFrame::Request(Request { id: 1_000, call: Call::Send(send) })
}

fn derived_request() -> Derived<Bytes> {
    let (client_msg_id, after) = (*id(2).as_uuid(), Some(*id(1).as_uuid()));
    let call = DerivedCall::Send { conversation: 70_000, client_msg_id, after, retry: false, body: body() };
    Derived::Request { id: 1_000, call }
}

fn entry() -> Entry<Bytes> {
    Entry {
        seq: Seq::new(100_000),
        sender: UserId::new(70_000),
        client_msg_id: id(1),
        at_ms: 1_700_000_000_000,
        count: 99_000,
        body: body(),
    }
}

fn derived_notification() -> Derived<Bytes> {
    let Entry { seq, sender, client_msg_id, at_ms, count, body } = entry();
    let (seq, sender, client_msg_id) = (seq.as_u64(), sender.as_u64(), *client_msg_id.as_uuid());
    let entry = DerivedEntry { seq, sender, client_msg_id, at_ms, count, body };
    let entries = vec![Bytes::from(rmp_serde::to_vec(&entry).unwrap_or_default())];
    Derived::Notification { conversation: 70_000, head: 100_000, epoch: 1, read_marker: 99_999, entries }
}

/// Into a buffer that is there.
fn encode_send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode_send");
    let (frame, mut out) = (request(), BytesMut::with_capacity(1_024));
    group.bench_function("goim-proto", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(encode_frame(&frame, &mut out).is_ok())
        });
    });
    let (frame, mut out) = (derived_request(), Vec::with_capacity(1_024));
    group.bench_function("rmp-serde derive", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(rmp_serde::encode::write(&mut out, &frame).is_ok())
        });
    });
}

/// With the body left in the input, and with the body in memory of its own.
fn decode_send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode_send");
    let mut frame = BytesMut::new();
    assert!(encode_frame(&request(), &mut frame).is_ok(), "a small frame");
    let frame = frame.split_off(PREFIX_BYTES).freeze();
    group.bench_function("goim-proto, borrowed", |bencher| {
        bencher.iter(|| black_box(decode::<ClientFrame<Slice<'_>>>(black_box(&frame)).is_ok()));
    });
    group.bench_function("goim-proto, kept", |bencher| {
        bencher.iter(|| black_box(decode::<ClientFrame>(black_box(&frame)).is_ok()));
    });
    let frame = rmp_serde::to_vec(&derived_request()).unwrap_or_default();
    group.bench_function("rmp-serde derive, borrowed", |bencher| {
        bencher.iter(|| black_box(rmp_serde::from_slice::<Derived<&[u8]>>(black_box(&frame)).is_ok()));
    });
    group.bench_function("rmp-serde derive, kept", |bencher| {
        bencher.iter(|| black_box(rmp_serde::from_slice::<Derived<Bytes>>(black_box(&frame)).is_ok()));
    });
}

/// For one reader of many: the entry was encoded once for all of them.
fn encode_notification(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode_notification");
    let head = NotificationHead {
        conversation: ConversationId::new(70_000),
        head: Seq::new(100_000),
        epoch: Epoch::new(1),
        read_marker: Seq::new(99_999),
    };
    let (entries, mut out) = ([EncodedEntry::new(&entry())], BytesMut::with_capacity(1_024));
    group.bench_function("goim-proto, spliced", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(notification_frame(&head, &entries, &mut out).is_ok())
        });
    });
    let (frame, mut out) = (derived_notification(), Vec::with_capacity(1_024));
    group.bench_function("rmp-serde derive", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(rmp_serde::encode::write(&mut out, &frame).is_ok())
        });
    });
}

criterion_group!(benches, encode_send, decode_send, encode_notification);
criterion_main!(benches);
