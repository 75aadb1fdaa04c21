//! A whole world: nodes, devices and a store, stepped through virtual time.
//!
//! First a safety phase, in which faults strike and people send; then a liveness phase: nothing
//! fails any more, and within [`SETTLE`] of virtual time every reader has to be complete, every
//! queue empty and every buffer within its idle bound. Then one more message goes into every
//! conversation, which everybody who is online has to have within [`FRESH`].

use goim_core::{ConversationId, DeviceId, Duration, Seq, Time, UserId};

use crate::check::{Checked, Checker, Finding, fail};
use crate::client::Client;
use crate::cx::Cx;
use crate::entry::{Content, Kind, SYSTEM};
use crate::event::{ClientEvent, Event};
use crate::fault::Fault;
use crate::marks::{Mark, Marks};
use crate::node::Node;
use crate::scenario::Scenario;
use crate::store::{Log, Row, State, Store, StoreEvent};

/// How long a world has after the last fault to become whole and quiet: the longest wait of a
/// sender (5 s) or a lane (4 s), the longest crash (3 s), the longest stall and the timeouts of what
/// was lost (7 s), twice over; and the slowest reader catching up.
pub const SETTLE: Duration = Duration::from_secs(60);
/// How long a message may take to everybody who is online, when nothing fails: a dozen flights where
/// everything is tiny, flushes, statements, every device's handling. How far a replica lags comes on
/// top, and two seconds where a notifier has no room for all conversations, so that its client is
/// sent away and comes again.
pub const FRESH: Duration = Duration::from_millis(1_000);
/// A world is about a tenth of this; one that takes more goes round in circles.
const EVENTS_MAX: u64 = 5_000_000;
/// How often bounds are looked at.
const LOOK_EVERY: u64 = 64;

/// What became of a world.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What does not hold, if anything.
    pub finding: Option<Finding>,
    /// Messages, timers and faults that were handled.
    pub events: u64,
    /// Where it has been.
    pub marks: Marks,
}

pub(crate) struct World {
    pub(crate) cx: Cx,
    pub(crate) store: Store,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    checker: Checker,
    events: u64,
    /// Every event from this one on is told.
    trace_from: u64,
    trace: Vec<String>,
}

/// Whose the n-th device is.
pub(crate) fn owner(s: &Scenario, client: usize) -> (UserId, DeviceId) {
    let client = client as u64;
    (UserId::new(client / s.devices + 1), DeviceId::new(client + 1))
}

/// A user's inbox: they stand behind groups and direct chats.
pub(crate) fn inbox_of(s: &Scenario, user: UserId) -> ConversationId {
    ConversationId::new(s.groups + s.directs + user.as_u64())
}

fn founded(kind: Kind, members: &[UserId]) -> Log {
    let mut log = Log::new(kind);
    let first = Row {
        seq: Seq::FIRST,
        sender: SYSTEM,
        device: DeviceId::new(0),
        client_msg_id: goim_core::ClientMsgId::mint(0, &[0; 10]),
        content: Content::Created,
        count: 0,
        at_ms: 0,
        written_at: Time::ZERO,
    };
    log.rows.insert(first.seq, first);
    log.head = first.seq;
    for user in members {
        log.let_in(*user, first.seq);
    }
    log
}

fn first_state(s: &Scenario) -> State {
    let everybody: Vec<_> = (1..=s.users).map(UserId::new).collect();
    let mut logs = Vec::new();
    logs.extend((0..s.groups).map(|_| founded(Kind::Group, &everybody)));
    for n in 0..s.directs {
        let pair = [UserId::new(n % s.users + 1), UserId::new((n + 1) % s.users + 1)];
        logs.push(founded(Kind::Direct, &pair));
    }
    logs.extend(everybody.iter().map(|user| founded(Kind::Inbox, &[*user])));
    State::new(logs)
}

impl World {
    pub(crate) fn new(s: Scenario, trace_from: u64) -> Self {
        let clients = usize::try_from(s.users * s.devices).unwrap_or(1);
        let state = first_state(&s);
        let mut cx = Cx::new(s, clients);
        let nodes = (0..cx.node_lives.len()).map(|id| Node::new(&cx, id)).collect();
        let clients = (0..clients).map(|id| Client::new(&mut cx, id)).collect();
        let checker = Checker::new(&state, cx.s.id_age_max_ms > 0 || cx.s.clock_jump_every_ms > 0);
        let store = Store::new(state);
        Self { cx, store, nodes, clients, checker, events: 0, trace_from, trace: Vec::new() }
    }

    /// Lives it through.
    pub(crate) fn run(&mut self) -> Outcome {
        let finding = self.live().err();
        let mut marks = self.cx.marks.clone();
        marks.hit_if(self.checker.handed_again > 0, Mark::HandedAgain);
        marks.hit_if(self.checker.handed_to_returned > 0, Mark::CameBack);
        Outcome { finding, events: self.events, marks }
    }

