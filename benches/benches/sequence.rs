//! The allocators against counters: in a map, in 64 maps behind mutexes, and as atomics in a concurrent
//! map.
//!
//! The alternatives are never bounded, forget nothing, and know of no range in flight and of no
//! restart. All use the same hasher, and what is shared has as many shards, each in cache lines of its own.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a bench that fails has nothing to measure")]

use std::hash::BuildHasherDefault;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use dashmap::DashMap;
use goim_core::hash::{IdHasher, IdMap, spread};
use goim_core::sequence::{Ceiling, Next, Reserve, SegmentConfig};
use goim_core::{ConversationId, SegmentAllocator, Seq, SequenceAllocator};

const CONVERSATIONS: u64 = 10_000;
const SHARDS: usize = 64;

/// The numbers of many keys, for one thread.
trait Counters: Send {
    fn next(&mut self, key: u64) -> u64;
}

/// Reserved and confirmed, as a committer whose every append succeeds does.
impl Counters for SequenceAllocator {
    fn next(&mut self, key: u64) -> u64 {
        let conversation = ConversationId::new(key);
        loop {
            match self.reserve(conversation, NonZeroU64::MIN) {
                Reserve::Range(range) => {
                    assert!(self.confirm(conversation, range));
                    return range.first.as_u64();
                }
                Reserve::Unknown => assert!(self.learn(conversation, Seq::ZERO)),
                Reserve::Busy | Reserve::Exhausted => panic!("idle, and numbers to spare"),
            }
        }
    }
}

/// With a store that keeps every ceiling at once.
impl Counters for SegmentAllocator {
    fn next(&mut self, key: u64) -> u64 {
        loop {
            let next = SegmentAllocator::next(self, key, NonZeroU64::MIN);
            while let Some(ceiling) = self.poll_ceiling() {
                match ceiling {
                    Ceiling::Load(section) => self.handle_loaded(section, 0),
                    Ceiling::Raise { section, to, .. } => self.handle_raised(section, to),
                }
            }
            match next {
                Next::Range(range) => return range.first,
                Next::Wait => {}
                Next::Exhausted => panic!("numbers to spare"),
            }
        }
    }
}

impl Counters for IdMap<u64, u64> {
    fn next(&mut self, key: u64) -> u64 {
        let number = self.entry(key).or_default();
        *number += 1;
        *number
    }
}

/// The same, for many threads.
trait Shared: Sync {
    fn next(&self, key: u64) -> u64;
}

#[repr(align(128))]
struct Padded<T>(Mutex<T>);

struct Sharded<T>(Vec<Padded<T>>);

impl<T> Sharded<T> {
    fn boxed(make: impl Fn() -> T) -> Box<Self> {
        Box::new(Self((0..SHARDS).map(|_| Padded(Mutex::new(make()))).collect()))
    }
}

impl<T: Counters> Shared for Sharded<T> {
    fn next(&self, key: u64) -> u64 {
        let shard = &self.0[usize::try_from(spread(key) >> 40).unwrap() % SHARDS];
        shard.0.lock().unwrap().next(key)
    }
}

type Atomics = DashMap<u64, AtomicU64, BuildHasherDefault<IdHasher>>;

/// A key that is there is only read, so that threads may share a shard.
impl Shared for Atomics {
    fn next(&self, key: u64) -> u64 {
        let last = match self.get(&key) {
            Some(number) => number.fetch_add(1, Ordering::Relaxed),
            None => self.entry(key).or_default().fetch_add(1, Ordering::Relaxed),
        };
        last + 1
    }
}

fn dense() -> SequenceAllocator {
    SequenceAllocator::new(usize::try_from(CONVERSATIONS).unwrap())
}

fn segments() -> SegmentAllocator {
    SegmentAllocator::new(SegmentConfig { sections: 1, ..SegmentConfig::default() })
}

fn shared() -> [(&'static str, Box<dyn Shared>); 4] {
    [
        ("64 x Mutex of SequenceAllocator", Sharded::boxed(dense)),
        ("64 x Mutex of SegmentAllocator", Sharded::boxed(segments)),
        (
            "DashMap of atomics",
            Box::new(Atomics::with_hasher_and_shard_amount(BuildHasherDefault::default(), SHARDS)),
        ),
        ("64 x Mutex of HashMap", Sharded::boxed(IdMap::<u64, u64>::default)),
    ]
}

/// Every key once, in an order that no prefetcher guesses.
fn nth_key(n: u64) -> u64 {
    n.wrapping_mul(617) % CONVERSATIONS + 1
}

fn next_alone(c: &mut Criterion) {
    fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut counters: impl Counters) {
        let mut n = 0;
        let mut next = || {
            n += 1;
            counters.next(nth_key(n))
        };
        for _ in 0..CONVERSATIONS {
            black_box(next());
        }
        group.bench_function(name, |b| b.iter(&mut next));
    }
    let mut group = c.benchmark_group("next number, alone");
    group.throughput(Throughput::Elements(1));
    bench(&mut group, "SequenceAllocator", dense());
    bench(&mut group, "SegmentAllocator", segments());
    bench(&mut group, "HashMap", IdMap::<u64, u64>::default());
}

fn next_shared(c: &mut Criterion) {
    for threads in [1, 2] {
        let mut group = c.benchmark_group(format!("next number, {threads} threads"));
        group.throughput(Throughput::Elements(1));
        for (name, numbers) in shared() {
            let work = |thread: u64, iterations: u64| {
                for n in 0..iterations {
                    black_box(numbers.next(nth_key(n + thread * 4_999)));
                }
            };
            work(0, CONVERSATIONS);
            group.bench_function(name, |b| {
                b.iter_custom(|iterations| {
                    let start = Instant::now();
                    std::thread::scope(|scope| {
                        for thread in 1..threads {
                            scope.spawn(move || work(thread, iterations / threads));
                        }
                        work(0, iterations / threads + iterations % threads);
                    });
                    start.elapsed()
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = next_alone, next_shared
}
criterion_main!(benches);
