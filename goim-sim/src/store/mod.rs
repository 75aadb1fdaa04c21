//! The model of a store: statements that wait for each other's row locks, flushes that take time,
//! a replica that lags, and every failure that a database may have.
//!
//! A statement locks the conversations that it appends to in the order of its batch, compares each
//! as it is locked, and writes when it has all of them. What it wrote is seen by others, and
//! answered, when it is flushed; a crash before that may lose it.

mod calls;
mod read;
mod state;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use goim_core::hash::IdMap;
use goim_core::lane::AppendResult;
use goim_core::{ConversationId, Duration, Epoch, Time};

pub(crate) use calls::{Ask, Page, Position, Told};
pub(crate) use state::{Change, Due, Log, Range, Row, State, index};
use write::{Append, Flush};

use crate::check::Seen;
use crate::cx::Cx;
use crate::event::{Event, NodeEvent};
use crate::marks::Mark;

/// Who waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) node: usize,
    pub(crate) life: u32,
    pub(crate) call: u64,
    /// Of the store that the connection was opened to.
    pub(crate) line: u32,
}

/// What happens to the store.
#[derive(Debug)]
pub(crate) enum StoreEvent {
    Asked(Caller, Box<Ask>),
    /// A flush is done.
    Flushed(u64),
    /// The replica has got so far.
    Replicated {
        change: Rc<Change>,
        line: u32,
    },
    /// Starts again after a crash.
    Start,
    /// Keeps a backup.
    Backup,
    /// Blocks a direct chat or lifts that, when nobody holds its row.
    Block {
        conversation: ConversationId,
        blocked: bool,
    },
    /// Retention takes the oldest entries of a conversation.
    Retain {
        conversation: ConversationId,
        older_than: Time,
    },
}

pub(crate) struct Store {
    pub(crate) state: State,
    replica: State,
    /// Of the primary that the replica follows: what an earlier one sent does not count.
    line: u32,
    backup: Option<State>,
    appends: IdMap<u64, Append>,
    locks: IdMap<ConversationId, VecDeque<u64>>,
    /// By place in the write-ahead log.
    flushes: BTreeMap<u64, Flush>,
    last: u64,
}

impl Store {
    pub(crate) fn new(state: State) -> Self {
        Self {
            replica: state.clone(),
            state,
            line: 0,
            backup: None,
            appends: IdMap::default(),
            locks: IdMap::default(),
            flushes: BTreeMap::new(),
            last: 0,
        }
    }

