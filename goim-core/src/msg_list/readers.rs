//! Where the readers stand, counted; the module above says why this is constant time.

use super::{Counts, Msg, MsgList};
use crate::Seq;

/// One reader's place among those that a list counts.
///
/// Belongs to the list whose [`join`](MsgList::join) made it, and goes back to it with
/// [`leave`](MsgList::leave): a reader that is lost instead keeps entries from counting as passed,
/// which costs memory within the list's limits and nothing else.
#[derive(Debug)]
#[must_use = "a reader that does not leave is waited for"]
pub struct Reader {
    /// The offset it is counted at. Not beyond the head of that moment, so that it names an entry
    /// or lies before all of them.
    at: Seq,
}

impl<M: Msg> MsgList<M> {
    /// Counts a reader that has everything through `offset`. O(1).
    ///
    /// One that is beyond the head is counted at the head, until its next ack. Where the limit in
    /// bytes leaves no room to count it there (see [`ListLimits`](super::ListLimits)), it is counted
    /// before the window, until then too.
    pub fn join(&mut self, offset: Seq) -> Reader {
        self.readers = self.readers.saturating_add(1);
        self.behind = self.behind.saturating_add(1);
        self.reserve_counts();
        let mut reader = Reader { at: self.start() };
        self.ack(&mut reader, offset);
        reader
    }

    /// The most by which [`bytes_held`](Self::bytes_held) can grow by a [`join`](Self::join).
    pub(crate) fn cost_of_join(&self) -> usize {
        if self.window.capacity() == 0 { 0 } else { self.counts_growth(self.readers.saturating_add(1)) }
    }

    /// Has a place for each reader, for as long as there is a window: none is allocated by an ack.
    /// The oldest entries make room for them, as they would for the newest.
    pub(super) fn reserve_counts(&mut self) {
        let more = if self.window.capacity() == 0 { 0 } else { self.counts_growth(self.readers) };
        if more == 0 {
            return;
        }
        while self.bytes_held() + more > self.limits.bytes_max && self.window.len() > 1 {
            self.evict_oldest();
        }
        if self.bytes_held() + more <= self.limits.bytes_max {
            self.resize_counts(self.places_for(self.readers));
        }
    }
}

impl<M> MsgList<M> {
    /// Moves a reader forward to `offset`; never back. O(1), and allocates nothing.
    pub fn ack(&mut self, reader: &mut Reader, offset: Seq) {
        let to = offset.min(self.head());
        // At the start or before it is counted as `behind`, and no move within that changes a count.
        if to <= reader.at || to <= self.start() {
            return;
        }
        self.uncount(reader.at);
        // If there is no place for it where it goes, it stays: what waits for it is bounded.
        if self.count(to) {
            reader.at = to;
        } else if !self.count(reader.at) {
            self.behind = self.behind.saturating_add(1);
            reader.at = self.start();
        }
    }

    /// Counts a reader no more. O(1).
    #[allow(clippy::needless_pass_by_value, reason = "who has left has no place any more")]
    pub fn leave(&mut self, reader: Reader) {
        self.uncount(reader.at);
        self.readers = self.readers.saturating_sub(1);
        let needed = self.places_for(self.readers.saturating_mul(2));
        if self.readers == 0 {
            self.counts = None;
        } else if needed < self.count_places() / 2 {
            self.resize_counts(needed);
        }
    }

    /// How many readers are counted.
    #[must_use]
    pub const fn readers(&self) -> usize {
        self.readers as usize
    }

    /// Whether the oldest entry has been passed by every reader (or there is none to wait for).
    #[must_use]
    pub fn has_passed(&self) -> bool {
        let nobody_behind = self.behind == 0 || bug!("entries go before the slowest reader passed");
        nobody_behind && !self.window.is_empty()
    }

    pub(super) fn counts_bytes(&self) -> usize {
        Counts::bytes(self.count_places())
    }

    /// By how much the counts grow to have a place for each of `readers`.
    pub(super) fn counts_growth(&self, readers: u32) -> usize {
        Counts::bytes(self.places_for(readers)).saturating_sub(self.counts_bytes())
    }

    /// The oldest entry goes: those who stood there are now at the start. Called only if somebody
    /// stands in the window.
    pub(super) fn move_behind(&mut self, oldest: Seq) {
        if let Some(counts) = &mut self.counts {
            self.behind = self.behind.saturating_add(counts.take(oldest));
        }
    }

    /// All entries go, and the readers are at the start or before.
    pub(super) fn move_all_behind(&mut self) {
        self.behind = self.readers;
        if let Some(counts) = &mut self.counts {
            counts.clear();
        }
    }

    /// As many places as `readers` can stand at, and as there are bytes for.
    fn places_for(&self, readers: u32) -> usize {
        if readers == 0 {
            return 0;
        }
        let seqs =
            usize::try_from(readers).map_or(usize::MAX, |readers| readers.min(self.limits.entries_max));
        Counts::places_for(seqs).min(Counts::places_within(self.limits.counts_bytes_max()))
    }

    fn count_places(&self) -> usize {
        self.counts.as_ref().map_or(0, |counts| counts.places())
    }

    fn resize_counts(&mut self, places: usize) {
        match &mut self.counts {
            Some(counts) => counts.resize(places),
            None => self.counts = Some(Box::new(Counts::new(places))),
        }
    }

    /// Counts one at `at`, which is in the window; false if there is no place for it.
    fn count(&mut self, at: Seq) -> bool {
        at > self.start() && self.counts.as_mut().is_some_and(|counts| counts.add(at, 1))
    }

    fn uncount(&mut self, at: Seq) {
        if at <= self.start() {
            debug_assert!(self.behind > 0, "a reader of another list");
            self.behind = self.behind.saturating_sub(1);
        } else {
            let counted = self.counts.as_mut().is_some_and(|counts| counts.remove(at));
            debug_assert!(counted, "a reader of another list");
        }
    }
}
