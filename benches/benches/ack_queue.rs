//! Push and ack with 1,000 and 100,000 items in the window: `AckQueue` against what one would
//! otherwise reach for, tokio-util's `DelayQueue` and a map with a heap that is cleaned lazily.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use goim_core::{AckId, AckQueue, AckQueueConfig, Duration, RttConfig, Time};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hint::black_box;
use tokio_util::time::{DelayQueue, delay_queue};

const SIZES: [usize; 2] = [1_000, 100_000];
/// Long enough that nothing expires while a bench runs: retransmission is not what is measured.
const TIMEOUT: Duration = Duration::from_secs(3_600);
/// Pushes and acks per measured batch.
const ROUNDS: u64 = 10_000;

fn ack_queue(size: usize) -> (AckQueue<u64>, VecDeque<AckId>, u64) {
    let rtt = RttConfig { initial: TIMEOUT, floor: TIMEOUT, cap: TIMEOUT };
    let mut queue = AckQueue::new(AckQueueConfig { window: size + 1, retries_max: 3, rtt });
    let ids = (0..size as u64).filter_map(|n| queue.push(Time::from_micros(n), n).ok()).collect();
    (queue, ids, size as u64)
}

/// Deadline and id, earliest first.
type Deadlines = BinaryHeap<Reverse<(u64, u64)>>;

fn heap(size: usize) -> (HashMap<u64, u64>, Deadlines, u64) {
    let (mut map, mut heap) = (HashMap::new(), BinaryHeap::new());
    for n in 0..size as u64 {
        map.insert(n, n);
        heap.push(Reverse((n, n)));
    }
    (map, heap, size as u64)
}

fn delay_queue(size: usize) -> (DelayQueue<u64>, HashMap<u64, delay_queue::Key>, u64) {
    let mut queue = DelayQueue::new();
    let keys = (0..size as u64).map(|n| (n, queue.insert(n, TIMEOUT))).collect();
    (queue, keys, size as u64)
}

/// The oldest item is acknowledged and a new one pushed, so the window stays as full as it is.
fn push_ack(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for DelayQueue: {error}"));
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("push_ack_x10000");
    for size in SIZES {
        group.bench_with_input(BenchmarkId::new("AckQueue", size), &size, |bencher, size| {
            let (mut queue, mut ids, mut n) = ack_queue(*size);
            let round = |()| {
                for _ in 0..ROUNDS {
                    n += 1;
                    let now = Time::from_micros(n);
                    if let Some(id) = ids.pop_front() {
                        black_box(queue.ack(now, id));
                    }
                    if let Ok(id) = queue.push(now, n) {
                        ids.push_back(id);
                    }
                }
            };
            bencher.iter_batched(|| (), round, BatchSize::PerIteration);
        });
        group.bench_with_input(BenchmarkId::new("HashMap+BinaryHeap", size), &size, |bencher, size| {
            let (mut map, mut heap, mut n) = heap(*size);
            let round = |()| {
                for _ in 0..ROUNDS {
                    black_box(map.remove(&(n - *size as u64)));
                    while heap.peek().is_some_and(|Reverse((_, id))| !map.contains_key(id)) {
                        heap.pop();
                    }
                    map.insert(n, n);
                    heap.push(Reverse((n, n)));
                    n += 1;
                }
            };
            bencher.iter_batched(|| (), round, BatchSize::PerIteration);
        });
        group.bench_with_input(BenchmarkId::new("DelayQueue+HashMap", size), &size, |bencher, size| {
            let (mut queue, mut keys, mut n) = delay_queue(*size);
            let round = |()| {
                for _ in 0..ROUNDS {
                    if let Some(key) = keys.remove(&(n - *size as u64)) {
                        black_box(queue.remove(&key));
                    }
                    keys.insert(n, queue.insert(n, TIMEOUT));
                    n += 1;
                }
            };
            bencher.iter_batched(|| (), round, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, push_ack);
criterion_main!(benches);
