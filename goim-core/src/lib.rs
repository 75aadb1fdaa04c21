//! The ideas of goim without a runtime: no socket, clock, thread, database or wire format.

pub mod ack_queue;
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
