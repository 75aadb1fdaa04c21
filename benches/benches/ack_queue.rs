//! Push, ack and the next deadline with 1,000 and 100,000 items in flight: `AckQueue` against what one
//! would otherwise reach for, tokio-util's `DelayQueue` with a map and a map with a heap that is cleaned
//! lazily.
//!
//! All are told the time. The alternatives measure no round trip, send nothing again and have no bound; they
//! have the standard library's hasher, as one would write them, and a fast one. `AckQueue` hashes nothing.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a bench that fails has nothing to measure")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, RandomState};
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use goim_core::hash::IdHasher;
use goim_core::{AckId, AckQueue, AckQueueConfig, Duration, RttConfig, Time};
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};

const SIZES: [usize; 2] = [1_000, 100_000];
/// Long enough that nothing expires while a bench runs: retransmission is not what is measured.
const TIMEOUT_US: u64 = 3_600_000_000;
const TIMEOUT: Duration = Duration::from_micros(TIMEOUT_US);
/// What passes between two items.
const STEP_US: u64 = 1;

/// What a sender needs that waits for answers.
trait Window {
    /// By what an answer names an item.
    type Id;

    fn push(&mut self, now: Time, item: u64) -> Self::Id;
    fn ack(&mut self, now: Time, id: Self::Id) -> Option<u64>;
    /// Until when its loop may sleep.
    fn next_deadline(&self) -> Option<Time>;
}

impl Window for AckQueue<u64> {
    type Id = AckId;

    fn push(&mut self, now: Time, item: u64) -> AckId {
        AckQueue::push(self, now, item).unwrap()
    }

    fn ack(&mut self, now: Time, id: AckId) -> Option<u64> {
        AckQueue::ack(self, now, id)
    }

    fn next_deadline(&self) -> Option<Time> {
        self.poll_timeout()
    }
}

/// Items by id, and deadlines, the earliest of which is always that of an item that is there.
#[derive(Default)]
struct MapAndHeap<S> {
    items: HashMap<u64, u64, S>,
    deadlines: BinaryHeap<Reverse<(u64, u64)>>,
    pushes: u64,
}

impl<S: BuildHasher> Window for MapAndHeap<S> {
    type Id = u64;

    fn push(&mut self, now: Time, item: u64) -> u64 {
        self.pushes += 1;
        self.items.insert(self.pushes, item);
        self.deadlines.push(Reverse((now.as_micros() + TIMEOUT_US, self.pushes)));
        self.pushes
    }

    fn ack(&mut self, _: Time, id: u64) -> Option<u64> {
        let item = self.items.remove(&id)?;
        if self.deadlines.peek().is_some_and(|Reverse((_, first))| *first == id) {
            self.deadlines.pop();
            // Nobody is looked up while every deadline is one of an item, as with answers in order.
            while self.deadlines.len() > self.items.len()
                && self.deadlines.peek().is_some_and(|Reverse((_, first))| !self.items.contains_key(first))
            {
                self.deadlines.pop();
            }
        }
        Some(item)
    }

    fn next_deadline(&self) -> Option<Time> {
        self.deadlines.peek().map(|Reverse((deadline_us, _))| Time::from_micros(*deadline_us))
    }
}

/// Items in the queue, and by id where they are in it.
struct MapAndDelayQueue<S> {
    keys: HashMap<u64, delay_queue::Key, S>,
    queue: DelayQueue<u64>,
    /// Of the next item: all others are told the time as a number that is ready too.
    deadline: Instant,
    pushes: u64,
}

impl<S: Default> MapAndDelayQueue<S> {
    fn new() -> Self {
        let (queue, deadline) = (DelayQueue::new(), Instant::now() + TIMEOUT);
        Self { keys: HashMap::default(), queue, deadline, pushes: 0 }
    }
}

impl<S: BuildHasher> Window for MapAndDelayQueue<S> {
    type Id = u64;

    fn push(&mut self, _: Time, item: u64) -> u64 {
        self.pushes += 1;
        self.deadline += Duration::from_micros(STEP_US);
        self.keys.insert(self.pushes, self.queue.insert_at(item, self.deadline));
        self.pushes
    }

    fn ack(&mut self, _: Time, id: u64) -> Option<u64> {
        let key = self.keys.remove(&id)?;
        Some(self.queue.remove(&key).into_inner())
    }

    /// It is a timer itself, which pushes and acks have set already. (Its `peek` looks through all that
    /// has about the same deadline, here everything.)
    fn next_deadline(&self) -> Option<Time> {
        None
    }
}

/// A window, and what a peer would answer, in order.
struct InFlight<W: Window> {
    window: W,
    ids: VecDeque<W::Id>,
    now_us: u64,
}

impl<W: Window> InFlight<W> {
    fn new(window: W, size: usize) -> Self {
        let mut new = Self { window, ids: VecDeque::with_capacity(size), now_us: 0 };
        (0..size).for_each(|_| new.push());
        new
    }

    fn push(&mut self) {
        self.now_us += STEP_US;
        let id = self.window.push(Time::from_micros(self.now_us), self.now_us);
        self.ids.push_back(id);
    }

    /// The oldest item is acknowledged and a new one pushed, so there are as many as before.
    fn round(&mut self) -> Option<Time> {
        let id = self.ids.pop_front().unwrap();
        black_box(self.window.ack(Time::from_micros(self.now_us), id).unwrap());
        self.push();
        self.window.next_deadline()
    }
}

fn ack_queue(size: usize) -> AckQueue<u64> {
    let rtt = RttConfig { initial: TIMEOUT, floor: TIMEOUT, cap: TIMEOUT };
    AckQueue::new(AckQueueConfig { window: size, retries_max: 3, rtt })
}

fn alternatives<S: BuildHasher + Default>(group: &mut BenchmarkGroup<'_, WallTime>, size: usize, with: &str) {
    let mut rounds = InFlight::new(MapAndHeap::<S>::default(), size);
    let name = BenchmarkId::new(format!("HashMap+BinaryHeap{with}"), size);
    group.bench_function(name, |b| b.iter(|| rounds.round()));
    let mut rounds = InFlight::new(MapAndDelayQueue::<S>::new(), size);
    let name = BenchmarkId::new(format!("HashMap+DelayQueue{with}"), size);
    group.bench_function(name, |b| b.iter(|| rounds.round()));
}

fn push_ack(criterion: &mut Criterion) {
    // For DelayQueue's timer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("push, ack, next deadline");
    for size in SIZES {
        let mut rounds = InFlight::new(ack_queue(size), size);
        group.bench_function(BenchmarkId::new("AckQueue", size), |b| b.iter(|| rounds.round()));
        alternatives::<RandomState>(&mut group, size, "");
        alternatives::<BuildHasherDefault<IdHasher>>(&mut group, size, ", fast hasher");
    }
    group.finish();
}

criterion_group!(benches, push_ack);
criterion_main!(benches);
