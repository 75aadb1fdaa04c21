//! The checker: it knows histories, of what was called, acknowledged, handed out and handled, and
//! what the store holds; nothing of how a world comes to it. Each guarantee has a check of its own
//! name.

mod log;
mod reader;

use std::collections::BTreeMap;

use goim_core::hash::{IdMap, IdSet};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, Seq, UserId};

use crate::entry::{Body, Content};
use crate::store::{State, index};
use log::Fold;
use reader::Track;

/// What the checker is told.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A device was asked to send.
    Called { device: DeviceId, user: UserId, conversation: ConversationId, id: ClientMsgId, content: Content },
    /// A send was acknowledged to its device.
    Acked { user: UserId, conversation: ConversationId, id: ClientMsgId, seq: Seq, epoch: Option<Epoch> },
    /// A send was refused for good.
    Refused { user: UserId, conversation: ConversationId, id: ClientMsgId },
    /// The store has something new in a conversation.
    Committed(ConversationId),
    /// A block in a direct chat was lifted.
    Unblocked(ConversationId),
    /// The store went back; this is what it was before.
    WentBack(Box<State>),
    /// An entry was handed to the application, by a device that believes in this epoch.
    Handed { device: DeviceId, user: UserId, conversation: ConversationId, entry: Entry<Body>, epoch: Epoch },
    /// The application handled it, for good.
    Handled { device: DeviceId, conversation: ConversationId, seq: Seq, epoch: Epoch },
    /// The commit of an offset was acknowledged.
    OffsetAcked {
        device: DeviceId,
        user: UserId,
        conversation: ConversationId,
        offset: Seq,
        epoch: Option<Epoch>,
    },
    /// A user was told where his read marker stands.
    Marked { user: UserId, conversation: ConversationId, marker: Seq, epoch: Option<Epoch> },
    /// A device's process ended. The next one has its local state, nothing, or an old copy.
    Ended { device: DeviceId, kept: bool, is_old: bool },
}

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// What was seen.
    pub what: String,
}

pub(crate) type Checked = Result<(), Finding>;

pub(crate) fn fail(check: &'static str, what: String) -> Checked {
    Err(Finding { check, what })
}

/// (conversation, sender, id): what is stored once.
type Key = (ConversationId, UserId, ClientMsgId);

#[derive(Debug)]
struct Call {
    device: DeviceId,
    /// Of the device's outbox.
    life: u32,
    /// The checker's count of calls.
    n: u64,
    /// When it was made, by the checker's count of what it saw.
    at: u64,
    content: Content,
}

pub(crate) struct Checker {
    /// Whether in this world ids are refused for their age.
    ids_grow_old: bool,
    /// What was seen so far.
    clock: u64,
    /// When the store went back last.
    went_back_at: u64,
    calls: IdMap<Key, Call>,
    called: u64,
    refused: IdSet<Key>,
    acked: BTreeMap<Key, Seq>,
    folds: Vec<Fold>,
    /// The states that the store went back from, by their epochs, and those it went back to.
    left: Vec<State>,
    begun: Vec<State>,
    tracks: IdMap<(DeviceId, ConversationId), Track>,
    outbox_lives: IdMap<DeviceId, u32>,
    /// Devices that sent anew what an old copy of their outbox had: their calls up to this one are in
    /// no order any more.
    disordered: IdMap<DeviceId, u64>,
    markers: IdMap<(UserId, ConversationId), Seq>,
    /// Entries handed again after a crash.
    pub(crate) handed_again: u64,
    /// Entries handed to members who had been out.
    pub(crate) handed_to_returned: u64,
}

impl Checker {
    /// `ids_grow_old` says that in this world ids are refused for their age.
    pub(crate) fn new(state: &State, ids_grow_old: bool) -> Self {
        let mut checker = Self {
            ids_grow_old,
            clock: 0,
            went_back_at: 0,
            calls: IdMap::default(),
            called: 0,
            refused: IdSet::default(),
            acked: BTreeMap::new(),
            folds: Vec::new(),
            left: Vec::new(),
            begun: vec![state.clone()],
            tracks: IdMap::default(),
            outbox_lives: IdMap::default(),
            disordered: IdMap::default(),
            markers: IdMap::default(),
            handed_again: 0,
            handed_to_returned: 0,
        };
        checker.begin(state);
        checker
    }

    fn begin(&mut self, state: &State) {
        self.folds = state.logs.iter().map(Fold::new).collect();
    }

    /// Takes what was seen during an event that is over.
    pub(crate) fn see(&mut self, state: &State, seen: Seen) -> Checked {
        self.clock += 1;
        match seen {
            Seen::Called { device, user, conversation, id, content } => {
                self.called += 1;
                let life = self.outbox_lives.get(&device).copied().unwrap_or(0);
                let call = Call { device, life, n: self.called, at: self.clock, content };
                self.calls.insert((conversation, user, id), call);
                Ok(())
            }
            Seen::Acked { user, conversation, id, seq, epoch } => {
                self.g1_acked(state, (conversation, user, id), seq, epoch)
            }
            Seen::Refused { user, conversation, id } => {
                self.refused.insert((conversation, user, id));
                self.g4_refused(state, &(conversation, user, id))
            }
            Seen::Unblocked(conversation) => {
                self.folds[index(conversation)].unblocked_at = self.clock;
                Ok(())
            }
            Seen::Committed(conversation) => self.absorb(state, conversation, true),
            Seen::WentBack(before) => self.went_back(*before, state),
            Seen::Handed { device, user, conversation, entry, epoch } => {
                self.handed(state, (device, user), conversation, &entry, epoch)
            }
            Seen::Handled { device, conversation, seq, epoch } => {
                self.handled(device, conversation, seq, epoch)
            }
            Seen::OffsetAcked { device, user, conversation, offset, epoch } => {
                self.g6_offset(state, (device, user), conversation, offset, epoch.unwrap_or_default())
            }
            Seen::Marked { user, conversation, marker, epoch } => {
                if epoch == Some(state.epoch) {
                    let told = self.markers.entry((user, conversation)).or_default();
                    *told = marker.max(*told);
                }
                Ok(())
            }
            Seen::Ended { device, kept, is_old } => {
                if is_old {
                    self.disordered.insert(device, self.called);
                }
                if !kept || is_old {
                    *self.outbox_lives.entry(device).or_default() += 1;
                }
                for (_, track) in self.tracks.iter_mut().filter(|((owner, _), _)| *owner == device) {
                    track.end(is_old);
                }
                Ok(())
            }
        }
    }

    fn went_back(&mut self, before: State, state: &State) -> Checked {
        self.whole(&before)?;
        self.went_back_at = self.clock;
        // What was acknowledged of what is lost is lost with it.
        self.acked.retain(|(conversation, ..), seq| *seq <= state.log(*conversation).head);
        self.markers.retain(|_, _| false);
        self.left.push(before);
        self.begun.push(state.clone());
        self.begin(state);
        for conversation in state.conversations() {
            self.absorb(state, conversation, false)?;
        }
        Ok(())
    }

    /// What must hold of a store's whole state, at the end of a world or of an epoch.
    pub(crate) fn whole(&self, state: &State) -> Checked {
        self.g1_durable(state)?;
        self.g2_dense(state)?;
        self.g4_order(state)
    }

    /// A state of the store in which an entry of this epoch stands.
    fn of_epoch<'a>(&'a self, state: &'a State, epoch: Epoch) -> Option<&'a State> {
        if epoch == state.epoch { Some(state) } else { self.left.iter().find(|left| left.epoch == epoch) }
    }
}
