//! What is done besides appending: reading, committing offsets, making conversations, delivering
//! what is due, beginning epochs, and whatever the rival does.

use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_proto::ConversationKind;
use goim_server::store::{Load, NewConversation, OffsetCommit, StoredEntry, Which, derived_id};
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, IteratorRandom as _};

use crate::cast::mint;
use crate::fixtures::text;
use crate::gate::SeatId;
use crate::ledger::{Key, Outcome, place};
use crate::ops::{Call, Output};
use crate::outcomes::chat_of;
use crate::rival::Deed;
use crate::run::{DUE, EPOCHS, MAKERS, POSITIONS, READS, RIVAL, Run};

/// Rows that a worker takes at once.
const DUE_AT_ONCE: u32 = 3;

/// What a seat is doing, as far as its answer does not say it.
pub(crate) enum Doing {
    Connect,
    /// The ids of the batch.
    Append(Vec<Key>),
    Load(Box<Load>),
    Entries {
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    },
    Pull {
        puller: usize,
        after: Seq,
    },
    Heads,
    States {
        user: UserId,
        device: DeviceId,
    },
    Offsets(Vec<OffsetCommit>),
    Mark {
        user: UserId,
        conversation: ConversationId,
        seq: Seq,
    },
    Make {
        what: String,
    },
    Due,
    Done,
    Epoch,
    Rival {
        conversation: ConversationId,
        deed: Deed,
        commit: bool,
        entries: Vec<StoredEntry>,
    },
}

/// A worker who delivers what inboxes are owed.
#[derive(Default)]
pub(crate) struct DueWorker {
    pub(crate) waiting: usize,
    delivered: Vec<i64>,
    /// When he looked last.
    pub(crate) found_nothing: bool,
}

impl DueWorker {
    pub(crate) fn answered(&mut self, row: i64, outcome: &Outcome) -> bool {
        self.waiting -= 1;
        if place(outcome).is_some() {
            self.delivered.push(row);
        }
        true
    }
}

