//! One conversation as its reader knows it.

use std::collections::VecDeque;

use crate::{Entry, Seq};

/// Bytes that a waiting entry holds besides its body.
const ENTRY_BYTES: usize = 96;

/// The bytes that a waiting entry counts for.
pub(super) fn entry_bytes<B: AsRef<[u8]>>(entry: &Entry<B>) -> usize {
    ENTRY_BYTES + entry.body.as_ref().len()
}

pub(super) struct Reader<B> {
    /// Everything up to here was received, or is not for this reader.
    pub(super) received: Seq,
    /// The last entry that was taken.
    pub(super) taken: Seq,
    /// Everything up to here was handled.
    pub(super) handled: Seq,
    /// The server has this offset, durably.
    pub(super) committed: Seq,
    /// The highest head that was announced.
    pub(super) head: Seq,
    pub(super) entries: VecDeque<Entry<B>>,
    pub(super) bytes: usize,
    pub(super) pulling: Pulling,
    pub(super) pull_queued: bool,
    pub(super) is_ready: bool,
    pub(super) commit_queued: bool,
    /// Pulls in a row that brought nothing new.
    pub(super) empty_pulls: u32,
    /// Whether somebody takes its entries.
    pub(super) active: bool,
    /// Whether only he does who reads this conversation by itself.
    pub(super) apart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulling {
    No,
    UnderWay,
    /// Under way, and asked of a log that is no more or from a place that the reader has left: its
    /// answer does not count.
    Void,
    /// To be repeated after a while.
    Waiting,
}

impl<B> Reader<B> {
    pub(super) const fn new(offset: Seq) -> Self {
        Self {
            received: offset,
            taken: offset,
            handled: offset,
            committed: offset,
            head: offset,
            entries: VecDeque::new(),
            bytes: 0,
            pulling: Pulling::No,
            pull_queued: false,
            is_ready: false,
            commit_queued: false,
            empty_pulls: 0,
            active: false,
            apart: false,
        }
    }

    /// Where the offset stands: it passes over what was never to be taken.
    pub(super) fn offset(&self) -> Seq {
        if self.handled < self.taken {
            return self.handled;
        }
        self.entries.front().map_or(self.received, |next| next.seq.prev())
    }
}
