//! The newest entries of many conversations, shared by everything that runs on an access node.
//!
//! A [`MsgBox`] is a [`MsgList`] per conversation behind one mutex per shard: the publisher of new
//! entries takes one lock per batch of a conversation, and a reader copies handles out under it.
//! `M` should therefore be cheap to clone, an [`Arc`](std::sync::Arc) of the encoded entry.
//!
//! # Who makes room
//! All lists together stay within [`BoxLimits::bytes_max`], buffers and hash tables included. Bytes
//! are claimed *before* anything is allocated, so the bound holds at every moment. When none are
//! left, room is made in this order, through all shards:
//! 1. entries that every reader of their conversation has passed (each shard keeps a queue of the
//!    lists that have some, so that none is searched for);
//! 2. idle lists: the longest unread and unwritten of every few that come up (Redis' sampled LRU:
//!    nearly the exact one's choice, without a linked list to mend at every read). One with readers
//!    loses its entries first and, idle still, itself; its readers are counted again at their next
//!    ack.
//!
//! Work is amortised O(1) per operation: every step of a search for room takes a list's entries, a
//! list or its place in the queue, each paid for by the operation that put it there; and a search
//! frees enough for many inserts (one part in [`MsgBox::RELIEF_SHARE`] of the limit, if there is
//! that much), which pays for visiting the shards.
//!
//! An entry that still finds no room is not kept, and its list then starts behind it, so readers
//! go to the store for it: nothing is ever lost by a box, only slower to get.

mod bank;
mod shard;
#[cfg(test)]
mod tests;

use core::fmt;
use core::mem::size_of;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    ConversationId, Seq,
    hash::spread,
    msg_list::{Entries, ListLimits, Msg, MsgList, Reader},
    sequence::SeqRange,
};
use bank::Bank;
use shard::Shard;

/// How much a [`MsgBox`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxLimits {
    /// The most bytes of all lists together, with everything they need.
    pub bytes_max: usize,
    /// How many locks to spread conversations over; rounded up to a power of two.
    pub shards: usize,
    /// The limits of each list.
    pub list: ListLimits,
}

impl Default for BoxLimits {
    /// 256 MiB, about half a million messages of chat length; 64 shards, so that a dozen threads
    /// seldom meet.
    fn default() -> Self {
        Self { bytes_max: 256 << 20, shards: 64, list: ListLimits::default() }
    }
}

/// Where a conversation stands after entries were put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The newest entry that can be read.
    pub head: Seq,
    /// The first gap behind it, if something is known to lie beyond.
    pub missing: Option<SeqRange>,
}

/// One reader's place in a conversation; see [`MsgBox::join`].
#[derive(Debug)]
#[must_use = "a reader that does not leave is waited for"]
pub struct BoxReader {
    /// The list's id when it was counted there: a list that was given up and made anew does not
    /// know it. [`UNCOUNTED`] if no list counts it.
    list: u64,
    reader: Option<Reader>,
}

const UNCOUNTED: u64 = 0;

/// Keeps neighbouring shards' locks off each other's cache line, and a shard's own before what it
/// guards.
#[repr(C, align(128))]
struct Padded<M>(Mutex<Shard<M>>);

/// Many [`MsgList`]s, bounded in bytes together; all methods take `&self`.
///
/// No method blocks on anything but a shard's mutex, none calls back into the box, and a closure or
/// iterator passed to one runs under that mutex: it must not use the box.
pub struct MsgBox<M> {
    shards: Box<[Padded<M>]>,
    bank: Bank,
    limits: BoxLimits,
    /// The shard at which the next search for room starts.
    hand: AtomicUsize,
}

impl<M: Msg> MsgBox<M> {
    /// How often an insert makes room before it gives up, when other threads take it away.
    const TRIES_MAX: usize = 8;
    /// A search for room frees at least this part of the whole, if it can.
    pub const RELIEF_SHARE: usize = 128;

    /// An empty box.
    #[must_use]
    pub fn new(limits: BoxLimits) -> Self {
        let shards = limits.shards.clamp(1, 1 << 16).next_power_of_two();
        let limits = BoxLimits { shards, ..limits };
        let fixed = size_of::<Self>() + shards * size_of::<Padded<M>>();
        Self {
            shards: (0..shards).map(|_| Padded(Mutex::new(Shard::new(limits.list)))).collect(),
            bank: Bank::new(limits.bytes_max.saturating_sub(fixed), shards),
            limits,
            hand: AtomicUsize::new(0),
        }
    }

