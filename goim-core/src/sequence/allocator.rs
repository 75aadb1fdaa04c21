//! The next seqs of many conversations, dense.

use core::num::NonZeroU64;

use super::SeqRange;
use crate::{ConversationId, Seq, hash::IdMap};

/// What a reservation brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// These seqs. Store entries under them, then [`confirm`](SequenceAllocator::confirm); or
    /// [`abort`](SequenceAllocator::abort) if certainly none was stored; or
    /// [`forget`](SequenceAllocator::forget) if that is not certain.
    Range(SeqRange),
    /// The conversation's head is not known: load it, tell it to
    /// [`learn`](SequenceAllocator::learn), and reserve again.
    Unknown,
    /// A range of this conversation is outstanding: reserve again when its fate is known.
    Busy,
    /// The conversation has no such number left ([`Seq::MAX`]).
    Exhausted,
}

/// The next seqs of many conversations, in memory.
///
/// Seqs come out 1, 2, 3, ... without a gap: a conversation has at most one range outstanding, and
/// the next one starts behind it if it was confirmed and with it if it was aborted. Whether the
/// numbers are right is the store's to judge, which compares the head when it appends; an allocator
/// that is wrong because somebody else appended is told to forget.
///
/// # Bounds
/// Remembers at most `conversations_max` conversations, the least recently used idle one giving
/// way; those with a range outstanding stay. Every operation is O(1); the hash table's growth
/// amortised.
///
/// ```
/// use core::num::NonZeroU64;
/// use goim_core::{ConversationId, Seq, SequenceAllocator, sequence::Reserve};
///
/// let mut allocator = SequenceAllocator::new(1_000);
/// let (group, three) = (ConversationId::new(7), NonZeroU64::new(3).unwrap());
/// assert_eq!(allocator.reserve(group, three), Reserve::Unknown);
/// allocator.learn(group, Seq::new(41));
/// let Reserve::Range(range) = allocator.reserve(group, three) else { panic!() };
/// assert_eq!((range.first, range.last), (Seq::new(42), Seq::new(44)));
/// assert_eq!(allocator.reserve(group, three), Reserve::Busy);
/// assert!(allocator.confirm(group, range));
/// assert_eq!(allocator.head(group), Some(Seq::new(44)));
/// ```
#[derive(Debug)]
pub struct SequenceAllocator {
    conversations_max: usize,
    index: IdMap<ConversationId, usize>,
    slots: Vec<Slot>,
    /// Slots without a conversation.
    free: Vec<usize>,
    /// The idle conversations, the least recently used first: a list linked through the slots.
    idle: Ends,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    conversation: ConversationId,
    head: Seq,
    /// The last seq of the range outstanding. If there is one, the slot is not linked.
    outstanding: Option<Seq>,
    before: Option<usize>,
    behind: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    first: Option<usize>,
    last: Option<usize>,
}

impl SequenceAllocator {
    /// An allocator that knows no conversation; it allocates as it learns.
    #[must_use]
    pub fn new(conversations_max: usize) -> Self {
        Self {
            conversations_max,
            index: IdMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            idle: Ends::default(),
        }
    }

    /// Reserves the next `n` seqs of a conversation.
    pub fn reserve(&mut self, conversation: ConversationId, n: NonZeroU64) -> Reserve {
        let Some(&at) = self.index.get(&conversation) else {
            return Reserve::Unknown;
        };
        let Slot { head, outstanding, .. } = self.slots[at];
        if outstanding.is_some() {
            return Reserve::Busy;
        }
        if Seq::MAX.distance_from(head) < n.get() {
            return Reserve::Exhausted;
        }
        let last = head.plus(n.get());
        self.unlink(at);
        self.slots[at].outstanding = Some(last);
        Reserve::Range(SeqRange { first: head.next(), last })
    }

    /// Entries are stored under all of `range`: the next one starts behind it.
    ///
    /// Returns `false`, and changes nothing, if `range` is not the one outstanding, as after a
    /// [`forget`](Self::forget).
    pub fn confirm(&mut self, conversation: ConversationId, range: SeqRange) -> bool {
        self.settle(conversation, range, range.last)
    }

    /// Nothing was stored under any of `range`: the next one starts with it.
    ///
    /// Returns `false`, and changes nothing, if `range` is not the one outstanding.
    pub fn abort(&mut self, conversation: ConversationId, range: SeqRange) -> bool {
        self.settle(conversation, range, range.first.prev())
    }

    /// What is known of the conversation is stale or in doubt: its head has to be loaded again.
    pub fn forget(&mut self, conversation: ConversationId) {
        if let Some(at) = self.index.remove(&conversation) {
            if self.slots[at].outstanding.is_none() {
                self.unlink(at);
            }
            self.free.push(at);
        }
    }

    /// All of it is in doubt, as when the store's connection was lost.
    pub fn forget_all(&mut self) {
        self.index.clear();
        self.slots.clear();
        self.free.clear();
        self.idle = Ends::default();
    }

