//! What a client decodes.

use bytes::BytesMut;
use goim_core::Entry;
use goim_proto::splice::{NotificationHead, PulledHead, notification_frame, pulled_frame};
use goim_proto::{
    EncodedEntry, Notification, Pulled, Reply, ReplyTo, ServerFrame, Slice, decode, encode_frame,
};

use crate::round_trip;

/// Decodes a server's frame, with its bodies copied and borrowed, and splices what servers splice.
///
/// # Panics
///
/// If it does not come back as it was, or the ways differ.
pub fn run(data: &[u8]) {
    let owned = round_trip::check::<ServerFrame>(data);
    let borrowed = decode::<ServerFrame<Slice<'_>>>(data).ok();
    assert_eq!(
        owned.as_ref().map(round_trip::encoded),
        borrowed.as_ref().map(round_trip::encoded),
        "a copied body is read as a borrowed one"
    );
    let Some(frame) = owned else { return };
    let (mut whole, mut spliced) = (BytesMut::new(), BytesMut::new());
    if encode_frame(&frame, &mut whole).is_err() {
        return;
    }
    match frame {
        ServerFrame::Notification(notification) => {
            let Notification { conversation, head, epoch, read_marker, entries } = notification;
            let start = NotificationHead { conversation, head, epoch, read_marker };
            notification_frame(&start, &encode_each(&entries), &mut spliced).expect("it fits as a whole");
        }
        ServerFrame::Reply(ReplyTo { id, reply: Reply::Pulled(pulled) }) => {
            let Pulled { entries, through, head, epoch } = pulled;
            let start = PulledHead { id, through, head, epoch };
            pulled_frame(&start, &encode_each(&entries), &mut spliced).expect("it fits as a whole");
        }
        _ => return,
    }
    assert_eq!(whole, spliced);
}

fn encode_each(entries: &[Entry<bytes::Bytes>]) -> Vec<EncodedEntry> {
    entries.iter().map(EncodedEntry::new).collect()
}
