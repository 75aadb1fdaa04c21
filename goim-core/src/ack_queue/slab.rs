//! The slots of an [`AckQueue`](super::AckQueue) and the lists that run through them.

use core::ops::Range;

/// The most retransmissions that a queue can be told to make: one list for each.
pub const RETRIES_MAX: u32 = 7;
/// The most items that a queue can be told to hold: 2^20 slot numbers less the list heads.
pub const WINDOW_MAX: usize = (1 << SLOT_BITS) - LISTS as usize;

/// The list of what was sent once; list n is that of what was sent again n times.
pub(super) const FIRST_TIMED: u8 = 0;
/// The list of what needs no timer.
pub(super) const ORDERED: u8 = 8;
const LISTS: u8 = ORDERED + 1;

/// 20 bits of an id are the slot, 44 the number of the push: at a million a second they last for
/// half a year without repeating.
const SLOT_BITS: u32 = 20;
/// The id of a slot that holds nothing.
const VACANT: u64 = u64::MAX;
/// The end of the list of vacant slots; also a list head, so never a vacant slot itself.
const NO_SLOT: u32 = 0;

/// Names an item of one queue; grows with every push. An id is never given twice, so a stale one
/// does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckId(u64);

impl AckId {
    #[allow(clippy::cast_possible_truncation, reason = "masked to 20 bits")]
    const fn slot(self) -> u32 {
        (self.0 & ((1 << SLOT_BITS) - 1)) as u32
    }
}

struct Slot<T> {
    id: u64,
    sent_us: u64,
    prev: u32,
    next: u32,
    list: u8,
    item: Option<T>,
}

/// Slots 0 to 8 are the heads of circular lists: linking and unlinking then have no special case
/// for either end, hence no branch.
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    vacant: u32,
    len: usize,
    /// How many were sent again: mostly none, and then nobody looks at their lists.
    retried: u32,
    pushes: u64,
}

const fn is_retried(list: u8) -> bool {
    list != FIRST_TIMED && list != ORDERED
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        let head = |list: u8| Slot {
            id: VACANT,
            sent_us: 0,
            prev: u32::from(list),
            next: u32::from(list),
            list,
            item: None,
        };
        Self { slots: (0..LISTS).map(head).collect(), vacant: NO_SLOT, len: 0, retried: 0, pushes: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The lists with a timer that may hold something.
    pub(super) const fn timed_lists(&self) -> Range<u8> {
        FIRST_TIMED..if self.retried == 0 { FIRST_TIMED + 1 } else { ORDERED }
    }

    /// The caller has checked that fewer than [`WINDOW_MAX`] items are there.
    #[inline]
    pub(super) fn insert(&mut self, list: u8, now_us: u64, item: T) -> AckId {
        let slot = if self.vacant == NO_SLOT { self.grow() } else { self.vacant };
        self.pushes += 1;
        let id = (self.pushes << SLOT_BITS) | u64::from(slot);
        let (prev, sent_us) = self.append_after_last(list, slot, now_us);
        let entry = &mut self.slots[slot as usize];
        self.vacant = entry.next;
        *entry = Slot { id, sent_us, prev, next: u32::from(list), list, item: Some(item) };
        self.len += 1;
        AckId(id)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> u32 {
        let slot = u32::try_from(self.slots.len()).unwrap_or(NO_SLOT);
        self.slots.push(Slot { id: VACANT, sent_us: 0, prev: NO_SLOT, next: NO_SLOT, list: 0, item: None });
        slot
    }

    /// Makes `slot` the last of a list; returns the one before it and the time it counts as sent.
    #[inline]
    fn append_after_last(&mut self, list: u8, slot: u32, now_us: u64) -> (u32, u64) {
        let head = &mut self.slots[list as usize];
        let prev = head.prev;
        head.prev = slot;
        let last = &mut self.slots[prev as usize];
        last.next = slot;
        // A list head's time is 0, so it holds nothing back.
        (prev, now_us.max(last.sent_us))
    }

    /// Takes an item out: with its list and when it was sent.
    #[inline]
    pub(super) fn remove(&mut self, id: AckId) -> Option<(T, u8, u64)> {
        let vacant = self.vacant;
        let entry = self.slots.get_mut(id.slot() as usize)?;
        if entry.id != id.0 {
            return None;
        }
        let item = entry.item.take()?;
        let (prev, next, list, sent_us) = (entry.prev, entry.next, entry.list, entry.sent_us);
        entry.id = VACANT;
        entry.next = vacant;
        self.vacant = id.slot();
        self.slots[prev as usize].next = next;
        self.slots[next as usize].prev = prev;
        self.len -= 1;
        self.retried -= u32::from(is_retried(list));
        Some((item, list, sent_us))
    }

    /// Moves an item to the end of a list.
    pub(super) fn relink(&mut self, id: AckId, list: u8, now_us: u64) {
        let slot = id.slot();
        let Some((prev, next, old)) = self.entry(id).map(|entry| (entry.prev, entry.next, entry.list)) else {
            return;
        };
        self.retried = self.retried + u32::from(is_retried(list)) - u32::from(is_retried(old));
        self.slots[prev as usize].next = next;
        self.slots[next as usize].prev = prev;
        let (prev, sent_us) = self.append_after_last(list, slot, now_us);
        let entry = &mut self.slots[slot as usize];
        (entry.prev, entry.next, entry.list, entry.sent_us) = (prev, u32::from(list), list, sent_us);
    }

    #[inline]
    fn entry(&self, id: AckId) -> Option<&Slot<T>> {
        self.slots.get(id.slot() as usize).filter(|entry| entry.id == id.0)
    }

    pub(super) fn item(&self, id: AckId) -> Option<&T> {
        self.entry(id)?.item.as_ref()
    }

    pub(super) fn item_mut(&mut self, id: AckId) -> Option<&mut T> {
        self.slots.get_mut(id.slot() as usize).filter(|entry| entry.id == id.0)?.item.as_mut()
    }

    pub(super) fn list_of(&self, id: AckId) -> Option<u8> {
        self.entry(id).map(|entry| entry.list)
    }

    fn first_slot(&self, list: u8) -> Option<&Slot<T>> {
        let first = self.slots[list as usize].next;
        (first != u32::from(list)).then(|| &self.slots[first as usize])
    }

    pub(super) fn first(&self, list: u8) -> Option<AckId> {
        self.first_slot(list).map(|slot| AckId(slot.id))
    }

    pub(super) fn first_sent(&self, list: u8) -> Option<u64> {
        self.first_slot(list).map(|slot| slot.sent_us)
    }
}
