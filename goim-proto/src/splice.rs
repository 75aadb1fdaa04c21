//! Entries that are encoded once for all readers, and spliced into each reader's frames.

use bytes::{BufMut, Bytes, BytesMut};
use goim_core::{ConversationId, Entry, Epoch, Seq};

use crate::frame::{FrameError, frame_with};
use crate::wire::{Encode, encode};

/// What an entry takes beside its body at most: the array's head, four numbers of 9 bytes, an id of
/// 18, and the body's own head of 5.
const BESIDE_BODY_BYTES: usize = 1 + 4 * 9 + 18 + 5;

/// The bytes of an entry's array, exactly sized and shared when cloned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEntry {
    seq: Seq,
    bytes: Bytes,
}

impl EncodedEntry {
    /// Encodes an entry.
    pub fn new<B: Encode + AsRef<[u8]>>(entry: &Entry<B>) -> Self {
        let mut buffer = BytesMut::with_capacity(BESIDE_BODY_BYTES + entry.body.as_ref().len());
        encode(entry, &mut buffer);
        Self { seq: entry.seq, bytes: Bytes::copy_from_slice(&buffer) }
    }

    /// The entry's place.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// The encoded array.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// A [`Notification`](crate::Notification) without its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationHead {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Its head.
    pub head: Seq,
    /// The store's epoch.
    pub epoch: Epoch,
    /// The user's own read marker.
    pub read_marker: Seq,
}

/// A [`Pulled`](crate::Pulled) without its entries, and the request that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PulledHead {
    /// The request's number.
    pub id: u64,
    /// Where the offset may move.
    pub through: Seq,
    /// The highest seq that the reader may see.
    pub head: Seq,
    /// The store's epoch.
    pub epoch: Epoch,
}

/// Appends a notification as a frame.
///
/// # Errors
///
/// [`FrameError::TooLarge`]; the buffer is then as it was.
pub fn notification_frame(
    head: &NotificationHead,
    entries: &[EncodedEntry],
    buffer: &mut BytesMut,
) -> Result<(), FrameError> {
    frame_with(buffer, |buffer| {
        array(buffer, 2);
        encode(&3u64, buffer);
        array(buffer, 5);
        encode(&head.conversation, buffer);
        encode(&head.head, buffer);
        encode(&head.epoch, buffer);
        encode(&head.read_marker, buffer);
        splice(entries, buffer);
    })
}

/// Appends the answer to a pull as a frame.
///
/// # Errors
///
/// [`FrameError::TooLarge`]; the buffer is then as it was.
pub fn pulled_frame(
    head: &PulledHead,
    entries: &[EncodedEntry],
    buffer: &mut BytesMut,
) -> Result<(), FrameError> {
    frame_with(buffer, |buffer| {
        array(buffer, 2);
        encode(&2u64, buffer);
        array(buffer, 2);
        encode(&head.id, buffer);
        array(buffer, 2);
        encode(&43u64, buffer);
        array(buffer, 4);
        splice(entries, buffer);
        encode(&head.through, buffer);
        encode(&head.head, buffer);
        encode(&head.epoch, buffer);
    })
}

fn splice(entries: &[EncodedEntry], buffer: &mut BytesMut) {
    array(buffer, entries.len());
    for entry in entries {
        buffer.extend_from_slice(&entry.bytes);
    }
}

fn array(buffer: &mut BytesMut, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let written = rmp::encode::write_array_len(&mut buffer.writer(), length);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use goim_core::{ClientMsgId, UserId};

    use super::*;
    use crate::{Notification, Pulled, Reply, ReplyTo, ServerFrame, encode_frame};

    fn entry(seq: u64) -> Entry<Bytes> {
        Entry {
            seq: Seq::new(seq),
            sender: UserId::new(70_000),
            client_msg_id: ClientMsgId::mint(1_700_000_000_000, &[3; 10]),
            at_ms: 1_700_000_000_001,
            count: seq - 1,
            body: Bytes::from_static(b"body"),
        }
    }

    #[test]
    fn splicing_equals_encoding() {
        for n in [0, 1, 3, 20] {
            let entries: Vec<_> = (1..=n).map(entry).collect();
            let encoded: Vec<_> = entries.iter().map(EncodedEntry::new).collect();
            let (conversation, head) = (ConversationId::new(300), Seq::new(n));
            let (epoch, read_marker) = (Epoch::new(2), Seq::new(1));
            let (mut whole, mut spliced) = (BytesMut::new(), BytesMut::new());
            let notification =
                Notification { conversation, head, epoch, read_marker, entries: entries.clone() };
            encode_frame(&ServerFrame::Notification(notification), &mut whole).unwrap();
            let start = NotificationHead { conversation, head, epoch, read_marker };
            notification_frame(&start, &encoded, &mut spliced).unwrap();
            assert_eq!(whole, spliced);

            let (mut whole, mut spliced) = (BytesMut::new(), BytesMut::new());
            let reply = Reply::Pulled(Pulled { entries, through: head, head, epoch });
            encode_frame(&ServerFrame::Reply(ReplyTo { id: 9, reply }), &mut whole).unwrap();
            pulled_frame(&PulledHead { id: 9, through: head, head, epoch }, &encoded, &mut spliced).unwrap();
            assert_eq!(whole, spliced);
        }
    }
}
