//! Numbers in order: runs of seqs, and who gives out the next ones.
//!
//! - [`SequenceAllocator`]: dense. The next seqs of many conversations, given out before they are
//!   stored and taken back if that fails.
//! - [`SegmentAllocator`]: not dense, but without a store write each. Numbers ahead of a durable
//!   ceiling.

mod allocator;
mod segment;

pub use allocator::{Reserve, SequenceAllocator};
pub use segment::{Ceiling, Next, NumberRange, Section, SegmentAllocator, SegmentConfig};

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
