//! Numbers for the application's own use.

use core::ops::RangeInclusive;

use goim_proto::{Allocate, Allocated, Call, Reply, SequenceKind};

use crate::{CallError, Client};

impl Client {
    /// Takes the next 1 to 1,000 numbers of a named sequence, which the first call makes. Nobody else is
    /// ever given one of them. A repeated call takes others: those of an answer that was lost are
    /// nobody's.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the server's operator has not named this account, or if the sequence is
    /// of the other kind.
    pub async fn allocate(
        &self,
        sequence: &str,
        kind: SequenceKind,
        count: u32,
    ) -> Result<RangeInclusive<u64>, CallError> {
        let call = Allocate { sequence: sequence.to_owned(), kind, count };
        let numbers: Allocated = expect!(self.call(Call::Allocate(call)).await, Allocated)?;
        Ok(numbers.first..=numbers.last)
    }
}
