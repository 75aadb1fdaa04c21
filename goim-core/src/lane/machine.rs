use core::fmt;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::conversation::{Conversation, Held, Pending, Place};
use super::recent::{Key, Recent};
use super::{Answer, Batch, Committed, LaneLimits, Offer, Outcome, Rules, Unavailable};
use crate::hash::IdMap;
use crate::{ConversationId, Epoch, Time};

/// Conversations that eviction looks at for each new one: a bounded step, at the price that a round
/// in which none may go lets an eighth more of them in.
const EVICTION_LOOKS: usize = 8;

/// One serial committer. See the [module](super) for how to drive it.
pub struct Lane<R: Rules, T> {
    pub(super) rules: R,
    pub(super) limits: LaneLimits,
    pub(super) conversations: IdMap<ConversationId, Conversation<R, T>>,
    /// Each conversation in memory once, in the order in which eviction looks at them.
    ring: VecDeque<ConversationId>,
    pub(super) ready: VecDeque<ConversationId>,
    pub(super) to_load: VecDeque<ConversationId>,
    pub(super) loads: usize,
    pub(super) recent: Recent,
    /// All that waits or is in flight, and the tickets of second copies of it.
    copies: IdMap<Key, Vec<T>>,
    pub(super) waiting: usize,
    pub(super) waiting_bytes: usize,
    pub(super) stamp: u64,
    /// The store's, as far as the lane was told.
    pub(super) epoch: Epoch,
    pub(super) flight: Option<Flight<R::Entry, T>>,
    /// Entries that a batch of suspects may have now.
    pub(super) batch_cap: usize,
    /// Entries that are left of batches which the store refused for one of their entries. They go
    /// again by themselves: were they mixed with new entries, each batch could meet a new
    /// offender, and the old one would never stand alone.
    pub(super) suspects: usize,
    pub(super) answers: VecDeque<Answer<R::Refusal, T>>,
    pub(super) committed: VecDeque<Committed<R::Entry>>,
    next_sweep: Option<Time>,
}

/// The batch that is out, and beside each of its rows what the row does not hold.
pub(super) struct Flight<E, T> {
    pub(super) batch: Arc<Batch<E>>,
    pub(super) held: Vec<Held<T>>,
    /// It consists of suspects.
    pub(super) search: bool,
    /// The store went back while it was out.
    pub(super) outdated: bool,
}

impl<R: Rules, T> Lane<R, T> {
    /// An idle lane.
    pub fn new(rules: R, limits: LaneLimits) -> Self {
        Self {
            rules,
            conversations: IdMap::default(),
            ring: VecDeque::new(),
            ready: VecDeque::new(),
            to_load: VecDeque::new(),
            loads: 0,
            recent: Recent::new(limits.recent_max),
            copies: IdMap::default(),
            waiting: 0,
            waiting_bytes: 0,
            stamp: 0,
            epoch: Epoch::default(),
            flight: None,
            batch_cap: limits.batch_max.max(1),
            suspects: 0,
            answers: VecDeque::new(),
            committed: VecDeque::new(),
            next_sweep: None,
            limits,
        }
    }

    /// Takes an entry to append, which may wait for [`LaneLimits::wait_max`] from `arrived` on; its
    /// answer will come from [`Lane::poll_answer`]. A second copy of one that waits is attached to it
    /// and shares its fate.
    ///
    /// # Errors
    ///
    /// The offer itself when the lane is full: offer it again after the next answers, with the same
    /// `arrived`.
    // The offer is handed back whole, so that nothing is copied to keep it.
    #[allow(clippy::result_large_err, reason = "the caller keeps what a full lane does not take")]
    pub fn offer(&mut self, arrived: Time, offer: Offer<R::Entry, T>) -> Result<(), Offer<R::Entry, T>> {
        let bytes = self.rules.bytes(&offer.entry);
        let full = self.waiting >= self.limits.waiting_max
            || (self.waiting > 0 && self.waiting_bytes + bytes > self.limits.waiting_bytes_max);
        if full {
            return Err(offer);
        }
        self.waiting += 1;
        self.stamp += 1;
        let id = offer.conversation;
        match self.copies.entry((id, offer.sender, offer.client_msg_id)) {
            Entry::Occupied(mut copies) => {
                copies.get_mut().push(offer.ticket);
                return Ok(());
            }
            Entry::Vacant(first) => first.insert(Vec::new()),
        };
        self.waiting_bytes += bytes;
        let pending = Pending::new(offer, arrived, self.stamp);
        self.conversation_mut(id).queue.push_back(pending);
        self.schedule(id);
        let overdue_at = arrived + self.limits.wait_max;
        self.next_sweep = Some(self.next_sweep.map_or(overdue_at, |at| at.min(overdue_at)));
        Ok(())
    }

