//! Connections that fail at the worst moments, and backends that are killed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use goim_core::Epoch;
use goim_core::lane::AppendResult;
use goim_server::store::{EntryBatch, LaneConnection, OwnRead};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::backend::Backend;
use crate::committer::check_published;
use crate::fixtures::{group, scaled, seeded, users};
use crate::ledger::Ledger;
use crate::on_both_stores;
use crate::rivals::{committers, devices};
use crate::workload;

/// How often, in a hundred appends, a lane's connection fails in which way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// The batch is written and its answer lost.
    pub(crate) answers_lost: u32,
    /// The connection is lost before the batch is sent, which nobody can tell from the above.
    pub(crate) requests_lost: u32,
    /// The connection is dropped somewhere in between.
    pub(crate) cut: u32,
}

impl Faults {
    pub(crate) const NONE: Self = Self { answers_lost: 0, requests_lost: 0, cut: 0 };
}

/// A lane's connection with [`Faults`].
pub(crate) struct FaultyLane {
    inner: Box<dyn LaneConnection>,
    faults: Faults,
    rng: StdRng,
}

impl FaultyLane {
    pub(crate) fn new(inner: Box<dyn LaneConnection>, faults: Faults) -> Self {
        Self { inner, faults, rng: StdRng::seed_from_u64(rand::random()) }
    }
}

#[async_trait]
impl LaneConnection for FaultyLane {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    async fn append(&mut self, batch: &EntryBatch) -> AppendResult {
        let Faults { answers_lost, requests_lost, cut } = self.faults;
        let die = self.rng.random_range(0..100);
        if die < answers_lost {
            self.inner.append(batch).await;
            AppendResult::InDoubt
        } else if die < answers_lost + requests_lost {
            AppendResult::InDoubt
        } else if die < answers_lost + requests_lost + cut {
            let moment = Duration::from_micros(self.rng.random_range(0..3_000));
            let answer = tokio::time::timeout(moment, self.inner.append(batch)).await;
            answer.unwrap_or(AppendResult::InDoubt)
        } else {
            self.inner.append(batch).await
        }
    }

    fn take_read(&mut self) -> Vec<OwnRead> {
        self.inner.take_read()
    }
}

async fn with_faults(backend: &Backend, name: &str, faults: Faults, killing: bool) {
    let mut rng = seeded(name);
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(4);
    let mut conversations = Vec::new();
    for _ in 0..4 {
        conversations.push(group(&store, &ledger, &users).await);
    }
    let committers = committers(backend, 2, faults).await;
    let pauses: Vec<_> = (0..scaled(40)).map(|_| Duration::from_millis(rng.random_range(5..60))).collect();
    let done = AtomicBool::new(false);
    let work = async {
        workload::run(&mut rng, &committers, &ledger, &devices(&conversations, &users), scaled(40)).await;
        done.store(true, Ordering::Relaxed);
    };
    // Kills come to an end, so that what is left shows that everybody gets on afterwards.
    let killed = async {
        let mut killed = 0;
        let raw = backend.raw().await;
        for pause in pauses.into_iter().filter(|_| killing) {
            if done.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(pause).await;
            killed += raw.kill_one().await;
        }
        killed
    };
    let ((), killed) = tokio::join!(work, killed);
    assert!(!killing || killed > 0, "nothing was killed, so nothing was tested");
    check_published(backend, &ledger, &committers).await;
}

async fn answers_lost(backend: &Backend) {
    let faults = Faults { answers_lost: 25, requests_lost: 0, cut: 0 };
    with_faults(backend, "answers lost after the commit", faults, false).await;
}

async fn cut(backend: &Backend) {
    let faults = Faults { answers_lost: 5, requests_lost: 10, cut: 30 };
    with_faults(backend, "connections dropped at random", faults, false).await;
}

async fn killed(backend: &Backend) {
    let faults = if backend.is_postgres() {
        Faults::NONE
    } else {
        // There is no backend process to kill: its connections are dropped at random instead.
        Faults { answers_lost: 0, requests_lost: 0, cut: 40 }
    };
    with_faults(backend, "connections killed at random", faults, backend.is_postgres()).await;
}

/// Both at once is what a failing network between node and database looks like.
async fn killed_and_cut(backend: &Backend) {
    let faults = Faults { answers_lost: 10, requests_lost: 5, cut: 10 };
    with_faults(backend, "killed and dropped", faults, backend.is_postgres()).await;
}

on_both_stores! {
    super::answers_lost as g3_answers_lost_after_the_commit_are_found_again,
    super::cut as g1_connections_dropped_at_random_lose_nothing,
    super::killed as g1_connections_killed_at_random_lose_nothing,
    super::killed_and_cut as g1_connections_killed_and_dropped_lose_nothing,
}
