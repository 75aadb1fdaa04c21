//! The conversations of a [`Notifier`](super::Notifier), each in exactly one list.

use crate::ack_queue::AckId;
use crate::hash::IdMap;
use crate::{ConversationId, Seq, Time};

/// Nothing to announce, nothing out; in the order in which they fell idle.
pub(super) const IDLE: u32 = 0;
/// Something to announce, in the order in which it came up.
pub(super) const DIRTY: u32 = 1;
/// Something out; perhaps more to announce once the stream has been acknowledged.
pub(super) const OUT: u32 = 2;
const VACANT: u32 = 3;
const LISTS: u32 = 4;

/// An unacknowledged announcement.
#[derive(Clone, Copy)]
pub(super) struct Flight {
    pub(super) id: AckId,
    /// How many announcements are out on the ordered stream; 0 if they went as datagrams.
    pub(super) stream_depth: u8,
}

/// A head that was announced once, as a datagram: its ack measures the round trip.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    pub(super) head: Seq,
    pub(super) sent_at: Time,
}

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) conversation: ConversationId,
    pub(super) head: Seq,
    pub(super) read_marker: Seq,
    pub(super) announced: Seq,
    pub(super) announced_marker: Seq,
    pub(super) acked: Seq,
    /// Everything up to it was sent on this connection, some of it perhaps in lost datagrams.
    pub(super) sent: Seq,
    /// Everything up to it has arrived or will, or the reader knows that it lacks it.
    pub(super) confirmed: Seq,
    pub(super) probe: Option<Probe>,
    pub(super) flight: Option<Flight>,
    pub(super) dirty: bool,
    list: u32,
    prev: u32,
    next: u32,
}

impl Entry {
    const fn new(conversation: ConversationId, base: Seq, list: u32) -> Self {
        Self {
            conversation,
            head: base,
            read_marker: Seq::ZERO,
            announced: Seq::ZERO,
            announced_marker: Seq::ZERO,
            acked: Seq::ZERO,
            sent: base,
            confirmed: base,
            probe: None,
            flight: None,
            dirty: false,
            list,
            prev: list,
            next: list,
        }
    }

    /// Whether the reader has not been told everything, as far as we know.
    pub(super) fn has_news(&self) -> bool {
        self.head > self.announced.max(self.acked).max(self.confirmed)
            || self.read_marker > self.announced_marker
    }
}

/// A slab whose first slots are the heads of circular lists, and an index into it.
pub(super) struct Table {
    entries: Vec<Entry>,
    index: IdMap<ConversationId, u32>,
    conversations_max: usize,
}

impl Table {
    pub(super) fn new(conversations_max: usize) -> Self {
        let heads = (0..LISTS).map(|list| Entry::new(ConversationId::new(0), Seq::ZERO, list)).collect();
        let conversations_max = conversations_max.min(u32::MAX as usize - LISTS as usize);
        Self { entries: heads, index: IdMap::default(), conversations_max }
    }

    pub(super) fn find(&self, conversation: ConversationId) -> Option<u32> {
        self.index.get(&conversation).copied()
    }

    /// Finds a conversation or takes it in, of which the reader is believed to have everything up
    /// to `base`. `None` if there is no room and nobody idle to make some.
    pub(super) fn admit(&mut self, conversation: ConversationId, base: Seq) -> Option<u32> {
        if let Some(slot) = self.find(conversation) {
            return Some(slot);
        }
        if self.index.len() >= self.conversations_max {
            let idle = self.first(IDLE)?;
            self.remove(idle);
        }
        let slot = self.first(VACANT).map_or_else(|| self.grow(), Some)?;
        self.unlink(slot);
        self.entries[slot as usize] = Entry::new(conversation, base, slot);
        self.append(slot, IDLE);
        self.index.insert(conversation, slot);
        Some(slot)
    }

    #[cold]
    fn grow(&mut self) -> Option<u32> {
        let slot = u32::try_from(self.entries.len()).ok()?;
        // Linked to itself, so that unlinking it is harmless.
        self.entries.push(Entry::new(ConversationId::new(0), Seq::ZERO, slot));
        Some(slot)
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.index.remove(&self.entries[slot as usize].conversation);
        self.unlink(slot);
        self.append(slot, VACANT);
    }

    pub(super) fn entry(&mut self, slot: u32) -> &mut Entry {
        &mut self.entries[slot as usize]
    }

    pub(super) fn first(&self, list: u32) -> Option<u32> {
        let first = self.entries[list as usize].next;
        (first != list).then_some(first)
    }

    /// Moves an entry to the end of a list, unless it is in that list already.
    pub(super) fn move_to(&mut self, slot: u32, list: u32) {
        if self.entries[slot as usize].list != list {
            self.unlink(slot);
            self.append(slot, list);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Entry { prev, next, .. } = self.entries[slot as usize];
        self.entries[prev as usize].next = next;
        self.entries[next as usize].prev = prev;
    }

    fn append(&mut self, slot: u32, list: u32) {
        let prev = self.entries[list as usize].prev;
        self.entries[prev as usize].next = slot;
        self.entries[list as usize].prev = slot;
        let entry = &mut self.entries[slot as usize];
        (entry.list, entry.prev, entry.next) = (list, prev, list);
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }
}
