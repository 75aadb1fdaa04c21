//! Numbers for other services: dense ones from the store, segmented ones out of memory.

mod segments;

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use goim_core::{Epoch, UserId};
use goim_proto::limits::{ALLOCATE_COUNT_MAX, SEQUENCE_NAME_BYTES_MAX};
use goim_proto::{Allocate, Allocated, Error, ErrorCode, Reply, SequenceKind, SessionInfo};

use self::segments::Segments;
use super::errors::limited;
use super::{Answered, Service, failed, refuse};
use crate::access::{Allowance, Buckets};
use crate::config::Limits;
use crate::store::Store;

/// What a node knows of sequences.
#[derive(Debug)]
pub(super) struct Sequences {
    segments: Arc<Segments>,
    allocations: Buckets<UserId>,
    /// Who may take numbers: names are for life.
    takers: Known<UserId>,
    /// Sequences that are segmented.
    segmented: Known<String>,
}

impl Sequences {
    pub(super) fn new(store: Arc<dyn Store>, limits: &Limits) -> Self {
        Self {
            segments: Arc::new(Segments::new(store)),
            allocations: Buckets::new(Allowance::allocations(limits)),
            takers: Known::default(),
            segmented: Known::default(),
        }
    }
}

/// What was found to be so, and holds as long as the store has the epoch in which it was.
#[derive(Debug)]
struct Known<K>(Mutex<HashMap<K, Epoch>>);

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq> Known<K> {
    /// About 100 bytes each.
    const MOST: usize = 16_384;

    fn has(&self, one: &K, epoch: Epoch) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(one) == Some(&epoch)
    }

    /// It was looked up in this epoch, or in a later one.
    fn keep(&self, one: K, epoch: Epoch) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= Self::MOST {
            all.clear();
        }
        all.insert(one, epoch);
    }
}

impl Service {
    /// Takes numbers of a sequence.
    pub(super) async fn allocate(&self, session: &SessionInfo, arguments: Allocate) -> Answered {
        self.check_takes_numbers(session.user).await?;
        let Allocate { sequence, kind, count } = arguments;
        check_sequence_name(&sequence)?;
        let count = match NonZeroU32::new(count) {
            None => return refuse(ErrorCode::BadArgument, "say how many numbers, 1 to 1,000"),
            Some(count) if count.get() > ALLOCATE_COUNT_MAX => {
                return refuse(ErrorCode::TooLarge, "at most 1,000 numbers in one call");
            }
            Some(count) => count,
        };
        let wait = self.sequences.allocations.take(self.clock.now(), session.user);
        wait.map_err(|wait| limited("too many calls for numbers; take more at once", wait))?;
        let allocated = match kind {
            SequenceKind::Dense => self.allocate_dense(&sequence, count).await?,
            SequenceKind::Segmented => self.allocate_segmented(sequence, count).await?,
            SequenceKind::Unknown(_) | _ => {
                return refuse(
                    ErrorCode::BadArgument,
                    "say of which kind the sequence is: dense or segmented",
                );
            }
        };
        Ok(Reply::Allocated(allocated))
    }

    async fn check_takes_numbers(&self, user: UserId) -> Result<(), Error> {
        let epoch = self.epoch();
        if self.sequences.takers.has(&user, epoch) {
            return Ok(());
        }
        let takers = &self.config.sequence_users;
        let row = if takers.is_empty() { None } else { self.store.user(user).await.map_err(failed)? };
        if row.is_none_or(|row| !takers.contains(&row.name)) {
            return refuse(
                ErrorCode::Forbidden,
                "numbers are for accounts that the server's operator has named",
            );
        }
        self.sequences.takers.keep(user, epoch);
        Ok(())
    }

    async fn allocate_dense(&self, name: &str, count: NonZeroU32) -> Result<Allocated, Error> {
        let take = async || self.store.allocate(name, count.get()).await.map_err(failed);
        let last = match take().await? {
            Some(last) => last,
            None => {
                self.make_sequence(name, SequenceKind::Dense).await?;
                take().await?.ok_or_else(exhausted)?
            }
        };
        Ok(Allocated { first: last - u64::from(count.get()) + 1, last })
    }

    async fn allocate_segmented(&self, name: String, count: NonZeroU32) -> Result<Allocated, Error> {
        let epoch = self.epoch();
        let key = segments::key(&name);
        if !self.sequences.segmented.has(&name, epoch) {
            self.make_sequence(&name, SequenceKind::Segmented).await?;
            self.sequences.segmented.keep(name, epoch);
        }
        self.sequences.segments.take(epoch, key, count.into()).await
    }

    /// Makes sure that there is a sequence of this name and kind.
    async fn make_sequence(&self, name: &str, kind: SequenceKind) -> Result<(), Error> {
        let most = self.limits.sequences_max;
        match self.store.make_sequence(name, kind, most).await.map_err(failed)? {
            Some(found) if found == kind => Ok(()),
            Some(_) => refuse(ErrorCode::BadArgument, "the sequence is of the other kind, for good"),
            None => refuse(ErrorCode::TooLarge, "there are as many sequences as this server allows"),
        }
    }
}

fn exhausted() -> Error {
    Error::new(ErrorCode::TooLarge, "the sequence has not so many numbers left")
}

fn check_sequence_name(name: &str) -> Result<(), Error> {
    let is_one_of_ours = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if name.is_empty() || name.len() > SEQUENCE_NAME_BYTES_MAX || !name.bytes().all(is_one_of_ours) {
        let message = "a sequence's name has 1 to 64 ASCII letters, digits, and `.`, `_`, `:`, `-`";
        return refuse(ErrorCode::BadName, message);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_s_name_is_short_and_plain() {
        for good in ["a", "invoices:2026-11_b.c", &"x".repeat(64)] {
            assert!(check_sequence_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "ä", "a/b", "a\0", &"x".repeat(65)] {
            assert!(check_sequence_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_known_holds_in_its_epoch_alone() {
        let known = Known::default();
        known.keep(7, Epoch::new(1));
        assert!(known.has(&7, Epoch::new(1)));
        assert!(!known.has(&7, Epoch::new(2)) && !known.has(&8, Epoch::new(1)));
    }
}
