use super::*;
use crate::ConversationId;

mod looks;
mod orders;

const PHONE: &str = "phone";
const USER: UserId = UserId::new(7);
const FIRST: Registration = Registration::new(1);
const SECOND: Registration = Registration::new(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line(u64);

impl Msg for Line {
    fn seq(&self) -> Seq {
        seq(self.0)
    }

    fn bytes(&self) -> usize {
        100
    }
}

type Test = Room<&'static str, Line>;

const fn seq(number: u64) -> Seq {
    Seq::new(number)
}

fn member(head: u64, from: u64) -> Look {
    Look { head: seq(head), from: Some(seq(from)), last: Seq::ZERO }
}

fn stranger(head: u64) -> Look {
    Look { head: seq(head), from: None, last: Seq::ZERO }
}

/// Offers an entry and passes what is in order because of it, each with its change.
fn publish(
    room: &mut Test,
    line: u64,
    change: impl Fn(u64) -> Option<Change>,
) -> Vec<Step<&'static str, Line>> {
    let mut steps = Vec::new();
    let mut next = room.offer(Line(line));
    while let Some(entry) = next.or_else(|| room.take_waiting()) {
        room.pass(entry, change(entry.0), &mut steps);
        next = None;
    }
    steps
}

fn plain(room: &mut Test, line: u64) -> Vec<u64> {
    kept(&publish(room, line, |_| None))
}

fn added(room: &mut Test, line: u64) -> Vec<Step<&'static str, Line>> {
    publish(room, line, |_| Some(Change::Added(vec![USER])))
}

fn gone(room: &mut Test, line: u64) -> Vec<Step<&'static str, Line>> {
    publish(room, line, |_| Some(Change::Gone(USER)))
}

fn kept(steps: &[Step<&'static str, Line>]) -> Vec<u64> {
    let kept = |step: &Step<_, Line>| if let Step::Keep(line) = step { Some(line.0) } else { None };
    steps.iter().filter_map(kept).collect()
}

fn readers(room: &Test) -> Vec<&'static str> {
    let mut all = Vec::new();
    room.each_reader(|reader| all.push(*reader));
    all
}

/// A room at 10 in which the phone has been registered.
fn registered() -> Test {
    let mut room = Room::at(seq(10));
    room.register(PHONE, USER, FIRST);
    room
}

#[test]
fn g2_entries_pass_in_order_whatever_order_they_come_in() {
    let mut room = Room::at(seq(10));
    assert_eq!(plain(&mut room, 13), [] as [u64; 0]);
    assert_eq!(room.gap(), Some(seq(10)));
    assert_eq!(plain(&mut room, 11), [11]);
    assert_eq!(plain(&mut room, 11), [] as [u64; 0], "it has passed");
    assert_eq!(plain(&mut room, 13), [] as [u64; 0], "it waits already");
    assert_eq!(plain(&mut room, 12), [12, 13]);
    assert_eq!((room.head(), room.gap()), (Some(seq(13)), None));
}

#[test]
fn readers_have_to_hear_of_what_has_passed() {
    let mut room = Room::at(seq(10));
    plain(&mut room, 12);
    assert!(!room.is_dirty(), "nothing has");
    plain(&mut room, 11);
    assert!(room.is_dirty() && room.take_dirty() && !room.take_dirty());
}

#[test]
fn entries_wait_until_somebody_has_looked() {
    let mut room = Room::default();
    for line in [8, 6, 7] {
        assert_eq!(plain(&mut room, line), [] as [u64; 0]);
    }
    assert_eq!((room.head(), room.gap()), (None, None));
    room.begin_at(seq(6));
    assert_eq!(room.take_waiting(), Some(Line(7)), "6 was seen");
    room.pass(Line(7), None, &mut Vec::new());
    assert_eq!(room.take_waiting(), Some(Line(8)));
}

#[test]
fn who_looks_later_does_not_move_the_head() {
    let mut room: Test = Room::at(seq(10));
    room.begin_at(seq(12));
    assert_eq!((room.head(), room.gap()), (Some(seq(10)), Some(seq(10))));
    room.begin_at(seq(9));
    assert_eq!(room.gap(), Some(seq(10)), "what is known stays known");
}

#[test]
fn the_last_seq_passes_once() {
    let mut room = Room::at(Seq::MAX.prev());
    assert_eq!(plain(&mut room, Seq::MAX.as_u64()).len(), 1);
    assert_eq!(plain(&mut room, Seq::MAX.as_u64()), [] as [u64; 0]);
}

#[test]
fn g7_no_more_wait_than_may_and_the_rest_is_a_gap() {
    let mut room = Room::at(seq(0));
    let last = WAITING_MAX as u64 + 2;
    for line in 2..=last {
        plain(&mut room, line);
    }
    let passed = plain(&mut room, 1);
    assert_eq!(passed.len(), WAITING_MAX + 1);
    assert_eq!(room.gap(), Some(seq(last - 1)), "the store has the last one");
    assert_eq!(plain(&mut room, last), [last]);
}

