//! What every part works with: the clock, the queue of events, randomness, the weather, the books.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use goim_core::{Duration, Time};

use crate::check::Seen;
use crate::event::{Event, NodeEvent};
use crate::marks::Marks;
use crate::net::Net;
use crate::rng::Rng;
use crate::scenario::Scenario;

/// The wall clock at a world's start, in milliseconds since the Unix epoch.
const WALL_START_MS: u64 = 1_700_000_000_000;

/// What is wrong at the moment.
#[derive(Debug)]
pub(crate) struct Weather {
    /// Faults strike; afterwards all has to become well.
    pub(crate) hostile: bool,
    /// People send.
    pub(crate) busy: bool,
    pub(crate) store_up: bool,
    /// Nodes that cannot reach the store.
    pub(crate) store_cut: Vec<bool>,
    pub(crate) store_full: bool,
    pub(crate) store_slow: bool,
    pub(crate) bus_down: bool,
    /// Pairs of nodes of which neither hears on the bus what the other publishes.
    pub(crate) apart: Vec<(usize, usize)>,
    /// (device, node) that cannot reach each other.
    pub(crate) parted: Vec<(usize, usize)>,
}

impl Weather {
    pub(crate) fn are_apart(&self, one: usize, other: usize) -> bool {
        self.apart.iter().any(|pair| *pair == (one, other) || *pair == (other, one))
    }
}

struct Queued {
    at: Time,
    order: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    /// The earliest is the greatest, which a heap gives first; of two at once, the first queued.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// The world apart from its parts.
pub(crate) struct Cx {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) s: Scenario,
    pub(crate) weather: Weather,
    pub(crate) net: Net,
    pub(crate) marks: Marks,
    pub(crate) replicated_at: Time,
    /// How often the store went back.
    pub(crate) store_line: u32,
    /// How far each node's wall clock is off, in milliseconds.
    pub(crate) clock_error_ms: Vec<i64>,
    /// Each node's life, and each device's.
    pub(crate) node_lives: Vec<u32>,
    pub(crate) node_up: Vec<bool>,
    pub(crate) client_lives: Vec<u32>,
    queue: BinaryHeap<Queued>,
    order: u64,
    seen: Vec<Seen>,
}

impl Cx {
    pub(crate) fn new(s: Scenario, clients: usize) -> Self {
        let nodes = usize::try_from(s.nodes).unwrap_or(1);
        Self {
            now: Time::ZERO,
            // Another stream than the one that the scenario was drawn from.
            rng: Rng::new(!s.seed),
            weather: Weather {
                hostile: true,
                busy: true,
                store_up: true,
                store_cut: vec![false; nodes],
                store_full: false,
                store_slow: false,
                bus_down: false,
                apart: Vec::new(),
                parted: Vec::new(),
            },
            net: Net::default(),
            marks: Marks::default(),
            replicated_at: Time::ZERO,
            store_line: 0,
            clock_error_ms: vec![0; nodes],
            node_lives: vec![0; nodes],
            node_up: vec![false; nodes],
            client_lives: vec![0; clients],
            queue: BinaryHeap::new(),
            order: 0,
            seen: Vec::new(),
            s,
        }
    }

    pub(crate) fn at(&mut self, at: Time, event: Event) {
        self.order += 1;
        self.queue.push(Queued { at: at.max(self.now), order: self.order, event });
    }

    pub(crate) fn after(&mut self, wait: Duration, event: Event) {
        self.at(self.now + wait, event);
    }

    /// The next event; the clock is then at its time.
    pub(crate) fn next_event(&mut self, until: Time) -> Option<Event> {
        if self.queue.peek().is_none_or(|queued| queued.at > until) {
            self.now = self.now.max(until);
            return None;
        }
        let queued = self.queue.pop()?;
        self.now = queued.at;
        Some(queued.event)
    }

    /// For the checker, which looks when the event is over.
    pub(crate) fn saw(&mut self, seen: Seen) {
        self.seen.push(seen);
    }

    pub(crate) fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// A fault's rate, while faults strike.
    pub(crate) fn rate(&self, permille: u64) -> u64 {
        if self.weather.hostile { permille } else { 0 }
    }

    pub(crate) fn flight(&mut self) -> Duration {
        self.rng.micros(self.s.flight_us_min, self.s.flight_us_max)
    }

    /// Between a node and its store, which are close to each other.
    pub(crate) fn store_flight(&mut self) -> Duration {
        self.rng.micros(self.s.flight_us_min / 4, self.s.flight_us_max / 4)
    }

    pub(crate) fn statement(&mut self) -> Duration {
        let took = self.rng.micros(1, self.s.statement_us);
        if self.weather.store_slow { took * 200 } else { took }
    }

    pub(crate) fn flush(&mut self) -> Duration {
        self.rng.micros(1, self.s.flush_us)
    }

    /// What a node's wall clock says, in milliseconds since the Unix epoch.
    pub(crate) fn wall_ms(&self, node: usize) -> u64 {
        let true_ms = WALL_START_MS + self.now.as_micros() / 1_000;
        true_ms.saturating_add_signed(self.clock_error_ms[node])
    }

    pub(crate) fn store_reachable(&self, node: usize) -> bool {
        self.weather.store_up && !self.weather.store_cut[node]
    }

    /// A node finds out, after a while, that its connections to the store are gone.
    pub(crate) fn store_lost_by(&mut self, node: usize) {
        let after = self.rng.micros(100, 300_000);
        self.after(after, Event::Node(node, self.node_lives[node], NodeEvent::StoreLost));
    }

    pub(crate) fn store_lost_by_all(&mut self) {
        for node in 0..self.node_lives.len() {
            self.store_lost_by(node);
        }
    }
}
