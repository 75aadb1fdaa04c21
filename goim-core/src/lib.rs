//! The ideas of goim without a runtime: no socket, clock, thread, database or wire format.

pub mod hash;
pub mod id;
pub mod time;

pub use id::{ClientMsgId, ConversationId, DeviceId, Epoch, Seq, UserId};
pub use time::{Duration, Time};
