//! A store that went back is noticed before it is served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use goim_core::Epoch;
use tokio::sync::Notify;

use super::{StoreError, StoreResult};

/// Lets a store answer only in the epoch that its node serves.
///
/// A store goes back (a failover to a replica that lagged, a restored backup) only by losing all of
/// its connections. So whoever opens one looks at the epoch before anything else and tells it here.
/// If it is a newer one, the store answers nothing until the node has forgotten what it knew, sent
/// its clients away, and [serves](Self::serve) that epoch: what a client is told never comes from
/// another log than the one that its epoch stands for.
#[derive(Debug)]
pub struct EpochGate {
    epochs: Mutex<Epochs>,
    /// Whether they differ, for whoever only passes.
    shut: AtomicBool,
    news: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Epochs {
    served: Epoch,
    /// The newest that a connection saw. Epochs only grow, so an older one is that of a connection
    /// to what was the store before.
    seen: Epoch,
}

impl EpochGate {
    /// A gate that is open in this epoch.
    pub(super) fn new(epoch: Epoch) -> Self {
        let epochs = Mutex::new(Epochs { served: epoch, seen: epoch });
        Self { epochs, shut: AtomicBool::new(false), news: Notify::new() }
    }

    fn epochs(&self) -> MutexGuard<'_, Epochs> {
        // Two numbers that are written one by one, and nothing panics in between.
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection is in this epoch.
    ///
    /// # Errors
    ///
    /// [`StoreError::WentBack`] if a newer one has been seen: the connection is not to be used.
    pub(super) fn saw(&self, epoch: Epoch) -> StoreResult<()> {
        let mut epochs = self.epochs();
        if epoch < epochs.seen {
            return Err(StoreError::WentBack);
        }
        epochs.seen = epoch;
        self.settle(*epochs);
        Ok(())
    }

    fn settle(&self, epochs: Epochs) {
        let shut = epochs.seen != epochs.served;
        self.shut.store(shut, Ordering::Release);
        if shut {
            self.news.notify_one();
        }
    }

    /// Whether the store may answer; asked with a connection in hand, whose epoch was seen before.
    ///
    /// # Errors
    ///
    /// [`StoreError::WentBack`] while the node does not serve the store's epoch.
    pub(super) fn check(&self) -> StoreResult<()> {
        if self.shut.load(Ordering::Acquire) { Err(StoreError::WentBack) } else { Ok(()) }
    }

    /// The epoch that the node serves.
    pub fn served(&self) -> Epoch {
        self.epochs().served
    }

    /// Waits until the store has another epoch than the node serves. For one to wait.
    pub async fn went_back(&self) -> Epoch {
        loop {
            let Epochs { served, seen } = *self.epochs();
            if seen != served {
                return seen;
            }
            self.news.notified().await;
        }
    }

    /// The node has forgotten all that it knew, and serves this epoch from now on.
    pub fn serve(&self, epoch: Epoch) {
        let mut epochs = self.epochs();
        epochs.served = epoch;
        self.settle(*epochs);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const ONE: Epoch = Epoch::new(1);
    const TWO: Epoch = Epoch::new(2);
    const THREE: Epoch = Epoch::new(3);

    #[test]
    fn g6_a_store_in_another_epoch_answers_nothing_until_the_node_serves_it() {
        let gate = EpochGate::new(ONE);
        gate.saw(ONE).unwrap();
        gate.check().unwrap();
        assert_eq!(gate.went_back().now_or_never(), None);

        gate.saw(TWO).unwrap();
        assert!(matches!(gate.check(), Err(StoreError::WentBack)));
        assert_eq!(gate.went_back().now_or_never(), Some(TWO));
        // Once more, before the node was done.
        gate.saw(THREE).unwrap();
        gate.serve(TWO);
        assert!(gate.check().is_err());
        assert_eq!(gate.went_back().now_or_never(), Some(THREE));
        gate.serve(THREE);
        gate.check().unwrap();
        assert_eq!((gate.served(), gate.went_back().now_or_never()), (THREE, None));
    }

    #[test]
    fn g6_a_connection_to_what_was_the_store_before_is_refused_and_changes_nothing() {
        let gate = EpochGate::new(TWO);
        assert!(matches!(gate.saw(ONE), Err(StoreError::WentBack)));
        gate.check().unwrap();
        assert_eq!(gate.went_back().now_or_never(), None);
    }
}
