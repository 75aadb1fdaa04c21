//! One seed: the schedule says who makes the next move, and which fault strikes.

use std::collections::BTreeMap;

use goim_core::lane::{AppendResult, Offer};
use goim_core::{ConversationId, DeviceId, Epoch, Time};
use goim_server::store::EntryDraft;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;

use crate::backend::{Backend, Raw};
use crate::cast::Cast;
use crate::checks::{self, Finding};
use crate::gate::{Control, SeatId};
use crate::hands::{Doing, DueWorker};
use crate::history::History;
use crate::ledger::{Key, place};
use crate::node::{Node, Ticket, Whose};
use crate::ops::Output;
use crate::rival::RivalConnection;
use crate::schedule::{Mood, Move};
use crate::stage::Stage;
use crate::tables::{clear, snapshot, tables};
use crate::wire::Rewrite;

pub(crate) const NODES: usize = 3;
/// Seats: first those of the nodes' appends, then those of their loads, then the others.
pub(crate) const LOADS: SeatId = NODES;
pub(crate) const READS: [SeatId; 2] = [6, 7];
pub(crate) const POSITIONS: [SeatId; 2] = [8, 9];
pub(crate) const MAKERS: [SeatId; 2] = [10, 11];
pub(crate) const DUE: [SeatId; 2] = [12, 13];
pub(crate) const EPOCHS: SeatId = 14;
pub(crate) const RIVAL: SeatId = 15;
pub(crate) const SEATS: usize = 16;

/// Moves after which it would have been done, whatever had been in the way: three times as many as
/// were ever seen.
const MOVES_MAX: u64 = 5_000;

pub(crate) struct Run<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) raw: &'a Raw,
    pub(crate) postgres: bool,
    pub(crate) rng: StdRng,
    pub(crate) mood: Mood,
    pub(crate) history: History,
    pub(crate) cast: Cast,
    pub(crate) nodes: Vec<Node>,
    pub(crate) doing: Vec<Option<(u64, Doing)>>,
    /// Seats whose present call a fault has struck.
    pub(crate) struck: [bool; SEATS],
    pub(crate) due: [DueWorker; DUE.len()],
    pub(crate) rival: Option<RivalConnection>,
    /// Offers without an answer, by what they offer.
    pub(crate) pending: BTreeMap<Key, usize>,
}

/// Seeds that are played at once: each takes some 40 of the 200 connections that PostgreSQL has here,
/// and tests run on as many threads as the machine has cores.
static WORLDS: Semaphore = Semaphore::const_new(2);

/// What came of a seed.
pub(crate) struct Played {
    pub(crate) findings: Vec<Finding>,
    pub(crate) trace: Vec<String>,
    pub(crate) tally: BTreeMap<&'static str, u64>,
    /// Words that no statement says any more.
    pub(crate) unused_rewrites: Vec<&'static str>,
}

/// Plays one seed, and says what the checks found.
pub(crate) async fn play(backend: &Backend, rewrites: &'static [Rewrite], seed: u64) -> Played {
    let _turn = WORLDS.acquire().await.expect("nobody closes it");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut history = History::default();
    // A new one, so that what a seed does depends on no seed before it.
    let mut stage = Stage::set(backend, SEATS, rewrites).await;
    let raw = &backend.raw().await;
    clear(backend, raw).await;
    let cast = Cast::gather(&stage, raw, &mut rng, &mut history).await;
    let rival = Some(RivalConnection::connect(backend, stage.url(RIVAL)).await);
    stage.hold(true);
    let mood = Mood::new(&mut rng);
    let nodes = (0..NODES).map(|_| Node::new(&mut rng)).collect();
    let doing = (0..SEATS).map(|_| None).collect();
    let (struck, due, pending) = ([false; SEATS], Default::default(), BTreeMap::new());
    let postgres = backend.is_postgres();
    let mut run = Run {
        stage: &mut stage,
        raw,
        postgres,
        rng,
        mood,
        history,
        cast,
        nodes,
        doing,
        struck,
        due,
        rival,
        pending,
    };
    let is_over = run.play().await;
    let Run { mut history, .. } = run;
    let conversations: Vec<ConversationId> = history.conversations.keys().copied().collect();
    let tables = tables(raw, &conversations).await;
    history.is_over = is_over;
    let findings = checks::all(&history, &tables);
    let History { trace, tally, .. } = history;
    let unused_rewrites = stage.unused_rewrites();
    stage.strike().await;
    Played { findings, trace, tally, unused_rewrites }
}