    /// The next answer to hand to its sender.
    pub fn poll_answer(&mut self) -> Option<Answer<R::Refusal, T>> {
        self.answers.pop_front()
    }

    /// The next committed entry to publish; those of one conversation come in order of their seqs.
    pub fn poll_committed(&mut self) -> Option<Committed<R::Entry>> {
        self.committed.pop_front()
    }

    /// When to call [`Lane::handle_timeout`], if anything waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.next_sweep
    }

    /// Refuses what has waited too long. Entries in flight are left to their batch, and so are those
    /// behind them, whose answers come after theirs.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.next_sweep.is_none_or(|at| now < at) {
            return;
        }
        let wait_max = self.limits.wait_max;
        let is_overdue = |held: &Held<T>| held.is_overdue(now, wait_max);
        let late = self.grounded(is_overdue);
        for id in &late {
            self.refuse_waiting(*id, is_overdue, &Outcome::Unavailable(Unavailable::WaitedTooLong));
        }
        if !late.is_empty() {
            self.unlist_empty();
        }
        let waiting = self.conversations.values().filter(|conversation| conversation.in_flight == 0);
        let fronts = waiting.filter_map(|conversation| conversation.queue.front());
        let oldest = fronts.map(|front| front.held.offered_at + wait_max).min();
        let flying = self.flight.as_ref().map(|_| now + wait_max / 8);
        self.next_sweep = oldest.into_iter().chain(flying).min();
    }

    /// Conversations of which nothing is in flight and something waits that is such at the front.
    fn grounded(&self, is_such: impl Fn(&Held<T>) -> bool) -> Vec<ConversationId> {
        let grounded = self.conversations.iter().filter(|(_, conversation)| conversation.in_flight == 0);
        let such = grounded
            .filter(|(_, conversation)| conversation.queue.front().is_some_and(|front| is_such(&front.held)));
        such.map(|(id, _)| *id).collect()
    }

    /// Answers what waits, from the front on as long as it is such.
    pub(super) fn refuse_waiting(
        &mut self,
        id: ConversationId,
        is_such: impl Fn(&Held<T>) -> bool,
        outcome: &Outcome<R::Refusal>,
    ) {
        while let Some(conversation) = self.conversations.get_mut(&id)
            && let Some(pending) = conversation.queue.pop_front_if(|front| is_such(&front.held))
        {
            self.answer(id, pending, outcome.clone());
        }
    }

    /// Takes conversations with nothing waiting any more out of the lists, in which they could not be
    /// evicted, and would stay as long as the store stands still.
    fn unlist_empty(&mut self) {
        let Self { conversations, ready, to_load, .. } = self;
        for list in [ready, to_load] {
            list.retain(|id| {
                let Some(conversation) = conversations.get_mut(id) else { return false };
                if conversation.queue.is_empty() {
                    conversation.place = Place::Idle;
                }
                conversation.place != Place::Idle
            });
        }
    }

    /// Forgets all that is believed about heads and members, for whenever the store's connection
    /// was replaced. What waits stays and is loaded again.
    pub fn forget_all(&mut self) {
        let ids: Vec<_> = self.conversations.keys().copied().collect();
        for id in ids {
            self.forget(id);
        }
    }

    /// For a store's connection that was replaced, or will be, with the store's epoch as it is now.
    ///
    /// In another epoch than before, the store went back to an earlier state. Then even which ids are
    /// stored is forgotten, and all that was [sent](Offer::epoch) in another epoch is refused for now:
    /// what is in flight, and what waits behind it, as soon as the batch is back. A copy of a message
    /// that was acknowledged and is lost would otherwise come back behind later ones of its sender,
    /// who has let go of it.
    pub fn handle_new_epoch(&mut self, epoch: Epoch) {
        if epoch == self.epoch {
            return self.forget_all();
        }
        self.epoch = epoch;
        self.recent.clear();
        if let Some(flight) = &mut self.flight {
            flight.outdated = true;
        }
        let is_outdated = |held: &Held<T>| held.epoch != epoch;
        let mut ids = self.grounded(is_outdated);
        ids.sort_unstable();
        for id in ids {
            self.refuse_waiting(id, is_outdated, &Outcome::Unavailable(Unavailable::StoreWentBack));
        }
        self.forget_all();
    }

    /// Whether nothing waits, flies, or is left to drain.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting == 0 && self.flight.is_none() && self.answers.is_empty() && self.committed.is_empty()
    }

    /// Entries that wait or are in flight, second copies included.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Conversations that it remembers: those with something waiting, those being loaded, and of the
    /// others at most [`LaneLimits::conversations_max`] and an eighth.
    #[must_use]
    pub fn conversations(&self) -> usize {
        self.conversations.len()
    }

    fn conversation_mut(&mut self, id: ConversationId) -> &mut Conversation<R, T> {
        if !self.conversations.contains_key(&id) {
            self.evict();
            self.ring.push_back(id);
        }
        let conversation = self.conversations.entry(id).or_insert_with(Conversation::new);
        conversation.touched = true;
        conversation
    }

    /// Makes room by second chance: whoever was used since the last round stays for another.
    fn evict(&mut self) {
        for _ in 0..EVICTION_LOOKS {
            if self.ring.len() < self.limits.conversations_max.max(1) {
                return;
            }
            let Some(id) = self.ring.pop_front() else { return };
            let Some(conversation) = self.conversations.get_mut(&id) else { continue };
            if conversation.is_idle() && !conversation.touched {
                self.conversations.remove(&id);
            } else {
                conversation.touched = false;
                self.ring.push_back(id);
            }
        }
    }

    /// Puts a conversation with something waiting where it will be looked at next.
    pub(super) fn schedule(&mut self, id: ConversationId) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if conversation.place != Place::Idle || conversation.queue.is_empty() || conversation.in_flight > 0 {
            return;
        }
        if conversation.known.is_some() {
            conversation.place = Place::Ready;
            self.ready.push_back(id);
        } else {
            conversation.place = Place::ToLoad;
            self.to_load.push_back(id);
        }
    }

    /// Drops what is believed about a conversation and has it loaded if anything waits.
    pub(super) fn forget(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            // One that is ready stays so: the next batch finds that it has to be loaded.
            conversation.forget();
            self.schedule(id);
        }
    }

    /// Answers an entry that has left the queue, and whoever is attached to it.
    pub(super) fn answer(
        &mut self,
        id: ConversationId,
        pending: Pending<R::Entry, T>,
        outcome: Outcome<R::Refusal>,
    ) {
        self.waiting_bytes -= self.rules.bytes(&pending.entry);
        self.settle(pending.key(id), pending.held, outcome);
    }

    /// Answers a ticket and the tickets of its second copies, for which "committed" reads
    /// "duplicate".
    pub(super) fn settle(&mut self, key: Key, held: Held<T>, outcome: Outcome<R::Refusal>) {
        let copies = self.copies.remove(&key).unwrap_or_default();
        self.waiting -= 1 + copies.len();
        if held.suspect {
            self.suspects -= 1;
            if self.suspects == 0 {
                self.batch_cap = self.limits.batch_max.max(1);
            }
        }
        let of_copies = (!copies.is_empty()).then(|| outcome.clone().of_copy());
        self.answers.push_back(Answer { ticket: held.ticket, outcome });
        for (ticket, outcome) in copies.into_iter().zip(core::iter::repeat(of_copies).flatten()) {
            self.answers.push_back(Answer { ticket, outcome });
        }
    }
}

impl<R: Rules, T> fmt::Debug for Lane<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("waiting", &self.waiting)
            .field("conversations", &self.conversations.len())
            .field("loads", &self.loads)
            .field("in_flight", &self.flight.as_ref().map(|flight| flight.held.len()))
            .finish_non_exhaustive()
    }
}
