//! One shard: the lists under one lock, and what to give up of them first.

use core::mem::size_of;
use std::collections::VecDeque;

use super::{BoxReader, Reached, UNCOUNTED, bank::Bank};
use crate::{
    ConversationId, Seq,
    hash::IdMap,
    msg_list::{ListLimits, Msg, MsgList},
};

#[derive(Debug)]
struct Held<M> {
    list: MsgList<M>,
    /// Of this list's life, see [`BoxReader::list`].
    id: u64,
    /// The shard's [`claims`](Shard::claims) when this list was last read or written.
    used_at: u64,
    /// Stands in `Shard::passed`.
    queued: bool,
}

/// `credit` is claimed from the bank and not in use; a method that allocates pays from it first,
/// one that frees pays into it.
// In this order: what every append touches lies in the cache line of the lock.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Shard<M> {
    lists: IdMap<ConversationId, Held<M>>,
    credit: usize,
    /// How often bytes were claimed: the clock by which lists are idle. It goes with what is put
    /// in, so that a burst of reads writes each list's `used_at` once.
    claims: u64,
    limits: ListLimits,
    /// The table's capacity as paid for; both queues have the same.
    capacity: usize,
    /// Every list once, in the order in which they are looked at for idleness.
    clock: VecDeque<ConversationId>,
    /// Lists that may have entries which all their readers have passed, each once.
    passed: VecDeque<ConversationId>,
    ids: u64,
}

impl<M: Msg> Shard<M> {
    /// Of how many lists the longest idle is given up: enough that one in use hardly ever is.
    const SAMPLE: usize = 8;

