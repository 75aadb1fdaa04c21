//! Bytes of sends on their way to the store, of all connections of the node.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A bound that readers wait under.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    bytes: AtomicUsize,
    freed: Notify,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: AtomicUsize::new(0), freed: Notify::new() }
    }

    pub(super) fn take(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    pub(super) fn give(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before >= self.bytes_max && before - bytes < self.bytes_max {
            self.freed.notify_waiters();
        }
    }

    /// Bytes that are taken now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) < self.bytes_max
    }

    /// Waits until there is room. It may be gone again: look.
    pub(super) async fn room(&self) {
        let freed = self.freed.notified();
        tokio::pin!(freed);
        // Listening before looking: what is freed in between is not missed.
        freed.as_mut().enable();
        if !self.has_room() {
            freed.await;
        }
    }
}
