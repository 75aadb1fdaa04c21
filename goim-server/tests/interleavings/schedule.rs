//! Who makes the next move, by the seed.

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use crate::gate::{Control, SeatId};
use crate::run::{DUE, LOADS, NODES, READS, RIVAL, Run, SEATS};

/// Moves after which no fault strikes any more and nothing new begins but what has to be done.
const MOVES: u64 = 600;
/// On SQLite, where a call takes more of them.
const SQLITE_MOVES: u64 = 1_500;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Move {
    Release(SeatId, Control),
    Kill(SeatId),
    CutWaiting(SeatId),
    Connect(usize),
    Append(usize),
    Load(usize),
    Send(usize),
    Abandon(usize),
    Begin(SeatId),
}

/// How likely what is: each seed is good at something else (swarm testing; Groce et al., 2012).
pub(crate) struct Mood {
    faults: u32,
    /// How soon those go on who hold locks.
    holders: u32,
    /// How soon those go on who read.
    readers: u32,
    /// How soon those go on who load for a lane.
    loaders: u32,
    senders: u32,
    rival: u32,
    others: u32,
}

impl Mood {
    pub(crate) fn new(rng: &mut StdRng) -> Self {
        let mut one_of = |weights: [u32; 3]| weights[rng.random_range(0..3)];
        Self {
            faults: one_of([0, 6, 16]),
            holders: one_of([20, 60, 400]),
            readers: one_of([10, 60, 400]),
            loaders: one_of([20, 100, 400]),
            senders: one_of([10, 30, 100]),
            rival: one_of([20, 100, 400]),
            others: one_of([3, 15, 40]),
        }
    }
}

impl Run<'_> {
    /// The next move, if there is one.
    pub(crate) fn choose(&mut self) -> Option<Move> {
        let moves = self.moves();
        moves.choose_weighted(&mut self.rng, |(weight, _)| *weight).ok().map(|(_, chosen)| *chosen)
    }

    pub(crate) fn faults_strike(&self) -> bool {
        self.history.step < if self.postgres { MOVES } else { SQLITE_MOVES }
    }

    fn moves(&self) -> Vec<(u32, Move)> {
        let striking = self.faults_strike();
        let mut moves = Vec::new();
        for seat in self.stage.parked() {
            if !self.stage.may_go(seat, RIVAL) {
                continue;
            }
            moves.push((self.haste(seat), Move::Release(seat, Control::Go)));
            if striking && seat != RIVAL {
                let faults = self.mood.faults;
                if self.postgres {
                    moves.push((faults, Move::Release(seat, Control::LoseAnswer)));
                    moves.push((faults, Move::Kill(seat)));
                } else {
                    moves.push((faults / 2, Move::Release(seat, Control::Cut)));
                }
            }
        }
        for seat in
            self.stage.waiting().into_iter().filter(|seat| striking && self.postgres && *seat != RIVAL)
        {
            moves.push((2 * self.mood.faults, Move::Kill(seat)));
            moves.push((5 * self.mood.faults, Move::CutWaiting(seat)));
        }
        let room = self.stage.has_room_for_reader();
        for (n, node) in self.nodes.iter().enumerate() {
            let (append, load) = (self.stage.is_idle(n), room && self.stage.is_idle(LOADS + n));
            moves.extend((append && room && node.may_connect()).then_some((200, Move::Connect(n))));
            moves.extend((append && node.may_append()).then_some((200, Move::Append(n))));
            moves.extend((load && node.may_load()).then_some((300, Move::Load(n))));
        }
        for (n, sender) in self.cast.senders.iter().enumerate() {
            moves.extend(sender.may_send().then_some((self.mood.senders, Move::Send(n))));
            moves.extend((striking && sender.may_abandon()).then_some((4, Move::Abandon(n))));
        }
        let hands = LOADS + NODES..SEATS;
        let reads = |seat: &SeatId| READS.contains(seat) || DUE.contains(seat);
        let hands = hands.filter(|seat| room || !reads(seat));
        let begin = hands.filter(|seat| self.stage.is_idle(*seat) && self.may_begin(*seat, striking));
        moves.extend(begin.map(|seat| (self.zeal(seat), Move::Begin(seat))));
        moves
    }

    /// How soon somebody begins something new.
    fn zeal(&self, seat: SeatId) -> u32 {
        match seat {
            RIVAL => self.mood.rival,
            _ if DUE.contains(&seat) || READS.contains(&seat) => 30,
            _ => self.mood.others,
        }
    }

    /// How soon somebody may go on. Who holds locks, or has read half of what he wants, takes his
    /// time, so that others come in between.
    fn haste(&self, seat: SeatId) -> u32 {
        let label = self.stage.label(seat);
        let appends = seat < NODES && !label.starts_with("BEGIN") && !label.starts_with("WITH");
        match seat {
            RIVAL => self.mood.holders,
            _ if self.postgres && appends => self.mood.holders,
            _ if READS.contains(&seat) => self.mood.readers,
            _ if (LOADS..LOADS + NODES).contains(&seat) => self.mood.loaders,
            _ => 400,
        }
    }
}
