//! A window of one conversation's newest entries, filled in any order and read in order.
//!
//! ```
//! use goim_core::{Seq, msg_list::{ListLimits, Msg, MsgList}};
//!
//! struct Line(u64, &'static str);
//! impl Msg for Line {
//!     fn seq(&self) -> Seq { Seq::new(self.0) }
//!     fn bytes(&self) -> usize { self.1.len() }
//! }
//!
//! let mut list = MsgList::new(ListLimits::default());
//! list.insert(Line(7, "who is there?"));
//! list.insert(Line(9, "only me"));
//! assert_eq!(list.missing().map(|gap| gap.first), Some(Seq::new(8)));
//! assert_eq!(list.head(), Seq::new(7));
//!
//! list.insert(Line(8, "nobody"));
//! let texts: Vec<_> = list.after(Seq::new(6), 10).unwrap().iter().map(|line| line.1).collect();
//! assert_eq!(texts, ["who is there?", "nobody", "only me"]);
//! assert!(list.after(Seq::new(3), 10).is_none(), "entries 4 to 6 are the store's to tell");
//! ```
//!
//! # Readers, in constant time
//!
//! An entry that every reader has passed is the first to be given up. The list does not know its
//! readers; it counts them where they stand. A small hash table has, for each seq in the window
//! that is some reader's offset, the number of those readers, and one more number, `behind`, counts
//! the readers at or before the window's start. So:
//!
//! - `join`, `ack` and `leave` change at most two counts, each found by its seq.
//! - The oldest entry is passed by everyone exactly if `behind` is 0, because whoever has not
//!   passed it stands at the window's start or before. Whether there is something to give up is
//!   therefore one comparison, and no minimum over readers is ever kept or searched.
//! - Giving up the oldest entry moves the start onto it, so its readers are now at the start:
//!   `behind += count`. One addition, however many they are; and where no reader stands in the
//!   window (`behind` is all of them) not even the table is looked at.
//!
//! The counts are not kept with the entries: they would double the buffer of a list of handles, and
//! most of them would be 0. A `join` sees to it that the table has a place for every reader, within
//! [`ListLimits::counts_bytes_max`], so that an `ack` never allocates; a reader for whom there is no
//! place is counted further back than it is, which only keeps entries longer.
//!
//! Every step is O(1), expected where it looks into the table, in the number of readers and of
//! entries; an entry is put in once and given up once, so a list's whole work is O(1) per entry and
//! per reader's step. (Growing and shrinking the buffer and the table is amortised O(1): they double
//! when full, and shrink only when three quarters are empty.) An entry that comes out of order costs
//! a search and a shift in the buffer of those, which is bounded: see
//! [`ListLimits::ahead_entries_max`].

mod ahead;
mod counts;
mod entries;
mod msg;
mod readers;
mod room;
#[cfg(test)]
mod tests;

use core::mem::size_of;
use std::collections::VecDeque;

use ahead::Ahead;
use counts::Counts;
pub use entries::{Entries, Iter};
pub use msg::{Inserted, ListLimits, Msg};
pub use readers::Reader;

use crate::{Seq, sequence::SeqRange};

/// A window of one conversation's newest entries.
///
/// The window is contiguous: it holds every entry in `(start, head]`. The first entry ever inserted
/// says where it starts. What is older is the store's, and [`after`](Self::after) says so.
///
/// # Bounds
/// [`ListLimits`], strictly and after every call: the oldest entries make room, passed or not.
/// The list's own `size_of` comes on top.
#[derive(Debug)]
pub struct MsgList<M> {
    limits: ListLimits,
    /// The entries that can be read; those before them make way first.
    window: VecDeque<M>,
    window_bytes: usize,
    /// The seq of the window's last, or where it starts if it is empty. Zero until an entry has said
    /// where that is; until then all readers are `behind`.
    head: Seq,
    /// Apart, so that the many lists without a gap stay small.
    ahead: Option<Box<Ahead<M>>>,
    /// The highest seq heard of before its turn, kept or not.
    seen: Seq,
    /// Readers in the window. There while there are readers and a buffer, and apart for the same
    /// reason.
    counts: Option<Box<Counts>>,
    /// Readers at or before `start`.
    behind: u32,
    /// All readers.
    readers: u32,
}

