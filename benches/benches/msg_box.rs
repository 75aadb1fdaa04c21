//! `MsgBox` and `MsgList` against what one would write without them: a queue of entries per
//! conversation in a concurrent map, or in maps behind 64 mutexes.
//!
//! The alternatives know no gaps, no readers and no bound over all; they use the same hasher, have as
//! many shards, each in cache lines of its own, and keep the same number of entries of a conversation.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a bench that fails has nothing to measure")]

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dashmap::DashMap;
use goim_core::hash::{IdHasher, spread};
use goim_core::{BoxLimits, BoxReader, ConversationId, ListLimits, Msg, MsgBox, MsgList, Seq};

/// A message as an access node keeps it: about 100 encoded bytes, shared with whom they are sent to,
/// and its number beside the handle.
#[derive(Clone)]
struct Encoded {
    seq: Seq,
    body: Arc<[u8; 96]>,
}

impl Msg for Encoded {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.body)
    }
}

type Hasher = BuildHasherDefault<IdHasher>;

const CONVERSATIONS: u64 = 1_000;
const KEPT: usize = 1_000;
const NEWEST: usize = 10;
const SHARDS: usize = 64;
const THREADS_MAX: u64 = 2;

fn entry(seq: u64) -> Encoded {
    Encoded { seq: Seq::new(seq), body: Arc::new([7; 96]) }
}

trait Entries: Sync {
    fn append(&self, conversation: ConversationId, entry: Encoded);
    fn append_all(&self, conversation: ConversationId, entries: &[Encoded]);
    fn newest(&self, conversation: ConversationId, out: &mut Vec<Encoded>);
}

impl Entries for MsgBox<Encoded> {
    fn append(&self, conversation: ConversationId, entry: Encoded) {
        self.insert(conversation, entry);
    }

    fn append_all(&self, conversation: ConversationId, entries: &[Encoded]) {
        self.insert_all(conversation, entries.iter().cloned());
    }

    fn newest(&self, conversation: ConversationId, out: &mut Vec<Encoded>) {
        MsgBox::newest(self, conversation, NEWEST, out);
    }
}

/// A box each of whose conversations has a reader, who is counted and acknowledges some entries at a time.
struct Counting {
    msgs: MsgBox<Encoded>,
    readers: Vec<Padded<Option<BoxReader>>>,
}

impl Counting {
    const ACK_EVERY: u64 = 8;

    fn new() -> Self {
        let readers = (0..CONVERSATIONS * THREADS_MAX + 2).map(|_| Padded::default()).collect();
        Self { msgs: MsgBox::new(limits(KEPT)), readers }
    }

    fn ack(&self, conversation: ConversationId, offset: Seq) {
        let mut reader = self.readers[usize::try_from(conversation.as_u64()).unwrap()].0.lock().unwrap();
        let reader = reader.get_or_insert_with(|| self.msgs.join(conversation, offset));
        self.msgs.ack(conversation, reader, offset);
    }
}

impl Entries for Counting {
    fn append(&self, conversation: ConversationId, entry: Encoded) {
        let head = self.msgs.insert(conversation, entry).head;
        if head.as_u64().is_multiple_of(Self::ACK_EVERY) {
            self.ack(conversation, head);
        }
    }

    fn append_all(&self, conversation: ConversationId, entries: &[Encoded]) {
        let head = self.msgs.insert_all(conversation, entries.iter().cloned()).head;
        self.ack(conversation, head);
    }

    fn newest(&self, conversation: ConversationId, out: &mut Vec<Encoded>) {
        self.msgs.newest(conversation, NEWEST, out);
    }
}

fn push(queue: &mut VecDeque<Encoded>, entry: Encoded) {
    if queue.len() >= KEPT {
        queue.pop_front();
    }
    queue.push_back(entry);
}

fn copy_newest(queue: &VecDeque<Encoded>, out: &mut Vec<Encoded>) {
    out.extend(queue.range(queue.len().saturating_sub(NEWEST)..).cloned());
}

