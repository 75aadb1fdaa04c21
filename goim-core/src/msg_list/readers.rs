//! Where the readers stand, counted; the module above says why this is constant time.

use super::MsgList;
use crate::Seq;

/// One reader's place among those that a list counts.
///
/// Belongs to the list whose [`join`](MsgList::join) made it, and goes back to it with
/// [`leave`](MsgList::leave): a reader that is lost instead keeps entries from counting as passed,
/// which costs memory within the list's limits and nothing else.
#[derive(Debug)]
#[must_use = "a reader that does not leave is waited for"]
pub struct Reader {
    /// The offset it is counted at. Not beyond the head of that moment, so that it names a slot.
    at: Seq,
}

impl<M> MsgList<M> {
    /// Counts a reader that has everything through `offset`. O(1).
    ///
    /// One that is beyond the head is counted at the head, until its next ack.
    pub fn join(&mut self, offset: Seq) -> Reader {
        let at = offset.min(self.head());
        self.readers = self.readers.saturating_add(1);
        let count = self.count(at);
        *count = count.saturating_add(1);
        Reader { at }
    }

    /// Moves a reader forward to `offset`; never back. O(1).
    pub fn ack(&mut self, reader: &mut Reader, offset: Seq) {
        let to = offset.min(self.head());
        if to > reader.at {
            self.uncount(reader.at);
            let count = self.count(to);
            *count = count.saturating_add(1);
            reader.at = to;
        }
    }

    /// Counts a reader no more. O(1).
    #[allow(clippy::needless_pass_by_value, reason = "who has left has no place any more")]
    pub fn leave(&mut self, reader: Reader) {
        self.uncount(reader.at);
        self.readers = self.readers.saturating_sub(1);
    }

    /// How many readers are counted.
    #[must_use]
    pub const fn readers(&self) -> usize {
        self.readers as usize
    }

    /// Whether the oldest entry has been passed by every reader (or there is none to wait for).
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.behind == 0 && !self.window.is_empty()
    }

    /// The count that a reader at `at` belongs to; `at` is not beyond the head.
    fn count(&mut self, at: Seq) -> &mut u32 {
        if at <= self.start {
            return &mut self.behind;
        }
        let index = self.index_behind(at.prev());
        match self.window.get_mut(index) {
            Some(slot) => &mut slot.readers,
            None => &mut self.behind,
        }
    }

    fn uncount(&mut self, at: Seq) {
        let count = self.count(at);
        debug_assert!(*count > 0, "a reader of another list");
        *count = count.saturating_sub(1);
    }
}
