//! One lane, the model store, and offers in short.

use std::sync::Arc;

use goim_core::lane::{AppendResult, Batch, Lane, LaneLimits, Offer, Outcome};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Epoch, Seq, Time, UserId};

use goim_core_models::lane::rules::{Entry, Refusal, TestRules};
use goim_core_models::lane::store::Store;

pub(crate) const HERE: ConversationId = ConversationId::new(1);
pub(crate) const THERE: ConversationId = ConversationId::new(2);
pub(crate) const ANN: UserId = UserId::new(1);
pub(crate) const BOB: UserId = UserId::new(2);

pub(crate) type TestOutcome = Outcome<Refusal>;

pub(crate) struct Bench {
    pub(crate) now: Time,
    pub(crate) store: Store,
    pub(crate) lane: Lane<TestRules, u64>,
}

pub(crate) fn id(n: u64) -> ClientMsgId {
    ClientMsgId::mint(n, &[0; 10])
}

/// The nth message of a user; its ticket is n.
pub(crate) fn say(conversation: ConversationId, user: UserId, n: u64) -> Offer<Entry, u64> {
    Offer {
        ticket: n,
        conversation,
        sender: user,
        device: DeviceId::new(user.as_u64()),
        client_msg_id: id(n),
        after: None,
        retry: false,
        epoch: Epoch::default(),
        entry: Entry::Say,
    }
}

pub(crate) fn after(n: u64, offer: Offer<Entry, u64>) -> Offer<Entry, u64> {
    Offer { after: Some(id(n)), ..offer }
}

pub(crate) fn retry(offer: Offer<Entry, u64>) -> Offer<Entry, u64> {
    Offer { retry: true, ..offer }
}

pub(crate) fn with(entry: Entry, offer: Offer<Entry, u64>) -> Offer<Entry, u64> {
    Offer { entry, ..offer }
}

pub(crate) fn committed(seq: u64) -> TestOutcome {
    Outcome::Committed { seq: Seq::new(seq), count: seq, at_ms: 7 }
}

pub(crate) fn duplicate(seq: u64, unmarked: bool) -> TestOutcome {
    Outcome::Duplicate { seq: Seq::new(seq), count: seq, at_ms: 7, unmarked }
}

pub(crate) fn tickets(batch: &Batch<Entry>) -> Vec<ClientMsgId> {
    batch.rows.iter().map(|row| row.client_msg_id).collect()
}

impl Bench {
    pub(crate) fn new(limits: LaneLimits) -> Self {
        let mut store = Store::default();
        store.create(HERE, &[ANN, BOB]);
        store.create(THERE, &[ANN, BOB]);
        Self { now: Time::ZERO, store, lane: Lane::new(TestRules, limits) }
    }

    pub(crate) fn offer(&mut self, offer: Offer<Entry, u64>) {
        self.lane.offer(self.now, offer).unwrap();
    }

    pub(crate) fn load(&mut self) -> usize {
        let mut loads = 0;
        while let Some(request) = self.lane.poll_load() {
            loads += 1;
            let result = Ok(self.store.load(&request));
            self.lane.handle_loaded(self.now, &request, result);
        }
        loads
    }

    pub(crate) fn batch(&mut self) -> Option<Arc<Batch<Entry>>> {
        for _ in 0..4 {
            self.load();
            let batch = self.lane.poll_append(self.now, 7);
            if batch.is_some() {
                return batch;
            }
        }
        None
    }

    pub(crate) fn finish(&mut self, result: AppendResult) {
        self.lane.handle_appended(self.now, result);
    }

    /// Until nothing moves any more.
    pub(crate) fn run(&mut self) -> Vec<(u64, TestOutcome)> {
        while let Some(batch) = self.batch() {
            let result = self.store.append(&batch);
            drop(batch);
            self.finish(result);
        }
        self.answers()
    }

    pub(crate) fn answers(&mut self) -> Vec<(u64, TestOutcome)> {
        core::iter::from_fn(|| self.lane.poll_answer()).map(|a| (a.ticket, a.outcome)).collect()
    }

    /// Appends behind the lane's back.
    pub(crate) fn rival(&mut self, offer: Offer<Entry, u64>) -> Vec<(u64, TestOutcome)> {
        let store = core::mem::take(&mut self.store);
        let mut rival = Self { now: self.now, store, lane: Lane::new(TestRules, LaneLimits::default()) };
        rival.offer(offer);
        let answers = rival.run();
        self.store = rival.store;
        answers
    }
}

pub(crate) fn bench() -> Bench {
    Bench::new(LaneLimits::default())
}