type Concurrent = DashMap<ConversationId, VecDeque<Encoded>, Hasher>;

impl Entries for Concurrent {
    fn append(&self, conversation: ConversationId, entry: Encoded) {
        push(&mut self.entry(conversation).or_default(), entry);
    }

    fn append_all(&self, conversation: ConversationId, entries: &[Encoded]) {
        let mut queue = self.entry(conversation).or_default();
        entries.iter().for_each(|entry| push(&mut queue, entry.clone()));
    }

    fn newest(&self, conversation: ConversationId, out: &mut Vec<Encoded>) {
        if let Some(queue) = self.get(&conversation) {
            copy_newest(&queue, out);
        }
    }
}

/// In cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Padded<T>(Mutex<T>);

struct Sharded(Vec<Padded<HashMap<ConversationId, VecDeque<Encoded>, Hasher>>>);

impl Sharded {
    fn new() -> Self {
        Self((0..SHARDS).map(|_| Padded::default()).collect())
    }

    fn shard(
        &self,
        conversation: ConversationId,
    ) -> &Mutex<HashMap<ConversationId, VecDeque<Encoded>, Hasher>> {
        let bits = usize::try_from(spread(conversation.as_u64()) >> 40).unwrap();
        &self.0[bits % SHARDS].0
    }
}

impl Entries for Sharded {
    fn append(&self, conversation: ConversationId, entry: Encoded) {
        push(self.shard(conversation).lock().unwrap().entry(conversation).or_default(), entry);
    }

    fn append_all(&self, conversation: ConversationId, entries: &[Encoded]) {
        let mut shard = self.shard(conversation).lock().unwrap();
        let queue = shard.entry(conversation).or_default();
        entries.iter().for_each(|entry| push(queue, entry.clone()));
    }

    fn newest(&self, conversation: ConversationId, out: &mut Vec<Encoded>) {
        if let Some(queue) = self.shard(conversation).lock().unwrap().get(&conversation) {
            copy_newest(queue, out);
        }
    }
}

fn limits(entries_max: usize) -> BoxLimits {
    BoxLimits { bytes_max: 1 << 30, shards: SHARDS, list: ListLimits { entries_max, bytes_max: 1 << 28 } }
}

fn alternatives() -> [(&'static str, Box<dyn Entries>); 3] {
    [
        ("MsgBox", Box::new(MsgBox::new(limits(KEPT)))),
        (
            "DashMap of VecDeque",
            Box::new(Concurrent::with_hasher_and_shard_amount(Hasher::default(), SHARDS)),
        ),
        ("64 x Mutex of HashMap of VecDeque", Box::new(Sharded::new())),
    ]
}

/// And with readers to count, which the alternatives cannot.
fn with_readers() -> impl Iterator<Item = (&'static str, Box<dyn Entries>)> {
    let counting: Box<dyn Entries> = Box::new(Counting::new());
    alternatives().into_iter().chain([("MsgBox, counting readers", counting)])
}

/// Every conversation once in an order that no prefetcher guesses.
fn nth_conversation(n: u64) -> u64 {
    n.wrapping_mul(617) % CONVERSATIONS
}

/// Runs `work(thread, iterations)` on each thread; the time until the last is done.
fn on_threads(threads: u64, iterations: u64, work: impl Fn(u64, u64) + Sync) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 1..threads {
            let work = &work;
            scope.spawn(move || work(thread, iterations / threads));
        }
        work(0, iterations / threads + iterations % threads);
    });
    start.elapsed()
}