impl<M> MsgList<M> {
    /// An empty list; it allocates nothing.
    #[must_use]
    pub fn new(limits: ListLimits) -> Self {
        let entries_max = limits.entries_max.max(1);
        Self {
            limits: ListLimits { entries_max, ..limits },
            window: VecDeque::new(),
            window_bytes: 0,
            head: Seq::ZERO,
            ahead: None,
            seen: Seq::ZERO,
            counts: None,
            behind: 0,
            readers: 0,
        }
    }

    /// The newest entry that can be read; [`Seq::ZERO`] before the first insert.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// The seq before the window's first: an older offset is the store's to serve.
    #[must_use]
    pub fn start(&self) -> Seq {
        Seq::new(self.head.as_u64().saturating_sub(self.window.len() as u64))
    }

    /// How many entries can be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.window.len()
    }

    /// Whether nothing can be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// The entries behind `seq`, at most `limit`, oldest first; O(1) to find.
    ///
    /// Empty if nothing newer is here. `None` if the window starts later than `seq`: ask the store.
    #[must_use]
    pub fn after(&self, seq: Seq, limit: usize) -> Option<Entries<'_, M>> {
        if !self.is_anchored() || seq < self.start() {
            return None;
        }
        let from = self.index_behind(seq);
        let to = from.saturating_add(limit).min(self.window.len());
        Some(Entries::new(&self.window, from, to))
    }

    /// The newest `limit` entries, or as many as there are, oldest first; O(1) to find.
    #[must_use]
    pub fn newest(&self, limit: usize) -> Entries<'_, M> {
        let len = self.window.len();
        Entries::new(&self.window, len.saturating_sub(limit), len)
    }

    /// Bytes held on the heap, as far as [`Msg::bytes`] tells the truth.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        let window = self.window_bytes + self.window.capacity() * size_of::<M>();
        window + self.ahead.as_ref().map_or(0, |ahead| ahead.bytes_held()) + self.counts_bytes()
    }

    /// Hears that the conversation has reached `head`, so that [`missing`](Self::missing) names
    /// what did not come. Of no effect before the first insert.
    pub fn hear_head(&mut self, head: Seq) {
        if self.is_anchored() {
            self.seen = self.seen.max(head);
        }
    }

    fn is_anchored(&self) -> bool {
        self.head > Seq::ZERO
    }

    /// Where in the window the entry behind `seq` stands, `seq` being at or after the start.
    fn index_behind(&self, seq: Seq) -> usize {
        let distance = seq.distance_from(self.start()) + u64::from(bug!("one too far in the window"));
        usize::try_from(distance).map_or(self.window.len(), |n| n.min(self.window.len()))
    }
}

impl<M: Msg> MsgList<M> {
    /// Puts in an entry, whenever it comes.
    pub fn insert(&mut self, msg: M) -> Inserted {
        let seq = msg.seq();
        if seq == Seq::ZERO {
            return Inserted::Below;
        }
        if !self.is_anchored() {
            self.head = seq.prev();
        }
        if seq <= self.start() {
            return Inserted::Below;
        }
        if seq <= self.head {
            return Inserted::Duplicate;
        }
        if !seq.follows(self.head) {
            self.seen = self.seen.max(seq);
            return if bug!("what comes out of order is lost") {
                Inserted::Ahead
            } else {
                self.set_aside(msg)
            };
        }
        let inserted = self.append(msg);
        if self.ahead.is_some() {
            self.take_in_ahead();
        }
        inserted
    }

    /// Puts in many; returns the head they lead to.
    pub fn insert_all(&mut self, msgs: impl IntoIterator<Item = M>) -> Seq {
        for msg in msgs {
            self.insert(msg);
        }
        self.head()
    }

    /// The first gap: entries that were heard of, or that something waits behind, and that are not
    /// here. Whoever fills a list asks the store for what stays missing.
    #[must_use]
    pub fn missing(&self) -> Option<SeqRange> {
        if self.seen <= self.head {
            return None;
        }
        let last = self.ahead_first().map_or(self.seen, Seq::prev);
        Some(SeqRange { first: self.head.next(), last })
    }