    /// Puts in one entry; see [`insert_all`](Self::insert_all).
    pub fn insert(&self, conversation: ConversationId, msg: M) -> Reached {
        let mut shard = self.shard(conversation);
        match shard.append_next(conversation, msg, &self.bank) {
            Ok(reached) => reached,
            Err(msg) => {
                drop(shard);
                self.insert_rest(conversation, Some(msg), core::iter::empty())
            }
        }
    }

    /// Puts in entries of one conversation under one lock, in any order, best in theirs.
    pub fn insert_all(&self, conversation: ConversationId, msgs: impl IntoIterator<Item = M>) -> Reached {
        let mut msgs = msgs.into_iter();
        self.insert_rest(conversation, msgs.next(), msgs)
    }

    // Never: with it, the usual case has more registers to save than work to do.
    #[inline(never)]
    fn insert_rest(
        &self,
        conversation: ConversationId,
        mut next: Option<M>,
        mut msgs: impl Iterator<Item = M>,
    ) -> Reached {
        let mut tries = 0;
        loop {
            let mut shard = self.shard(conversation);
            let short = match shard.insert_all(conversation, &mut next, &mut msgs, &self.bank) {
                Ok(reached) => return reached,
                Err(short) => short,
            };
            drop(shard);
            tries += 1;
            if tries > Self::TRIES_MAX || !self.relieve(short) {
                tries = 0;
                if let Some(msg) = next.take() {
                    self.shard(conversation).drop_through(conversation, msg.seq(), &self.bank);
                    next = msgs.next();
                }
                if next.is_none() {
                    return self.reached(conversation);
                }
            }
        }
    }

    /// Replaces an entry by what a recall left of it; see [`MsgList::blank`]. Returns whether the
    /// stub is now here.
    pub fn blank(&self, conversation: ConversationId, stub: M) -> bool {
        let seq = stub.seq();
        let mut stub = Some(stub);
        for _ in 0..=Self::TRIES_MAX {
            let short = match self.shard(conversation).blank(conversation, &mut stub, &self.bank) {
                Ok(here) => return here,
                Err(short) => short,
            };
            if !self.relieve(short) {
                break;
            }
        }
        // No room for a stub: what it was to hide must go all the same.
        self.shard(conversation).drop_through(conversation, seq, &self.bank);
        false
    }

    /// Appends the entries behind `seq`, at most `limit`, to `out`. Returns the head that was seen;
    /// `None` if the box does not reach back to `seq`: ask the store.
    pub fn after(&self, conversation: ConversationId, seq: Seq, limit: usize, out: &mut Vec<M>) -> Option<Seq>
    where
        M: Clone,
    {
        let mut shard = self.shard(conversation);
        let list = shard.touch(conversation)?;
        out.extend(list.after(seq, limit)?.iter().cloned());
        Some(list.head())
    }

