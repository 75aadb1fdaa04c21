//! Judging and numbering: the next batch.

use std::sync::Arc;

use super::conversation::{Conversation, Pending, Place};
use super::load::is_judgeable;
use super::machine::{Flight, Held};
use super::{Batch, Expect, Lane, Outcome, Row, Rules};
use crate::{ConversationId, UserId};

/// A batch while it grows.
struct Draft<E, T> {
    batch: Batch<E>,
    held: Vec<Held<T>>,
    bytes: usize,
    scratch: Vec<UserId>,
}

/// What to do with the entry at the front of a conversation's queue.
enum Verdict<F> {
    Write,
    Answer(Outcome<F>),
    /// Something about it has to be loaded first.
    Load,
    /// The belief that it was judged by is older than the entry: load, then judge again.
    Reload,
}

impl<R: Rules, T> Lane<R, T> {
    /// The next batch to append, or `None` while one is out or nothing can be written.
    ///
    /// `at_ms` becomes the time of its entries, in milliseconds since the Unix epoch. Let go of
    /// the batch before [`Lane::handle_appended`], or its entries are cloned there.
    pub fn poll_append(&mut self, at_ms: u64) -> Option<Arc<Batch<R::Entry>>> {
        if self.flight.is_some() {
            return None;
        }
        let cap = self.batch_cap.min(self.waiting);
        let batch = Batch { expects: Vec::new(), rows: Vec::with_capacity(cap), effects: false };
        let mut draft = Draft { batch, held: Vec::with_capacity(cap), bytes: 0, scratch: Vec::new() };
        // Fair shares, so that a hot conversation cannot fill the batch while others wait.
        while !self.ready.is_empty() && draft.has_room(self.batch_cap, self.limits.batch_bytes_max) {
            let share = (self.batch_cap / self.ready.len()).max(1);
            for _ in 0..self.ready.len() {
                let Some(id) = self.ready.pop_front() else { break };
                self.take_share(id, share, at_ms, &mut draft);
            }
        }
        self.park_all(&draft.batch.expects);
        if draft.batch.rows.is_empty() {
            return None;
        }
        draft.batch.expects.sort_unstable_by_key(|expect| expect.conversation);
        let batch = Arc::new(draft.batch);
        self.flight = Some(Flight { batch: Arc::clone(&batch), held: draft.held });
        Some(batch)
    }

