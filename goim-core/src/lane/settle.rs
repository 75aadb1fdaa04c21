//! What came of a batch.

use std::sync::Arc;

use super::conversation::Pending;
use super::machine::Held;
use super::recent::Stored;
use super::{AppendResult, Batch, Committed, Lane, Outcome, Row, Rules, Unavailable};
use crate::hash::IdSet;
use crate::{ConversationId, Time};

/// Why an entry goes back to the front of its queue.
#[derive(Clone, Copy)]
enum Again {
    /// Its conversation stood elsewhere, or the answer was lost: it may be stored meanwhile.
    LookUp,
    /// The store says that one of its batch is stored.
    Suspect,
    /// Nothing is known against it.
    AsIs,
}

impl<R: Rules, T> Lane<R, T> {
    /// Takes what came of the batch that is out.
    pub fn handle_appended(&mut self, now: Time, result: AppendResult) {
        let Some(flight) = self.flight.take() else { return };
        let batch = Arc::unwrap_or_clone(flight.batch);
        for expect in &batch.expects {
            if let Some(conversation) = self.conversations.get_mut(&expect.conversation) {
                conversation.in_flight = 0;
            }
        }
        match result {
            AppendResult::Written { stale } => self.written(batch, flight.held, &stale),
            AppendResult::Duplicate => self.again(batch, flight.held, Again::Suspect),
            AppendResult::Conflict => self.again(batch, flight.held, Again::AsIs),
            AppendResult::Data => self.bad_data(batch, flight.held),
            AppendResult::InDoubt => {
                self.again(batch, flight.held, Again::LookUp);
                self.forget_all();
            }
            AppendResult::Down => {
                self.refuse(batch, flight.held, &Outcome::Unavailable(Unavailable::StoreDown));
            }
            AppendResult::Full => {
                self.refuse(batch, flight.held, &Outcome::Unavailable(Unavailable::StoreFull));
            }
        }
        self.handle_timeout(now);
    }

    fn written(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>, stale: &[ConversationId]) {
        let stale: IdSet<ConversationId> = stale.iter().copied().collect();
        let mut left = Vec::new();
        for (row, held) in batch.rows.into_iter().zip(held) {
            if stale.contains(&row.conversation) {
                left.push((row, held));
            } else {
                self.commit(row, held);
            }
        }
        self.requeue(left, Again::LookUp);
        for expect in &batch.expects {
            if stale.contains(&expect.conversation) {
                self.forget(expect.conversation);
            } else {
                self.trim(expect.conversation);
                self.schedule(expect.conversation);
            }
        }
    }

    fn commit(&mut self, row: Row<R::Entry>, held: Held<T>) {
        let Row { conversation, seq, sender, device, client_msg_id, count, at_ms, entry } = row;
        let key = (conversation, sender, client_msg_id);
        self.passed(&entry);
        self.remember(key, Stored { seq, count, at_ms });
        self.settle(key, held.ticket, held.attached, Outcome::Committed { seq, count, at_ms });
        self.committed.push_back(Committed {
            conversation,
            seq,
            count,
            at_ms,
            sender,
            device,
            client_msg_id,
            entry,
        });
    }

    /// An entry leaves the lane: its bytes are free, and it was no offender.
    fn passed(&mut self, entry: &R::Entry) {
        self.waiting_bytes -= self.rules.bytes(entry);
        self.suspects = self.suspects.saturating_sub(1);
        if self.suspects == 0 {
            self.batch_cap = self.limits.batch_max.max(1);
        }
    }

    fn trim(&mut self, id: ConversationId) {
        let members_max = self.limits.members_max;
        if let Some(known) = self.conversations.get_mut(&id).and_then(|c| c.known.as_mut()) {
            known.fold.trim(members_max);
        }
    }

    /// Puts a batch of which nothing was written back, and forgets what its entries had changed.
    fn again(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>, why: Again) {
        self.requeue(batch.rows.into_iter().zip(held).collect(), why);
        for expect in &batch.expects {
            self.forget(expect.conversation);
        }
    }

    /// Halves until the offender stands alone and gets it.
    fn bad_data(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>) {
        if batch.rows.len() == 1 {
            self.refuse(batch, held, &Outcome::Rejected);
            return;
        }
        self.batch_cap = (batch.rows.len() / 2).max(1);
        self.suspects = self.suspects.max(batch.rows.len());
        self.again(batch, held, Again::AsIs);
    }

    fn refuse(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>, outcome: &Outcome<R::Refusal>) {
        for (row, held) in batch.rows.into_iter().zip(held) {
            self.passed(&row.entry);
            let key = (row.conversation, row.sender, row.client_msg_id);
            self.settle(key, held.ticket, held.attached, outcome.clone());
        }
        for expect in &batch.expects {
            self.forget(expect.conversation);
        }
    }

    /// Puts rows back to the fronts of their queues, in order; those tried too often are refused.
    fn requeue(&mut self, rows: Vec<(Row<R::Entry>, Held<T>)>, why: Again) {
        let mut contended = Vec::new();
        for (row, held) in rows.into_iter().rev() {
            let id = row.conversation;
            let pending = Pending {
                ticket: held.ticket,
                sender: row.sender,
                device: row.device,
                client_msg_id: row.client_msg_id,
                after: held.after,
                entry: row.entry,
                offered_at: held.offered_at,
                stamp: held.stamp,
                look_up: held.look_up || !matches!(why, Again::AsIs),
                looked_up: false,
                suspect: held.suspect || (matches!(why, Again::Suspect) && !held.look_up),
                tries: held.tries + 1,
                attached: held.attached,
            };
            if pending.tries >= self.limits.tries_max && self.suspects == 0 {
                contended.push((id, pending));
            } else if let Some(conversation) = self.conversations.get_mut(&id) {
                conversation.queue.push_front(pending);
            }
        }
        for (id, pending) in contended.into_iter().rev() {
            self.answer(id, pending, Outcome::Unavailable(Unavailable::Contended));
        }
    }
}
