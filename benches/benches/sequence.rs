//! The allocators against counters in a concurrent map, or in maps behind 64 mutexes.
//!
//! The alternatives are never bounded, forget nothing, and know of no range in flight and of no
//! restart.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a bench that fails has nothing to measure")]

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dashmap::DashMap;
use goim_core::hash::{IdHasher, spread};
use goim_core::sequence::{Ceiling, Next, Reserve, SegmentConfig};
use goim_core::{ConversationId, SegmentAllocator, Seq, SequenceAllocator};

type Hasher = BuildHasherDefault<IdHasher>;

const CONVERSATIONS: u64 = 10_000;
const SHARDS: usize = 64;

trait Numbers: Sync {
    fn next(&self, key: u64) -> u64;
}

fn shard<T>(shards: &[Mutex<T>], key: u64) -> &Mutex<T> {
    &shards[usize::try_from(spread(key) >> 40).unwrap() % SHARDS]
}

/// Reserved and confirmed, as a committer whose every append succeeds does.
struct Dense(Vec<Mutex<SequenceAllocator>>);

impl Numbers for Dense {
    fn next(&self, key: u64) -> u64 {
        let mut allocator = shard(&self.0, key).lock().unwrap();
        let conversation = ConversationId::new(key);
        if allocator.head(conversation).is_none() {
            allocator.learn(conversation, Seq::ZERO);
        }
        let Reserve::Range(range) = allocator.reserve(conversation, NonZeroU64::MIN) else {
            panic!("known and idle");
        };
        allocator.confirm(conversation, range);
        range.first.as_u64()
    }
}

/// With a store that keeps every ceiling at once.
struct Segments(Vec<Mutex<SegmentAllocator>>);

impl Numbers for Segments {
    fn next(&self, key: u64) -> u64 {
        let mut allocator = shard(&self.0, key).lock().unwrap();
        loop {
            let next = allocator.next(key, NonZeroU64::MIN);
            while let Some(ceiling) = allocator.poll_ceiling() {
                match ceiling {
                    Ceiling::Load(section) => allocator.handle_loaded(section, 0),
                    Ceiling::Raise { section, to, .. } => allocator.handle_raised(section, to),
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

impl Numbers for DashMap<u64, u64, Hasher> {
    fn next(&self, key: u64) -> u64 {
        let mut number = self.entry(key).or_default();
        *number += 1;
        *number
    }
}

struct Sharded(Vec<Mutex<HashMap<u64, u64, Hasher>>>);

impl Numbers for Sharded {
    fn next(&self, key: u64) -> u64 {
        let mut shard = shard(&self.0, key).lock().unwrap();
        let number = shard.entry(key).or_default();
        *number += 1;
        *number
    }
}

fn shards<T>(make: impl Fn() -> T) -> Vec<Mutex<T>> {
    (0..SHARDS).map(|_| Mutex::new(make())).collect()
}

fn alternatives() -> [(&'static str, Box<dyn Numbers>); 4] {
    let config = SegmentConfig { sections: 1, ..SegmentConfig::default() };
    [
        ("64 x Mutex of SequenceAllocator", Box::new(Dense(shards(|| SequenceAllocator::new(1_000))))),
        ("64 x Mutex of SegmentAllocator", Box::new(Segments(shards(|| SegmentAllocator::new(config))))),
        ("DashMap of numbers", Box::new(DashMap::<u64, u64, Hasher>::default())),
        ("64 x Mutex of HashMap of numbers", Box::new(Sharded(shards(HashMap::default)))),
    ]
}

fn next(c: &mut Criterion) {
    for threads in [1, 2] {
        let mut group = c.benchmark_group(format!("next number, {threads} threads"));
        group.throughput(Throughput::Elements(1));
        for (name, numbers) in alternatives() {
            let work = |thread: u64, iterations: u64| {
                for n in 0..iterations {
                    let key = (n + thread * 4_999).wrapping_mul(617) % CONVERSATIONS + 1;
                    black_box(numbers.next(key));
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
    targets = next
}
criterion_main!(benches);
