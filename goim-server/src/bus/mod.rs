//! New entries on their way from the committers to the access nodes.
//!
//! Nothing depends on a bus for correctness: what it loses or delays, [`catch_up`](crate::access)
//! finds in the store.

mod local;

pub(crate) use local::LocalBus;

use bytes::Bytes;
use goim_core::{ConversationId, Entry, Msg, Seq};

/// A committed entry.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) conversation: ConversationId,
    pub(crate) entry: Entry<Bytes>,
}

impl Msg for Published {
    fn seq(&self) -> Seq {
        self.entry.seq
    }

    fn bytes(&self) -> usize {
        self.entry.bytes()
    }
}