    /// Shows the entries behind `seq`, at most `limit`, to `look`, under the lock: for a reader
    /// whose limit is in bytes. `None` if the box does not reach back to `seq`.
    pub fn look_after<R>(
        &self,
        conversation: ConversationId,
        seq: Seq,
        limit: usize,
        look: impl FnOnce(Entries<'_, M>) -> R,
    ) -> Option<R> {
        let mut shard = self.shard(conversation);
        let list = shard.touch(conversation).filter(|_| !bug!("a box tells nothing"))?;
        Some(look(list.after(seq, limit)?))
    }

    /// Appends the newest `limit` entries, oldest first, to `out`. Returns the head that was seen;
    /// `None` if the conversation is not here.
    pub fn newest(&self, conversation: ConversationId, limit: usize, out: &mut Vec<M>) -> Option<Seq>
    where
        M: Clone,
    {
        let mut shard = self.shard(conversation);
        let list = shard.touch(conversation)?;
        out.extend(list.newest(limit).iter().cloned());
        Some(list.head())
    }

    /// Counts a reader that has everything through `offset`, so that what it has not passed is
    /// kept longest. Give the place back with [`leave`](Self::leave).
    pub fn join(&self, conversation: ConversationId, offset: Seq) -> BoxReader {
        for _ in 0..=Self::TRIES_MAX {
            let short = match self.shard(conversation).join(conversation, offset, &self.bank) {
                Ok(reader) => return reader,
                Err(short) => short,
            };
            if !self.relieve(short) {
                break;
            }
        }
        BoxReader { list: UNCOUNTED, reader: None }
    }

    /// Moves a reader forward to `offset`; never back.
    pub fn ack(&self, conversation: ConversationId, reader: &mut BoxReader, offset: Seq) {
        self.shard(conversation).ack(conversation, reader, offset, &self.bank);
    }

    /// Counts a reader no more.
    pub fn leave(&self, conversation: ConversationId, reader: BoxReader) {
        self.shard(conversation).leave(conversation, reader);
    }

    /// The newest entry that can be read; `None` if the conversation is not here.
    #[must_use]
    pub fn head(&self, conversation: ConversationId) -> Option<Seq> {
        self.shard(conversation).list(conversation).map(MsgList::head)
    }

    /// The first gap of a conversation; see [`MsgList::missing`].
    #[must_use]
    pub fn missing(&self, conversation: ConversationId) -> Option<SeqRange> {
        self.shard(conversation).list(conversation)?.missing()
    }

    /// Hears that a conversation has reached `head`; see [`MsgList::hear_head`].
    pub fn hear_head(&self, conversation: ConversationId, head: Seq) -> Option<SeqRange> {
        let mut shard = self.shard(conversation);
        let list = shard.touch(conversation)?;
        list.hear_head(head);
        list.missing()
    }

    /// Gives up everything of a conversation through `seq`; see [`MsgList::drop_through`].
    pub fn drop_through(&self, conversation: ConversationId, seq: Seq) {
        self.shard(conversation).drop_through(conversation, seq, &self.bank);
    }

    /// Gives up everything, as when the store went back: readers are counted again at their next
    /// ack.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.clear();
            self.bank.give_back(shard.take_credit());
        }
    }

    /// The bytes held now, with everything the lists need; never over [`BoxLimits::bytes_max`],
    /// unless that is less than an empty box.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        let credit: usize = self.shards.iter().map(|shard| lock(shard).credit()).sum();
        self.limits.bytes_max.saturating_sub(self.bank.free() + credit)
    }

    /// How many conversations have a list.
    #[must_use]
    pub fn conversations(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn reached(&self, conversation: ConversationId) -> Reached {
        let shard = self.shard(conversation);
        shard.list(conversation).map_or(Reached { head: Seq::ZERO, missing: None }, |list| Reached {
            head: list.head(),
            missing: list.missing(),
        })
    }

    /// Frees at least `bytes`, or what can be. Call with no lock held. Returns whether any was.
    fn relieve(&self, bytes: usize) -> bool {
        let target = bytes.max(self.limits.bytes_max / Self::RELIEF_SHARE);
        let start = self.hand.fetch_add(1, Ordering::Relaxed);
        let mask = self.shards.len() - 1;
        let mut freed = 0;
        for relieve in [Shard::evict_passed, Shard::evict_idle] {
            for n in 0..self.shards.len() {
                let mut shard = lock(&self.shards[(start.wrapping_add(n)) & mask]);
                relieve(&mut shard, target - freed);
                let credit = shard.take_credit();
                self.bank.give_back(credit);
                drop(shard);
                freed += credit;
                if freed >= target {
                    return true;
                }
            }
        }
        freed > 0
    }

    fn shard(&self, conversation: ConversationId) -> MutexGuard<'_, Shard<M>> {
        // Not the low bits: the shard's own table goes by them. Truncation picks bits, no more.
        let bits = usize::try_from(spread(conversation.as_u64()) >> 40).unwrap_or(0);
        lock(&self.shards[bits & (self.shards.len() - 1)])
    }
}

/// A panic under the lock can only come from an `M` or a caller's closure, and leaves at worst a
/// count of bytes wrong; refusing all other conversations for it would be worse.
fn lock<M>(shard: &Padded<M>) -> MutexGuard<'_, Shard<M>> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M> fmt::Debug for MsgBox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MsgBox")
            .field("limits", &self.limits)
            .field("bytes_free", &self.bank.free())
            .finish_non_exhaustive()
    }
}