    /// Moves up to `share` entries of one conversation into the draft, and puts the conversation
    /// where it belongs next.
    fn take_share(&mut self, id: ConversationId, share: usize, at_ms: u64, draft: &mut Draft<R::Entry, T>) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.place = Place::Idle;
        for _ in 0..share {
            if !draft.has_room(self.batch_cap, self.limits.batch_bytes_max) {
                break;
            }
            let waiting = self.conversations.get(&id).and_then(|conversation| conversation.queue.front());
            let Some(front) = waiting else { return };
            match self.verdict(id, front, draft) {
                Verdict::Write => self.number(id, at_ms, draft),
                // Nothing is answered past entries in flight: see the module's page.
                Verdict::Answer(_) | Verdict::Reload if self.in_flight(id) => return,
                Verdict::Answer(outcome) => self.answer_front(id, outcome),
                Verdict::Load if self.in_flight(id) => return,
                Verdict::Load => return self.queue_load(id),
                Verdict::Reload => return self.forget(id),
            }
        }
        if let Some(conversation) = self.conversations.get_mut(&id)
            && !conversation.queue.is_empty()
        {
            conversation.place = Place::Ready;
            self.ready.push_back(id);
        }
    }

    fn in_flight(&self, id: ConversationId) -> bool {
        self.conversations.get(&id).is_some_and(|conversation| conversation.in_flight > 0)
    }

    fn answer_front(&mut self, id: ConversationId, outcome: Outcome<R::Refusal>) {
        let front = self.conversations.get_mut(&id).and_then(|conversation| conversation.queue.pop_front());
        if let Some(pending) = front {
            self.suspects = self.suspects.saturating_sub(1);
            self.answer(id, pending, outcome);
        }
    }

    fn queue_load(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.place = Place::ToLoad;
            self.to_load.push_back(id);
        }
    }

    /// Conversations with rows in this batch wait for its outcome before they are looked at again.
    fn park_all(&mut self, expects: &[Expect]) {
        if self.ready.is_empty() {
            return;
        }
        for expect in expects {
            if let Some(conversation) = self.conversations.get_mut(&expect.conversation)
                && conversation.place == Place::Ready
            {
                conversation.place = Place::Idle;
            }
        }
        let conversations = &self.conversations;
        self.ready.retain(|id| conversations.get(id).is_some_and(|c| c.place == Place::Ready));
    }

    fn verdict(
        &self,
        id: ConversationId,
        pending: &Pending<R::Entry, T>,
        draft: &mut Draft<R::Entry, T>,
    ) -> Verdict<R::Refusal> {
        if let Some(stored) = self.recent.get(&pending.key(id)) {
            let unmarked = pending.suspect;
            let (seq, count, at_ms) = (stored.seq, stored.count, stored.at_ms);
            return Verdict::Answer(Outcome::Duplicate { seq, count, at_ms, unmarked });
        }
        let Some(conversation) = self.conversations.get(&id) else { return Verdict::Load };
        if !is_judgeable(&self.rules, conversation, pending, &mut draft.scratch) {
            return Verdict::Load;
        }
        let Some(known) = &conversation.known else { return Verdict::Load };
        if !self.is_in_order(id, conversation, pending, draft) {
            return match pending.looked_up {
                true => Verdict::Answer(Outcome::OutOfOrder),
                false => Verdict::Load,
            };
        }
        match self.rules.judge(&known.fold, pending.sender, &pending.entry) {
            Ok(()) => Verdict::Write,
            Err(_) if known.stamp < pending.stamp => Verdict::Reload,
            Err(refusal) => Verdict::Answer(Outcome::Refused(refusal)),
        }
    }

    /// Whether the send that this one names in `after` is committed, or ahead of it in the draft.
    fn is_in_order(
        &self,
        id: ConversationId,
        conversation: &Conversation<R, T>,
        pending: &Pending<R::Entry, T>,
        draft: &Draft<R::Entry, T>,
    ) -> bool {
        let Some(after) = pending.after else { return true };
        if conversation.last_of_device.get(&pending.device) == Some(&after) {
            return true;
        }
        let key = (id, pending.sender, after);
        self.recent.get(&key).is_some()
            || draft.batch.rows.iter().any(|row| (row.conversation, row.sender, row.client_msg_id) == key)
    }

    /// Gives the front entry the next number, and the conversation the state after it.
    fn number(&mut self, id: ConversationId, at_ms: u64, draft: &mut Draft<R::Entry, T>) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let Some(known) = &mut conversation.known else { return };
        let Some(pending) = conversation.queue.pop_front() else { return };
        let base = known.head;
        known.head = known.head.next();
        known.count += u64::from(self.rules.counts(&pending.entry));
        if self.rules.has_effects(&pending.entry) {
            self.rules.apply(&mut known.fold, known.head, pending.sender, &pending.entry);
            known.fold_seq = known.head;
            draft.batch.effects = true;
        }
        if conversation.in_flight == 0 {
            let (rev, count) = (known.rev, known.count);
            draft.batch.expects.push(Expect { conversation: id, base, rev, n: 1, count, at_ms });
            conversation.expect = draft.batch.expects.len() - 1;
        } else if let Some(expect) = draft.batch.expects.get_mut(conversation.expect) {
            expect.n += 1;
            expect.count = known.count;
        }
        conversation.in_flight += 1;
        if conversation.last_of_device.len() >= self.limits.devices_max {
            conversation.last_of_device.clear();
        }
        conversation.last_of_device.insert(pending.device, pending.client_msg_id);
        draft.bytes += self.rules.bytes(&pending.entry);
        draft.batch.rows.push(Row {
            conversation: id,
            seq: known.head,
            sender: pending.sender,
            device: pending.device,
            client_msg_id: pending.client_msg_id,
            count: known.count,
            at_ms,
            entry: pending.entry,
        });
        draft.held.push(Held {
            ticket: pending.ticket,
            after: pending.after,
            offered_at: pending.offered_at,
            stamp: pending.stamp,
            look_up: pending.look_up,
            suspect: pending.suspect,
            tries: pending.tries,
            attached: pending.attached,
        });
    }
}

impl<E, T> Draft<E, T> {
    fn has_room(&self, entries_max: usize, bytes_max: usize) -> bool {
        self.batch.rows.len() < entries_max && self.bytes < bytes_max
    }
}
