//! The issuer's keys as they were read last, and when they are read again.
//!
//! An old set is better than none: it is used on for a while if a newer one cannot be had. And a key that nobody
//! knows is looked for, but not for everybody who makes one up: from one look to the next passes a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goim_core::{Duration, Time};
use jsonwebtoken::Header;

use super::issuer::NotTaken;
use super::key_set::{Key, KeySet};
use super::source::{KeysError, Source};
use crate::clock::Clock;

/// From the beginning of a look that failed to that of the next, at least: whoever comes has it noted in the log.
const FAILED_INTERVAL: Duration = Duration::from_secs(1);

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct Keys(Arc<Shared>);

/// When a set is read again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How old it may become.
    pub(super) age_max: Duration,
    /// How old it may become if no newer one is to be had.
    pub(super) used_max: Duration,
    /// From the beginning of a look to that of the next, at least.
    pub(super) interval: Duration,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    pace: Pace,
    clock: Clock,
    held: Mutex<Held>,
    /// Of whoever looks.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    set: KeySet,
    /// When the look at it began.
    seen_at: Option<Time>,
    /// When the last look began, and whether it brought nothing.
    looked_at: Option<Time>,
    failed: bool,
}

impl Keys {
    pub(super) fn new(source: Source, pace: Pace, clock: Clock) -> Self {
        let held = Mutex::default();
        Self(Arc::new(Shared { source, pace, clock, held, turn: tokio::sync::Mutex::default() }))
    }

    /// Reads them if that has not just been tried.
    ///
    /// # Errors
    /// What kept them from being read.
    pub(super) async fn refresh(&self) -> Result<(), KeysError> {
        self.0.refresh(self.0.clock.now()).await
    }

    /// The key that a token names.
    ///
    /// # Errors
    /// There is none, or nobody can say.
    pub(super) async fn find(&self, token: &Header) -> Result<Key, NotTaken> {
        if let Some(key) = self.0.known(token)
            // While somebody looks already, what is known is good enough.
            && (self.0.is_younger(self.0.pace.age_max) || self.0.turn.try_lock().is_err())
        {
            return Ok(key);
        }
        self.find_anew(token).await
    }

    /// The same after another look, if there has been none for a while.
    ///
    /// # Errors
    /// There is none, or nobody can say.
    pub(super) async fn find_anew(&self, token: &Header) -> Result<Key, NotTaken> {
        let now = self.0.clock.now();
        let shared = Arc::clone(&self.0);
        // A task of its own: a client that leaves would take with it the look that others wait for.
        let look = tokio::spawn(async move {
            if let Err(error) = shared.refresh(now).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the issuer's keys are not to be had"
                );
            }
        });
        let _ = look.await;
        let can_tell = self.0.is_younger(self.0.pace.used_max) && !self.0.held().failed;
        self.0.known(token).ok_or_else(|| if can_tell { NotTaken::Bad } else { self.unreachable() })
    }

    fn unreachable(&self) -> NotTaken {
        NotTaken::Unreachable { retry_after: self.0.pace.interval }
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Written in one go each, and nothing panics in between.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, token: &Header) -> Option<Key> {
        let is_usable = self.is_younger(self.pace.used_max);
        self.held().set.find(token).filter(|_| is_usable).cloned()
    }

    fn is_younger(&self, age: Duration) -> bool {
        let now = self.clock.now();
        self.held().seen_at.is_some_and(|seen_at| now < seen_at + age)
    }

    /// Looks for somebody who came at `now`; not if a look has begun since, or a short while before.
    async fn refresh(&self, now: Time) -> Result<(), KeysError> {
        let _turn = self.turn.lock().await;
        let interval =
            if self.held().failed { self.pace.interval.max(FAILED_INTERVAL) } else { self.pace.interval };
        if self.held().looked_at.is_some_and(|looked_at| now < looked_at + interval) {
            return Ok(());
        }
        let began = self.clock.now();
        self.held().looked_at = Some(began);
        let read = match self.source.read().await {
            Ok(bytes) => KeySet::read(&bytes).map_err(KeysError::from),
            Err(error) => Err(error),
        };
        let mut held = self.held();
        held.failed = read.is_err();
        held.set = read?;
        held.seen_at = Some(began);
        Ok(())
    }
}
