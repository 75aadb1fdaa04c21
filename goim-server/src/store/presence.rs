//! What a store knows of who is there.

use async_trait::async_trait;
use goim_core::{DeviceId, UserId};

use super::StoreResult;

/// A user whose devices were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub user: UserId,
    /// A device of his is connected.
    pub here: bool,
    /// He is away from each that is.
    pub away: bool,
    /// When one was seen last, in milliseconds since the Unix epoch.
    pub last_ms: u64,
}

/// Which devices are connected, and who may know.
///
/// A device that is connected is noted again and again: one that was seen last at `stale_ms` or before is
/// not connected any more, for the node that had it is gone.
#[async_trait]
pub trait Presences: Send + Sync {
    /// Notes that devices are connected to a node, or not any more. The end of those that another node has
    /// seen since is passed over. Who was away is not, when he comes back.
    async fn note_devices(
        &self,
        devices: &[DeviceId],
        here: bool,
        node: u64,
        now_ms: u64,
        stale_ms: u64,
    ) -> StoreResult<()>;

    /// Notes whether a user is away from a device.
    async fn set_away(&self, device: DeviceId, away: bool) -> StoreResult<()>;

    /// Those of these users who were ever seen and let `viewer` know: himself, and whom they chose, but for
    /// whom they block.
    async fn seen(&self, viewer: UserId, users: &[UserId], stale_ms: u64) -> StoreResult<Vec<Seen>>;
}