impl Run<'_> {
    pub(crate) fn start(&mut self, seat: SeatId, writes: bool, doing: Doing, call: Call) {
        self.struck[seat] = false;
        self.doing[seat] = Some((self.history.step, doing));
        self.stage.start(seat, writes, call);
    }

    /// Whether a seat has something to begin with; after the faults have ended, only what has to be
    /// done.
    pub(crate) fn may_begin(&self, seat: SeatId, striking: bool) -> bool {
        if seat == MAKERS[0] && self.lacks_chat() {
            return true;
        }
        let Some(worker) = DUE.iter().position(|due| *due == seat) else { return striking };
        let worker = &self.due[worker];
        // At the end each looks until he has seen that nothing is left.
        let all_sent = self.cast.senders.iter().all(crate::sender::Sender::is_done);
        worker.waiting == 0
            && (striking || !worker.delivered.is_empty() || (all_sent && !worker.found_nothing))
    }

    pub(crate) async fn begin(&mut self, seat: SeatId) {
        if READS.contains(&seat) {
            self.read(seat);
        } else if POSITIONS.contains(&seat) {
            self.move_on(seat);
        } else if MAKERS.contains(&seat) {
            self.make_something(seat);
        } else if let Some(worker) = DUE.iter().position(|due| *due == seat) {
            self.look_for_due(seat, worker);
        } else if seat == EPOCHS {
            let store = self.stage.store(seat);
            let call = async move { Output::Epoch(store.new_epoch().await) };
            self.start(seat, true, Doing::Epoch, Box::pin(call));
        } else if seat == RIVAL {
            self.let_rival_act().await;
        }
    }

    /// Whether somebody cannot send because the chat is not made.
    fn lacks_chat(&self) -> bool {
        self.cast.senders.iter().any(|sender| sender.conversation.is_none())
    }

    fn somewhere(&mut self) -> ConversationId {
        if self.rng.random() { self.cast.group } else { self.cast.quiet }
    }

    fn read(&mut self, seat: SeatId) {
        let store = self.stage.store(seat);
        let conversation = self.somewhere();
        let limit = self.rng.random_range(1..12);
        // Each who reads by his offset belongs to one of the two seats; the first has whose ranges
        // change.
        let (first, draw) = (seat == READS[0], self.rng.random_range(0..10));
        match if first { draw / 2 } else { draw } {
            0..4 => {
                let puller = if first { usize::from(self.rng.random_ratio(1, 8)) } else { 2 };
                let reader = self.history.pullers[puller];
                let (user, conversation, after) = (reader.user, reader.conversation, reader.offset);
                let call =
                    async move { Output::Page(store.pull(user, conversation, after, limit, 1 << 20).await) };
                self.start(seat, false, Doing::Pull { puller, after }, Box::pin(call));
            }
            4..7 => {
                let after = Seq::new(self.rng.random_range(0..4));
                let call = async move {
                    Output::Entries(store.entries(conversation, after, 10 * limit, 1 << 20).await)
                };
                let limit = usize::try_from(10 * limit).expect("few");
                self.start(seat, false, Doing::Entries { conversation, after, limit }, Box::pin(call));
            }
            7..9 => {
                let ids = [self.cast.group, self.cast.quiet];
                let call = async move { Output::Heads(store.heads(&ids).await) };
                self.start(seat, false, Doing::Heads, Box::pin(call));
            }
            _ => {
                let (user, device) = *self.cast.readers.choose(&mut self.rng).expect("some");
                let after = ConversationId::new(self.cast.group.as_u64() - 1);
                let call = async move {
                    Output::States(store.reader_states(user, device, &[], after, Which::All, 10).await)
                };
                self.start(seat, false, Doing::States { user, device }, Box::pin(call));
            }
        }
    }

    fn move_on(&mut self, seat: SeatId) {
        let store = self.stage.store(seat);
        let mut offsets = Vec::new();
        for _ in 0..self.rng.random_range(1..5) {
            let (user, device) = *self.cast.readers.choose(&mut self.rng).expect("some");
            let conversation = self.cast.group;
            let far = self.history.told(conversation, u64::MAX).as_u64() + 2;
            let seq = Seq::new(self.rng.random_range(0..=far));
            // The present one, or one of before, or none.
            let epochs = &self.cast.epochs;
            let epoch = epochs.iter().rev().take(3).copied().choose(&mut self.rng).unwrap_or_default();
            offsets.push(OffsetCommit { device, user, conversation, seq, epoch });
        }
        if self.rng.random_ratio(1, 3) {
            let OffsetCommit { user, conversation, seq, .. } = offsets[0];
            let call = async move { Output::Marked(store.mark_read(user, conversation, seq).await) };
            return self.start(seat, true, Doing::Mark { user, conversation, seq }, Box::pin(call));
        }
        let list = offsets.clone();
        let call = async move { Output::Offsets(store.commit_offsets(&list).await) };
        self.start(seat, true, Doing::Offsets(offsets), Box::pin(call));
    }

    fn make_something(&mut self, seat: SeatId) {
        let store = self.stage.store(seat);
        let (owner, admin, member) = (self.cast.owner, self.cast.admin, self.cast.member);
        if self.rng.random_ratio(2, 3) || self.lacks_chat() {
            let other = if self.rng.random_ratio(2, 3) { member } else { admin };
            let pair = if self.rng.random() { (owner, other) } else { (other, owner) };
            let call = async move { Output::Made(store.direct_chat(pair.0, pair.1).await) };
            let what = chat_of(owner, other);
            return self.start(seat, true, Doing::Make { what }, Box::pin(call));
        }
        // One of a few ids, so that each is used by both, and again.
        let number = self.rng.random_range(0..4_u64);
        let client_msg_id = derived_id(1, &[self.cast.group.as_u64(), number]);
        let (kind, title) = (ConversationKind::Group, String::from("made"));
        let new = NewConversation { kind, creator: owner, client_msg_id, title };
        let call = async move { Output::Made(store.create_conversation(&new).await) };
        self.start(seat, true, Doing::Make { what: format!("group {number}") }, Box::pin(call));
    }

    fn look_for_due(&mut self, seat: SeatId, worker: usize) {
        let store = self.stage.store(seat);
        let delivered = std::mem::take(&mut self.due[worker].delivered);
        if delivered.is_empty() {
            let call = async move { Output::Due(store.due(DUE_AT_ONCE).await) };
            return self.start(seat, false, Doing::Due, Box::pin(call));
        }
        let call = async move { Output::Done(store.due_done(&delivered).await) };
        self.start(seat, true, Doing::Done, Box::pin(call));
    }

    async fn let_rival_act(&mut self) {
        let Some(mut connection) = self.rival.take() else { return };
        let quiet = self.cast.quiet;
        let commit = self.rng.random_ratio(2, 3);
        let (conversation, deed) = match self.rng.random_range(0..10) {
            0 => (self.somewhere(), Deed::Hold),
            // Mostly where few entries come between, which would make committers look anyway.
            1 => (self.cast.group, Deed::Rerole { user: self.cast.admin }),
            2..6 => (quiet, Deed::Rerole { user: self.cast.admin }),
            6..8 => {
                let client_msg_id = mint(&mut self.rng, &self.history);
                let (sender, at_ms) = (self.cast.owner, self.history.now_ms());
                let body = text("from elsewhere").body.to_vec();
                (self.somewhere(), Deed::Append { sender, client_msg_id, at_ms, body })
            }
            _ => (quiet, Deed::Erase { through: self.erasable() }),
        };
        let mut entries = Vec::new();
        if let Deed::Erase { through } = deed {
            // What is committed never changes, so it can be read before.
            entries = self.raw.entries(quiet).await;
            entries.retain(|entry| entry.seq <= through);
        }
        let lasting = deed.clone();
        let doing = Doing::Rival { conversation, deed, commit, entries };
        let call = async move {
            let result = connection.act(conversation, &lasting, commit).await;
            Output::Rival(connection, result)
        };
        self.start(RIVAL, true, doing, Box::pin(call));
    }

    /// Up to where all entries of the quiet conversation are known to whoever sent them, so that
    /// nobody will ever send them again.
    fn erasable(&self) -> Seq {
        let told = self.history.answers.iter().filter(|answer| answer.key.0 == self.cast.quiet);
        let settled = told.filter(|answer| {
            let held = self.cast.senders.iter().any(|sender| sender.holds(answer.key.2));
            !held && self.pending.get(&answer.key).is_none_or(|count| *count == 0)
        });
        let mut seqs: Vec<Seq> = settled.filter_map(|answer| place(&answer.outcome)).map(|p| p.0).collect();
        seqs.sort_unstable();
        seqs.dedup();
        seqs.into_iter()
            .zip(1..)
            .take_while(|(seq, n)| seq.as_u64() == *n)
            .last()
            .map_or(Seq::ZERO, |(seq, _)| seq)
    }
}
