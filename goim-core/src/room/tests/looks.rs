//! Register, then look: what a look means.

use super::*;

/// The first look saw a head behind the entry that put the second one's user out: that entry never
/// passes here.
#[test]
fn g9_a_look_older_than_the_room_tells_nothing() {
    let mut room: Test = Room::default();
    room.register(PHONE, USER, FIRST);
    room.register("other", UserId::new(8), FIRST);
    // He is put out by 31, which comes before anybody has looked.
    assert!(gone(&mut room, 31).is_empty());
    room.begin_at(seq(31));
    assert_eq!(room.take_waiting(), None);
    assert_eq!(room.look(&"other", FIRST, member(31, 1)), Looked::Reads(seq(1)));
    room.begin_at(seq(30));
    assert_eq!(room.look(&PHONE, FIRST, member(30, 1)), Looked::TooOld);
    assert_eq!(readers(&room), ["other"]);
    let out = Look { head: seq(31), from: None, last: seq(31) };
    assert_eq!(room.look(&PHONE, FIRST, out), Looked::Out(seq(31)));
}

/// What passed here is newer than any look at what lies before it.
#[test]
fn g9_an_old_look_is_good_enough_for_who_was_let_in_or_put_out_since() {
    let mut room: Test = Room::at(seq(31));
    room.register(PHONE, USER, FIRST);
    gone(&mut room, 32);
    assert_eq!(room.look(&PHONE, FIRST, member(30, 1)), Looked::Out(seq(32)));
    room.register(PHONE, USER, FIRST);
    added(&mut room, 33);
    assert_eq!(room.look(&PHONE, FIRST, stranger(30)), Looked::Reads(seq(33)));
}

#[test]
fn g9_whoever_reads_is_looked_for_again_when_entries_were_passed_over() {
    let mut room: Test = Room::at(seq(10));
    room.register(PHONE, USER, FIRST);
    assert_eq!(room.look(&PHONE, FIRST, member(10, 1)), Looked::Reads(seq(1)));
    let mut steps = Vec::new();
    room.skip_to(seq(12), &mut steps);
    assert_eq!(steps, [Step::Skip(seq(12)), Step::Look(PHONE, USER)]);
    assert_eq!(readers(&room), [] as [&str; 0], "nobody knows whether he still reads");
    assert_eq!(room.look(&PHONE, FIRST, member(12, 1)), Looked::Superseded, "it may be of before");
    room.register(PHONE, USER, SECOND);
    room.skip_to(seq(13), &mut steps);
    assert_eq!(steps[2..], [Step::Skip(seq(13))], "a look is under way");
    assert_eq!(room.look(&PHONE, SECOND, member(12, 1)), Looked::TooOld);
    assert_eq!(room.look(&PHONE, SECOND, member(13, 1)), Looked::Reads(seq(1)));
    assert_eq!(readers(&room), [PHONE]);
}

#[test]
fn who_still_looks_is_told_nothing() {
    let mut room = registered();
    plain(&mut room, 11);
    assert_eq!(readers(&room), [] as [&str; 0]);
    room.each_reader_of(USER, |reader| panic!("{reader} was told"));
    assert!(!room.is_empty());
    room.look(&PHONE, FIRST, member(10, 1));
    let mut told = 0;
    room.each_reader_of(USER, |_| told += 1);
    room.each_reader_of(UserId::new(8), |_| told += 1);
    assert_eq!((readers(&room).len(), told), (1, 1));
}

#[test]
fn g5_let_in_behind_the_head_that_was_seen_counts() {
    let mut room = registered();
    added(&mut room, 11);
    assert_eq!(room.look(&PHONE, FIRST, stranger(10)), Looked::Reads(seq(11)));
}

#[test]
fn g9_let_in_at_or_before_the_head_that_was_seen_is_old() {
    // Whoever looked at 11 or 12 saw that he was added, and that he had left again.
    for head in [11, 12] {
        let mut room = registered();
        added(&mut room, 11);
        let look = Look { last: seq(12), ..stranger(head) };
        assert_eq!(room.look(&PHONE, FIRST, look), Looked::Out(seq(12)));
        assert!(room.is_empty());
    }
}

