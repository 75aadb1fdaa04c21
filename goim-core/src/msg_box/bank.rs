//! The bytes that nobody has claimed yet.

use core::sync::atomic::{AtomicUsize, Ordering};

/// The box's free bytes. Shards claim them in steps, so that most inserts touch no shared counter.
///
/// Always: free + what the shards hold + what they have claimed and not used = the limit.
#[derive(Debug)]
pub(super) struct Bank {
    free: AtomicUsize,
    step: usize,
}

impl Bank {
    /// What shards have claimed ahead is at most one part in this many of the whole...
    const AHEAD_SHARE: usize = 32;
    /// ... and no step is larger than this: about a hundred messages.
    const STEP_MAX: usize = 16 << 10;

    pub(super) fn new(bytes: usize, shards: usize) -> Self {
        let step = (bytes / Self::AHEAD_SHARE / shards).min(Self::STEP_MAX);
        Self { free: AtomicUsize::new(bytes), step }
    }

    pub(super) fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }

    /// Raises `credit` to `bytes` or more; a step more if there is that much.
    pub(super) fn lend(&self, credit: &mut usize, bytes: usize) -> bool {
        let need = bytes.saturating_sub(*credit);
        if need == 0 {
            return true;
        }
        for claim in [need.saturating_add(self.step), need] {
            // Relaxed: the counter guards no other memory, only itself.
            let claimed =
                self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(claim));
            if claimed.is_ok() {
                *credit += claim;
                return true;
            }
        }
        false
    }

    /// Takes back what `credit` has over two steps, as after an eviction.
    pub(super) fn level(&self, credit: &mut usize) {
        if *credit > 2 * self.step {
            self.give_back(*credit - self.step);
            *credit = self.step;
        }
    }

    pub(super) fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.free.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}