#[test]
fn g7_no_more_bytes_wait_than_may_and_the_rest_is_a_gap() {
    struct Large(u64);
    impl Msg for Large {
        fn seq(&self) -> Seq {
            seq(self.0)
        }

        fn bytes(&self) -> usize {
            WAITING_BYTES_MAX / 4
        }
    }
    let fill = |room: &mut Room<&'static str, Large>, first| {
        for line in (first + 1..=first + 5).flat_map(|line| [line, line]) {
            assert!(room.offer(Large(line)).is_none());
        }
    };
    let mut room = Room::at(seq(0));
    fill(&mut room, 1);
    room.forget();
    room.begin_at(seq(0));
    for first in [1, 6] {
        fill(&mut room, first);
        let mut next = room.offer(Large(first));
        while let Some(line) = next.or_else(|| room.take_waiting()) {
            room.pass(line, None, &mut Vec::new());
            next = None;
        }
        assert_eq!(room.head(), Some(seq(first + 4)));
        assert_eq!(room.gap(), room.head(), "the store has the last one");
    }
    // What was passed over has left with its bytes.
    fill(&mut room, 12);
    room.skip_to(seq(20), &mut Vec::new());
    assert!(room.take_waiting().is_none());
    fill(&mut room, 21);
    assert!(room.offer(Large(21)).is_some());
    room.pass(Large(21), None, &mut Vec::new());
    assert_eq!(room.take_waiting().map(|line| line.0), Some(22));
}

#[test]
fn what_the_store_lacks_is_skipped_and_said_to_be() {
    let mut room = Room::at(seq(10));
    let mut steps = Vec::new();
    plain(&mut room, 14);
    assert!(!room.take_dirty());
    room.skip_to(seq(12), &mut steps);
    assert_eq!(steps, [Step::Skip(seq(12))]);
    assert!(room.take_dirty() && !room.is_dirty(), "readers have to hear of it");
    room.skip_to(seq(12), &mut steps);
    room.skip_to(seq(11), &mut steps);
    assert_eq!(steps.len(), 1, "there is nothing to skip");
    assert_eq!(plain(&mut room, 12), [] as [u64; 0], "it was skipped");
    assert_eq!(plain(&mut room, 13), [13, 14]);
    room.saw(seq(20));
    plain(&mut room, 17);
    room.skip_to_known(&mut steps);
    assert_eq!((room.head(), room.gap()), (Some(seq(20)), None));
    assert_eq!(room.take_waiting(), None, "17 was skipped as well");
}

#[test]
fn a_room_that_nobody_has_looked_at_skips_nothing() {
    let mut room: Test = Room::default();
    let mut steps = Vec::new();
    room.saw(seq(5));
    room.skip_to_known(&mut steps);
    assert!(steps.is_empty() && room.head().is_none());
}

#[test]
fn one_watches_over_a_gap() {
    let mut room: Test = Room::at(seq(10));
    assert!(!room.watch_gap(), "there is none");
    room.saw(seq(12));
    assert_eq!(room.unwatched_gap(), Some(seq(10)));
    assert!(room.watch_gap() && !room.watch_gap());
    assert_eq!((room.gap(), room.unwatched_gap()), (Some(seq(10)), None));
    room.unwatch_gap();
    assert!(room.watch_gap(), "it is still there");
}

#[test]
fn g9_a_reader_is_stopped_at_the_entry_that_removed_him_and_not_before() {
    let mut room = registered();
    assert_eq!(room.look(&PHONE, FIRST, member(10, 1)), Looked::Reads(seq(1)));
    plain(&mut room, 13);
    gone(&mut room, 12);
    assert_eq!(readers(&room), [PHONE], "11 is missing");
    let steps = publish(&mut room, 11, |line| (line == 12).then_some(Change::Gone(USER)));
    assert_eq!(kept(&steps), [11, 12, 13]);
    assert_eq!(steps[2], Step::Stop(PHONE, seq(12)), "{steps:?}");
    assert!(room.is_empty());
}

#[test]
fn an_entry_stops_no_other_user_and_all_connections_of_his() {
    let mut room = Room::at(seq(10));
    for (connection, user) in [(PHONE, USER), ("other's", UserId::new(8)), ("laptop", USER)] {
        room.let_in(connection, user, seq(10));
    }
    let steps = gone(&mut room, 11);
    assert_eq!(steps[1..], [Step::Stop(PHONE, seq(11)), Step::Stop("laptop", seq(11))]);
    assert_eq!(readers(&room), ["other's"]);
}

#[test]
fn whom_an_entry_lets_in_is_let_in_by_whoever_passed_it() {
    let mut room = Room::at(seq(10));
    assert_eq!(added(&mut room, 11)[1], Step::LetIn(vec![USER], seq(11)));
    assert_eq!(readers(&room), [] as [&str; 0]);
    room.let_in(PHONE, USER, seq(11));
    room.let_in(PHONE, USER, seq(11));
    assert_eq!(readers(&room), [PHONE], "once");
}

#[test]
fn an_invitation_is_for_the_reader_of_the_inbox() {
    let to = ConversationId::new(3);
    let mut room = Room::at(seq(10));
    let invite = |_| Some(Change::InvitedTo(to, seq(4)));
    assert_eq!(publish(&mut room, 11, invite), [Step::Keep(Line(11))], "nobody is here");
    room.let_in(PHONE, USER, seq(11));
    assert_eq!(publish(&mut room, 12, invite), [Step::Keep(Line(12)), Step::Invite(USER, to, seq(4))]);
}

#[test]
fn g6_a_room_that_forgot_begins_where_the_store_stands_now() {
    let mut room = registered();
    room.look(&PHONE, FIRST, member(10, 1));
    plain(&mut room, 11);
    plain(&mut room, 13);
    room.forget();
    assert_eq!((room.head(), room.gap(), room.is_dirty()), (None, None, false));
    room.begin_at(seq(12));
    assert_eq!((room.take_waiting(), room.gap()), (None, None), "13 was of the old log");
    assert_eq!(plain(&mut room, 13), [13]);
    assert_eq!(readers(&room), [PHONE]);
}