    fn live(&mut self) -> Checked {
        for node in &mut self.nodes {
            node.start(&mut self.cx);
        }
        for client in 0..self.clients.len() {
            let soon = self.cx.rng.micros(0, 100_000);
            self.cx.after(soon, Event::Client(client, 0, ClientEvent::Start));
        }
        Fault::schedule_all(&mut self.cx);
        if self.cx.s.store_back_every_ms > 0 {
            let soon = self.cx.rng.millis(100, 3_000);
            self.cx.after(soon, Event::Store(StoreEvent::Backup));
        }
        let safety = Time::from_millis(self.cx.s.safety_ms);
        self.run_until(safety)?;
        self.make_well();
        self.cx.weather.busy = false;
        self.run_until(safety + SETTLE)?;
        self.is_well()?;
        let said = self.say_in_all();
        let fresh = self.fresh();
        self.run_until(safety + SETTLE + fresh)?;
        let head = |conversation| self.store.state.log(conversation).head;
        // A device that was told the time by a clock that had jumped mints ids that are refused, and so
        // does one that was told it later than ids may be old.
        let s = &self.cx.s;
        let may_say = s.clock_jump_every_ms == 0 && (s.id_age_max_ms == 0 || s.stall_every_ms == 0);
        let late = said.iter().find(|(at, before)| may_say && head(*at) <= *before);
        if let Some((conversation, before)) = late {
            return fail("g8_fresh", format!("nothing came behind {before} in {conversation}"));
        }
        self.everybody_has_all("g8_fresh")?;
        self.run_until(safety + SETTLE + fresh + Duration::from_secs(10))?;
        self.is_well()
    }

    fn fresh(&self) -> Duration {
        let s = &self.cx.s;
        let lag = Duration::from_micros(s.lag_us * s.replica);
        let is_cramped = s.notifier_conversations < s.groups + s.directs + 1;
        FRESH + lag + Duration::from_secs(2 * u64::from(is_cramped))
    }

    fn run_until(&mut self, until: Time) -> Checked {
        while let Some(event) = self.cx.next_event(until) {
            self.events += 1;
            if self.events > EVENTS_MAX {
                return fail("liveness", format!("still not over after {EVENTS_MAX} events"));
            }
            if self.events >= self.trace_from {
                self.trace.push(format!("{:>9} {:?} {event:?}", self.events, self.cx.now));
            }
            self.dispatch(event);
            for seen in self.cx.take_seen() {
                if self.events >= self.trace_from {
                    self.trace.push(format!("          {seen:?}"));
                }
                self.checker.see(&self.store.state, seen)?;
            }
            if self.events.is_multiple_of(LOOK_EVERY) {
                self.is_bounded()?;
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, event: Event) {
        let cx = &mut self.cx;
        match event {
            // Of an earlier life: nobody is there any more.
            Event::Node(node, life, event) => {
                if cx.node_lives[node] == life {
                    self.nodes[node].handle(cx, event);
                }
            }
            Event::Client(client, life, event) => {
                if cx.client_lives[client] == life {
                    self.clients[client].handle(cx, event);
                }
            }
            Event::Store(event) => self.store.handle(cx, event),
            Event::Fault(fault) => self.strike(fault),
        }
    }

    fn is_bounded(&self) -> Checked {
        let s = &self.cx.s;
        let nodes = self.nodes.iter().try_for_each(|node| node.is_bounded(s));
        let clients = self.clients.iter().try_for_each(|client| client.is_bounded(s));
        nodes.and(clients).or_else(|what| fail("g7_bounded", what))
    }

    /// One message into every conversation that takes some, from somebody who may: which these are,
    /// and their heads before.
    fn say_in_all(&mut self) -> Vec<(ConversationId, Seq)> {
        let mut said = Vec::new();
        for n in 1..=self.cx.s.groups + self.cx.s.directs {
            let conversation = ConversationId::new(n);
            let log = self.store.state.log(conversation);
            let s = &self.cx.s;
            let sender = (0..self.clients.len()).find(|client| log.is_member(owner(s, *client).0));
            if let Some(sender) = sender.filter(|_| !log.settings.blocked) {
                said.push((conversation, log.head));
                self.clients[sender].say_now(&mut self.cx, conversation);
            }
        }
        said
    }

    fn everybody_has_all(&mut self, check: &'static str) -> Checked {
        for client in 0..self.clients.len() {
            let (user, device) = owner(&self.cx.s, client);
            let has = self.checker.g5_complete(&self.store.state, device, user);
            has.map_err(|finding| Finding { check, ..finding })?;
        }
        Ok(())
    }

    /// What has to hold when nothing has failed for a while.
    fn is_well(&mut self) -> Checked {
        let state = &self.store.state;
        self.checker.whole(state)?;
        self.checker.g6_monotone(state)?;
        self.checker.g5_told(state, |user| inbox_of(&self.cx.s, user))?;
        self.everybody_has_all("g5_complete")?;
        let quiet = self.nodes.iter().try_for_each(|node| {
            node.is_quiet()?;
            node.has_conns(self.cx.net.open_to(node.id))
        });
        let quiet = quiet.and_then(|()| self.clients.iter().try_for_each(Client::is_quiet));
        quiet.or_else(|what| fail("liveness", what))?;
        if !self.store.is_idle() || !self.store.state.due.is_empty() {
            return fail("liveness", "the store has something left to do".to_owned());
        }
        Ok(())
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn into_trace(self) -> Vec<String> {
        self.trace
    }
}
