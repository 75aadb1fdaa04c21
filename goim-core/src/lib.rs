//! The ideas of goim without a runtime: no socket, clock, thread, database or wire format.

/// A deliberate bug, by name: false, and nothing of it is compiled, unless `goim_bugs` is set. The
/// simulation's test of itself sets it, to see that it finds each of them.
#[cfg(goim_bugs)]
macro_rules! bug {
    ($name:literal) => {
        $crate::bugs::is($name)
    };
}
#[cfg(not(goim_bugs))]
macro_rules! bug {
    ($name:literal) => {
        false
    };
}

pub mod ack_queue;
#[cfg(goim_bugs)]
pub mod bugs;
pub mod entry;
pub mod hash;
pub mod id;
pub mod inbox;
pub mod lane;
pub mod limits;
pub mod msg_box;
pub mod msg_list;
pub mod notifier;
pub mod outbox;
pub mod room;
pub mod rtt;
pub mod sequence;
pub mod time;

pub use ack_queue::{AckId, AckQueue, AckQueueConfig};
pub use entry::Entry;
pub use id::{ClientMsgId, ConversationId, DeviceId, Epoch, Seq, UserId};
pub use inbox::{Inbox, InboxLimits, OffsetMove, PullRequest};
pub use lane::Lane;
pub use msg_box::{BoxLimits, BoxReader, MsgBox, Reached};
pub use msg_list::{ListLimits, Msg, MsgList};
pub use notifier::{Announce, Notifier, NotifierConfig};
pub use outbox::{Outbox, OutboxConfig, OutboxSend};
pub use room::Room;
pub use rtt::{Rtt, RttConfig};
pub use sequence::{SegmentAllocator, SeqRange, SequenceAllocator};
pub use time::{Duration, Time};
