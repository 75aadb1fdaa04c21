//! Statements that write: locks, the compare, the unique indexes, the flush.

use std::collections::BTreeSet;
use std::sync::Arc;

use goim_core::lane::{AppendResult, Batch};
use goim_core::{ConversationId, DeviceId, Duration, Epoch, OffsetMove, Seq, Time, UserId};

use super::state::{Change, Row};
use super::{Caller, Store, StoreEvent, Told};
use crate::cx::Cx;
use crate::entry::Content;
use crate::event::Event;
use crate::marks::Mark;

/// A compare-and-append that takes its locks.
#[derive(Debug)]
pub(super) struct Append {
    caller: Caller,
    batch: Arc<Batch<Content>>,
    /// How many of its conversations it has compared.
    compared: usize,
    fresh: Vec<ConversationId>,
    stale: Vec<ConversationId>,
}

/// What is written and not yet durable.
#[derive(Debug)]
pub(super) struct Flush {
    caller: Option<Caller>,
    pub(super) change: Change,
    told: Option<Told>,
    locked: Vec<ConversationId>,
}

impl Store {
    pub(super) fn append(&mut self, cx: &mut Cx, caller: Caller, batch: Arc<Batch<Content>>) {
        self.last += 1;
        let append = Append { caller, batch, compared: 0, fresh: Vec::new(), stale: Vec::new() };
        self.appends.insert(self.last, append);
        self.take_locks(cx, self.last);
    }

    /// Goes on as far as locks let it.
    fn take_locks(&mut self, cx: &mut Cx, id: u64) {
        let Some(append) = self.appends.get_mut(&id) else { return };
        while let Some(expect) = append.batch.expects.get(append.compared) {
            let conversation = expect.conversation;
            if let Some(queue) = self.locks.get_mut(&conversation)
                && queue.front() != Some(&id)
            {
                // The holder stands first.
                queue.push_back(id);
                cx.marks.hit(Mark::LockWait);
                return;
            }
            // Compared under the lock, against what is committed by now.
            let log = self.state.log(conversation);
            let head_is_base = log.head == expect.base || bug!("the unique index as the fence");
            let same_rev = log.rev == expect.rev || bug!("revision not compared");
            if head_is_base && same_rev {
                self.locks.entry(conversation).or_default();
                if self.locks[&conversation].is_empty() {
                    self.locks.entry(conversation).or_default().push_back(id);
                }
                append.fresh.push(conversation);
            } else {
                cx.marks.hit_if(head_is_base, Mark::StaleRevision);
                cx.marks.hit_if(!head_is_base, Mark::StaleHead);
                append.stale.push(conversation);
                // Who waited here and does not write lets the next one look.
                if self.locks.get(&conversation).is_some_and(|queue| queue.front() == Some(&id)) {
                    self.pass_on(conversation, cx);
                    let Some(append) = self.appends.get_mut(&id) else { return };
                    append.compared += 1;
                    return self.take_locks(cx, id);
                }
            }
            append.compared += 1;
        }
        self.write(cx, id);
    }

    /// Ends a lock; the next one in the queue holds it and goes on.
    fn pass_on(&mut self, conversation: ConversationId, cx: &mut Cx) {
        let Some(queue) = self.locks.get_mut(&conversation) else { return };
        queue.pop_front();
        match queue.front().copied() {
            Some(next) => self.take_locks(cx, next),
            None => drop(self.locks.remove(&conversation)),
        }
    }

    fn write(&mut self, cx: &mut Cx, id: u64) {
        let Some(append) = self.appends.remove(&id) else { return };
        let Append { caller, batch, fresh, stale, .. } = append;
        let result = self.check(cx, &batch, &fresh);
        if let Err(result) = result {
            let took = cx.statement();
            for conversation in fresh {
                self.pass_on(conversation, cx);
            }
            return Self::answer(cx, caller, Told::Appended(result), took);
        }
        if fresh.is_empty() {
            let took = cx.statement();
            return Self::answer(cx, caller, Told::Appended(AppendResult::Written { stale }), took);
        }
        let written_at = cx.now;
        let is_fresh = |conversation: ConversationId| fresh.contains(&conversation);
        let heads = batch.expects.iter().filter(|expect| is_fresh(expect.conversation));
        let heads = heads.map(|expect| (expect.conversation, expect.base.plus(expect.n), expect.count));
        let is_new = |row: &&goim_core::lane::Row<Content>| {
            !bug!("the unique index as the fence")
                || !self.state.log(row.conversation).rows.contains_key(&row.seq)
        };
        let rows = batch.rows.iter().filter(|row| is_fresh(row.conversation));
        let rows = rows.filter(is_new).map(|row| {
            let stored = Row {
                seq: row.seq,
                sender: row.sender,
                device: row.device,
                client_msg_id: row.client_msg_id,
                content: row.entry,
                count: row.count,
                at_ms: row.at_ms,
                written_at,
            };
            (row.conversation, stored)
        });
        let change = Change::Append { heads: heads.collect(), rows: rows.collect() };
        let told = Told::Appended(AppendResult::Written { stale });
        self.flush_locked(cx, Some(caller), change, told, fresh);
    }

