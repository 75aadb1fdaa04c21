//! The stage: seats, each with a connection or a pool of its own, and who of them may go on.
//!
//! Between two moves of the schedule everything comes to rest: each call waits at the gate, waits
//! for a lock that somebody else holds, or has ended. On PostgreSQL the server says who waits for a
//! lock. SQLite has one writer at a time, and the store's writers take turns in the order in which
//! they came: so whoever came later waits.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use goim_server::store::{self, Options, Store};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::gate::{Control, Event, Handle, SeatId, stepped};
use crate::observer::Observer;
use crate::ops::{Call, Output};
use crate::wire::{Rewrite, Wire};

/// Nothing takes so long unless it hangs, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(120);

/// How long a statement may take before PostgreSQL is asked what it waits for.
const ASK_AFTER: Duration = Duration::from_millis(2);

/// The connections that the store has for reading an SQLite file.
const SQLITE_READERS: usize = 4;

pub(crate) struct Stage {
    seats: Vec<Seat>,
    events: UnboundedReceiver<Event>,
    sender: UnboundedSender<Event>,
    engine: Engine,
    calls: JoinSet<()>,
    /// Somebody may have let go of a lock since it was asked who waits for one.
    locks_changed: bool,
    /// What goes on though it was cut waited for locks when it was last asked.
    orphans_rest: bool,
}

enum Engine {
    Postgres {
        wire: Wire,
        observer: Observer,
        /// Statements that go on though their connection was cut: connection and process.
        orphans: Vec<(u64, i32)>,
    },
    Sqlite {
        /// Those who write or wait to, in the order in which they came.
        writers: VecDeque<SeatId>,
    },
}

struct Seat {
    store: Arc<dyn Store>,
    url: String,
    state: State,
    /// Whether the call writes.
    writes: bool,
}

enum State {
    Idle,
    Running,
    Parked(Handle),
    /// Let go on, and not heard of since.
    Released(Handle),
    /// Let go on, and waiting for somebody else's lock.
    Waiting(Handle),
}

impl State {
    fn handle(&self) -> Option<&Handle> {
        match self {
            Self::Idle | Self::Running => None,
            Self::Parked(handle) | Self::Released(handle) | Self::Waiting(handle) => Some(handle),
        }
    }
}

impl Stage {
    pub(crate) async fn set(backend: &Backend, seats: usize, rewrites: &'static [Rewrite]) -> Self {
        let (sender, events) = unbounded_channel();
        let mut stage = Self {
            seats: Vec::new(),
            events,
            sender,
            engine: Engine::Sqlite { writers: VecDeque::new() },
            calls: JoinSet::new(),
            locks_changed: false,
            orphans_rest: true,
        };
        if let Some(server) = backend.address() {
            let mut wire = Wire::new(server, rewrites, stage.sender.clone());
            let observer = Observer::connect(&backend.url()).await;
            let mut urls = Vec::new();
            for seat in 0..seats {
                urls.push(backend.url_through(wire.listen(seat).await));
            }
            let options = Options { unsafe_allowed: true, ..Options::default() };
            let stores = try_join_all(urls.iter().map(|url| store::open(url, options)));
            for (url, store) in urls.iter().cloned().zip(stores.await.expect("the stores open")) {
                stage.seats.push(Seat { store, url, state: State::Idle, writes: false });
            }
            stage.engine = Engine::Postgres { wire, observer, orphans: Vec::new() };
        } else {
            let store = backend.open().await;
            for _ in 0..seats {
                let (store, url) = (Arc::clone(&store), backend.url());
                stage.seats.push(Seat { store, url, state: State::Idle, writes: false });
            }
        }
        stage
    }

    /// Ends all that is under way, and all connections: what did not come to an end is not to hold
    /// up the next to be on this database, or to write there.
    pub(crate) async fn strike(mut self) {
        self.calls.shutdown().await;
        if let Engine::Postgres { wire, observer, .. } = &mut self.engine {
            observer.kill_all(&wire.cut_all().await).await;
        }
        for Seat { store, .. } in &self.seats {
            store.close().await;
        }
    }