fn append(c: &mut Criterion) {
    for threads in [1, THREADS_MAX] {
        let mut group = c.benchmark_group(format!("append, {threads} threads"));
        group.throughput(Throughput::Elements(1));
        for (name, entries) in with_readers() {
            // Each conversation has one publisher, as in life: so each thread has 1,000 of its own.
            let heads: Vec<Mutex<Vec<u64>>> = (0..threads).map(|_| Mutex::new(vec![0; 1_000])).collect();
            group.bench_function(name, |b| {
                b.iter_custom(|iterations| {
                    on_threads(threads, iterations, |thread, iterations| {
                        let mut heads = heads[usize::try_from(thread).unwrap()].lock().unwrap();
                        for n in 0..iterations {
                            let id = nth_conversation(n);
                            let head = &mut heads[usize::try_from(id).unwrap()];
                            *head += 1;
                            let conversation = ConversationId::new(id * threads + thread + 1);
                            entries.append(conversation, entry(*head));
                        }
                    })
                });
            });
        }
    }
}

fn append_batch(c: &mut Criterion) {
    let mut group = c.benchmark_group("append 32 at once");
    group.throughput(Throughput::Elements(32));
    for (name, entries) in with_readers() {
        let mut heads = vec![0; 1_000];
        let mut n = 0;
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || {
                    n += 1;
                    let id = nth_conversation(n);
                    let head: &mut u64 = &mut heads[usize::try_from(id).unwrap()];
                    let batch: Vec<_> = (1..=32).map(|seq| entry(*head + seq)).collect();
                    *head += 32;
                    (ConversationId::new(id + 1), batch)
                },
                |(conversation, batch)| entries.append_all(*conversation, batch),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

fn read_newest(c: &mut Criterion) {
    for threads in [1, THREADS_MAX] {
        let mut group = c.benchmark_group(format!("read the newest 10, {threads} threads"));
        group.throughput(Throughput::Elements(1));
        for (name, entries) in alternatives() {
            for seq in 1..=KEPT as u64 {
                (1..=CONVERSATIONS).for_each(|id| entries.append(ConversationId::new(id), entry(seq)));
            }
            group.bench_function(name, |b| {
                b.iter_custom(|iterations| {
                    on_threads(threads, iterations, |thread, iterations| {
                        let mut out = Vec::with_capacity(NEWEST);
                        for n in 0..iterations {
                            out.clear();
                            let id = nth_conversation(n + thread * 331);
                            entries.newest(ConversationId::new(id + 1), &mut out);
                            black_box(out.last().map(|entry| entry.body[0]));
                        }
                    })
                });
            });
        }
    }
}

/// Finding the place must not depend on how much is kept.
fn read_behind_an_offset(c: &mut Criterion) {
    let mut group = c.benchmark_group("the last 10 behind an offset");
    for kept in [1_000, 100_000] {
        let msgs = MsgBox::new(limits(kept));
        let head = kept as u64 * 2;
        msgs.insert_all(ConversationId::new(1), (1..=head).map(entry));
        let mut out = Vec::with_capacity(NEWEST);
        group.bench_function(BenchmarkId::new("MsgBox holding", kept), |b| {
            b.iter(|| {
                out.clear();
                let offset = black_box(Seq::new(head - 10));
                msgs.after(ConversationId::new(1), offset, NEWEST, &mut out)
            });
        });
    }
}

/// Nor may a reader's step depend on how many readers there are.
fn ack(c: &mut Criterion) {
    let mut group = c.benchmark_group("a reader's ack");
    for count in [10, 10_000] {
        let mut list = MsgList::new(limits(KEPT).list);
        list.insert_all((1..=1_000).map(entry));
        let mut readers: Vec<_> = (0..count).map(|_| list.join(Seq::ZERO)).collect();
        let (mut n, mut head) = (0, 1_000);
        group.bench_function(BenchmarkId::new("readers", count), |b| {
            b.iter(|| {
                if n == count {
                    n = 0;
                    head += 1;
                    list.insert(entry(head));
                }
                list.ack(&mut readers[n], Seq::new(head));
                n += 1;
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = append, append_batch, read_newest, read_behind_an_offset, ack
}
criterion_main!(benches);