    /// What the database would say to these rows.
    fn check(
        &self,
        cx: &mut Cx,
        batch: &Batch<Content>,
        fresh: &[ConversationId],
    ) -> Result<(), AppendResult> {
        if cx.weather.store_full {
            cx.marks.hit(Mark::StoreFull);
            return Err(AppendResult::Full);
        }
        if cx.rng.permille(cx.rate(cx.s.conflict_permille)) {
            cx.marks.hit(Mark::Conflict);
            return Err(AppendResult::Conflict);
        }
        let mut ids = BTreeSet::new();
        for row in batch.rows.iter().filter(|row| fresh.contains(&row.conversation)) {
            if matches!(row.entry, Content::Poison { .. }) {
                cx.marks.hit(Mark::Poison);
                return Err(AppendResult::Data);
            }
            let log = self.state.log(row.conversation);
            let key = (row.sender, row.client_msg_id);
            let twin = log.ids.contains_key(&key) || !ids.insert((row.conversation, key));
            let is_taken = (twin && !bug!("no unique index")) || log.rows.contains_key(&row.seq);
            // As ON CONFLICT DO NOTHING does it: what is there already is passed over in silence.
            if is_taken && !bug!("the unique index as the fence") {
                cx.marks.hit(Mark::UniqueViolation);
                return Err(AppendResult::Duplicate);
            }
        }
        Ok(())
    }

    /// Offsets of another epoch or beyond the head change nothing.
    pub(super) fn commit(
        &mut self,
        cx: &mut Cx,
        caller: Caller,
        (user, device): (UserId, DeviceId),
        moves: &[OffsetMove],
        epoch: Epoch,
    ) {
        let other_epoch = epoch != self.state.epoch && !bug!("offsets of another epoch");
        cx.marks.hit_if(other_epoch, Mark::OffsetOfAnotherEpoch);
        let may = |to: &&OffsetMove| {
            !other_epoch && to.offset <= self.state.log(to.conversation).readable_head(user)
        };
        let moves = moves.iter().filter(may).map(|to| (to.conversation, to.offset)).collect();
        self.flush(cx, Some(caller), Change::Offsets { device, moves }, Told::Committed { other_epoch });
    }

    pub(super) fn mark(
        &mut self,
        cx: &mut Cx,
        caller: Caller,
        user: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) {
        let seq = seq.min(self.state.log(conversation).head);
        let moved = (seq > self.state.marker(user, conversation)).then_some(seq);
        self.flush(cx, Some(caller), Change::Marker { user, conversation, seq }, Told::Marked(moved));
    }

    /// It locks the row, as an append does: what was judged before it is written before it.
    pub(super) fn block(&mut self, cx: &mut Cx, conversation: ConversationId, blocked: bool) {
        if !cx.weather.store_up {
            return;
        }
        if self.locks.contains_key(&conversation) {
            let again = StoreEvent::Block { conversation, blocked };
            return cx.after(Duration::from_millis(1), Event::Store(again));
        }
        self.last += 1;
        self.locks.entry(conversation).or_default().push_back(self.last);
        let change = Change::Block { conversation, blocked };
        self.flush_locked(cx, None, change, Told::Done, vec![conversation]);
    }

    pub(super) fn retain(&mut self, cx: &mut Cx, conversation: ConversationId, older_than: Time) {
        let log = self.state.log(conversation);
        let old = log.rows.values().take_while(|row| row.written_at < older_than);
        let through = old.last().map_or(Seq::ZERO, |row| row.seq);
        if cx.weather.store_up && through > log.taken_through {
            cx.marks.hit(Mark::Retained);
            cx.marks.hit_if(through == log.head, Mark::RetainedAll);
            self.flush(cx, None, Change::Retain { conversation, through }, Told::Done);
        }
    }

    /// Writes a change that takes no locks.
    pub(crate) fn flush(&mut self, cx: &mut Cx, caller: Option<Caller>, change: Change, told: Told) {
        self.flush_locked(cx, caller, change, told, Vec::new());
    }

    fn flush_locked(
        &mut self,
        cx: &mut Cx,
        caller: Option<Caller>,
        change: Change,
        told: Told,
        locked: Vec<ConversationId>,
    ) {
        self.last += 1;
        let took = cx.statement() + cx.flush();
        let mut flush = Flush { caller, change, told: Some(told), locked };
        if bug!("reply before flush")
            && let (Some(caller), Some(told)) = (caller, flush.told.take())
        {
            Self::answer(cx, caller, told, Duration::ZERO);
        }
        self.flushes.insert(self.last, flush);
        cx.after(took, Event::Store(StoreEvent::Flushed(self.last)));
    }

    pub(super) fn flushed(&mut self, cx: &mut Cx, place: u64) {
        let Some(flush) = self.flushes.remove(&place) else { return };
        self.commit_change(cx, flush.change);
        for conversation in flush.locked {
            self.pass_on(conversation, cx);
        }
        if let (Some(caller), Some(told)) = (flush.caller, flush.told) {
            Self::answer(cx, caller, told, Duration::ZERO);
        }
    }
}
