//! The model of a `MsgList`: every entry in one map, every reader in one list.
//!
//! Without a limit in bytes the list has to do exactly what the model does. What a limit in bytes
//! makes it give up is its own affair, within the limit; what it still shows has to be true.

use std::collections::{BTreeMap, BTreeSet};

use goim_core::msg_list::{Inserted, Reader};
use goim_core::{ListLimits, Msg, MsgList, Seq};

use crate::Input;

/// Runs a list of operations.
///
/// # Panics
///
/// Where list and model differ.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let entries_max = usize::try_from(input.between(1, 40)).unwrap();
    if input.percent(50) {
        let mut exact = Exact::new(entries_max);
        while let Some(dice) = input.dice(32) {
            exact.step(dice, &mut input);
            exact.check();
        }
    } else {
        let bytes_max = input.below(4_000);
        let mut bounded = Bounded::new(ListLimits { entries_max, bytes_max });
        while let Some(dice) = input.dice(32) {
            bounded.step(dice, &mut input);
            bounded.check();
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    seq: u64,
    bytes: usize,
    blank: bool,
}

impl Msg for Line {
    fn seq(&self) -> Seq {
        Seq::new(self.seq)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

const SEQ_MAX: u64 = 59;

struct Exact {
    list: MsgList<Line>,
    readers: Vec<Reader>,
    entries_max: usize,
    ahead_max: usize,
    anchored: bool,
    start: u64,
    seen: u64,
    entries: BTreeMap<u64, Line>,
    /// Where each of `readers` stands.
    offsets: Vec<u64>,
}

impl Exact {
    fn new(entries_max: usize) -> Self {
        let limits = ListLimits { entries_max, bytes_max: usize::MAX };
        Self {
            list: MsgList::new(limits),
            readers: Vec::new(),
            entries_max,
            ahead_max: limits.ahead_entries_max(),
            anchored: false,
            start: 0,
            seen: 0,
            entries: BTreeMap::new(),
            offsets: Vec::new(),
        }
    }

    fn head(&self) -> u64 {
        (self.start + 1..).take_while(|seq| self.entries.contains_key(seq)).last().unwrap_or(self.start)
    }

    fn put(&mut self, line: Line) -> Inserted {
        if line.seq == 0 {
            return Inserted::Below;
        }
        if !self.anchored {
            self.anchored = true;
            self.start = line.seq - 1;
        }
        if line.seq <= self.start {
            return Inserted::Below;
        }
        let seq = line.seq;
        self.seen = self.seen.max(seq);
        if self.entries.contains_key(&seq) {
            return Inserted::Duplicate;
        }
        self.entries.insert(seq, line);
        let head = self.head();
        while self.entries.range(head + 1..).count() > self.ahead_max {
            self.entries.pop_last();
        }
        while self.head() - self.start > self.entries_max as u64 {
            self.give_up_through(self.start + 1);
        }
        match self.entries.contains_key(&seq) || seq <= self.start {
            true if seq <= head => Inserted::Visible,
            true => Inserted::Ahead,
            false => Inserted::TooFar,
        }
    }

    fn give_up_through(&mut self, seq: u64) {
        self.anchored |= seq > 0;
        self.start = self.start.max(seq);
        self.seen = self.seen.max(self.start);
        self.entries.retain(|at, _| *at > seq);
    }

    fn passed(&self) -> bool {
        self.head() > self.start && self.offsets.iter().all(|at| *at > self.start)
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        let seq = input.between(0, SEQ_MAX);
        match dice {
            0..=11 => {
                let line = Line { seq, bytes: 100, blank: false };
                assert_eq!(self.list.insert(line.clone()), self.put(line));
            }
            12 => self.blank(seq),
            13 => {
                self.list.hear_head(Seq::new(seq));
                if self.anchored {
                    self.seen = self.seen.max(seq);
                }
            }
            14..=15 => {
                self.readers.push(self.list.join(Seq::new(seq)));
                self.offsets.push(seq.min(self.head()));
            }
            16..=22 if !self.readers.is_empty() => {
                let i = input.below(self.readers.len());
                self.list.ack(&mut self.readers[i], Seq::new(seq));
                self.offsets[i] = self.offsets[i].max(seq.min(self.head()));
            }
            23 if !self.readers.is_empty() => {
                let i = input.below(self.readers.len());
                self.list.leave(self.readers.swap_remove(i));
                self.offsets.swap_remove(i);
            }
            24 => self.evict_passed(input.below(400)),
            25 => {
                self.list.drop_through(Seq::new(seq));
                self.give_up_through(seq);
            }
            26 => {
                self.list.evict_all();
                assert_eq!(self.list.bytes_held(), 0);
                self.start = self.head();
                self.entries.clear();
            }
            _ => self.read_after(seq, input.below(20)),
        }
    }

    fn blank(&mut self, seq: u64) {
        let stub = Line { seq, bytes: 7, blank: true };
        let here = self.list.blank(stub.clone());
        if self.anchored && seq > self.start {
            let known = self.entries.contains_key(&seq);
            self.entries.entry(seq).and_modify(|line| *line = stub.clone());
            let put = self.put(stub);
            assert_eq!(here, known || matches!(put, Inserted::Visible | Inserted::Ahead));
        } else {
            assert!(!here);
        }
    }

    fn evict_passed(&mut self, bytes: usize) {
        self.list.evict_passed(bytes);
        let mut freed = 0;
        while freed < bytes && self.passed() {
            freed += self.entries[&(self.start + 1)].bytes;
            self.give_up_through(self.start + 1);
        }
    }

    fn read_after(&self, seq: u64, limit: usize) {
        let expected = (self.anchored && seq >= self.start)
            .then(|| (seq + 1..=self.head()).take(limit).collect::<Vec<_>>());
        let got = self.list.after(Seq::new(seq), limit);
        assert_eq!(got.map(|view| view.iter().map(|line| line.seq).collect()), expected);
    }

    fn check(&self) {
        let (start, head) = (self.start, self.head());
        assert_eq!((self.list.start().as_u64(), self.list.head().as_u64()), (start, head));
        assert!(self.list.newest(usize::MAX).iter().eq(self.entries.range(..=head).map(|(_, line)| line)));
        let last = self.entries.range(head + 1..).next().map_or(self.seen, |(seq, _)| seq - 1);
        let missing = (self.anchored && last > head).then_some((head + 1, last));
        assert_eq!(self.list.missing().map(|gap| (gap.first.as_u64(), gap.last.as_u64())), missing);
        assert_eq!(self.list.has_passed(), self.passed());
        assert_eq!(self.list.readers(), self.readers.len());
        assert!(self.list.bytes_held() >= self.entries.values().map(|line| line.bytes).sum());
    }
}

struct Bounded {
    list: MsgList<Line>,
    limits: ListLimits,
    readers: Vec<Reader>,
    /// Entries whose stub was taken.
    blanked: BTreeSet<u64>,
    at_least: (Seq, Seq),
}

impl Bounded {
    fn new(limits: ListLimits) -> Self {
        let (readers, blanked) = (Vec::new(), BTreeSet::new());
        Self { list: MsgList::new(limits), limits, readers, blanked, at_least: (Seq::ZERO, Seq::ZERO) }
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        // Mostly the next one, so that windows fill.
        let next = self.list.head().as_u64() + 1;
        let seq = if input.percent(60) { next } else { input.between(0, 2 * SEQ_MAX) };
        let bytes = input.below(600);
        match dice {
            0..=19 => self.grow(Line { seq, bytes, blank: false }, MsgList::insert),
            20 => {
                let here = |list: &mut MsgList<Line>, stub| {
                    let here = list.blank(stub);
                    if here { Inserted::Visible } else { Inserted::Below }
                };
                // Mostly smaller than what it takes the place of.
                let bytes = if input.percent(80) { bytes / 10 } else { bytes };
                self.grow(Line { seq, bytes, blank: true }, here);
            }
            21 => self.list.drop_through(Seq::new(seq)),
            22..=23 => {
                let (held, freed) = (self.list.bytes_held(), self.list.evict_passed(bytes));
                assert_eq!(held - freed, self.list.bytes_held());
                assert!(freed >= bytes || !self.list.has_passed(), "it had more to give");
            }
            24..=25 => self.readers.push(self.list.join(Seq::new(seq))),
            26..=30 if !self.readers.is_empty() => {
                let i = input.below(self.readers.len());
                let held = self.list.bytes_held();
                self.list.ack(&mut self.readers[i], Seq::new(seq));
                assert_eq!(self.list.bytes_held(), held, "an ack allocates nothing");
            }
            _ => {
                if let Some(reader) = self.readers.pop() {
                    self.list.leave(reader);
                }
            }
        }
    }

    fn grow(&mut self, line: Line, put: impl Fn(&mut MsgList<Line>, Line) -> Inserted) {
        let (seq, blank) = (line.seq, line.blank);
        let at_most = self.list.bytes_held() + self.list.cost(&line);
        let put = put(&mut self.list, line);
        assert!(self.list.bytes_held() <= at_most, "it grew by more than it said");
        if blank && put == Inserted::Visible {
            self.blanked.insert(seq);
        } else if matches!(put, Inserted::TooFar | Inserted::TooLarge) {
            self.blanked.remove(&seq);
        }
    }

    fn check(&mut self) {
        let now = (self.list.start(), self.list.head());
        assert!(self.at_least.0 <= now.0 && self.at_least.1 <= now.1, "it went back");
        self.at_least = now;
        assert!(self.list.len() <= self.limits.entries_max);
        assert!(self.list.bytes_held() <= self.limits.bytes_max);
        let shown = self.list.newest(usize::MAX);
        assert!(self.list.bytes_held() >= shown.iter().map(Msg::bytes).sum());
        let seqs = shown.iter().map(|line| line.seq);
        assert!(seqs.eq(now.0.as_u64() + 1..=now.1.as_u64()), "not contiguous");
        for line in shown {
            // What waits beyond a gap may be dropped for want of room, a stub too: then the entry
            // may come again as it was.
            if line.blank {
                assert!(self.blanked.contains(&line.seq));
            }
        }
        assert_eq!(self.list.readers(), self.readers.len());
    }
}
