use std::sync::Arc;

use super::*;

#[derive(Debug, PartialEq, Eq)]
struct Line {
    seq: u64,
    bytes: usize,
}

impl Msg for Line {
    fn seq(&self) -> Seq {
        Seq::new(self.seq)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

fn line(seq: u64, bytes: usize) -> Arc<Line> {
    Arc::new(Line { seq, bytes })
}

fn conversation(n: u64) -> ConversationId {
    ConversationId::new(n)
}

fn small_box(bytes_max: usize, shards: usize) -> MsgBox<Arc<Line>> {
    MsgBox::new(BoxLimits { bytes_max, shards, list: ListLimits::default() })
}

fn seqs(msgs: &MsgBox<Arc<Line>>, id: u64, after: u64) -> Option<Vec<u64>> {
    let mut out = Vec::new();
    msgs.after(conversation(id), Seq::new(after), usize::MAX, &mut out)?;
    Some(out.iter().map(|line| line.seq).collect())
}

/// What is really held, against what the box believes and may hold.
fn check(msgs: &MsgBox<Arc<Line>>) {
    let fixed = size_of::<MsgBox<Arc<Line>>>() + msgs.shards.len() * size_of::<Padded<Arc<Line>>>();
    let really: usize = msgs.shards.iter().map(|shard| lock(shard).recount()).sum();
    assert_eq!(msgs.bytes_held(), really + fixed);
    assert!(msgs.bytes_held() <= msgs.limits.bytes_max);
}

#[test]
fn conversations_are_apart() {
    let msgs = small_box(1 << 20, 4);
    let reached = msgs.insert_all(conversation(1), (1..=3).map(|seq| line(seq, 10)));
    assert_eq!(reached, Reached { head: Seq::new(3), missing: None });
    let reached = msgs.insert_all(conversation(2), [line(7, 10), line(9, 10)]);
    let gap = SeqRange { first: Seq::new(8), last: Seq::new(8) };
    assert_eq!(reached, Reached { head: Seq::new(7), missing: Some(gap) });
    assert_eq!(msgs.missing(conversation(2)), Some(gap));
    assert_eq!(seqs(&msgs, 1, 1), Some(vec![2, 3]));
    assert_eq!(seqs(&msgs, 2, 1), None);
    assert_eq!(seqs(&msgs, 3, 0), None);
    let bytes = msgs.look_after(conversation(1), Seq::ZERO, 2, |entries| {
        entries.iter().map(|line| line.bytes).sum::<usize>()
    });
    assert_eq!(bytes, Some(20));
    check(&msgs);
}

#[test]
fn passed_entries_go_first_then_idle_lists() {
    let msgs = small_box(100_000, 1);
    msgs.insert_all(conversation(1), (1..=100).map(|seq| line(seq, 200)));
    msgs.insert_all(conversation(2), (1..=100).map(|seq| line(seq, 200)));
    let waiting = msgs.join(conversation(1), Seq::ZERO);
    let mut passed = msgs.join(conversation(2), Seq::ZERO);
    msgs.ack(conversation(2), &mut passed, Seq::new(50));
    let third = msgs.join(conversation(3), Seq::ZERO);
    let fill = |through: u64| {
        let head = msgs.head(conversation(3)).map_or(0, Seq::as_u64);
        msgs.insert_all(conversation(3), (head + 1..=through).map(|seq| line(seq, 200)));
        check(&msgs);
    };
    let mut through = 10;
    while seqs(&msgs, 2, 0).is_some() {
        fill(through);
        through += 10;
        assert!(through < 2_000);
    }
    assert!(seqs(&msgs, 1, 0).is_some(), "not passed, and 2 had passed entries");
    assert!(seqs(&msgs, 2, 50).is_some(), "only what was passed went");
    while lock(&msgs.shards[0]).list(conversation(2)).is_some_and(|list| !list.is_empty()) {
        assert!(seqs(&msgs, 1, 0).is_some(), "it is read all the time, and 2 is not");
        fill(through);
        through += 10;
        assert!(through < 2_000);
    }
    msgs.leave(conversation(1), waiting);
    msgs.leave(conversation(2), passed);
    msgs.leave(conversation(3), third);
    check(&msgs);
}

#[test]
fn an_idle_list_goes_before_one_in_use() {
    let msgs = small_box(40_000, 1);
    let mut readers = Vec::new();
    for id in 1..=3 {
        readers.push(msgs.join(conversation(id), Seq::ZERO));
        msgs.insert_all(conversation(id), (1..=40).map(|seq| line(seq, 150)));
    }
    let mut head = 40;
    while msgs
        .head(conversation(2))
        .is_some_and(|_| lock(&msgs.shards[0]).list(conversation(2)).is_some_and(|list| !list.is_empty()))
    {
        assert!(seqs(&msgs, 1, 0).is_some(), "it is read all the time");
        head += 1;
        msgs.insert(conversation(3), line(head, 150));
        check(&msgs);
        assert!(head < 10_000);
    }
    assert!(seqs(&msgs, 1, 0).is_some());
}

#[test]
fn passed_entries_go_before_idle_lists_of_any_shard() {
    let msgs = small_box(120_000, 4);
    let full = || (1..=60).map(|seq| line(seq, 150));
    // The first two are read by somebody who has not passed them, and then by nobody else.
    let waiting = [1, 2].map(|id| msgs.join(conversation(id), Seq::ZERO));
    for id in 1..=2 {
        msgs.insert_all(conversation(id), full());
    }
    for id in 3..=40 {
        msgs.insert_all(conversation(id), full());
        check(&msgs);
        assert!(seqs(&msgs, 1, 0).is_some() && seqs(&msgs, 2, 0).is_some());
        // Not by being read just now: as idle as they can be.
        for shard in &msgs.shards {
            lock(shard).make_idle(&[conversation(1), conversation(2)]);
        }
    }
    for (id, reader) in (1..).zip(waiting) {
        msgs.leave(conversation(id), reader);
    }
}

#[test]
fn a_list_that_goes_as_idle_is_not_queued_as_passed_any_more() {
    let msgs = small_box(1 << 20, 1);
    for _ in 0..3 {
        for id in 0..20 {
            msgs.insert_all(conversation(id), (1..=5).map(|seq| line(seq, 100)));
        }
        check(&msgs);
        lock(&msgs.shards[0]).evict_idle(usize::MAX);
        assert_eq!(msgs.conversations(), 0);
        check(&msgs);
    }
}

#[test]
fn what_a_drop_or_a_stub_brings_into_an_empty_window_is_queued_as_passed() {
    let msgs = small_box(1 << 20, 1);
    for id in 1..=2 {
        let reader = msgs.join(conversation(id), Seq::ZERO);
        msgs.insert_all(conversation(id), [line(1, 10), line(3, 10)]);
        msgs.drop_through(conversation(id), Seq::new(1));
        msgs.leave(conversation(id), reader);
    }
    msgs.drop_through(conversation(1), Seq::new(2));
    assert!(msgs.blank(conversation(2), line(2, 10)));
    assert_eq!((seqs(&msgs, 1, 2), seqs(&msgs, 2, 1)), (Some(vec![3]), Some(vec![2, 3])));
    lock(&msgs.shards[0]).evict_passed(usize::MAX);
    assert_eq!((seqs(&msgs, 1, 2), seqs(&msgs, 2, 1)), (None, None));
    check(&msgs);
}

#[test]
fn readers_of_a_list_that_was_given_up_are_counted_again() {
    let msgs = small_box(1 << 20, 1);
    msgs.insert(conversation(1), line(1, 10));
    let mut reader = msgs.join(conversation(1), Seq::ZERO);
    msgs.clear();
    assert_eq!(msgs.conversations(), 0);
    check(&msgs);
    msgs.ack(conversation(1), &mut reader, Seq::new(1));
    msgs.insert_all(conversation(1), [line(2, 10), line(3, 10)]);
    let count = || lock(&msgs.shards[0]).list(conversation(1)).map(MsgList::readers);
    assert_eq!(count(), Some(0));
    msgs.ack(conversation(1), &mut reader, Seq::new(2));
    assert_eq!(count(), Some(1));
    msgs.leave(conversation(1), reader);
    assert_eq!(count(), Some(0));
}

#[test]
fn a_box_without_room_keeps_nothing_and_says_so() {
    let msgs = small_box(0, 1);
    let reader = msgs.join(conversation(1), Seq::ZERO);
    assert_eq!(msgs.insert(conversation(1), line(1, 10)).head, Seq::ZERO);
    assert_eq!(seqs(&msgs, 1, 0), None);
    assert!(!msgs.blank(conversation(1), line(1, 0)));
    msgs.leave(conversation(1), reader);
}

#[test]
fn a_stub_that_finds_no_room_still_hides_its_target() {
    let msgs = small_box(9_000, 1);
    msgs.insert_all(conversation(1), (1..=3).map(|seq| line(seq, 100)));
    assert!(!msgs.blank(conversation(1), line(2, 1 << 20)));
    assert_eq!(seqs(&msgs, 1, 1), None);
    check(&msgs);
}

#[test]
fn threads_share_it_within_the_bound() {
    let msgs = small_box(300_000, 8);
    let heads: u64 = 3_000;
    std::thread::scope(|scope| {
        for writer in 0..2u64 {
            let msgs = &msgs;
            scope.spawn(move || {
                for seq in 1..=heads {
                    for id in 0..8 {
                        msgs.insert(conversation(id * 2 + writer), line(seq, 150));
                    }
                }
            });
            scope.spawn(move || {
                let mut offset = Seq::ZERO;
                let mut out = Vec::new();
                let mut reader = msgs.join(conversation(writer), offset);
                for _ in 0..20_000 {
                    out.clear();
                    let seen = msgs.after(conversation(writer), offset, 10, &mut out);
                    let from = offset.as_u64() + 1;
                    assert!(out.iter().zip(from..).all(|(line, seq)| line.seq == seq));
                    offset = out.last().map_or(offset, Msg::seq);
                    // Fallen behind: the store would serve what lies between.
                    if seen.is_none() {
                        offset = msgs.head(conversation(writer)).unwrap_or(offset).max(offset);
                    }
                    msgs.ack(conversation(writer), &mut reader, offset);
                    assert!(msgs.bytes_held() <= 300_000);
                }
                msgs.leave(conversation(writer), reader);
            });
        }
    });
    check(&msgs);
    assert!(msgs.bytes_held() > 200_000, "a full box is used: {}", msgs.bytes_held());
}