    pub(crate) fn handle(&mut self, cx: &mut Cx, event: StoreEvent) {
        match event {
            StoreEvent::Asked(caller, ask) => self.asked(cx, caller, *ask),
            StoreEvent::Flushed(place) => self.flushed(cx, place),
            StoreEvent::Replicated { change, line } => {
                if line == self.line {
                    self.replica.apply(&change);
                }
            }
            StoreEvent::Start => cx.weather.store_up = true,
            StoreEvent::Backup => self.backup = Some(self.state.clone()),
            StoreEvent::Block { conversation, blocked } => self.block(cx, conversation, blocked),
            StoreEvent::Retain { conversation, older_than } => self.retain(cx, conversation, older_than),
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.appends.is_empty() && self.flushes.is_empty() && self.locks.is_empty()
    }

    fn asked(&mut self, cx: &mut Cx, caller: Caller, ask: Ask) {
        // A store that went back knows nothing of connections to what it was.
        if caller.line != cx.store_line {
            return;
        }
        let cut = cx.weather.store_cut[caller.node];
        if !cx.weather.store_up || (cut && cx.rng.one_in(2)) {
            return;
        }
        if cut {
            cx.marks.hit(Mark::StatementOutlivesItsConnection);
        }
        let told = match ask {
            Ask::Append(batch) => return self.append(cx, caller, batch),
            Ask::Commit { user, device, moves, epoch } => {
                return self.commit(cx, caller, (user, device), &moves, epoch);
            }
            Ask::Mark { user, conversation, seq } => return self.mark(cx, caller, user, conversation, seq),
            Ask::DueDone(ids) => return self.flush(cx, Some(caller), Change::DueDone(ids), Told::Done),
            Ask::Pull { user, conversation, after, limit, at_replica } => {
                let from = if at_replica { &self.replica } else { &self.state };
                let lags = from.log(conversation).head < self.state.log(conversation).head;
                cx.marks.hit_if(lags, Mark::PullLagged);
                from.pull(user, conversation, after, limit).map_or(Told::NotMember, Told::Page)
            }
            Ask::Connect => Told::Connected(self.state.epoch),
            Ask::Load(request) => {
                let before =
                    if bug!("the head is read after the fold") { &self.replica } else { &self.state };
                Told::Loaded(Some(self.state.load(&request, before)))
            }
            Ask::Stand(conversation) => {
                let log = self.state.log(conversation);
                Told::Stands { head: log.head, count: log.count, rev: log.rev }
            }
            Ask::Memberships(user) => Told::Memberships(self.state.memberships(user)),
            Ask::Positions { user, device, own } => {
                let before =
                    if bug!("memberships are listed before the heads") { &self.replica } else { &self.state };
                Told::Positions(self.state.positions(user, device, &own, before))
            }
            Ask::PositionsIn { user, device, conversations } => {
                let of = |conversation| self.state.position(user, device, conversation);
                let positions = conversations.into_iter().filter_map(of).collect();
                Told::Positions(positions)
            }
            Ask::Look { user, conversation } => Told::Look(self.state.look(user, conversation)),
            Ask::Entries { conversation, after } => Told::Entries(self.state.entries(conversation, after)),
            Ask::Heads(conversations) => {
                Told::Heads { heads: self.state.heads(&conversations), epoch: self.state.epoch }
            }
            Ask::Due => Told::Due(self.state.due.iter().take(16).map(|(id, due)| (*id, *due)).collect()),
        };
        let took = cx.statement();
        Self::answer(cx, caller, told, took);
    }

    /// Sends an answer; it may be lost, and then its asker learns that much.
    fn answer(cx: &mut Cx, caller: Caller, told: Told, took: Duration) {
        let Caller { node, life, call, .. } = caller;
        if cx.weather.store_cut[node] {
            return;
        }
        let lost = cx.rng.permille(cx.rate(cx.s.answer_lost_permille));
        let told = match told {
            Told::Appended(result) if lost => {
                cx.marks.hit(Mark::AnswerLost);
                if matches!(result, AppendResult::Written { .. }) {
                    cx.marks.hit(Mark::WrittenInDoubt);
                }
                Told::Appended(AppendResult::InDoubt)
            }
            _ if lost => Told::Failed,
            told => told,
        };
        let flight = cx.store_flight();
        cx.after(took + flight, Event::Node(node, life, NodeEvent::Told(call, Box::new(told))));
    }

    /// Crashes: of what is being flushed, the first part may have got to the disk.
    pub(crate) fn crash(&mut self, cx: &mut Cx) {
        let kept = cx.rng.index(self.flushes.len() + 1);
        let flushes = std::mem::take(&mut self.flushes);
        let lost = flushes.len() - kept;
        cx.marks.hit_if(lost > 0, Mark::CrashBetweenWriteAndFlush);
        cx.marks.hit_if(kept > 0, Mark::CrashBetweenFlushAndReply);
        for flush in flushes.into_values().take(kept) {
            self.commit_change(cx, flush.change);
        }
        self.appends.clear();
        self.locks.clear();
        cx.weather.store_up = false;
        cx.store_lost_by_all();
    }

    /// Goes back, to the last backup or to what the replica has, and begins a new epoch.
    pub(crate) fn go_back(&mut self, cx: &mut Cx) {
        let before = self.state.clone();
        let backup = self.backup.take();
        let promotes = cx.s.replica == 1 && (backup.is_none() || cx.rng.one_in(2));
        match backup {
            Some(backup) if !promotes => self.state = backup,
            _ if promotes => self.state = self.replica.clone(),
            _ => return,
        }
        cx.marks.hit(if promotes { Mark::ReplicaPromoted } else { Mark::BackupRestored });
        let lost = self.state.logs.iter().zip(&before.logs).any(|(now, before)| now.head < before.head);
        cx.marks.hit_if(lost, Mark::StoreLostEntries);
        self.state.epoch = Epoch::new(before.epoch.as_u64() + 1);
        self.replica = self.state.clone();
        self.line += 1;
        cx.store_line += 1;
        self.appends.clear();
        self.locks.clear();
        self.flushes.clear();
        cx.saw(Seen::WentBack(Box::new(before)));
        cx.store_lost_by_all();
    }

    /// A change becomes visible, and goes to the replica.
    fn commit_change(&mut self, cx: &mut Cx, change: Change) {
        self.state.apply(&change);
        if let Change::Append { heads, .. } = &change {
            for (conversation, ..) in heads {
                cx.saw(Seen::Committed(*conversation));
            }
        }
        if let Change::Block { conversation, blocked: false } = &change {
            cx.saw(Seen::Unblocked(*conversation));
        }
        if cx.s.replica == 1 {
            let lag = cx.rng.micros(1, cx.s.lag_us);
            // In order: what commits later is not replicated earlier.
            let at = (cx.now + lag).max(cx.replicated_at);
            cx.replicated_at = at;
            let line = self.line;
            cx.at(at, Event::Store(StoreEvent::Replicated { change: Rc::new(change), line }));
        }
    }
}
