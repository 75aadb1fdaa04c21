//! The model of a `Room`: who really is in after each entry, a bus that loses, doubles and reorders
//! entries, looks of which several are under way, and the glue by which a node follows the room's
//! steps. The log is truncated at times, so some entries never come.

mod log;

use std::collections::BTreeSet;

use goim_core::room::{Change, Look, Looked, Registration, Step, WAITING_MAX};
use goim_core::{Room, Seq, SeqRange, UserId};

use crate::Input;
use log::{Line, Log};

/// Runs a list of operations; then what is known at last comes through, and whoever is in reads.
///
/// # Panics
///
/// Where an entry passes out of order, somebody is told what he may not see, or does not read
/// although he is in.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while let Some(dice) = input.dice(24) {
        world.step(dice, &mut input);
        world.check();
    }
    world.settle();
}

const USERS: usize = 2;
/// The last one is the first user's second.
const CONNECTIONS: usize = USERS + 1;
/// Fetches under way at once.
const FETCHES: usize = 4;

const fn user_of(connection: usize) -> usize {
    connection % USERS
}

fn user_id(user: usize) -> UserId {
    UserId::new(user as u64 + 1)
}

/// A look under way: first it sees the head, then where the user stands.
#[derive(Debug, Clone, Copy)]
struct Looking {
    connection: usize,
    registration: Registration,
    head: Option<Seq>,
    look: Option<Look>,
}

/// What a connection is taken to be, as a node keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribed {
    Unknown,
    From(Seq),
}

