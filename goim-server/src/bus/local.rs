//! The bus of one process: straight into its hub.

use std::sync::Arc;

use goim_core::Epoch;

use super::Published;
use crate::access::Hub;
use crate::clock::Clock;
use crate::store::OwnRead;

/// Gives what the lanes of this process committed to the readers of this process.
#[derive(Debug, Clone)]
pub(crate) struct LocalBus {
    hub: Arc<Hub>,
    clock: Clock,
}

impl LocalBus {
    pub(crate) fn new(hub: Arc<Hub>, clock: Clock) -> Self {
        Self { hub, clock }
    }

    /// Entries that were committed in an epoch; those of one conversation in order of their seqs.
    pub(crate) fn publish(&self, epoch: Epoch, entries: Vec<Published>) {
        self.hub.publish(self.clock.now(), epoch, entries);
    }

    /// Read markers that moved in an epoch with what their users sent. What sent it knows.
    pub(crate) fn read(&self, epoch: Epoch, read: &[OwnRead]) {
        for OwnRead { marker, device } in read {
            self.hub.read_marker(epoch, marker, Some(*device));
        }
    }
}
