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
fn nothing_comes_after_the_last_seq_there_is() {
    let mut list = list(3);
    let (last, mut credit) = (Seq::MAX.as_u64(), 1_000);
    list.insert_all([line(last - 2), line(last - 1)]);
    assert_eq!(list.append_next(line(last), &mut credit), Ok(()));
    assert_eq!(list.append_next(line(last), &mut credit), Err(line(last)));
    assert_eq!(list.insert(line(last)), Inserted::Duplicate);
    list.hear_head(Seq::MAX);
    assert_eq!((list.len(), list.head(), list.missing()), (3, Seq::MAX, None));
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

#[test]
fn counts_cost_nothing_without_readers_and_no_ack_allocates() {
    let mut list = list(100);
    list.insert_all((1..=64).map(line));
    let bare = list.bytes_held();
    let mut readers: Vec<_> = (0..40).map(|_| list.join(Seq::new(1))).collect();
    let counted = list.bytes_held();
    assert!(counted > bare);
    for (reader, at) in readers.iter_mut().zip(2..) {
        list.ack(reader, Seq::new(at));
        assert_eq!(list.bytes_held(), counted);
    }
    list.evict_passed(usize::MAX);
    assert_eq!(list.start(), Seq::new(2), "the last of them is still counted there");
    readers.into_iter().for_each(|reader| list.leave(reader));
    assert!(list.counts.is_none());
}

#[test]
fn a_reader_for_whom_there_is_no_place_is_counted_further_back() {
    let mut list = MsgList::new(ListLimits { entries_max: 100, bytes_max: 1_000 });
    list.insert_all((1..=5).map(line));
    // 125 bytes of counts: 4 places, for two seqs.
    let mut readers: Vec<_> = (2..=4).map(|at| list.join(Seq::new(at))).collect();
    assert_eq!((list.behind, list.readers()), (1, 3));
    list.ack(&mut readers[2], Seq::new(3));
    assert_eq!(list.behind, 0, "another stands there");
    list.evict_passed(usize::MAX);
    assert_eq!(list.start(), Seq::new(2));
    readers.into_iter().for_each(|reader| list.leave(reader));
    assert_eq!((list.readers, list.behind), (0, 0));
}

proptest! {
    /// What the model cannot see: the sums of bytes, and how much a list grows by giving up.
    #[test]
    fn it_never_holds_more_than_its_limits_nor_grows_by_more_than_it_said(
        bytes_max in 0..4_000usize,
        entries_max in 1..50usize,
        msgs in proptest::collection::vec((1..120u64, 0..600usize, 0..20u8), 1..200),
    ) {
        let mut list = MsgList::new(ListLimits { entries_max, bytes_max });
        let mut readers = std::collections::VecDeque::new();
        for (seq, bytes, what) in msgs {
            let msg = Line { seq, bytes, blank: false };
            let cost = match what {
                2 => list.cost_of_drop(),
                3 => list.cost_of_join(),
                4..=6 => 0,
                _ => list.cost(&msg),
            };
            let at_most = list.bytes_held() + cost;
            match what {
                2 => list.drop_through(Seq::new(seq)),
                0 => drop(list.evict_passed(bytes)),
                1 => drop(list.blank(msg)),
                3 => readers.push_back(list.join(Seq::new(seq))),
                4 | 5 => if let Some(mut reader) = readers.pop_front() {
                    list.ack(&mut reader, Seq::new(seq));
                    readers.push_back(reader);
                },
                6 => if let Some(reader) = readers.pop_front() {
                    list.leave(reader);
                },
                _ => drop(list.insert(msg)),
            }
            prop_assert!(list.bytes_held() <= at_most, "{} > {at_most}", list.bytes_held());
            prop_assert!(list.bytes_held() <= bytes_max);
            prop_assert!(list.len() <= entries_max);
            let window: usize = list.window.iter().map(|msg| msg.bytes).sum();
            let ahead: usize = list.ahead.iter().flat_map(|ahead| &ahead.msgs).map(|msg| msg.bytes).sum();
            prop_assert_eq!(window, list.window_bytes);
            prop_assert_eq!(ahead, list.ahead.as_ref().map_or(0, |ahead| ahead.msg_bytes));
            let counts: Vec<_> = list.counts.iter().flat_map(|counts| counts.iter()).collect();
            prop_assert!(counts.iter().all(|(at, _)| (list.start().next()..=list.head()).contains(at)));
            prop_assert_eq!(counts.iter().map(|(_, n)| n).sum::<u32>() + list.behind, list.readers);
            prop_assert_eq!(list.readers(), readers.len());
            let contiguous = list.newest(usize::MAX).iter().zip(list.start().as_u64() + 1..).all(|(l, seq)| l.seq == seq);
            prop_assert!(contiguous);
        }
    }
}

#[test]
fn g7_a_stub_larger_than_its_target_makes_room_for_itself() {
    let mut list = MsgList::new(ListLimits { entries_max: 100, bytes_max: 4_000 });
    for seq in 1..=60 {
        list.insert(line(seq));
    }
    let (start, head) = (list.start(), list.head());
    assert!(list.blank(Line { seq: head.as_u64(), bytes: 900, blank: true }));
    assert!(list.bytes_held() <= 4_000 && list.start() > start, "{} bytes", list.bytes_held());
    assert_eq!(list.head(), head);
}