    /// Replaces an entry by what a recall left of it: a stub with the same seq.
    ///
    /// A target that has not come yet is put in as the stub, and its late original is then a
    /// duplicate. Returns whether the stub is now here; a target below the window needs none, the
    /// store has its own.
    pub fn blank(&mut self, stub: M) -> bool {
        let seq = stub.seq();
        if !self.is_anchored() || seq <= self.start() {
            return false;
        }
        let bytes = stub.bytes();
        if seq > self.head() {
            let Some(stub) = self.blank_ahead(stub) else {
                return true;
            };
            return matches!(self.insert(stub), Inserted::Visible | Inserted::Ahead);
        }
        let at = self.index_behind(seq.prev());
        let old = core::mem::replace(&mut self.window[at], stub);
        self.window_bytes = self.window_bytes - old.bytes() + bytes;
        self.trim_window();
        seq > self.start()
    }

    /// Gives up everything through `seq`: the window starts behind it, be it beyond the head (a
    /// gap that is too wide to be worth filling) or within the window (retention).
    pub fn drop_through(&mut self, seq: Seq) {
        if seq >= self.head() {
            self.start_behind(seq);
            while self.ahead_first().is_some_and(|first| first <= seq) {
                self.pop_ahead();
            }
            self.take_in_ahead();
        } else {
            while self.start() < seq {
                self.evict_oldest();
            }
        }
        self.shrink();
    }

    /// Gives up entries that every reader has passed, oldest first, until `bytes` are free or
    /// there is none left. Returns the bytes freed.
    pub fn evict_passed(&mut self, bytes: usize) -> usize {
        let held = self.bytes_held();
        let mut freed = 0;
        while freed < bytes && self.has_passed() {
            freed += self.evict_oldest();
        }
        self.shrink();
        held - self.bytes_held()
    }

    /// Gives up every entry and every buffer; readers and the head stay known.
    pub fn evict_all(&mut self) {
        self.start_behind(self.head());
        self.ahead = None;
        self.drop_buffers();
    }

    /// The most by which [`bytes_held`](Self::bytes_held) can grow if `msg` is put in.
    #[must_use]
    pub fn cost(&self, msg: &M) -> usize {
        // What waits may follow into the window.
        let more = self.window_capacity_for(1 + self.ahead_len()) - self.window.capacity();
        let ahead = if self.is_anchored() && msg.seq() > self.head.next() { self.ahead_growth() } else { 0 };
        msg.bytes() + more * size_of::<M>() + ahead + self.counts_growth(self.readers)
    }

    /// The most by which [`bytes_held`](Self::bytes_held) can grow by
    /// [`drop_through`](Self::drop_through): what waits may come into the window.
    pub(crate) fn cost_of_drop(&self) -> usize {
        let more = self.window_capacity_for(self.ahead_len()) - self.window.capacity();
        more * size_of::<M>() + self.counts_growth(self.readers)
    }

    /// The usual case of [`insert`](Self::insert), short: the next entry, nothing waits, and the
    /// buffers are large enough. What it takes is paid from `credit`, what it frees is paid in. Any
    /// other case gives the entry back.
    // Always: called, it costs as much again as it does.
    #[inline(always)]
    pub(crate) fn append_next(&mut self, msg: M, credit: &mut usize) -> Result<(), M> {
        let (bytes, len) = (msg.bytes(), self.window.len());
        let full = len >= self.limits.entries_max;
        // Before the first entry there is no capacity either, so that one is another case.
        if !msg.seq().follows(self.head)
            || self.ahead.is_some()
            || bytes > *credit
            || (len == self.window.capacity() && !full)
            || self.bytes_held() + bytes > self.limits.bytes_max
        {
            return Err(msg);
        }
        // First, and though the caller has a lock: the oldest is in no cache any more, and the rest is
        // done while its memory is fetched, which an allocator will give to the next entry.
        let freed = if full { self.evict_oldest() } else { 0 };
        self.push(msg);
        *credit = *credit + freed - bytes;
        Ok(())
    }
}
