//! What a list is told: its entries and its limits; and what it answers.

use core::mem::size_of;
use std::sync::Arc;

use crate::{Entry, Seq};

/// What a [`MsgList`](super::MsgList) needs to know of an entry.
pub trait Msg {
    /// Its place in its conversation; the same at every call.
    fn seq(&self) -> Seq;

    /// The bytes that it keeps alive beside its own `size_of`; the same at every call.
    fn bytes(&self) -> usize;
}

impl<T: Msg> Msg for Arc<T> {
    fn seq(&self) -> Seq {
        T::seq(self)
    }

    fn bytes(&self) -> usize {
        // The two counts stand before the value.
        size_of::<[usize; 2]>() + size_of::<T>() + T::bytes(self)
    }
}

impl Msg for Entry<bytes::Bytes> {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn bytes(&self) -> usize {
        self.body.len()
    }
}

/// How much one list may hold, whatever its readers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLimits {
    /// The most entries in the window; at least 1.
    pub entries_max: usize,
    /// The most bytes on the heap: entries, buffers, what waits out of order, and the counts of
    /// readers.
    pub bytes_max: usize,
}

impl ListLimits {
    /// What waits out of order may take one part in this many of a list's limits, so that a gap
    /// never costs the window more than that.
    pub const AHEAD_SHARE: usize = 4;

    /// The counts of readers may take one part in this many of a list's bytes: with the default
    /// limits four times what they need for a reader at every entry (24 + 2 x 1,024 x 16 bytes).
    pub const COUNTS_SHARE: usize = 8;

    /// The most entries that wait out of order.
    #[must_use]
    pub const fn ahead_entries_max(&self) -> usize {
        let share = self.entries_max / Self::AHEAD_SHARE;
        if share == 0 { 1 } else { share }
    }

    /// The most bytes that wait out of order, their buffer included.
    #[must_use]
    pub const fn ahead_bytes_max(&self) -> usize {
        self.bytes_max / Self::AHEAD_SHARE
    }

    /// The most bytes of counts. A reader for whom they have no place is counted before the window
    /// or where it stood, until its next ack.
    #[must_use]
    pub const fn counts_bytes_max(&self) -> usize {
        self.bytes_max / Self::COUNTS_SHARE
    }
}

impl Default for ListLimits {
    /// 1,024 entries or 1 MiB: a reader who was away for a minute of the busiest group is still
    /// served from memory.
    fn default() -> Self {
        Self { entries_max: 1_024, bytes_max: 1 << 20 }
    }
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It can be read, and so can what waited for it.
    Visible,
    /// It waits until the gap before it is filled; see [`MsgList::missing`](super::MsgList::missing).
    Ahead,
    /// It was here already; the first copy stays.
    Duplicate,
    /// It lies before the window and was dropped.
    Below,
    /// It lies beyond a gap, and nearer ones fill the buffer: dropped, and still missing.
    TooFar,
    /// It alone is over the limit: dropped, and the window now starts behind it.
    TooLarge,
}
