//! What came of a batch.

use std::sync::Arc;

use super::conversation::{Held, Pending};
use super::machine::Flight;
use super::recent::Stored;
use super::{AppendResult, Batch, Committed, Lane, Outcome, Row, Rules, Unavailable};
use crate::hash::IdSet;
use crate::{ConversationId, Time};

/// Why an entry goes back to the front of its queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Its conversation stood elsewhere, or the answer was lost: it may be stored meanwhile.
    LookUp,
    /// A deadlock: nothing is known against it.
    Conflict,
    /// The store says that one of its batch is stored.
    Duplicate,
    /// The store cannot take one of its batch.
    Data,
}

impl<R: Rules, T> Lane<R, T> {
    /// Takes what came of the batch that is out.
    pub fn handle_appended(&mut self, now: Time, result: AppendResult) {
        let Some(Flight { batch, held, search, outdated }) = self.flight.take() else { return };
        let batch = Arc::unwrap_or_clone(batch);
        for expect in &batch.expects {
            if let Some(conversation) = self.conversations.get_mut(&expect.conversation) {
                conversation.in_flight = 0;
            }
        }
        match result {
            _ if outdated => self.refuse_outdated(batch, held),
            AppendResult::Written { stale } => {
                if search {
                    self.batch_cap = (self.batch_cap * 2).min(self.limits.batch_max.max(1));
                }
                self.written(batch, held, &stale);
            }
            AppendResult::Duplicate => self.duplicate(batch, held),
            AppendResult::Conflict => self.again(batch, held, Again::Conflict),
            AppendResult::Data => self.halve(batch, held, Again::Data, &Outcome::Rejected),
            AppendResult::InDoubt => {
                self.again(batch, held, Again::LookUp);
                self.forget_all();
            }
            AppendResult::Down => {
                self.refuse(batch, held, &Outcome::Unavailable(Unavailable::StoreDown));
            }
            AppendResult::Full => {
                self.refuse(batch, held, &Outcome::Unavailable(Unavailable::StoreFull));
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
                if !bug!("head from memory after a conflict") {
                    self.forget(expect.conversation);
                }
            } else {
                self.trim(expect.conversation);
                self.schedule(expect.conversation);
            }
        }
    }

    fn commit(&mut self, row: Row<R::Entry>, held: Held<T>) {
        let Row { conversation, seq, sender, device, client_msg_id, count, at_ms, entry } = row;
        let key = (conversation, sender, client_msg_id);
        self.waiting_bytes -= self.rules.bytes(&entry);
        self.recent.insert(key, Stored { seq, count, at_ms });
        self.settle(key, held, Outcome::Committed { seq, count, at_ms });
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

    fn trim(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.trim(self.limits.members_max, self.limits.devices_max);
        }
    }

    /// Puts a batch of which nothing was written back, and forgets what its entries had changed.
    fn again(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>, why: Again) {
        self.requeue(batch.rows.into_iter().zip(held).collect(), why);
        for expect in &batch.expects {
            self.forget(expect.conversation);
        }
    }

    /// Has all ids looked up. If that was done already, then the look-ups do not find what the
    /// store complains of, and whoever it is must not hold up the others for ever.
    fn duplicate(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>) {
        if held.iter().all(|held| held.look_up) {
            let alone = Outcome::Unavailable(Unavailable::Contended);
            self.halve(batch, held, Again::Duplicate, &alone);
        } else {
            self.again(batch, held, Again::Duplicate);
        }
    }

    /// Halves until the offender stands alone and gets its answer.
    fn halve(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>, why: Again, alone: &Outcome<R::Refusal>) {
        if batch.rows.len() == 1 {
            self.refuse(batch, held, alone);
            return;
        }
        self.batch_cap = self.batch_cap.min(batch.rows.len() / 2);
        self.again(batch, held, why);
    }

    fn refuse(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>, outcome: &Outcome<R::Refusal>) {
        for (row, held) in batch.rows.into_iter().zip(held) {
            self.waiting_bytes -= self.rules.bytes(&row.entry);
            self.settle((row.conversation, row.sender, row.client_msg_id), held, outcome.clone());
        }
        for expect in &batch.expects {
            self.forget(expect.conversation);
        }
    }

    /// Whatever came of a batch that was out while the store went back, it is not to be relied on.
    fn refuse_outdated(&mut self, batch: Batch<R::Entry>, held: Vec<Held<T>>) {
        let ids: Vec<_> = batch.expects.iter().map(|expect| expect.conversation).collect();
        self.refuse(batch, held, &Outcome::Unavailable(Unavailable::StoreWentBack));
        let epoch = self.epoch;
        for id in ids {
            let is_outdated = |held: &Held<T>| held.epoch != epoch;
            self.refuse_waiting(id, is_outdated, &Outcome::Unavailable(Unavailable::StoreWentBack));
        }
    }

    /// Puts rows back to the fronts of their queues, in order; those tried too often are refused.
    fn requeue(&mut self, rows: Vec<(Row<R::Entry>, Held<T>)>, why: Again) {
        let mut contended = Vec::new();
        for (row, mut held) in rows.into_iter().rev() {
            let id = row.conversation;
            match why {
                // Found after this, it is this batch that stored it, whatever was suspected before.
                Again::LookUp => (held.look_up, held.unmarked) = (true, false),
                Again::Duplicate if !held.look_up => (held.look_up, held.unmarked) = (true, true),
                Again::Duplicate | Again::Conflict | Again::Data => {}
            }
            match why {
                // One entry's fault is not counted against the others of its batch.
                Again::Duplicate | Again::Data => {
                    self.suspects += usize::from(!held.suspect);
                    held.suspect = true;
                }
                Again::LookUp | Again::Conflict => held.tries += 1,
            }
            let given_up = held.tries >= self.limits.tries_max;
            let Row { sender, device, client_msg_id, entry, .. } = row;
            let pending = Pending { held, sender, device, client_msg_id, entry, looked_up: None };
            if given_up {
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
