use std::collections::VecDeque;

use super::recent::{Key, Stored};
use super::{Fold, Offer, Rules};
use crate::hash::IdMap;
use crate::{ClientMsgId, ConversationId, DeviceId, Duration, Epoch, Seq, Time, UserId};

/// What a lane remembers of an entry besides the row that it becomes.
pub(super) struct Held<T> {
    pub(super) ticket: T,
    pub(super) after: Option<ClientMsgId>,
    pub(super) offered_at: Time,
    pub(super) epoch: Epoch,
    /// The lane's count of offers when it arrived: a refusal needs a state confirmed after that.
    pub(super) stamp: u64,
    /// It may be stored already, so it is looked up before it is written.
    pub(super) look_up: bool,
    /// If it turns out to be stored, then nobody had said so before the store did.
    pub(super) unmarked: bool,
    /// It was in a batch that the store refused for one of its entries. Within a conversation's
    /// queue the suspects stand first.
    pub(super) suspect: bool,
    /// How often it was numbered in vain because of rivals.
    pub(super) tries: u32,
}

impl<T> Held<T> {
    pub(super) fn is_overdue(&self, now: Time, wait_max: Duration) -> bool {
        now >= self.offered_at + wait_max
    }
}

/// An entry that waits.
pub(super) struct Pending<E, T> {
    pub(super) held: Held<T>,
    pub(super) sender: UserId,
    pub(super) device: DeviceId,
    pub(super) client_msg_id: ClientMsgId,
    pub(super) entry: E,
    /// What its look-ups found, once they were done since the conversation was last forgotten.
    pub(super) looked_up: Option<LookedUp>,
}

/// What a load said of an entry that waits. It is kept with the entry, because what else is found
/// may push it out of the recent ids before the entry is judged.
#[derive(Clone, Copy)]
pub(super) struct LookedUp {
    /// Where the entry is stored, if it is.
    pub(super) own: Option<Stored>,
    /// Whether the send is stored that it names in `after`.
    pub(super) after: bool,
}

impl<E, T> Pending<E, T> {
    pub(super) fn new(offer: Offer<E, T>, now: Time, stamp: u64) -> Self {
        Self {
            held: Held {
                ticket: offer.ticket,
                after: offer.after,
                offered_at: now,
                epoch: offer.epoch,
                stamp,
                look_up: offer.retry,
                unmarked: false,
                suspect: false,
                tries: 0,
            },
            sender: offer.sender,
            device: offer.device,
            client_msg_id: offer.client_msg_id,
            entry: offer.entry,
            looked_up: None,
        }
    }

    pub(super) fn key(&self, conversation: ConversationId) -> Key {
        (conversation, self.sender, self.client_msg_id)
    }
}

/// What a lane believes about a conversation, entries in flight included.
pub(super) struct Known<S, M> {
    pub(super) head: Seq,
    pub(super) count: u64,
    pub(super) rev: u64,
    pub(super) fold: Fold<S, M>,
    /// A snapshot from before this seq lacks an effect that the lane knows.
    pub(super) fold_seq: Seq,
    /// The lane's count of offers when the newest load that agreed with this was asked for.
    pub(super) stamp: u64,
}

/// A conversation that is hot or has something waiting.
pub(super) struct Conversation<R: Rules, T> {
    pub(super) known: Option<Known<R::Settings, R::Member>>,
    pub(super) queue: VecDeque<Pending<R::Entry, T>>,
    /// The last id of each device that was committed or is in flight, as far as remembered.
    pub(super) last_of_device: IdMap<DeviceId, ClientMsgId>,
    /// Rows in the batch that is out.
    pub(super) in_flight: usize,
    /// Where those rows' expectation stands in the batch that is being drafted.
    pub(super) expect: usize,
    /// Raised whenever what was believed is forgotten: older loads are void.
    pub(super) generation: u64,
    pub(super) place: Place,
    /// Used since the eviction ring passed it.
    pub(super) touched: bool,
}

/// Which of the lane's lists a conversation stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// None: nothing waits, or its rows are in flight.
    Idle,
    /// It may have entries for the next batch.
    Ready,
    /// It waits for its load to be polled.
    ToLoad,
    /// Its load is under way.
    Loading,
}

impl<R: Rules, T> Conversation<R, T> {
    pub(super) fn new() -> Self {
        Self {
            known: None,
            queue: VecDeque::new(),
            last_of_device: IdMap::default(),
            in_flight: 0,
            expect: 0,
            generation: 0,
            place: Place::Idle,
            touched: true,
        }
    }

    /// Drops all belief. What waits is looked up again where that was asked for.
    pub(super) fn forget(&mut self) {
        self.known = None;
        self.generation += 1;
        self.last_of_device.clear();
        for pending in &mut self.queue {
            pending.looked_up = None;
        }
    }

    /// Brings what is remembered between batches within its bounds.
    pub(super) fn trim(&mut self, members_max: usize, devices_max: usize) {
        if let Some(known) = &mut self.known {
            known.fold.trim(members_max);
        }
        if self.last_of_device.len() > devices_max {
            // The lane's recent ids answer what these did, one look further away.
            self.last_of_device.clear();
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight == 0 && self.place == Place::Idle
    }

    pub(super) fn front_is_suspect(&self) -> bool {
        self.queue.front().is_some_and(|front| front.held.suspect)
    }
}
