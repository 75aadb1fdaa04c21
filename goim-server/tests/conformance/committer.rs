//! The server's committer, on a store whose connections fail as often as a test wants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use goim_core::Epoch;
use goim_core::lane::{Answer, Committed, LaneLimits, Offer};
use goim_server::commit::Sink;
use goim_server::store::{
    EntryDraft, LaneConnection, LaneStore, Load, LoadedState, OwnRead, Store, StoreError,
};
use goim_server::{ChatRules, Limits, Refusal};
use tokio::sync::oneshot;

use crate::backend::Backend;
use crate::checker::check;
use crate::faults::{Faults, FaultyLane};
use crate::fixtures::AS_SERVED;
use crate::ledger::Ledger;
pub(crate) use crate::ledger::Outcome;

type Ticket = oneshot::Sender<Outcome>;

/// A committer of its own: to the store, another node.
pub(crate) struct Committer {
    inner: goim_server::commit::Committer<Ticket>,
    sink: Arc<Collector>,
    store: Arc<dyn Store>,
}

impl Committer {
    pub(crate) fn start(store: Arc<dyn Store>, faults: Faults) -> Self {
        Self::start_with(store, faults, LaneLimits::default())
    }

    pub(crate) fn start_with(store: Arc<dyn Store>, faults: Faults, limits: LaneLimits) -> Self {
        let faulty: Arc<dyn LaneStore> = Arc::new(FaultyStore { inner: Arc::clone(&store), faults });
        let sink = Arc::new(Collector::default());
        let dyn_sink: Arc<dyn Sink<Ticket>> = Arc::<Collector>::clone(&sink);
        let inner = goim_server::commit::Committer::start(
            &faulty,
            2,
            ChatRules::new(&Limits::default()),
            limits,
            &dyn_sink,
        );
        Self { inner, sink, store }
    }

    /// Offers an entry; the future that comes back is its answer.
    pub(crate) async fn offer(
        &self,
        offer: Offer<EntryDraft, ()>,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        self.offer_all(vec![offer]).await.pop().expect("an answer for each offer")
    }

    /// Offers entries in one go. Those of no epoch are [as the store serves it](crate::fixtures::AS_SERVED).
    pub(crate) async fn offer_all(
        &self,
        offers: Vec<Offer<EntryDraft, ()>>,
    ) -> Vec<impl Future<Output = Outcome> + Send + use<>> {
        let (mut with_tickets, mut answers) = (Vec::new(), Vec::new());
        let served = self.store.gate().served();
        for offer in offers {
            let (ticket, answer) = oneshot::channel();
            let Offer { ticket: (), conversation, sender, device, client_msg_id, after, retry, epoch, entry } =
                offer;
            with_tickets.push(Offer {
                ticket,
                conversation,
                sender,
                device,
                client_msg_id,
                after,
                retry,
                epoch: if epoch == AS_SERVED { served } else { epoch },
                entry,
            });
            answers.push(async { answer.await.expect("every offer is answered") });
        }
        self.inner.offer(&mut with_tickets);
        while !with_tickets.is_empty() {
            self.inner.room().await;
            self.inner.offer(&mut with_tickets);
        }
        answers
    }

    /// Tells it that the store has a new epoch.
    pub(crate) fn begin_epoch(&self, epoch: Epoch) {
        self.inner.begin_epoch(epoch);
    }

    /// What it published, in that order.
    pub(crate) fn published(&self) -> Vec<Committed<EntryDraft>> {
        self.sink.published().iter().map(|(_, entry)| entry.clone()).collect()
    }

    /// The epochs of what it published, in that order.
    pub(crate) fn published_in(&self) -> Vec<Epoch> {
        self.sink.published().iter().map(|(epoch, _)| *epoch).collect()
    }

    /// Ends it; answers come first.
    pub(crate) async fn stop(&self) {
        self.inner.drain().await;
    }
}

/// Hands answers to whoever waits for them, and keeps what was published.
#[derive(Default)]
struct Collector {
    published: Mutex<Vec<(Epoch, Committed<EntryDraft>)>>,
}

impl Collector {
    fn published(&self) -> MutexGuard<'_, Vec<(Epoch, Committed<EntryDraft>)>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink<Ticket> for Collector {
    fn answers(&self, answers: Vec<Answer<Refusal, Ticket>>) {
        for answer in answers {
            // Whoever waited may have gone.
            let _ = answer.ticket.send(answer.outcome);
        }
    }

    fn committed(&self, epoch: Epoch, entries: Vec<Committed<EntryDraft>>) {
        self.published().extend(entries.into_iter().map(|entry| (epoch, entry)));
    }

    fn read(&self, _: Epoch, _: Vec<OwnRead>) {}
}

struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Faults,
}

#[async_trait]
impl LaneStore for FaultyStore {
    fn lanes_max(&self) -> usize {
        self.inner.lanes_max()
    }

    async fn lane_connection(&self) -> Result<Box<dyn LaneConnection>, StoreError> {
        let inner = self.inner.lane_connection().await?;
        Ok(Box::new(FaultyLane::new(inner, self.faults)))
    }

    async fn load(&self, load: &Load) -> Result<Option<LoadedState>, StoreError> {
        self.inner.load(load).await
    }
}

/// [`check`], and that what the committers published is what is stored, in order of seqs. Ends
/// them first.
pub(crate) async fn check_published(backend: &Backend, ledger: &Ledger, committers: &[Arc<Committer>]) {
    let raw = backend.raw().await;
    let mut stored = BTreeMap::new();
    for conversation in ledger.conversations() {
        for entry in raw.entries(conversation).await {
            stored.insert((conversation, entry.seq), entry);
        }
    }
    for committer in committers {
        committer.stop().await;
        let mut heads = BTreeMap::new();
        for entry in committer.published() {
            let last = heads.insert(entry.conversation, entry.seq);
            assert!(last.is_none_or(|last| last < entry.seq), "published out of order at {}", entry.seq);
            let row = stored.get(&(entry.conversation, entry.seq)).expect("what is published is stored");
            assert_eq!((row.sender, row.client_msg_id), (entry.sender, entry.client_msg_id));
            assert_eq!((row.count, row.at_ms, &row.body), (entry.count, entry.at_ms, &entry.entry.body));
        }
    }
    check(backend, ledger).await;
}
