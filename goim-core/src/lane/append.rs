//! Judging and numbering: the next batch.

use std::sync::Arc;

use super::conversation::{Conversation, Held, Pending, Place};
use super::load::is_judgeable;
use super::machine::Flight;
use super::recent::Recent;
use super::{Batch, Expect, Lane, Outcome, Row, Rules, Unavailable};
use crate::{ConversationId, Duration, Epoch, Time, UserId};

/// A batch while it grows.
struct Draft<E, T> {
    batch: Batch<E>,
    held: Vec<Held<T>>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    at_ms: u64,
    epoch: Epoch,
    now: Time,
    wait_max: Duration,
    /// Only suspects may come in, so that an offender is not mixed with ever new entries.
    search: bool,
    scratch: Vec<UserId>,
}

impl<E, T> Draft<E, T> {
    fn has_room(&self) -> bool {
        self.batch.rows.len() < self.entries_max && self.bytes < self.bytes_max
    }

    /// What each of `conversations` may take of the room that is left.
    fn share(&self, conversations: usize) -> usize {
        let room = self.entries_max.saturating_sub(self.batch.rows.len());
        (room / conversations.max(1)).max(1)
    }
}

/// What to do with the entry at the front of a conversation's queue.
enum Verdict<F> {
    Write,
    Answer(Outcome<F>),
    /// Something about it has to be loaded first.
    Load,
}

/// Why no more of a conversation's entries were numbered.
enum Stop<F> {
    /// Its share or the batch is full, and it has more.
    Full,
    /// Nothing more of it can go into this batch.
    Done,
    /// The front entry will not be written.
    Answer(Outcome<F>),
    /// The front entry waits for a load.
    Load,
}

impl<R: Rules, T> Lane<R, T> {
    /// The next batch to append, or `None` while one is out or nothing can be written.
    ///
    /// `at_ms` becomes the time of its entries, in milliseconds since the Unix epoch; by `now`, the
    /// clock of [`Lane::offer`], what has waited too long is answered and not written. Let go of the
    /// batch before [`Lane::handle_appended`], or its entries are cloned there.
    pub fn poll_append(&mut self, now: Time, at_ms: u64) -> Option<Arc<Batch<R::Entry>>> {
        while self.flight.is_none() && !self.ready.is_empty() {
            let draft = self.draft(now, at_ms);
            let search = draft.search;
            let batch = self.take_off(draft);
            // A search that only found suspects to answer leaves the others to a batch of theirs.
            if batch.is_some() || !search {
                return batch;
            }
        }
        None
    }

    fn draft(&mut self, now: Time, at_ms: u64) -> Draft<R::Entry, T> {
        let mut draft = self.new_draft(now, at_ms);
        // Fair shares, so that a hot conversation cannot fill the batch while others wait.
        let mut more = Vec::new();
        let share = draft.share(self.ready.len());
        for _ in 0..self.ready.len() {
            if !draft.has_room() {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            if draft.search && !self.front_is_suspect(id) {
                self.ready.push_back(id);
            } else if self.take_share(id, share, &mut draft) {
                more.push(id);
            }
        }
        while !more.is_empty() && draft.has_room() {
            let share = draft.share(more.len());
            more.retain(|id| self.take_share(*id, share, &mut draft));
        }
        for id in more {
            self.schedule(id);
        }
        draft
    }

    fn new_draft(&self, now: Time, at_ms: u64) -> Draft<R::Entry, T> {
        let search = self.suspects > 0 && self.ready.iter().any(|id| self.front_is_suspect(*id));
        let entries_max = if search { self.batch_cap } else { self.limits.batch_max.max(1) };
        let expected = entries_max.min(self.waiting);
        Draft {
            batch: Batch { expects: Vec::new(), rows: Vec::with_capacity(expected), effects: false },
            held: Vec::with_capacity(expected),
            bytes: 0,
            entries_max,
            bytes_max: self.limits.batch_bytes_max,
            at_ms,
            epoch: self.epoch,
            now,
            wait_max: self.limits.wait_max,
            search,
            scratch: Vec::new(),
        }
    }

    fn take_off(&mut self, mut draft: Draft<R::Entry, T>) -> Option<Arc<Batch<R::Entry>>> {
        if draft.batch.rows.is_empty() {
            return None;
        }
        draft.batch.expects.sort_unstable_by_key(|expect| expect.conversation);
        let batch = Arc::new(draft.batch);
        let (held, search) = (draft.held, draft.search);
        self.flight = Some(Flight { batch: Arc::clone(&batch), held, search, outdated: false });
        Some(batch)
    }

    fn front_is_suspect(&self, id: ConversationId) -> bool {
        self.conversations.get(&id).is_some_and(Conversation::front_is_suspect)
    }

    /// Moves up to `share` entries of one conversation into the draft; `true` if it has more that
    /// may go into this batch.
    fn take_share(&mut self, id: ConversationId, share: usize, draft: &mut Draft<R::Entry, T>) -> bool {
        let mut left = share;
        loop {
            let Some(conversation) = self.conversations.get_mut(&id) else { return false };
            conversation.place = Place::Idle;
            match conversation.fill(id, &self.rules, &self.recent, &mut left, draft) {
                Stop::Full => return true,
                Stop::Done => {
                    self.schedule(id);
                    return false;
                }
                // Nothing is answered past entries in flight: see the module's page. The entry is
                // looked at again when the batch has come back.
                Stop::Answer(_) | Stop::Load if conversation.in_flight > 0 => return false,
                Stop::Answer(outcome) => {
                    let Some(pending) = conversation.queue.pop_front() else { return false };
                    self.answer(id, pending, outcome);
                }
                Stop::Load => {
                    conversation.place = Place::ToLoad;
                    self.to_load.push_back(id);
                    return false;
                }
            }
        }
    }
}

impl<R: Rules, T> Conversation<R, T> {
    /// Judges and numbers entries from the front of the queue.
    fn fill(
        &mut self,
        id: ConversationId,
        rules: &R,
        recent: &Recent,
        left: &mut usize,
        draft: &mut Draft<R::Entry, T>,
    ) -> Stop<R::Refusal> {
        while let Some(front) = self.queue.front() {
            if draft.search && !front.held.suspect {
                return Stop::Done;
            }
            if *left == 0 || !draft.has_room() {
                return Stop::Full;
            }
            match self.verdict(id, rules, recent, front, draft) {
                Verdict::Write => self.number(id, rules, draft),
                Verdict::Answer(outcome) => return Stop::Answer(outcome),
                Verdict::Load => return Stop::Load,
            }
            *left -= 1;
        }
        Stop::Done
    }

