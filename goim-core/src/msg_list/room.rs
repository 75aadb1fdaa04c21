//! Room for the next entry: what gives way, and how large the buffers are.

use core::mem::size_of;

use super::{Inserted, Msg, MsgList};
use crate::Seq;

impl<M: Msg> MsgList<M> {
    pub(super) fn append(&mut self, msg: M) -> Inserted {
        let bytes = msg.bytes();
        if !self.make_room(bytes) {
            self.start_behind(msg.seq());
            return Inserted::TooLarge;
        }
        self.push(msg);
        self.reserve_counts();
        Inserted::Visible
    }

    /// Takes the entry behind the head into the window, which has room for it.
    #[inline(always)]
    pub(super) fn push(&mut self, msg: M) {
        self.head = msg.seq();
        self.window_bytes += msg.bytes();
        self.window.push_back(msg);
    }

    /// Makes room for one more entry in the window, at the cost of the oldest.
    pub(super) fn make_room(&mut self, bytes: usize) -> bool {
        if self.window.len() >= self.limits.entries_max {
            self.evict_oldest();
        }
        let len = self.window.len();
        let capacity = self.window.capacity();
        if len == capacity {
            let more = self.window_capacity_for(1) - capacity;
            let grown = self.bytes_held() + more * size_of::<M>() + bytes;
            if grown <= self.limits.bytes_max || len == 0 {
                self.window.reserve_exact(more);
            } else {
                self.evict_oldest();
            }
        }
        while self.bytes_held() + bytes > self.limits.bytes_max && !self.window.is_empty() {
            self.evict_oldest();
        }
        if self.bytes_held() + bytes <= self.limits.bytes_max {
            return true;
        }
        // Only buffers are left of the window, and the smallest will do for one entry. What waits
        // out of order gives way too: it can be had again, and this entry is next.
        self.window.shrink_to(1);
        self.counts = None;
        self.ahead = None;
        if self.bytes_held() + bytes <= self.limits.bytes_max {
            return true;
        }
        self.drop_buffers();
        false
    }

    /// The window's capacity once it has taken `more` entries: doubled as often as that needs.
    pub(super) fn window_capacity_for(&self, more: usize) -> usize {
        let capacity = self.window.capacity();
        grown(capacity, self.window.len() + more).min(self.limits.entries_max.max(capacity))
    }

    pub(super) fn trim_window(&mut self) {
        while self.bytes_held() > self.limits.bytes_max && !self.window.is_empty() {
            self.evict_oldest();
        }
        if self.bytes_held() > self.limits.bytes_max {
            self.drop_buffers();
        }
    }

    /// Gives up the oldest entry; returns its bytes.
    #[inline(always)]
    pub(super) fn evict_oldest(&mut self) -> usize {
        let Some(msg) = self.window.pop_front() else {
            return 0;
        };
        let bytes = msg.bytes();
        drop(msg);
        self.window_bytes -= bytes;
        if self.behind != self.readers {
            self.move_behind(self.start());
        }
        bytes
    }

    /// Gives up what an empty window leaves: readers are all behind it.
    pub(super) fn drop_buffers(&mut self) {
        self.window.shrink_to_fit();
        self.counts = None;
    }

    /// Gives up every entry; the window then starts behind `seq`, if that is further on.
    pub(super) fn start_behind(&mut self, seq: Seq) {
        self.window.clear();
        self.window_bytes = 0;
        self.move_all_behind();
        self.head = self.head.max(seq);
    }

    /// Halves the buffer when three quarters of it are empty, never below [`BUFFER_MIN`].
    pub(super) fn shrink(&mut self) {
        let len = self.window.len();
        if len < self.window.capacity() / 4 {
            self.window.shrink_to((len * 2).max(BUFFER_MIN));
        }
    }
}

/// The smallest buffer that is allocated, in entries, and the largest that is kept empty.
const BUFFER_MIN: usize = 4;

/// `capacity` doubled until it holds `len`.
pub(super) fn grown(capacity: usize, len: usize) -> usize {
    // Doubling, not `max(len, 2 * capacity)`: so that growing at once by n and n times by one end
    // at the same capacity, which is what `cost` promises.
    let mut grown = capacity;
    while grown < len {
        grown = grown.saturating_mul(2).max(BUFFER_MIN);
    }
    grown
}
