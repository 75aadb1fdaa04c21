//! What a store knows of sequences: numbers for other services.

use async_trait::async_trait;
use goim_proto::SequenceKind;

use super::StoreResult;

/// Sequences, and the ceilings of those that are segmented.
#[async_trait]
pub trait Sequences: Send + Sync {
    /// Of which kind a sequence is. One that is not there is made of this kind; `None` if there are
    /// `most` already. (Several that are made at once may all be the last that there is room for.)
    async fn make_sequence(
        &self,
        name: &str,
        kind: SequenceKind,
        most: u64,
    ) -> StoreResult<Option<SequenceKind>>;

    /// Takes the next `n` numbers of a dense sequence; the last of them. `None` if there is no such
    /// sequence, or if it has not so many left.
    async fn allocate(&self, name: &str, n: u32) -> StoreResult<Option<u64>>;

    /// The ceiling of a section; 0 if it was never raised.
    async fn ceiling(&self, section: u32) -> StoreResult<u64>;

    /// Raises the ceiling of a section if it is still `from`; whether it did.
    async fn raise_ceiling(&self, section: u32, from: u64, to: u64) -> StoreResult<bool>;
}