    fn verdict(
        &self,
        id: ConversationId,
        rules: &R,
        recent: &Recent,
        pending: &Pending<R::Entry, T>,
        draft: &mut Draft<R::Entry, T>,
    ) -> Verdict<R::Refusal> {
        if pending.held.epoch != draft.epoch {
            return Verdict::Answer(Outcome::Unavailable(Unavailable::StoreWentBack));
        }
        let looked_up = pending.looked_up.and_then(|found| found.own);
        if let Some(stored) = recent.find(&pending.key(id)).or(looked_up) {
            let unmarked = pending.held.unmarked;
            let seq = if bug!("a retry is told a new number") { stored.seq.next() } else { stored.seq };
            let (count, at_ms) = (stored.count, stored.at_ms);
            return Verdict::Answer(Outcome::Duplicate { seq, count, at_ms, unmarked });
        }
        // Here, because a timer may be late.
        if pending.held.is_overdue(draft.now, draft.wait_max) {
            return Verdict::Answer(Outcome::Unavailable(Unavailable::WaitedTooLong));
        }
        let Some(known) = &self.known else { return Verdict::Load };
        if !is_judgeable(rules, &known.fold, pending, &mut draft.scratch) {
            return Verdict::Load;
        }
        if !self.is_in_order(id, recent, pending) {
            return if pending.looked_up.is_some() {
                Verdict::Answer(Outcome::OutOfOrder)
            } else {
                Verdict::Load
            };
        }
        match rules.judge(&known.fold, pending.sender, &pending.entry) {
            Ok(()) => Verdict::Write,
            // A wrong yes is caught by the append; a wrong no would be final.
            Err(_) if known.stamp < pending.held.stamp => Verdict::Load,
            Err(refusal) => Verdict::Answer(Outcome::Refused(refusal)),
        }
    }

    /// Whether the send that this one names in `after` is committed, or ahead of it in the batch.
    fn is_in_order(&self, id: ConversationId, recent: &Recent, pending: &Pending<R::Entry, T>) -> bool {
        let Some(after) = pending.held.after else { return true };
        self.last_of_device.get(&pending.device) == Some(&after)
            || bug!("the lane ignores `after`")
            || recent.find(&(id, pending.sender, after)).is_some()
            || pending.looked_up.is_some_and(|found| found.after)
    }

    /// Gives the front entry the next number, and the conversation the state after it.
    fn number(&mut self, id: ConversationId, rules: &R, draft: &mut Draft<R::Entry, T>) {
        let Some(known) = &mut self.known else { return };
        let Some(pending) = self.queue.pop_front() else { return };
        let base = known.head;
        known.head = if bug!("a number is left out") { known.head.plus(2) } else { known.head.next() };
        known.count += u64::from(rules.counts(&pending.entry));
        if rules.has_effects(&pending.entry) && !bug!("effects forgotten within a batch") {
            rules.apply(&mut known.fold, known.head, pending.sender, &pending.entry);
            known.fold_seq = known.head;
            draft.batch.effects = true;
        }
        let (at_ms, count) = (draft.at_ms, known.count);
        if self.in_flight == 0 {
            self.expect = draft.batch.expects.len();
            let rev = known.rev;
            draft.batch.expects.push(Expect { conversation: id, base, rev, n: 1, count, at_ms });
        } else if let Some(expect) = draft.batch.expects.get_mut(self.expect) {
            expect.n += 1;
            expect.count = count;
        }
        self.in_flight += 1;
        self.last_of_device.insert(pending.device, pending.client_msg_id);
        draft.bytes += rules.bytes(&pending.entry);
        draft.batch.rows.push(Row {
            conversation: id,
            seq: known.head,
            sender: pending.sender,
            device: pending.device,
            client_msg_id: pending.client_msg_id,
            count,
            at_ms,
            entry: pending.entry,
        });
        draft.held.push(pending.held);
    }
}
