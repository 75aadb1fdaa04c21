use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

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

fn line(seq: u64) -> Line {
    Line { seq, bytes: 100, blank: false }
}

fn list(entries_max: usize) -> MsgList<Line> {
    MsgList::new(ListLimits { entries_max, bytes_max: usize::MAX })
}

fn seqs(list: &MsgList<Line>, after: u64, limit: usize) -> Option<Vec<u64>> {
    Some(list.after(Seq::new(after), limit)?.iter().map(|line| line.seq).collect())
}

#[test]
fn only_what_is_contiguous_can_be_read() {
    let mut list = list(100);
    assert_eq!(list.insert(line(10)), Inserted::Visible);
    assert_eq!(list.insert(line(13)), Inserted::Ahead);
    assert_eq!(list.insert(line(12)), Inserted::Ahead);
    assert_eq!(list.insert(line(12)), Inserted::Duplicate);
    assert_eq!(list.insert(line(9)), Inserted::Below);
    assert_eq!(seqs(&list, 9, 10), Some(vec![10]));
    assert_eq!(list.missing(), Some(SeqRange { first: Seq::new(11), last: Seq::new(11) }));
    assert_eq!(list.insert(line(11)), Inserted::Visible);
    assert_eq!(list.insert(line(11)), Inserted::Duplicate);
    assert_eq!(seqs(&list, 10, 2), Some(vec![11, 12]));
    assert_eq!(seqs(&list, 13, 2), Some(vec![]));
    assert_eq!(seqs(&list, 8, 2), None);
    assert_eq!(list.missing(), None);
}

#[test]
fn a_head_that_was_only_heard_of_is_missing() {
    let mut list = list(100);
    list.hear_head(Seq::new(5));
    assert_eq!(list.missing(), None, "an empty list has no place to be missing from");
    list.insert(line(3));
    list.hear_head(Seq::new(5));
    assert_eq!(list.missing(), Some(SeqRange { first: Seq::new(4), last: Seq::new(5) }));
}

#[test]
fn what_lies_too_far_ahead_is_dropped_and_stays_missing() {
    let mut list = list(8);
    list.insert(line(1));
    assert_eq!(list.insert(line(5)), Inserted::Ahead);
    assert_eq!(list.insert(line(6)), Inserted::Ahead);
    assert_eq!(list.insert(line(7)), Inserted::TooFar);
    assert_eq!(list.insert(line(4)), Inserted::Ahead, "nearer than 6, which gives way");
    list.insert_all([line(2), line(3)]);
    assert_eq!(list.head(), Seq::new(5));
    assert_eq!(list.missing(), Some(SeqRange { first: Seq::new(6), last: Seq::new(7) }));
}