    pub(crate) fn store(&self, seat: SeatId) -> Arc<dyn Store> {
        Arc::clone(&self.seats[seat].store)
    }

    /// Where a seat finds the database.
    pub(crate) fn url(&self, seat: SeatId) -> &str {
        &self.seats[seat].url
    }

    /// Whether statements wait at the gate.
    pub(crate) fn hold(&self, holding: bool) {
        if let Engine::Postgres { wire, .. } = &self.engine {
            wire.hold(holding);
        }
    }

    pub(crate) fn unused_rewrites(&self) -> Vec<&'static str> {
        match &self.engine {
            Engine::Postgres { wire, .. } => wire.unused_rewrites(),
            Engine::Sqlite { .. } => Vec::new(),
        }
    }

    pub(crate) fn is_idle(&self, seat: SeatId) -> bool {
        matches!(self.seats[seat].state, State::Idle)
    }

    /// Who waits at the gate.
    pub(crate) fn parked(&self) -> Vec<SeatId> {
        self.all(|state| matches!(state, State::Parked(_)))
    }

    /// Who waits for a lock.
    pub(crate) fn waiting(&self) -> Vec<SeatId> {
        self.all(|state| matches!(state, State::Waiting(_)))
    }

    fn all(&self, is: impl Fn(&State) -> bool) -> Vec<SeatId> {
        (0..self.seats.len()).filter(|seat| is(&self.seats[*seat].state)).collect()
    }

    /// Whether nothing is under way, not even what was cut.
    pub(crate) fn is_empty(&self) -> bool {
        let orphans = matches!(&self.engine, Engine::Postgres { orphans, .. } if !orphans.is_empty());
        !orphans && (0..self.seats.len()).all(|seat| self.is_idle(seat))
    }

    pub(crate) fn writes(&self, seat: SeatId) -> bool {
        self.seats[seat].writes
    }

    /// What a seat is about to do or does, for people.
    pub(crate) fn label(&self, seat: SeatId) -> &str {
        self.seats[seat].state.handle().map_or("", |handle| &handle.label)
    }

    /// Whether somebody who is parked may go on now. An outsider to SQLite's store, who does not
    /// queue with its writers, may begin to write when none of them does; they let him.
    pub(crate) fn may_go(&self, seat: SeatId, outsider: SeatId) -> bool {
        let Engine::Sqlite { writers } = &self.engine else { return true };
        let waits = matches!(self.seats[outsider].state, State::Parked(_)) && !writers.contains(&outsider);
        if seat == outsider {
            !waits || writers.is_empty()
        } else {
            !waits || !self.seats[seat].writes || writers.contains(&seat)
        }
    }

    /// Whether a reader would have a connection: SQLite's readers share a few.
    pub(crate) fn has_room_for_reader(&self) -> bool {
        let is_reader = |seat: &&Seat| !seat.writes && !matches!(seat.state, State::Idle);
        match &self.engine {
            Engine::Postgres { .. } => true,
            Engine::Sqlite { .. } => self.seats.iter().filter(is_reader).count() < SQLITE_READERS,
        }
    }

    /// Starts a call on an idle seat.
    pub(crate) fn start(&mut self, seat: SeatId, writes: bool, call: Call) {
        let events = self.sender.clone();
        while self.calls.try_join_next().is_some() {}
        self.seats[seat].state = State::Running;
        self.seats[seat].writes = writes;
        if matches!(self.engine, Engine::Postgres { .. }) {
            self.calls.spawn(async move {
                let output = call.await;
                let _ = events.send(Event::Finished { seat, output });
            });
            return;
        }
        let (control, mut controls) = unbounded_channel();
        let label = String::from(if writes { "a step of a writer" } else { "a step" });
        let handle = Handle { connection: 0, pid: 0, label, control };
        self.calls.spawn(async move {
            let parked = || drop(events.send(Event::Parked { seat, handle: handle.clone() }));
            let pending = || drop(events.send(Event::Pending { seat, handle: handle.clone() }));
            let output = stepped(call, parked, pending, &mut controls).await.unwrap_or(Output::Cut);
            let _ = events.send(Event::Finished { seat, output });
        });
    }

    /// Lets somebody go on who is parked.
    pub(crate) fn release(&mut self, seat: SeatId, control: Control) {
        let writes = self.seats[seat].writes;
        let state = &mut self.seats[seat].state;
        let State::Parked(handle) = std::mem::replace(state, State::Running) else {
            panic!("nobody is parked")
        };
        let _ = handle.control.send(control);
        match &mut self.engine {
            Engine::Postgres { .. } if control != Control::Cut => *state = State::Released(handle),
            Engine::Sqlite { writers } if writes && control == Control::Go && !writers.contains(&seat) => {
                writers.push_back(seat);
            }
            Engine::Postgres { .. } | Engine::Sqlite { .. } => {}
        }
    }

    /// Cuts the connection of somebody who waits for a lock: his statement goes on without him.
    pub(crate) fn cut_waiting(&mut self, seat: SeatId) {
        let state = &mut self.seats[seat].state;
        let State::Waiting(handle) = std::mem::replace(state, State::Running) else { panic!("nobody waits") };
        let Engine::Postgres { orphans, .. } = &mut self.engine else {
            panic!("SQLite has no statements alone")
        };
        orphans.push((handle.connection, handle.pid));
        let _ = handle.control.send(Control::Cut);
        self.orphans_rest = true;
    }

    /// Ends the process behind somebody who is parked or waits for a lock.
    pub(crate) async fn kill(&mut self, seat: SeatId) {
        let state = std::mem::replace(&mut self.seats[seat].state, State::Running);
        let pid = state.handle().expect("a process").pid;
        let Engine::Postgres { observer, .. } = &mut self.engine else { panic!("SQLite has no processes") };
        observer.kill(pid).await;
        (self.locks_changed, self.orphans_rest) = (true, false);
    }

    /// Waits until everything is at rest. Returns what has ended meanwhile, by seat.
    pub(crate) async fn settle(&mut self) -> Vec<(SeatId, Output)> {
        let since = Instant::now();
        let mut finished = Vec::new();
        loop {
            assert!(
                since.elapsed() < DEADLINE,
                "it did not come to rest within {DEADLINE:?}: {}",
                self.states()
            );
            self.take_all(&mut finished);
            if self.seats.iter().any(|seat| matches!(seat.state, State::Running)) {
                self.take_next(&mut finished).await;
            } else if std::mem::take(&mut self.locks_changed) {
                self.wake_the_waiting();
            } else if self.are_held_up(&mut finished).await {
                break;
            }
        }
        for seat in self.all(|state| matches!(state, State::Released(_))) {
            if let State::Released(handle) = &self.seats[seat].state {
                self.seats[seat].state = State::Waiting(handle.clone());
            }
        }
        self.serve_epochs();
        finished.sort_by_key(|(seat, _)| *seat);
        finished
    }

    /// Serves whatever epoch a store has seen, as a node does that has nothing to forget: between two
    /// moves, so that no call's answer depends on who is faster.
    fn serve_epochs(&self) {
        for Seat { store, .. } in &self.seats {
            if let Some(epoch) = store.gate().went_back().now_or_never() {
                store.gate().serve(epoch);
            }
        }
    }

    /// Waits until something happens by itself, when everybody waits for a lock: the database ends
    /// a deadlock.
    pub(crate) async fn settle_deadlock(&mut self) -> Vec<(SeatId, Output)> {
        let mut finished = Vec::new();
        self.take_next(&mut finished).await;
        finished.extend(self.settle().await);
        finished
    }

    fn wake_the_waiting(&mut self) {
        for seat in &mut self.seats {
            if let State::Waiting(handle) = &seat.state {
                seat.state = State::Released(handle.clone());
            }
        }
    }

    /// Whether all who were let go on wait for somebody else. If not, waits for what comes.
    async fn are_held_up(&mut self, finished: &mut Vec<(SeatId, Output)>) -> bool {
        let released = self.all(|state| matches!(state, State::Released(_)));
        match &mut self.engine {
            Engine::Postgres { observer, orphans, .. } => {
                let handles = released.iter().filter_map(|seat| self.seats[*seat].state.handle());
                let pids = handles.map(|handle| handle.pid).chain(orphans.iter().map(|orphan| orphan.1));
                let pids: Vec<i32> = pids.collect();
                if pids.is_empty() || (released.is_empty() && self.orphans_rest) {
                    return true;
                }
                // Most answers are there before the question could be asked.
                if let Ok(event) = timeout(ASK_AFTER, self.events.recv()).await {
                    self.take(event.expect("the stage is set"), finished);
                    return false;
                }
                // What happened before the question may be heard of only after its answer.
                let rest = observer.are_blocked(&pids).await && self.take_all(finished) == 0;
                self.orphans_rest = rest;
                rest
            }
            Engine::Sqlite { writers } => {
                if released.iter().all(|seat| writers.contains(seat) && writers.front() != Some(seat)) {
                    return true;
                }
                self.take_next(finished).await;
                false
            }
        }
    }

    /// Who is where, for people.
    fn states(&self) -> String {
        let mut states = String::new();
        for (seat, Seat { state, writes, .. }) in self.seats.iter().enumerate() {
            let name = match state {
                State::Idle => continue,
                State::Running => "runs",
                State::Parked(_) => "is parked",
                State::Released(_) => "was let go on",
                State::Waiting(_) => "waits",
            };
            let _ = write!(states, "{seat} {name} ({}, writes: {writes}); ", self.label(seat));
        }
        if let Engine::Sqlite { writers } = &self.engine {
            let _ = write!(states, "writers: {writers:?}");
        }
        states
    }

    fn take_all(&mut self, finished: &mut Vec<(SeatId, Output)>) -> usize {
        let mut heard = 0;
        while let Ok(event) = self.events.try_recv() {
            self.take(event, finished);
            heard += 1;
        }
        heard
    }

    async fn take_next(&mut self, finished: &mut Vec<(SeatId, Output)>) {
        let Ok(event) = timeout(DEADLINE, self.events.recv()).await else {
            panic!("nothing happened for {DEADLINE:?}: {}", self.states())
        };
        self.take(event.expect("the stage is set"), finished);
    }

    fn take(&mut self, event: Event, finished: &mut Vec<(SeatId, Output)>) {
        match event {
            Event::Parked { seat, handle } => match self.seats[seat].state {
                State::Running | State::Released(_) | State::Waiting(_) => {
                    self.seats[seat].state = State::Parked(handle);
                }
                // Nobody's call: a pool tidies up.
                State::Idle | State::Parked(_) => drop(handle.control.send(Control::Go)),
            },
            Event::Pending { seat, handle } => self.seats[seat].state = State::Released(handle),
            Event::Answered { seat, connection } | Event::Gone { seat, connection } => {
                let mut wrote = self.seats[seat].writes;
                if let Engine::Postgres { orphans, .. } = &mut self.engine {
                    wrote |= orphans.extract_if(.., |(orphan, _)| *orphan == connection).count() > 0;
                }
                if wrote {
                    (self.locks_changed, self.orphans_rest) = (true, false);
                }
                let state = &mut self.seats[seat].state;
                if state.handle().is_some_and(|handle| handle.connection == connection) {
                    *state = State::Running;
                }
            }
            Event::Finished { seat, output } => {
                let state = std::mem::replace(&mut self.seats[seat].state, State::Idle);
                if let State::Parked(handle) = state {
                    // The pool was faster with its tidying up than the call with its end.
                    let _ = handle.control.send(Control::Go);
                }
                self.locks_changed |= self.seats[seat].writes;
                if let Engine::Sqlite { writers } = &mut self.engine {
                    writers.retain(|writer| *writer != seat);
                }
                finished.push((seat, output));
            }
        }
    }
}