    pub(super) fn new(limits: ListLimits) -> Self {
        Self {
            lists: IdMap::default(),
            credit: 0,
            claims: 0,
            limits,
            capacity: 0,
            clock: VecDeque::new(),
            passed: VecDeque::new(),
            ids: UNCOUNTED,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }

    pub(super) const fn credit(&self) -> usize {
        self.credit
    }

    pub(super) fn take_credit(&mut self) -> usize {
        core::mem::take(&mut self.credit)
    }

    pub(super) fn list(&self, conversation: ConversationId) -> Option<&MsgList<M>> {
        self.lists.get(&conversation).map(|held| &held.list)
    }

    /// The list, marked as in use.
    pub(super) fn touch(&mut self, conversation: ConversationId) -> Option<&mut MsgList<M>> {
        let held = self.lists.get_mut(&conversation)?;
        // Not written if it is so already: other cores have the line for reading.
        if held.used_at != self.claims {
            held.used_at = self.claims;
        }
        Some(&mut held.list)
    }

    /// The usual case of an insert, short; any other gives the entry back.
    #[inline]
    pub(super) fn append_next(
        &mut self,
        conversation: ConversationId,
        msg: M,
        bank: &Bank,
    ) -> Result<Reached, M> {
        let Some(held) = self.lists.get_mut(&conversation) else {
            return Err(msg);
        };
        held.list.append_next(msg, &mut self.credit)?;
        bank.level(&mut self.credit);
        held.used_at = self.claims;
        enqueue(&mut self.passed, conversation, held);
        Ok(Reached { head: held.list.head(), missing: held.list.missing() })
    }

    /// Puts in `next` and what follows it. `Err` is the bytes short, with `next` the entry that
    /// they are wanted for.
    pub(super) fn insert_all(
        &mut self,
        conversation: ConversationId,
        next: &mut Option<M>,
        rest: &mut impl Iterator<Item = M>,
        bank: &Bank,
    ) -> Result<Reached, usize> {
        let Some(held) = self.lists.get_mut(&conversation) else {
            self.open(conversation, bank)?;
            return self.insert_all(conversation, next, rest, bank);
        };
        let mut short = None;
        while let Some(msg) = next.take() {
            if let Err(msg) = held.list.append_next(msg, &mut self.credit) {
                let cost = held.list.cost(&msg);
                self.claims += 1;
                if !bank.lend(&mut self.credit, cost) {
                    short = Some(cost);
                    *next = Some(msg);
                    break;
                }
                let before = held.list.bytes_held();
                held.list.insert(msg);
                self.credit = (self.credit + before).saturating_sub(held.list.bytes_held());
            }
            *next = rest.next();
        }
        bank.level(&mut self.credit);
        held.used_at = self.claims;
        enqueue(&mut self.passed, conversation, held);
        let reached = Reached { head: held.list.head(), missing: held.list.missing() };
        short.map_or(Ok(reached), Err)
    }

    /// `Err` is the bytes short, and `stub` is still there.
    pub(super) fn blank(
        &mut self,
        conversation: ConversationId,
        stub: &mut Option<M>,
        bank: &Bank,
    ) -> Result<bool, usize> {
        let Some(held) = self.lists.get_mut(&conversation) else {
            return Ok(false);
        };
        let Some(msg) = stub.take() else {
            return Ok(false);
        };
        let cost = held.list.cost(&msg);
        if !bank.lend(&mut self.credit, cost) {
            *stub = Some(msg);
            return Err(cost);
        }
        let before = held.list.bytes_held();
        let here = held.list.blank(msg);
        self.credit = (self.credit + before).saturating_sub(held.list.bytes_held());
        enqueue(&mut self.passed, conversation, held);
        Ok(here)
    }

    pub(super) fn drop_through(&mut self, conversation: ConversationId, seq: Seq, bank: &Bank) {
        let Some(held) = self.lists.get_mut(&conversation) else {
            return;
        };
        let before = held.list.bytes_held();
        if !bank.lend(&mut self.credit, held.list.cost_of_drop()) {
            held.list.evict_all();
        }
        held.list.drop_through(seq);
        self.credit = (self.credit + before).saturating_sub(held.list.bytes_held());
        // What waited behind the gap is in the window now, and nobody may want it.
        enqueue(&mut self.passed, conversation, held);
    }

    /// `Err` is the bytes short.
    pub(super) fn join(
        &mut self,
        conversation: ConversationId,
        offset: Seq,
        bank: &Bank,
    ) -> Result<BoxReader, usize> {
        if !self.lists.contains_key(&conversation) {
            self.open(conversation, bank)?;
        }
        let Some(held) = self.lists.get_mut(&conversation) else {
            return Err(0);
        };
        let cost = held.list.cost_of_join();
        if !bank.lend(&mut self.credit, cost) {
            return Err(cost);
        }
        held.used_at = self.claims;
        let before = held.list.bytes_held();
        let reader = held.list.join(offset);
        self.credit = (self.credit + before).saturating_sub(held.list.bytes_held());
        Ok(BoxReader { list: held.id, reader: Some(reader) })
    }

    /// A reader that this list does not count joins it, or stays uncounted if there is no room.
    pub(super) fn ack(&mut self, conversation: ConversationId, reader: &mut BoxReader, to: Seq, bank: &Bank) {
        match self.lists.get_mut(&conversation) {
            None => {}
            Some(held) if reader.list == held.id => {
                if let Some(place) = reader.reader.as_mut().filter(|_| !bug!("a box forgets acks")) {
                    held.list.ack(place, to);
                }
                enqueue(&mut self.passed, conversation, held);
            }
            Some(_) => {
                if let Ok(counted) = self.join(conversation, to, bank) {
                    *reader = counted;
                }
            }
        }
    }

    pub(super) fn leave(&mut self, conversation: ConversationId, reader: BoxReader) {
        let Some(held) = self.lists.get_mut(&conversation) else {
            return;
        };
        if let (Some(place), true) = (reader.reader, reader.list == held.id) {
            let before = held.list.bytes_held();
            held.list.leave(place);
            self.credit += before - held.list.bytes_held();
            enqueue(&mut self.passed, conversation, held);
        }
    }

    /// Gives up passed entries until `credit` has `bytes` or there are none left.
    pub(super) fn evict_passed(&mut self, bytes: usize) {
        while self.credit < bytes {
            let Some(conversation) = self.passed.pop_front() else {
                return;
            };
            let Some(held) = self.lists.get_mut(&conversation) else {
                continue;
            };
            self.credit += held.list.evict_passed(bytes - self.credit);
            held.queued = held.list.has_passed();
            if held.queued {
                self.passed.push_front(conversation);
            }
        }
    }

    /// Gives up lists, the longest idle first, until `credit` has `bytes` or nothing is left.
    /// Each step takes a list's entries or a list, so it ends.
    pub(super) fn evict_idle(&mut self, bytes: usize) {
        // First, so that no list that goes stands in `passed` any more.
        self.evict_passed(bytes);
        while self.credit < bytes && !self.clock.is_empty() {
            self.evict_one();
            if self.lists.len() < self.capacity / 4 {
                self.shrink();
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for held in self.lists.values_mut() {
            let before = held.list.bytes_held();
            held.list.evict_all();
            self.credit += before - held.list.bytes_held();
        }
        self.lists.clear();
        self.clock.clear();
        self.passed.clear();
        self.shrink();
    }

    /// Gives up the entries of the longest idle of the next few lists, or that list itself if it
    /// has none or no readers.
    fn evict_one(&mut self) {
        let sample = self.clock.len().min(Self::SAMPLE);
        // What has entries goes before what is but a place for readers.
        let idlest = (0..sample).min_by_key(|at| {
            let held = self.lists.get(&self.clock[*at]);
            held.map(|held| (held.list.bytes_held() == 0, held.used_at))
        });
        for at in 0..sample {
            let Some(conversation) = self.clock.pop_front() else {
                return;
            };
            if Some(at) != idlest || !self.give_up(conversation) {
                self.clock.push_back(conversation);
            }
        }
    }

    /// Returns whether the list is gone.
    fn give_up(&mut self, conversation: ConversationId) -> bool {
        let Some(held) = self.lists.get_mut(&conversation) else {
            return true;
        };
        let bytes = held.list.bytes_held();
        self.credit += bytes;
        if held.list.readers() > 0 && bytes > 0 {
            held.list.evict_all();
            self.credit -= held.list.bytes_held();
            return false;
        }
        self.lists.remove(&conversation);
        true
    }

    /// Makes a list. `Err` is the bytes short.
    fn open(&mut self, conversation: ConversationId, bank: &Bank) -> Result<(), usize> {
        // The table's own count: places of removed lists are not always free again.
        if self.lists.len() == self.lists.capacity() {
            let cost = overhead::<M>(grown(self.capacity)) - overhead::<M>(self.capacity);
            if !bank.lend(&mut self.credit, cost) {
                return Err(cost);
            }
            self.lists.reserve(1);
            self.set_capacity(self.capacity.max(self.lists.capacity()));
        }
        self.ids += 1;
        let list = MsgList::new(self.limits);
        self.lists.insert(conversation, Held { list, id: self.ids, used_at: self.claims, queued: false });
        self.clock.push_back(conversation);
        Ok(())
    }

    /// Makes the table and the queues fit what there is, with room for as much again.
    fn shrink(&mut self) {
        self.lists.shrink_to(self.lists.len() * 2);
        self.set_capacity(self.lists.capacity());
    }

    fn set_capacity(&mut self, capacity: usize) {
        for queue in [&mut self.clock, &mut self.passed] {
            queue.reserve_exact(capacity.saturating_sub(queue.len()));
            queue.shrink_to(capacity);
        }
        self.credit = (self.credit + overhead::<M>(self.capacity)).saturating_sub(overhead::<M>(capacity));
        self.capacity = capacity;
    }

    #[cfg(test)]
    pub(super) fn make_idle(&mut self, conversations: &[ConversationId]) {
        for conversation in conversations {
            if let Some(held) = self.lists.get_mut(conversation) {
                held.used_at = 0;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn recount(&self) -> usize {
        assert_eq!(self.clock.len(), self.lists.len());
        assert!(self.passed.len() <= self.lists.len());
        assert!(self.lists.len() <= self.capacity);
        assert_eq!(self.clock.capacity(), self.capacity);
        assert_eq!(self.passed.capacity(), self.capacity);
        let lists: usize = self.lists.values().map(|held| held.list.bytes_held()).sum();
        lists + overhead::<M>(self.capacity)
    }
}

/// Queues a list that has something to give up. There is room: each list stands there once.
fn enqueue<M>(passed: &mut VecDeque<ConversationId>, id: ConversationId, held: &mut Held<M>) {
    if !held.queued && held.list.has_passed() {
        held.queued = true;
        passed.push_back(id);
    }
}

/// What a shard with room for `capacity` lists holds beside them: the hash table (of the standard
/// library: a power of two of places, one control byte each and a group of them more, at most 7/8
/// in use) and both queues.
const fn overhead<M>(capacity: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let places = match capacity {
        0..=3 => 4,
        4..=7 => 8,
        more => more.div_ceil(7) * 8,
    };
    let queues = 2 * capacity * size_of::<ConversationId>();
    places * (size_of::<(ConversationId, Held<M>)>() + 1) + 16 + queues
}

/// The table's next capacity: 3, 7, 14, 28, ...
const fn grown(capacity: usize) -> usize {
    match capacity {
        0..=2 => 3,
        3..=6 => 7,
        more => more * 2,
    }
}