#[test]
fn a_full_window_gives_up_its_oldest() {
    let mut list = list(3);
    list.insert_all((1..=5).map(line));
    assert_eq!(list.start(), Seq::new(2));
    assert_eq!(seqs(&list, 1, 10), None);
    assert_eq!(seqs(&list, 2, 10), Some(vec![3, 4, 5]));
    assert_eq!(list.newest(2).iter().map(|l| l.seq).collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn a_view_is_like_a_slice() {
    let mut list = list(3);
    list.insert_all((1..=5).map(line));
    let view = list.newest(9);
    assert_eq!((view.len(), view.is_empty()), (3, false));
    assert_eq!(view.first(), Some(&line(3)));
    assert_eq!(view.last(), Some(&line(5)));
    assert_eq!(view.get(3), None);
    assert_eq!(view.iter().rev().map(|l| l.seq).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(view.into_iter().len(), 3);
}

#[test]
fn entries_are_passed_when_the_last_reader_has_acked() {
    let mut list = list(100);
    list.insert_all((1..=10).map(line));
    let mut slow = list.join(Seq::ZERO);
    let mut quick = list.join(Seq::new(4));
    list.ack(&mut quick, Seq::new(10));
    assert_eq!(list.evict_passed(usize::MAX), 0);
    list.ack(&mut slow, Seq::new(6));
    list.ack(&mut slow, Seq::new(5));
    assert!(list.evict_passed(usize::MAX) >= 600);
    assert_eq!(list.start(), Seq::new(6), "an ack never moves back");
    list.leave(slow);
    list.evict_passed(150);
    assert_eq!(list.start(), Seq::new(8), "no more than was asked for, in whole entries");
    list.leave(quick);
    assert_eq!(list.readers(), 0);
}

#[test]
fn a_reader_that_fell_behind_holds_nothing_against_the_limit() {
    let mut list = list(4);
    list.insert_all((1..=4).map(line));
    let mut absent = list.join(Seq::new(2));
    list.insert_all((5..=20).map(line));
    assert_eq!(list.len(), 4);
    assert!(!list.has_passed());
    list.ack(&mut absent, Seq::new(18));
    list.evict_passed(usize::MAX);
    assert_eq!(list.start(), Seq::new(18));
    list.leave(absent);
    assert_eq!((list.readers, list.behind), (0, 0));
}

#[test]
fn readers_that_joined_before_the_first_entry_are_counted() {
    let mut list = list(100);
    let mut early = list.join(Seq::new(41));
    list.insert_all((42..=44).map(line));
    assert!(!list.has_passed());
    list.ack(&mut early, Seq::new(44));
    list.evict_passed(usize::MAX);
    assert!(list.is_empty());
    list.leave(early);
}

#[test]
fn a_recall_blanks_its_target_wherever_it_is() {
    let stub = |seq| Line { seq, bytes: 0, blank: true };
    let mut list = list(100);
    list.insert_all([line(5), line(6), line(9)]);
    let full = list.bytes_held();
    assert!(list.blank(stub(6)));
    assert!(list.blank(stub(9)));
    assert_eq!(list.bytes_held(), full - 200);
    assert!(list.blank(stub(8)), "it overtook its target");
    assert_eq!(list.insert(line(8)), Inserted::Duplicate);
    assert!(!list.blank(stub(4)));
    list.insert(line(7));
    let blanks: Vec<_> = list.newest(9).iter().map(|l| (l.seq, l.blank)).collect();
    assert_eq!(blanks, [(5, false), (6, true), (7, false), (8, true), (9, true)]);
}

#[test]
fn an_entry_over_the_limit_is_passed_over() {
    let mut list = MsgList::new(ListLimits { entries_max: 100, bytes_max: 2_000 });
    list.insert_all((1..=3).map(line));
    let huge = Line { seq: 4, bytes: 2_001, blank: false };
    assert_eq!(list.insert(huge), Inserted::TooLarge);
    assert_eq!(seqs(&list, 3, 10), None);
    assert_eq!(seqs(&list, 4, 10), Some(vec![]));
    assert_eq!(list.insert(line(5)), Inserted::Visible);
}

#[test]
fn everything_through_a_seq_can_be_given_up() {
    let mut list = list(100);
    list.insert_all([line(1), line(2), line(3), line(8), line(9), line(12)]);
    list.drop_through(Seq::new(2));
    assert_eq!(seqs(&list, 2, 10), Some(vec![3]));
    list.drop_through(Seq::new(8));
    assert_eq!(seqs(&list, 8, 10), Some(vec![9]));
    list.evict_all();
    assert_eq!(list.bytes_held(), 0);
    assert_eq!(list.missing(), Some(SeqRange { first: Seq::new(10), last: Seq::new(12) }));
}

#[derive(Debug, Clone)]
enum Op {
    Insert(u64),
    Blank(u64),
    Hear(u64),
    Join(u64),
    Ack(usize, u64),
    Leave(usize),
    EvictPassed(usize),
    DropThrough(u64),
    After(u64, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let seq = 1..60u64;
    prop_oneof![
        12 => seq.clone().prop_map(Op::Insert),
        1 => seq.clone().prop_map(Op::Blank),
        1 => seq.clone().prop_map(Op::Hear),
        2 => (0..60u64).prop_map(Op::Join),
        6 => (any::<usize>(), 0..60u64).prop_map(|(i, seq)| Op::Ack(i, seq)),
        1 => any::<usize>().prop_map(Op::Leave),
        1 => (0..400usize).prop_map(Op::EvictPassed),
        1 => seq.prop_map(Op::DropThrough),
        3 => (0..60u64, 0..20usize).prop_map(|(seq, limit)| Op::After(seq, limit)),
    ]
}

/// The contract in the plainest words: every entry in one map, every reader in one list.
#[derive(Default)]
struct Naive {
    entries_max: usize,
    ahead_max: usize,
    anchored: bool,
    start: u64,
    seen: u64,
    entries: BTreeMap<u64, Line>,
    readers: Vec<u64>,
}

impl Naive {
    fn head(&self) -> u64 {
        (self.start + 1..).take_while(|seq| self.entries.contains_key(seq)).last().unwrap_or(self.start)
    }

    fn insert(&mut self, line: Line) {
        if !self.anchored {
            self.anchored = true;
            self.start = line.seq - 1;
        }
        if line.seq <= self.start {
            return;
        }
        self.seen = self.seen.max(line.seq);
        self.entries.entry(line.seq).or_insert(line);
        let head = self.head();
        while self.entries.range(head + 1..).count() > self.ahead_max {
            self.entries.pop_last();
        }
        while self.head() - self.start > self.entries_max as u64 {
            self.drop_through(self.start + 1);
        }
    }

    fn drop_through(&mut self, seq: u64) {
        self.anchored = true;
        self.start = self.start.max(seq);
        self.seen = self.seen.max(seq);
        self.entries.retain(|at, _| *at > seq);
    }

    fn passed(&self) -> bool {
        self.head() > self.start && self.readers.iter().all(|at| *at > self.start)
    }
}

fn check(list: &MsgList<Line>, naive: &Naive) -> Result<(), TestCaseError> {
    let (start, head) = (naive.start, naive.head());
    prop_assert_eq!((list.start().as_u64(), list.head().as_u64()), (start, head));
    let visible: Vec<_> = list.newest(usize::MAX).iter().cloned().collect();
    let expected: Vec<_> = naive.entries.range(..=head).map(|(_, line)| line.clone()).collect();
    prop_assert_eq!(visible, expected);
    let last = naive.entries.range(head + 1..).next().map_or(naive.seen, |(seq, _)| seq - 1);
    let missing = (naive.anchored && last > head).then_some((head + 1, last));
    prop_assert_eq!(list.missing().map(|gap| (gap.first.as_u64(), gap.last.as_u64())), missing);
    prop_assert_eq!(list.has_passed(), naive.passed());
    let bytes: usize = naive.entries.values().map(|line| line.bytes).sum();
    prop_assert_eq!(list.window_bytes + list.ahead.as_ref().map_or(0, |ahead| ahead.msg_bytes), bytes);
    Ok(())
}

proptest! {
    #[test]
    fn it_does_what_the_naive_model_does(
        entries_max in 1..40usize,
        ops in proptest::collection::vec(op(), 1..200),
    ) {
        let limits = ListLimits { entries_max, bytes_max: usize::MAX };
        let mut list = MsgList::new(limits);
        let mut naive = Naive { entries_max, ahead_max: limits.ahead_entries_max(), ..Naive::default() };
        let mut readers = Vec::new();
        for op in ops {
            match op {
                Op::Insert(seq) => {
                    list.insert(line(seq));
                    naive.insert(line(seq));
                }
                Op::Blank(seq) => {
                    let stub = Line { seq, bytes: 7, blank: true };
                    list.blank(stub.clone());
                    if naive.anchored && seq > naive.start {
                        naive.entries.entry(seq).and_modify(|line| *line = stub.clone());
                        naive.insert(stub);
                    }
                }
                Op::Hear(seq) => {
                    list.hear_head(Seq::new(seq));
                    if naive.anchored {
                        naive.seen = naive.seen.max(seq);
                    }
                }
                Op::Join(offset) => {
                    readers.push(list.join(Seq::new(offset)));
                    naive.readers.push(offset.min(naive.head()));
                }
                Op::Ack(i, offset) => {
                    if !readers.is_empty() {
                        let i = i % readers.len();
                        list.ack(&mut readers[i], Seq::new(offset));
                        naive.readers[i] = naive.readers[i].max(offset.min(naive.head()));
                    }
                }
                Op::Leave(i) => {
                    if !readers.is_empty() {
                        let i = i % readers.len();
                        list.leave(readers.swap_remove(i));
                        naive.readers.swap_remove(i);
                    }
                }
                Op::EvictPassed(bytes) => {
                    list.evict_passed(bytes);
                    let mut freed = 0;
                    while freed < bytes && naive.passed() {
                        freed += naive.entries[&(naive.start + 1)].bytes;
                        naive.drop_through(naive.start + 1);
                    }
                }
                Op::DropThrough(seq) => {
                    list.drop_through(Seq::new(seq));
                    naive.drop_through(seq);
                }
                Op::After(seq, limit) => {
                    let expected = (naive.anchored && seq >= naive.start)
                        .then(|| (seq + 1..=naive.head()).take(limit).collect::<Vec<_>>());
                    prop_assert_eq!(seqs(&list, seq, limit), expected);
                }
            }
            check(&list, &naive)?;
        }
    }

    #[test]
    fn it_never_holds_more_than_its_limits_nor_grows_by_more_than_it_said(
        bytes_max in 0..4_000usize,
        entries_max in 1..50usize,
        msgs in proptest::collection::vec((1..120u64, 0..600usize, 0..20u8), 1..200),
    ) {
        let mut list = MsgList::new(ListLimits { entries_max, bytes_max });
        for (seq, bytes, what) in msgs {
            let msg = Line { seq, bytes, blank: false };
            let cost = if what == 2 { list.cost_of_drop() } else { list.cost(&msg) };
            let at_most = list.bytes_held() + cost;
            match what {
                2 => list.drop_through(Seq::new(seq)),
                0 => drop(list.evict_passed(bytes)),
                1 => drop(list.blank(msg)),
                _ => drop(list.insert(msg)),
            }
            prop_assert!(list.bytes_held() <= at_most, "{} > {at_most}", list.bytes_held());
            prop_assert!(list.bytes_held() <= bytes_max);
            prop_assert!(list.len() <= entries_max);
            let window: usize = list.window.iter().map(|slot| slot.msg.bytes).sum();
            let ahead: usize = list.ahead.iter().flat_map(|ahead| &ahead.msgs).map(|msg| msg.bytes).sum();
            prop_assert_eq!(window, list.window_bytes);
            prop_assert_eq!(ahead, list.ahead.as_ref().map_or(0, |ahead| ahead.msg_bytes));
            let contiguous = list.newest(usize::MAX).iter().zip(list.start.as_u64() + 1..).all(|(l, seq)| l.seq == seq);
            prop_assert!(contiguous);
        }
    }
}
