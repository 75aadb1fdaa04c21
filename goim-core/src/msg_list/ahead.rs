//! What came before its turn: kept in order of seq until the gap before it is filled.

use core::mem::size_of;

use super::{BUFFER_MIN, Inserted, Msg, MsgList, grown};

impl<M: Msg> MsgList<M> {
    pub(super) fn ahead_capacity_for_one(&self) -> usize {
        let capacity = self.ahead.capacity();
        grown(capacity, self.ahead.len() + 1).min(self.limits.ahead_entries_max().max(capacity))
    }

    /// Keeps what lies beyond a gap. The nearest are kept: they are the first to be of use.
    pub(super) fn set_aside(&mut self, msg: M) -> Inserted {
        let Err(at) = self.ahead.binary_search_by_key(&msg.seq(), Msg::seq) else {
            return Inserted::Duplicate;
        };
        let bytes = msg.bytes();
        while self.ahead.len() >= self.limits.ahead_entries_max() && at < self.ahead.len() {
            self.ahead_pop_farthest();
        }
        if self.ahead.len() >= self.limits.ahead_entries_max() {
            return Inserted::TooFar;
        }
        while self.ahead_grown(bytes) > self.limits.ahead_bytes_max() {
            if at == self.ahead.len() {
                return Inserted::TooFar;
            }
            self.ahead_pop_farthest();
        }
        let more = self.ahead_capacity_for_one() - self.ahead.capacity();
        self.ahead.reserve_exact(more);
        self.ahead.insert(at, msg);
        self.ahead_bytes += bytes;
        self.trim_window();
        Inserted::Ahead
    }

    /// The bytes of what waits, were one of `bytes` bytes added.
    fn ahead_grown(&self, bytes: usize) -> usize {
        self.ahead_bytes + bytes + self.ahead_capacity_for_one() * size_of::<M>()
    }

    pub(super) fn take_in_ahead(&mut self) {
        while self.ahead.front().is_some_and(|msg| msg.seq() == self.head().next()) {
            if let Some(msg) = self.pop_ahead() {
                self.append(msg);
            }
        }
        if self.ahead.is_empty() {
            self.ahead.shrink_to(BUFFER_MIN);
        }
    }

    pub(super) fn pop_ahead(&mut self) -> Option<M> {
        let msg = self.ahead.pop_front()?;
        self.ahead_bytes -= msg.bytes();
        Some(msg)
    }

    fn ahead_pop_farthest(&mut self) {
        if let Some(msg) = self.ahead.pop_back() {
            self.ahead_bytes -= msg.bytes();
        }
    }

    pub(super) fn trim_ahead(&mut self) {
        let max = self.limits.ahead_bytes_max();
        while self.ahead_bytes + self.ahead.capacity() * size_of::<M>() > max {
            if self.ahead.is_empty() {
                self.ahead.shrink_to_fit();
                return;
            }
            self.ahead_pop_farthest();
        }
    }
}