#[test]
fn g9_put_out_behind_the_head_that_was_seen_counts() {
    let mut room = registered();
    assert_eq!(gone(&mut room, 11), [Step::Keep(Line(11))], "it is not known whether he was in");
    assert_eq!(room.look(&PHONE, FIRST, member(10, 1)), Looked::Out(seq(11)));
    assert!(room.is_empty());
}

#[test]
fn g5_put_out_at_or_before_the_head_that_was_seen_is_old() {
    for head in [11, 12] {
        let mut room = registered();
        gone(&mut room, 11);
        assert_eq!(room.look(&PHONE, FIRST, member(head, 11)), Looked::Reads(seq(11)));
    }
}

#[test]
fn g5_who_came_back_before_anybody_here_knew_that_he_left_stays() {
    let mut room = registered();
    assert_eq!(room.look(&PHONE, FIRST, member(14, 13)), Looked::Reads(seq(13)));
    plain(&mut room, 11);
    assert_eq!(gone(&mut room, 12), [Step::Keep(Line(12))]);
    added(&mut room, 13);
    assert_eq!(readers(&room), [PHONE]);
    assert_eq!(gone(&mut room, 14)[1], Step::Stop(PHONE, seq(14)));
}

#[test]
fn who_is_registered_again_reads_no_more_until_he_was_looked_for() {
    let mut room = Room::at(seq(10));
    room.let_in(PHONE, USER, seq(10));
    room.register(PHONE, USER, FIRST);
    assert_eq!(readers(&room), [] as [&str; 0]);
    room.let_in(PHONE, USER, seq(10));
    assert_eq!(room.look(&PHONE, FIRST, member(12, 12)), Looked::Reads(seq(12)));
    assert_eq!(room.look(&PHONE, FIRST, stranger(13)), Looked::Superseded, "it was looked for");
    assert_eq!(readers(&room), [PHONE]);
}

/// 11 puts him out, 12 lets him in again: he hears of that elsewhere, and is registered again.
#[test]
fn g5_who_is_let_in_again_stays_also_where_he_is_put_out_late() {
    let mut room = registered();
    room.look(&PHONE, FIRST, member(10, 1));
    added(&mut room, 12);
    room.register(PHONE, USER, SECOND);
    let both = |line| Some(if line == 11 { Change::Gone(USER) } else { Change::Added(vec![USER]) });
    assert_eq!(kept(&publish(&mut room, 11, both)), [11, 12]);
    assert_eq!(room.look(&PHONE, SECOND, member(12, 12)), Looked::Reads(seq(12)));
    assert_eq!(room.gap(), None);
}

/// He was stopped by an entry which the room that opened since then has not seen.
#[test]
fn g9_a_look_from_before_the_registration_tells_nothing() {
    let mut room: Test = Room::default();
    room.register(PHONE, USER, SECOND);
    room.begin_at(seq(10));
    assert_eq!(room.look(&PHONE, FIRST, member(10, 1)), Looked::Superseded);
    assert_eq!(readers(&room), [] as [&str; 0]);
    assert_eq!(room.look(&PHONE, SECOND, stranger(12)), Looked::Out(Seq::ZERO));
}

#[test]
fn who_is_not_here_stays_out() {
    let mut room = registered();
    room.leave(&PHONE);
    assert!(room.is_empty());
    assert_eq!(room.look(&PHONE, FIRST, member(10, 1)), Looked::Superseded);
    assert!(room.is_empty());
}

#[test]
fn g6_what_passed_before_the_store_went_back_is_no_newer_than_a_look_at_it() {
    for change in [added, gone] {
        let mut room = registered();
        change(&mut room, 11);
        room.forget();
        room.begin_at(seq(5));
        assert_eq!(room.look(&PHONE, FIRST, Look { last: seq(3), ..stranger(5) }), Looked::Out(seq(3)));
    }
}