struct World {
    log: Log,
    bus: Vec<Line>,
    room: Option<Room<usize, Line>>,
    open: [bool; CONNECTIONS],
    subscribed: [Option<Subscribed>; CONNECTIONS],
    looks: Vec<Looking>,
    /// Gaps, and what the store had there when it was asked.
    fetches: Vec<(SeqRange, Vec<Line>)>,
    /// A user, and the entry that let him in; no entry where he only has to be looked for.
    invitations: Vec<(usize, Seq)>,
    registrations: u32,
    /// The last entry that passed, was passed over or lies before all that does, once a room has begun.
    passed: Option<Seq>,
    /// Entries that came to the room, no more than may wait there.
    came: BTreeSet<Seq>,
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let mut world = Self {
            log: Log::default(),
            bus: Vec::new(),
            room: None,
            open: [false; CONNECTIONS],
            subscribed: [None; CONNECTIONS],
            looks: Vec::new(),
            fetches: Vec::new(),
            invitations: Vec::new(),
            registrations: 0,
            passed: None,
            came: BTreeSet::new(),
        };
        for _ in 0..input.below(4) {
            world.append(Some(0));
        }
        world
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        match dice {
            0..=1 => self.append(None),
            2..=5 => self.append(Some(input.below(USERS))),
            6..=11 => self.hear(input),
            12..=15 => self.go_on_looking(input),
            16..=17 => self.follow(input),
            18 if input.percent(50) => self.fetch(),
            18 => self.fetched(),
            19 => {
                let head = self.log.head();
                if let Some(room) = &mut self.room {
                    room.saw(head);
                }
            }
            20 => self.log.truncate(input.below(4)),
            21 => self.leave(input.below(CONNECTIONS)),
            _ => self.come(input.below(CONNECTIONS)),
        }
    }

    fn append(&mut self, toggled: Option<usize>) {
        let line = self.log.append(toggled);
        self.bus.push(line);
        if let Some((user, true)) = line.toggles {
            self.invitations.push((user, line.seq));
        }
    }

    /// Something comes on the bus: now or never, at times twice.
    fn hear(&mut self, input: &mut Input<'_>) {
        if self.bus.is_empty() {
            return;
        }
        let at = input.below(self.bus.len());
        let line = if input.percent(10) { self.bus[at] } else { self.bus.remove(at) };
        if input.percent(20) {
            return;
        }
        let lets_in = line.toggles.is_some_and(|(user, is_in)| is_in && self.is_here(user));
        if self.room.is_none() && lets_in {
            self.room = Some(Room::at(line.seq.prev()));
            self.passed = Some(line.seq.prev());
        }
        self.offer(line);
    }

    fn is_here(&self, user: usize) -> bool {
        (0..CONNECTIONS).any(|connection| self.open[connection] && user_of(connection) == user)
    }

    fn offer(&mut self, line: Line) {
        if self.room.is_some() && self.came.len() < WAITING_MAX {
            self.came.insert(line.seq);
        }
        let next = self.room.as_mut().and_then(|room| room.offer(line));
        self.pass(next);
        self.close_if_empty();
    }

    fn pass(&mut self, mut next: Option<Line>) {
        let mut steps = Vec::new();
        loop {
            let Some(room) = &mut self.room else { return };
            let Some(line) = next.take().or_else(|| room.take_waiting()) else { return };
            let change = line.toggles.map(|(user, is_in)| match is_in {
                true => Change::Added(vec![user_id(user)]),
                false => Change::Gone(user_id(user)),
            });
            room.pass(line, change, &mut steps);
            self.take_steps(&mut steps);
            self.tell();
        }
    }

    fn take_steps(&mut self, steps: &mut Vec<Step<usize, Line>>) {
        for step in steps.drain(..) {
            match step {
                Step::Keep(line) => {
                    assert_eq!(line, self.log.line(line.seq));
                    assert!(self.passed.is_none_or(|passed| passed.next() == line.seq), "out of order");
                    self.passed = Some(line.seq);
                }
                Step::Skip(seq) => {
                    let passed = self.passed.replace(seq).unwrap_or_default();
                    let came = self.came.range(passed.next()..=seq).next();
                    assert_eq!(came, None, "it came and was passed over");
                }
                Step::LetIn(users, seq) => {
                    for connection in 0..CONNECTIONS {
                        let user = user_id(user_of(connection));
                        let is_new = self.open[connection] && self.subscribed[connection].is_none();
                        if is_new && users.contains(&user) {
                            self.subscribed[connection] = Some(Subscribed::From(seq));
                            self.room.as_mut().unwrap().let_in(connection, user, seq);
                        }
                    }
                }
                Step::Look(connection, user) => {
                    assert_eq!(user, user_id(user_of(connection)));
                    self.subscribed[connection] = Some(Subscribed::Unknown);
                    self.invitations.push((user_of(connection), Seq::ZERO));
                }
                Step::Stop(connection, seq) => {
                    assert_eq!(self.log.truth(user_of(connection), seq), Err(seq), "he is in");
                    self.subscribed[connection] = None;
                }
                Step::Invite(..) => unreachable!("it is no inbox"),
            }
        }
    }

    /// Whoever reads hears of the head, of which he may see nothing before he came.
    fn tell(&mut self) {
        let Some(room) = &mut self.room else { return };
        room.take_dirty();
        let Some(head) = room.head() else { return };
        let mut told = Vec::new();
        room.each_reader(|connection| told.push(*connection));
        for connection in told {
            let Some(Subscribed::From(from)) = self.subscribed[connection] else {
                panic!("{connection} is told and reads nothing");
            };
            let truth = self.log.truth(user_of(connection), head);
            assert!(head < from || truth == Ok(from), "{connection} reads from {from}: {truth:?} at {head}");
        }
    }

    fn close_if_empty(&mut self) {
        if self.room.as_ref().is_some_and(Room::is_empty) {
            (self.room, self.passed) = (None, None);
            self.came.clear();
        }
    }

    /// A connection opens or lists anew: it is registered if its user is in.
    fn come(&mut self, connection: usize) {
        self.open[connection] = true;
        if self.log.truth(user_of(connection), self.log.head()).is_ok() {
            self.register(connection);
        }
    }

    fn leave(&mut self, connection: usize) {
        self.open[connection] = false;
        self.subscribed[connection] = None;
        if let Some(room) = &mut self.room {
            room.leave(&connection);
        }
        self.close_if_empty();
    }

    fn register(&mut self, connection: usize) {
        self.registrations += 1;
        let registration = Registration::new(self.registrations);
        self.subscribed[connection] = Some(Subscribed::Unknown);
        let room = self.room.get_or_insert_default();
        room.register(connection, user_id(user_of(connection)), registration);
        self.looks.push(Looking { connection, registration, head: None, look: None });
    }

    /// Follows an invitation, for each connection that may not know.
    fn follow(&mut self, input: &mut Input<'_>) {
        if self.invitations.is_empty() {
            return;
        }
        let at = input.below(self.invitations.len());
        let (user, seq) = self.invitations.swap_remove(at);
        for connection in (0..CONNECTIONS).filter(|connection| user_of(*connection) == user) {
            let knows = matches!(self.subscribed[connection], Some(Subscribed::From(from)) if from >= seq);
            if self.open[connection] && !knows {
                self.register(connection);
            }
        }
    }

    fn go_on_looking(&mut self, input: &mut Input<'_>) {
        if self.looks.is_empty() {
            return;
        }
        let at = input.below(self.looks.len());
        let Looking { connection, registration, head, look } = self.looks[at];
        match (head, look) {
            (None, _) => self.looks[at].head = Some(self.log.head()),
            (Some(head), None) => {
                let truth = self.log.truth(user_of(connection), self.log.head());
                let look = Look { head, from: truth.ok(), last: truth.err().unwrap_or_default() };
                self.looks[at].look = Some(look);
            }
            (_, Some(look)) => {
                self.looks.swap_remove(at);
                self.looked(connection, registration, look);
            }
        }
    }

    fn looked(&mut self, connection: usize, registration: Registration, look: Look) {
        let Some(room) = &mut self.room else { return };
        room.begin_at(look.head);
        self.passed = self.passed.or(Some(look.head));
        self.pass(None);
        let Some(room) = &mut self.room else { return };
        match room.look(&connection, registration, look) {
            Looked::Reads(from) => self.subscribed[connection] = Some(Subscribed::From(from)),
            Looked::Out(_) => self.subscribed[connection] = None,
            Looked::TooOld => self.invitations.push((user_of(connection), Seq::ZERO)),
            Looked::Superseded => {}
        }
        self.tell();
        self.close_if_empty();
    }

    /// Asks for what the store has from the gap on.
    fn fetch(&mut self) {
        let Some(gap) = self.room.as_ref().and_then(Room::gap) else { return };
        if self.fetches.len() >= FETCHES {
            return;
        }
        self.fetches.push((gap, self.log.fetch(gap)));
    }

    /// Takes what was fetched; what had been truncated is passed over, if nothing passed meanwhile.
    fn fetched(&mut self) {
        if self.fetches.is_empty() {
            return;
        }
        let (gap, lines) = self.fetches.remove(0);
        let in_order = self.room.as_ref().is_some_and(|room| room.head() == Some(gap.first.prev()));
        if in_order && lines.is_empty() {
            self.skip_to(gap.last);
        }
        for line in lines {
            if in_order {
                self.skip_to(line.seq.prev());
            }
            self.offer(line);
        }
    }

    fn skip_to(&mut self, seq: Seq) {
        let Some(room) = &mut self.room else { return };
        let mut steps = Vec::new();
        room.skip_to(seq, &mut steps);
        self.take_steps(&mut steps);
        self.tell();
        self.pass(None);
        self.close_if_empty();
    }

    fn check(&self) {
        for connection in 0..CONNECTIONS {
            let mut reads = false;
            if let Some(room) = &self.room {
                room.each_reader(|reader| reads |= *reader == connection);
            }
            let subscribed = self.subscribed[connection];
            assert_eq!(
                reads,
                matches!(subscribed, Some(Subscribed::From(_))),
                "{connection}: {subscribed:?}"
            );
        }
    }

    /// Nothing comes on the bus any more, all looks end, and the heads are compared.
    fn settle(&mut self) {
        self.bus.clear();
        let head = self.log.head();
        let mut zeros = Input::new(&[]);
        for _ in 0..10_000 {
            if let Some(room) = &mut self.room {
                room.saw(head);
            }
            self.fetch();
            self.fetched();
            self.follow(&mut zeros);
            self.go_on_looking(&mut zeros);
            self.check();
            let waits = self.room.as_ref().is_some_and(|room| room.head() != Some(head));
            if self.looks.is_empty() && self.invitations.is_empty() && !waits {
                break;
            }
        }
        for connection in (0..CONNECTIONS).filter(|connection| self.open[*connection]) {
            let truth = self.log.truth(user_of(connection), head).ok();
            let reads = self.subscribed[connection];
            assert_eq!(reads, truth.map(Subscribed::From), "connection {connection} in the end");
        }
        let head_here = self.room.as_ref().and_then(Room::head);
        assert!(self.room.is_none() || head_here == Some(head), "{head_here:?}, not {head}");
    }
}