impl Run<'_> {
    /// Returns whether everybody came to an end.
    async fn play(&mut self) -> bool {
        while self.history.step < MOVES_MAX {
            self.history.step += 1;
            let Some(chosen) = self.choose() else {
                if self.is_done() {
                    return true;
                }
                self.history.count("deadlocks");
                let finished = self.stage.settle_deadlock().await;
                self.take(finished);
                continue;
            };
            let looked_at = self.make(chosen).await;
            self.rest().await;
            if let Move::Release(seat, _) = chosen
                && self.stage.waiting().contains(&seat)
            {
                self.history.count("waited for a lock");
            }
            if looked_at {
                self.look().await;
            }
        }
        false
    }

    fn is_done(&self) -> bool {
        let nodes = self.nodes.iter().all(|node| node.lane.is_idle());
        self.cast.senders.iter().all(crate::sender::Sender::is_done)
            && nodes
            && self.stage.is_empty()
            && self.due.iter().all(|worker| worker.found_nothing)
    }

    /// Makes a move. Returns whether the tables may look different after it.
    async fn make(&mut self, chosen: Move) -> bool {
        let note = match chosen {
            Move::Release(seat, _) | Move::Kill(seat) | Move::CutWaiting(seat) => {
                format!("{chosen:?} {}", self.stage.label(seat))
            }
            _ => format!("{chosen:?}"),
        };
        self.history.note(&note);
        match chosen {
            Move::Release(seat, control) => {
                self.struck[seat] |= control != Control::Go;
                match control {
                    Control::Go => {}
                    Control::LoseAnswer => self.history.count("answers lost"),
                    Control::Cut => self.history.count("cut"),
                }
                self.stage.release(seat, control);
                return self.stage.writes(seat);
            }
            Move::Kill(seat) => {
                self.struck[seat] = true;
                self.history.count("killed");
                self.stage.kill(seat).await;
                return true;
            }
            Move::CutWaiting(seat) => {
                self.struck[seat] = true;
                self.history.count("cut while it waited");
                self.stage.cut_waiting(seat);
            }
            Move::Connect(node) => self.connect(node),
            Move::Append(node) => self.append(node),
            Move::Load(node) => self.load(node),
            Move::Send(sender) => self.send(sender),
            Move::Abandon(sender) => self.cast.senders[sender].abandon(),
            Move::Begin(seat) => self.begin(seat).await,
        }
        false
    }

    /// Waits until all is at rest, and takes what came of it.
    async fn rest(&mut self) {
        let finished = self.stage.settle().await;
        self.take(finished);
    }

    fn take(&mut self, finished: Vec<(SeatId, Output)>) {
        for (seat, output) in finished {
            self.finished(seat, output);
        }
        self.deliver();
    }

    async fn look(&mut self) {
        let conversations: Vec<ConversationId> = self.history.conversations.keys().copied().collect();
        let seen = snapshot(self.raw, self.history.step, &conversations).await;
        self.history.snapshots.push(seen);
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_micros(self.history.step)
    }

    fn connect(&mut self, node: usize) {
        self.nodes[node].connecting();
        let store = self.stage.store(node);
        let call = async move { Output::Connected(store.lane_connection().await) };
        self.start(node, false, Doing::Connect, Box::pin(call));
    }

    fn append(&mut self, node: usize) {
        let (now, at_ms) = (self.now(), self.history.now_ms());
        let Some((mut connection, batch)) = self.nodes[node].next_append(now, at_ms) else { return };
        // On PostgreSQL the wire loses answers.
        let lose = !self.postgres && self.faults_strike() && self.rng.random_ratio(1, 12);
        let rows = batch.rows.iter().map(|row| format!("{}/{}", row.conversation, row.seq));
        self.history.note(&format!("    node {node} appends {:?}", rows.collect::<Vec<_>>()));
        let keys = batch.rows.iter().map(|row| (row.conversation, row.sender, row.client_msg_id)).collect();
        let call = async move {
            let result = connection.append(&batch).await;
            // Let go of before the lane hears of it, so that the lane need not clone the entries.
            drop(batch);
            Output::Appended(connection, if lose { AppendResult::InDoubt } else { result })
        };
        self.start(node, true, Doing::Append(keys), Box::pin(call));
        self.struck[node] |= lose;
        if lose {
            self.history.count("answers lost");
        }
    }

    fn load(&mut self, node: usize) {
        let Some(load) = self.nodes[node].next_load() else { return };
        let store = self.stage.store(LOADS + node);
        let asked = load.clone();
        let call = async move {
            let result = store.load(&load).await;
            Output::Loaded(Box::new(load), result)
        };
        self.start(LOADS + node, false, Doing::Load(Box::new(asked)), Box::pin(call));
    }

    fn send(&mut self, number: usize) {
        let count = self.rng.random_range(1..=4);
        let offers = self.cast.senders[number].send(number, self.history.step, count);
        for offer in &offers {
            self.history.offered(offer.ticket.key, offer.device, &offer.entry);
        }
        let node = self.rng.random_range(0..NODES);
        if self.rng.random_ratio(1, 5) {
            let other = self.rng.random_range(0..NODES);
            for mut copy in self.cast.senders[number].copies(&offers) {
                copy.retry = self.rng.random();
                self.offer(other, copy);
            }
        }
        for offer in offers {
            self.offer(node, offer);
        }
        self.repeat();
    }

    /// Sends once more, without a word, what somebody was told is stored.
    fn repeat(&mut self) {
        let stored = self.history.answers.iter().filter(|answer| place(&answer.outcome).is_some());
        let stored = stored.map(|answer| answer.key).filter(|key| key.0 != self.cast.quiet);
        let Some(key) = stored.choose(&mut self.rng) else { return };
        if self.history.inboxes.values().any(|inbox| *inbox == key.0) || !self.rng.random_ratio(1, 8) {
            return;
        }
        let entry = self.history.drafts[&key].clone();
        let ticket = Ticket { key, offered: self.history.step, whose: Whose::Copy };
        let (conversation, sender, client_msg_id) = key;
        let (device, after, retry, epoch) = (DeviceId::new(1), None, false, Epoch::default());
        let offer = Offer { ticket, conversation, sender, device, client_msg_id, after, retry, epoch, entry };
        let node = self.rng.random_range(0..NODES);
        self.offer(node, offer);
    }

    pub(crate) fn offer(&mut self, node: usize, offer: Offer<EntryDraft, Ticket>) {
        *self.pending.entry(offer.ticket.key).or_default() += 1;
        *self.history.copies.entry(offer.ticket.key).or_default() += 1;
        let now = self.now();
        self.nodes[node].offer(now, offer);
    }

    /// Takes from the lanes what they decided.
    fn deliver(&mut self) {
        for node in 0..NODES {
            self.nodes[node].poll_loads();
            while let Some(answer) = self.nodes[node].lane.poll_answer() {
                let Ticket { key, offered, whose } = answer.ticket;
                *self.pending.entry(key).or_default() -= 1;
                // It may be that something is due now.
                self.due.iter_mut().for_each(|worker| worker.found_nothing = false);
                let expected = match whose {
                    Whose::Sender { sender, window, place } => {
                        self.cast.senders[sender].answered(window, place, &answer.outcome)
                    }
                    Whose::Due { worker, row } => self.due[worker].answered(row, &answer.outcome),
                    Whose::Copy => false,
                };
                // Nobody is told of the fate of a copy, but where it says it is stored, it is.
                if expected || place(&answer.outcome).is_some() {
                    self.history.answered(offered, key, answer.outcome);
                }
            }
            while let Some(entry) = self.nodes[node].lane.poll_committed() {
                self.history.published.push((node, entry));
            }
        }
    }
}
