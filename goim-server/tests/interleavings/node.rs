//! A node's committer: core's own lane, stepped by the schedule instead of by a task.
//!
//! What it does with connections, loads and answers is what `commit/runner.rs` does.

use std::collections::VecDeque;
use std::sync::Arc;

use goim_core::lane::{AppendResult, LaneLimits, LoadFailed, Offer};
use goim_core::{Epoch, Lane, Time};
use goim_server::ChatRules;
use goim_server::store::{EntryBatch, EntryDraft, LaneConnection, Load, LoadedState, StoreResult};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::ledger::Key;

/// Whose an offer is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    /// A sender's: which, in which of his windows, at which place there.
    Sender { sender: usize, window: u64, place: usize },
    /// A worker's who delivers what is due: which, and the row.
    Due { worker: usize, row: i64 },
    /// Nobody's: a copy that somebody sent and does not wait for.
    Copy,
}

/// What comes back with an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) key: Key,
    pub(crate) offered: u64,
    pub(crate) whose: Whose,
}

enum Link {
    Down,
    Connecting,
    Free(Box<dyn LaneConnection>),
    Appending,
}

pub(crate) struct Node {
    pub(crate) lane: Lane<ChatRules, Ticket>,
    link: Link,
    /// In which its clients send.
    epoch: Epoch,
    loads: VecDeque<Load>,
    /// Asked for a batch it had none, and nothing has happened since.
    has_none: bool,
}

impl Node {
    /// A node with limits so narrow that it forgets most of what it knew.
    pub(crate) fn new(rng: &mut StdRng) -> Self {
        let limits = LaneLimits {
            batch_max: rng.random_range(1..8),
            conversations_max: rng.random_range(1..8),
            members_max: rng.random_range(1..6),
            devices_max: rng.random_range(1..4),
            recent_max: rng.random_range(1..16),
            loads_max: rng.random_range(1..4),
            load_entries_max: rng.random_range(1..8),
            ..LaneLimits::default()
        };
        let lane = Lane::new(ChatRules { group_members_max: u64::MAX }, limits);
        Self { lane, link: Link::Down, epoch: Epoch::default(), loads: VecDeque::new(), has_none: false }
    }

    pub(crate) fn may_connect(&self) -> bool {
        matches!(self.link, Link::Down)
    }

    pub(crate) fn connecting(&mut self) {
        self.link = Link::Connecting;
    }

    pub(crate) fn may_append(&self) -> bool {
        matches!(self.link, Link::Free(_)) && self.lane.waiting() > 0 && !self.has_none
    }

    pub(crate) fn offer(&mut self, now: Time, offer: Offer<EntryDraft, Ticket>) {
        self.has_none = false;
        let offer = Offer { epoch: self.epoch, ..offer };
        self.lane.offer(now, offer).expect("a lane with room");
        self.poll_loads();
    }

    pub(crate) fn may_load(&self) -> bool {
        !self.loads.is_empty()
    }

    /// The next batch, with the connection to append it through.
    pub(crate) fn next_append(
        &mut self,
        now: Time,
        at_ms: u64,
    ) -> Option<(Box<dyn LaneConnection>, Arc<EntryBatch>)> {
        match std::mem::replace(&mut self.link, Link::Appending) {
            Link::Free(connection) => match self.lane.poll_append(now, at_ms) {
                Some(batch) => return Some((connection, batch)),
                None => {
                    self.has_none = true;
                    self.link = Link::Free(connection);
                }
            },
            other @ (Link::Down | Link::Connecting | Link::Appending) => self.link = other,
        }
        None
    }

    pub(crate) fn next_load(&mut self) -> Option<Load> {
        self.loads.pop_front()
    }

    pub(crate) fn poll_loads(&mut self) {
        while let Some(load) = self.lane.poll_load() {
            self.loads.push_back(load);
        }
    }

    pub(crate) fn appended(
        &mut self,
        now: Time,
        connection: Option<Box<dyn LaneConnection>>,
        result: AppendResult,
    ) {
        self.has_none = false;
        let lost = matches!(result, AppendResult::InDoubt | AppendResult::Down);
        self.lane.handle_appended(now, result);
        self.link = match connection {
            Some(connection) if !lost => Link::Free(connection),
            _ => Link::Down,
        };
    }

    pub(crate) fn loaded(&mut self, now: Time, load: &Load, result: StoreResult<Option<LoadedState>>) {
        self.has_none = false;
        match result {
            Ok(loaded) => self.lane.handle_loaded(now, load, Ok(loaded)),
            Err(_) => self.failed_to_load(now, load),
        }
    }

    pub(crate) fn failed_to_load(&mut self, now: Time, load: &Load) {
        self.has_none = false;
        self.lane.handle_loaded(now, load, Err(LoadFailed));
    }

    pub(crate) fn connected(&mut self, now: Time, at_ms: u64, connection: Option<Box<dyn LaneConnection>>) {
        self.has_none = false;
        let Some(connection) = connection else {
            self.link = Link::Down;
            // So that senders keep it and try again instead of waiting here.
            while self.lane.poll_append(now, at_ms).is_some() {
                self.lane.handle_appended(now, AppendResult::Down);
            }
            return;
        };
        self.epoch = connection.epoch();
        self.lane.handle_new_epoch(self.epoch);
        self.link = Link::Free(connection);
    }
}
