use core::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goim_core::hash::spread;
use goim_core::lane::{Answer, Committed, Lane, LaneLimits, Offer};
use goim_core::{ConversationId, Epoch};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::runner;
use crate::service::rules::{ChatRules, Refusal};
use crate::store::{EntryDraft, LaneStore, OwnRead};

/// Takes what the lanes decided. Called from the lanes' tasks, with whole batches: it must not
/// block.
pub trait Sink<T>: Send + Sync + 'static {
    /// Fates of offers. What was committed is durable before it comes here.
    fn answers(&self, answers: Vec<Answer<Refusal, T>>);

    /// Entries that were committed, and the epoch of the connection that did it; those of one
    /// conversation in order of their seqs. Called after their answers.
    fn committed(&self, epoch: Epoch, entries: Vec<Committed<EntryDraft>>);

    /// Read markers that moved because their users sent something. Called after what they sent.
    fn read(&self, epoch: Epoch, read: Vec<OwnRead>);
}

/// The lanes of a node. A conversation belongs to one of them, by the hash of its id.
pub struct Committer<T> {
    lanes: Vec<Arc<Mailbox<T>>>,
    // Ends the lanes' tasks when it is dropped.
    tasks: Mutex<JoinSet<()>>,
}

/// What a lane's task shares with whoever offers to it.
pub(super) struct Mailbox<T> {
    offers: Mutex<Vec<Offer<EntryDraft, T>>>,
    /// Offered and not yet answered.
    waiting: AtomicUsize,
    waiting_max: usize,
    /// The store's new epoch, which the lane has not heard of yet; zero if there is none.
    new_epoch: AtomicU64,
    closing: AtomicBool,
    wake: Notify,
    room: Arc<Notify>,
}

impl<T: Send + Sync + 'static> Committer<T> {
    /// Starts up to `lanes` lanes, as many as are of use to the store.
    #[must_use]
    pub fn start(
        store: &Arc<dyn LaneStore>,
        lanes: usize,
        rules: ChatRules,
        limits: LaneLimits,
        sink: &Arc<dyn Sink<T>>,
    ) -> Self {
        let lanes = lanes.clamp(1, store.lanes_max());
        let room = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        let mailbox = |_| {
            let mailbox = Arc::new(Mailbox {
                offers: Mutex::default(),
                waiting: AtomicUsize::new(0),
                waiting_max: limits.waiting_max,
                new_epoch: AtomicU64::new(0),
                closing: AtomicBool::new(false),
                wake: Notify::new(),
                room: Arc::clone(&room),
            });
            tasks.spawn(runner::run(
                Arc::clone(&mailbox),
                Arc::clone(store),
                Lane::new(rules, limits),
                Arc::clone(sink),
            ));
            mailbox
        };
        let lanes = (0..lanes).map(mailbox).collect();
        Self { lanes, tasks: Mutex::new(tasks) }
    }

    /// Hands offers to their lanes, in order. What a full lane does not take stays in `offers`,
    /// with everything behind it: wait for [`Committer::room`].
    pub fn offer(&self, offers: &mut Vec<Offer<EntryDraft, T>>) {
        let mut rest = mem::take(offers).into_iter();
        let mut touched = vec![false; self.lanes.len()];
        while let Some(offer) = rest.next() {
            let place = self.place(offer.conversation);
            if let Err(offer) = self.lanes[place].push(offer) {
                offers.push(offer);
                offers.extend(rest);
                break;
            }
            touched[place] = true;
        }
        for (lane, _) in self.lanes.iter().zip(touched).filter(|(_, touched)| *touched) {
            lane.wake.notify_one();
        }
    }

    /// Waits until no lane is full.
    pub async fn room(&self) {
        loop {
            let Some(lane) = self.lanes.first() else { return };
            let freed = lane.room.notified();
            if !self.lanes.iter().any(|lane| lane.is_full()) {
                return;
            }
            freed.await;
        }
    }

    /// Has every lane forget what it knows and connect anew, for a store that has this new epoch.
    pub fn begin_epoch(&self, epoch: Epoch) {
        for lane in &self.lanes {
            lane.new_epoch.store(epoch.as_u64(), Ordering::Release);
            lane.wake.notify_one();
        }
    }

    /// Ends the lanes once everything offered is answered. Offer nothing after it.
    pub async fn drain(&self) {
        let mut tasks = mem::take(&mut *lock(&self.tasks));
        for lane in &self.lanes {
            lane.closing.store(true, Ordering::Release);
            lane.wake.notify_one();
        }
        while tasks.join_next().await.is_some() {}
    }

    fn place(&self, conversation: ConversationId) -> usize {
        let lanes = self.lanes.len() as u64;
        usize::try_from(spread(conversation.as_u64()) % lanes).unwrap_or(0)
    }
}

impl<T> Mailbox<T> {
    // The offer is handed back whole, so that nothing is copied to keep it.
    #[allow(clippy::result_large_err, reason = "the caller keeps what a full lane does not take")]
    fn push(&self, offer: Offer<EntryDraft, T>) -> Result<(), Offer<EntryDraft, T>> {
        if self.is_full() {
            return Err(offer);
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        lock(&self.offers).push(offer);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= self.waiting_max
    }

    pub(super) fn take(&self) -> Vec<Offer<EntryDraft, T>> {
        mem::take(&mut *lock(&self.offers))
    }

    /// Some offers were answered.
    pub(super) fn answered(&self, offers: usize) {
        self.waiting.fetch_sub(offers, Ordering::AcqRel);
        self.room.notify_waiters();
    }

    pub(super) fn take_new_epoch(&self) -> Option<Epoch> {
        match self.new_epoch.swap(0, Ordering::AcqRel) {
            0 => None,
            epoch => Some(Epoch::new(epoch)),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.closing.load(Ordering::Acquire) && self.waiting.load(Ordering::Acquire) == 0
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    // Nothing panics under these locks; if it did, the lists would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> fmt::Debug for Committer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: Vec<_> = self.lanes.iter().map(|lane| lane.waiting.load(Ordering::Relaxed)).collect();
        f.debug_struct("Committer").field("waiting", &waiting).finish_non_exhaustive()
    }
}