    /// Tells the head that was loaded for a conversation.
    ///
    /// Returns whether it is known now. It is not learnt if the conversation is known already (an
    /// outstanding range is newer than any load), nor while every place is taken by a conversation
    /// with a range outstanding: try again when one is settled.
    pub fn learn(&mut self, conversation: ConversationId, head: Seq) -> bool {
        if self.index.contains_key(&conversation) {
            return true;
        }
        let slot = Slot { conversation, head, outstanding: None, before: None, behind: None };
        let Some(at) = self.place() else {
            return false;
        };
        if at == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[at] = slot;
        }
        self.index.insert(conversation, at);
        self.link(at);
        true
    }

    /// The head as far as it is confirmed, if the conversation is known.
    #[must_use]
    pub fn head(&self, conversation: ConversationId) -> Option<Seq> {
        Some(self.slots[*self.index.get(&conversation)?].head)
    }

    /// How many conversations are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no conversation is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn settle(&mut self, conversation: ConversationId, range: SeqRange, head: Seq) -> bool {
        let Some(&at) = self.index.get(&conversation) else {
            return false;
        };
        let slot = &mut self.slots[at];
        if slot.outstanding != Some(range.last) || slot.head.next() != range.first {
            return false;
        }
        slot.outstanding = None;
        slot.head = head;
        self.link(at);
        true
    }

    /// A free slot: one that was given back, a new one, or the least recently used idle one's.
    fn place(&mut self) -> Option<usize> {
        if let Some(at) = self.free.pop() {
            return Some(at);
        }
        if self.slots.len() < self.conversations_max {
            return Some(self.slots.len());
        }
        let at = self.idle.first?;
        self.unlink(at);
        self.index.remove(&self.slots[at].conversation);
        Some(at)
    }

    fn link(&mut self, at: usize) {
        self.slots[at].before = self.idle.last;
        self.slots[at].behind = None;
        match self.idle.last {
            Some(last) => self.slots[last].behind = Some(at),
            None => self.idle.first = Some(at),
        }
        self.idle.last = Some(at);
    }

    fn unlink(&mut self, at: usize) {
        let Slot { before, behind, .. } = self.slots[at];
        match before {
            Some(before) => self.slots[before].behind = behind,
            None => self.idle.first = behind,
        }
        match behind {
            Some(behind) => self.slots[behind].before = before,
            None => self.idle.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(n: u64) -> ConversationId {
        ConversationId::new(n)
    }

    fn some(n: u64) -> NonZeroU64 {
        NonZeroU64::new(n).unwrap()
    }

    fn range(first: u64, last: u64) -> SeqRange {
        SeqRange { first: Seq::new(first), last: Seq::new(last) }
    }

    #[test]
    fn an_aborted_range_is_given_again() {
        let mut allocator = SequenceAllocator::new(10);
        allocator.learn(conversation(1), Seq::ZERO);
        let Reserve::Range(first) = allocator.reserve(conversation(1), some(5)) else { panic!() };
        assert!(allocator.abort(conversation(1), first));
        assert!(!allocator.abort(conversation(1), first), "settled once");
        assert_eq!(allocator.reserve(conversation(1), some(2)), Reserve::Range(range(1, 2)));
    }

    #[test]
    fn a_head_that_is_known_is_not_learnt_again() {
        let mut allocator = SequenceAllocator::new(10);
        allocator.learn(conversation(1), Seq::new(5));
        assert!(allocator.learn(conversation(1), Seq::new(3)), "it is known; that load is older");
        assert_eq!(allocator.reserve(conversation(1), some(1)), Reserve::Range(range(6, 6)));
    }

    #[test]
    fn what_was_forgotten_cannot_be_confirmed() {
        let mut allocator = SequenceAllocator::new(10);
        allocator.learn(conversation(1), Seq::ZERO);
        let Reserve::Range(old) = allocator.reserve(conversation(1), some(5)) else { panic!() };
        allocator.forget(conversation(1));
        assert!(!allocator.confirm(conversation(1), old));
        assert_eq!(allocator.reserve(conversation(1), some(1)), Reserve::Unknown);
        allocator.learn(conversation(1), Seq::new(5));
        assert!(!allocator.confirm(conversation(1), old));
        assert_eq!(allocator.reserve(conversation(1), some(1)), Reserve::Range(range(6, 6)));
    }

    #[test]
    fn the_least_recently_used_gives_way_and_the_busy_stay() {
        let mut allocator = SequenceAllocator::new(2);
        assert!(allocator.learn(conversation(1), Seq::ZERO));
        assert!(allocator.learn(conversation(2), Seq::ZERO));
        let Reserve::Range(one) = allocator.reserve(conversation(1), some(1)) else { panic!() };
        assert!(allocator.learn(conversation(3), Seq::ZERO));
        assert_eq!(allocator.head(conversation(2)), None);
        let Reserve::Range(_) = allocator.reserve(conversation(3), some(1)) else { panic!() };
        assert!(!allocator.learn(conversation(4), Seq::ZERO), "both places are busy");
        assert!(allocator.confirm(conversation(1), one));
        assert!(allocator.learn(conversation(4), Seq::ZERO));
        assert_eq!((allocator.head(conversation(1)), allocator.len()), (None, 2));
    }

    #[test]
    fn the_end_of_numbers_is_an_answer() {
        let mut allocator = SequenceAllocator::new(1);
        allocator.learn(conversation(1), Seq::MAX.prev());
        assert_eq!(allocator.reserve(conversation(1), some(2)), Reserve::Exhausted);
        let last = SeqRange { first: Seq::MAX, last: Seq::MAX };
        assert_eq!(allocator.reserve(conversation(1), some(1)), Reserve::Range(last));
    }
}
