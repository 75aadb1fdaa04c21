//! Segmented sequences: core's allocator, whose ceilings the store keeps.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goim_core::Epoch;
use goim_core::sequence::{Ceiling, Next, NumberRange, Section, SegmentAllocator, SegmentConfig};
use goim_proto::{Allocated, Error, ErrorCode};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{exhausted, failed};
use crate::store::{Store, StoreError};

/// How often a call waits for a ceiling: two of these to load and raise the first one, the others while
/// rivals on this node or on others take what was raised.
const TRIES: u32 = 16;
/// When to come again after that, in milliseconds.
const BUSY_RETRY_MS: u64 = 100;

/// Hears what became of the ceiling that a call waits for.
type Waiting = oneshot::Sender<Result<(), Error>>;

/// All segmented sequences on one node.
#[derive(Debug)]
pub(super) struct Segments {
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    epoch: Epoch,
    allocator: SegmentAllocator,
    waiting: HashMap<Section, Vec<Waiting>>,
}

impl State {
    fn new(epoch: Epoch) -> Self {
        // The number of sections is for life: which of them a sequence belongs to depends on it.
        let allocator = SegmentAllocator::new(SegmentConfig::default());
        Self { epoch, allocator, waiting: HashMap::new() }
    }
}

/// What a call came by.
enum Taken {
    Numbers(Allocated),
    Exhausted,
    /// Until the ceiling was raised, or could not be.
    Nothing(oneshot::Receiver<Result<(), Error>>),
}

/// Where the store stands after it was asked.
enum Stands {
    Raised(u64),
    At(u64),
}

/// The key of a sequence. Two with the same one would share their numbers, and leave out more.
pub(super) fn key(name: &str) -> u64 {
    let mut key = [0; 8];
    key.copy_from_slice(&Sha256::digest(name.as_bytes())[..8]);
    u64::from_be_bytes(key)
}

impl Segments {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let epoch = store.gate().served();
        Self { store, state: Mutex::new(State::new(epoch)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next numbers of a key, for a call that began in this epoch.
    pub(super) async fn take(
        self: &Arc<Self>,
        epoch: Epoch,
        key: u64,
        n: NonZeroU64,
    ) -> Result<Allocated, Error> {
        for _ in 0..TRIES {
            match self.next(epoch, key, n) {
                Taken::Numbers(numbers) => return Ok(numbers),
                Taken::Exhausted => return Err(exhausted()),
                // (Nobody is told who waited in an epoch that is over.)
                Taken::Nothing(settled) => settled.await.unwrap_or(Ok(()))?,
            }
        }
        let error = Error::new(ErrorCode::Unavailable, "others were faster each time; try again");
        Err(Error { retry_after_ms: Some(BUSY_RETRY_MS), ..error })
    }

    fn next(self: &Arc<Self>, epoch: Epoch, key: u64, n: NonZeroU64) -> Taken {
        let mut state = self.state();
        if state.epoch < epoch {
            // The store went back: what was raised in it may be another node's by now.
            *state = State::new(epoch);
        }
        let next = state.allocator.next(key, n);
        while let Some(ceiling) = state.allocator.poll_ceiling() {
            // In a task of its own: the call that asks first may go away, and others wait for it too.
            tokio::spawn(Arc::clone(self).settle(state.epoch, ceiling));
        }
        match next {
            Next::Range(NumberRange { first, last }) => Taken::Numbers(Allocated { first, last }),
            Next::Exhausted => Taken::Exhausted,
            Next::Wait => {
                let (waiting, settled) = oneshot::channel();
                let section = state.allocator.section(key);
                state.waiting.entry(section).or_default().push(waiting);
                Taken::Nothing(settled)
            }
        }
    }

    /// Does what the allocator asks of the store, and tells it and all who wait.
    async fn settle(self: Arc<Self>, epoch: Epoch, ceiling: Ceiling) {
        let section = ceiling.section();
        let settled = self.ask(ceiling).await;
        let mut state = self.state();
        if state.epoch != epoch {
            return;
        }
        let told = match settled {
            Ok(Stands::Raised(to)) => {
                state.allocator.handle_raised(section, to);
                Ok(())
            }
            Ok(Stands::At(ceiling)) => {
                state.allocator.handle_loaded(section, ceiling);
                Ok(())
            }
            Err(error) => {
                state.allocator.handle_failed(section);
                Err(failed(error))
            }
        };
        for waiting in state.waiting.remove(&section).unwrap_or_default() {
            let _ = waiting.send(told.clone());
        }
    }

    async fn ask(&self, ceiling: Ceiling) -> Result<Stands, StoreError> {
        let section = ceiling.section().as_u32();
        if let Ceiling::Raise { from, to, .. } = ceiling
            && self.store.raise_ceiling(section, from, to).await?
        {
            return Ok(Stands::Raised(to));
        }
        self.store.ceiling(section).await.map(Stands::At)
    }
}
