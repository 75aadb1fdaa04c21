//! The default bounds of the delivery state machines, in one place, with their arithmetic.

use crate::Duration;

/// Announcements of one connection that may be out unacknowledged. A slot of the queue takes 56
/// bytes at most, so a full window is 14 KiB.
pub const NOTIFIER_WINDOW: usize = 256;

/// Retransmissions over datagrams before a mark goes as a frame on the ordered stream. With a
/// timeout of 50 ms the tries are at 0, 50, 150 and 350 ms, and the frame at 750 ms.
pub const NOTIFIER_RETRIES_MAX: u32 = 3;

/// Conversations that one connection's notifier remembers, at about 144 bytes each: 1.2 MiB.
pub const NOTIFIER_CONVERSATIONS_MAX: usize = 8_192;

/// Announcements of one conversation that may be out on the ordered stream before a newer one
/// waits for an ack: `NOTIFIER_WINDOW` times this bounds what a reader that does not read makes
/// us buffer.
pub const NOTIFIER_STREAM_DEPTH: u8 = 4;

/// How long marks go on the ordered stream after a mark was given up over datagrams. A path that
/// swallows datagrams then delays one mark in this time, not each.
pub const NOTIFIER_DATAGRAM_REST: Duration = Duration::from_secs(30);

/// The retransmission timeout before the first sample: RFC 9002's first probe timeout is about
/// 1 s; a hint costs a few bytes, so we ask again sooner.
pub const RTT_INITIAL: Duration = Duration::from_millis(400);

/// The retransmission timeout's floor. RFC 6298 says 1 s, which is for bulk transfer; 50 ms leaves
/// room for an acker that batches for a few milliseconds.
pub const RTT_FLOOR: Duration = Duration::from_millis(50);

/// The retransmission timeout's cap, back-off included.
pub const RTT_CAP: Duration = Duration::from_secs(4);
