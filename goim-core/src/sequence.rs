//! Numbers in order: runs of seqs, and who gives out the next ones.

use crate::Seq;

/// A run of seqs, both ends included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqRange {
    /// The first.
    pub first: Seq,
    /// The last; not before the first.
    pub last: Seq,
}

impl SeqRange {
    /// How many seqs.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.last.distance_from(self.first) + 1
    }

    /// Whether `seq` is one of them.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        self.first <= seq && seq <= self.last
    }
}
