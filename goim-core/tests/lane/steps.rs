//! One decision after the other.

use goim_core::lane::{AppendResult, LaneLimits, LoadFailed, Offer, Outcome, Unavailable};
use goim_core::{ConversationId, Seq, UserId};

use crate::bench::{
    ANN, BOB, Bench, HERE, THERE, after, bench, committed, duplicate, id, retry, say, tickets, with,
};
use goim_core_models::lane::rules::{Entry, Refusal};
use goim_core_models::lane::store::Store;

#[test]
fn what_waits_goes_as_one_batch_numbered_per_conversation() {
    let mut bench = bench();
    for offer in [say(THERE, ANN, 1), say(HERE, ANN, 2), after(1, say(THERE, ANN, 3))] {
        bench.offer(offer);
    }
    assert_eq!(bench.load(), 2);
    let batch = bench.lane.poll_append(bench.now, 7).unwrap();
    assert_eq!(
        batch.expects.iter().map(|e| (e.conversation, e.n)).collect::<Vec<_>>(),
        [(HERE, 1), (THERE, 2)]
    );
    assert!(bench.lane.poll_append(bench.now, 7).is_none(), "one at a time");
    assert_eq!(bench.answers(), [], "nothing is answered before it is written");
    let result = bench.store.append(&batch);
    bench.finish(result);
    let mut answers = bench.answers();
    answers.sort_unstable_by_key(|(ticket, _)| *ticket);
    assert_eq!(answers, [(1, committed(1)), (2, committed(1)), (3, committed(2))]);
    let published: Vec<_> =
        core::iter::from_fn(|| bench.lane.poll_committed()).map(|c| c.seq.as_u64()).collect();
    assert_eq!(published.len(), 3);
    assert!(bench.lane.is_idle());
}

#[test]
fn a_hot_conversation_does_not_fill_the_batch_while_others_wait() {
    let mut bench = Bench::new(LaneLimits { batch_max: 4, ..LaneLimits::default() });
    (1..=10).for_each(|n| bench.offer(say(HERE, ANN, n)));
    bench.offer(say(THERE, BOB, 11));
    let batch = bench.batch().unwrap();
    assert_eq!(batch.rows.len(), 4);
    assert!(tickets(&batch).contains(&id(11)));
}

#[test]
fn a_second_copy_is_attached_to_the_first() {
    let mut bench = bench();
    bench.offer(say(HERE, ANN, 1));
    bench.offer(Offer { ticket: 100, ..say(HERE, ANN, 1) });
    let batch = bench.batch().unwrap();
    assert_eq!(batch.rows.len(), 1);
    bench.offer(Offer { ticket: 101, ..retry(say(HERE, ANN, 1)) });
    let result = bench.store.append(&batch);
    bench.finish(result);
    let copy = duplicate(1, false);
    assert_eq!(bench.answers(), [(1, committed(1)), (100, copy.clone()), (101, copy)]);
    assert_eq!(bench.lane.waiting(), 0);
}

#[test]
fn each_entry_is_judged_by_the_state_as_of_the_one_before() {
    let mut bench = bench();
    bench.offer(with(Entry::Remove(BOB), say(HERE, ANN, 1)));
    bench.offer(say(HERE, BOB, 2));
    bench.offer(with(Entry::Add(BOB), say(HERE, ANN, 3)));
    bench.offer(say(HERE, BOB, 4));
    let outcomes = bench.run();
    assert_eq!(outcomes[0].0, 1);
    assert_eq!(outcomes[1], (2, Outcome::Refused(Refusal::NotMember)));
    assert_eq!(outcomes.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let of_bob = Outcome::Committed { seq: Seq::new(3), count: 1, at_ms: 7 };
    assert_eq!(outcomes[3].1, of_bob, "a refusal takes no number, a membership no count");
}

#[test]
fn a_cache_older_than_the_entry_refuses_nobody() {
    let mut bench = bench();
    let eve = UserId::new(9);
    bench.offer(say(HERE, eve, 1));
    assert_eq!(bench.run(), [(1, Outcome::Refused(Refusal::NotMember))]);
    bench.rival(with(Entry::Add(eve), say(HERE, ANN, 2)));
    bench.offer(say(HERE, eve, 3));
    let committed = Outcome::Committed { seq: Seq::new(2), count: 1, at_ms: 7 };
    assert_eq!(bench.run(), [(3, committed)]);
}

#[test]
fn a_change_without_an_entry_is_seen_by_its_revision() {
    let mut bench = bench();
    bench.offer(say(HERE, ANN, 1));
    bench.run();
    bench.store.set_blocked(HERE, true);
    bench.offer(say(HERE, ANN, 2));
    assert_eq!(bench.run(), [(2, Outcome::Refused(Refusal::Blocked))]);
}

#[test]
fn an_after_is_looked_for_in_memory_in_the_store_and_in_the_batch() {
    let mut bench = bench();
    bench.rival(say(HERE, ANN, 1));
    bench.offer(after(1, say(HERE, ANN, 2)));
    bench.offer(after(2, say(HERE, ANN, 3)));
    assert_eq!(bench.run(), [(2, committed(2)), (3, committed(3))]);
    bench.offer(after(3, say(HERE, ANN, 4)));
    assert_eq!(bench.load(), 0, "memory knows it");
    assert_eq!(bench.run(), [(4, committed(4))]);
    bench.offer(after(99, say(HERE, ANN, 5)));
    bench.offer(after(5, say(HERE, ANN, 6)));
    assert_eq!(bench.run(), [(5, Outcome::OutOfOrder), (6, Outcome::OutOfOrder)]);
}

#[test]
fn a_retry_is_looked_up_before_it_is_written() {
    let mut bench = bench();
    bench.rival(say(HERE, ANN, 1));
    bench.offer(retry(say(HERE, ANN, 1)));
    bench.offer(retry(say(HERE, ANN, 2)));
    let batch = bench.batch().unwrap();
    assert_eq!(tickets(&batch), [id(2)]);
    assert_eq!(bench.answers(), [(1, duplicate(1, false))]);
}

#[test]
fn what_a_load_found_outlives_the_recent_ids() {
    let mut bench = Bench::new(LaneLimits { recent_max: 1, ..LaneLimits::default() });
    for offer in [say(HERE, BOB, 1), say(HERE, BOB, 2), say(HERE, ANN, 3), say(HERE, ANN, 4)] {
        bench.rival(offer);
    }
    bench.rival(with(Entry::Remove(BOB), say(HERE, ANN, 5)));
    let offers = [
        retry(say(HERE, BOB, 1)),
        retry(say(HERE, BOB, 2)),
        after(3, say(HERE, ANN, 6)),
        retry(say(HERE, ANN, 4)),
    ];
    offers.into_iter().for_each(|offer| bench.offer(offer));
    let of_ann = Outcome::Committed { seq: Seq::new(6), count: 5, at_ms: 7 };
    let stored = [(1, duplicate(1, false)), (2, duplicate(2, false)), (6, of_ann), (4, duplicate(4, false))];
    assert_eq!(bench.run(), stored, "what is stored is nobody's to refuse");
}

#[test]
fn a_stale_conversation_goes_again_alone_with_its_twins_found() {
    let mut bench = bench();
    bench.offer(say(HERE, ANN, 1));
    bench.offer(say(THERE, ANN, 2));
    bench.run();
    bench.rival(say(HERE, ANN, 3));
    bench.offer(say(HERE, ANN, 3));
    bench.offer(after(3, say(HERE, ANN, 4)));
    bench.offer(say(THERE, ANN, 5));
    let batch = bench.batch().unwrap();
    let result = bench.store.append(&batch);
    assert_eq!(result, AppendResult::Written { stale: vec![HERE] });
    bench.finish(result);
    assert_eq!(bench.answers(), [(5, committed(2))]);
    assert_eq!(bench.run(), [(3, duplicate(2, false)), (4, committed(3))]);
}

#[test]
fn rivals_may_win_a_bounded_number_of_times() {
    let mut bench = Bench::new(LaneLimits { tries_max: 3, ..LaneLimits::default() });
    bench.offer(say(HERE, ANN, 1));
    bench.offer(after(1, say(HERE, ANN, 2)));
    for _ in 0..3 {
        assert_eq!(bench.answers(), []);
        bench.batch().unwrap();
        bench.finish(AppendResult::Written { stale: vec![HERE] });
    }
    let contended = Outcome::Unavailable(Unavailable::Contended);
    assert_eq!(bench.run(), [(1, contended.clone()), (2, contended)]);
}

#[test]
fn an_unmarked_duplicate_pays_and_the_rest_is_written() {
    let mut bench = bench();
    bench.rival(say(HERE, ANN, 1));
    bench.offer(say(HERE, ANN, 1));
    bench.offer(say(HERE, BOB, 2));
    assert_eq!(bench.run(), [(1, duplicate(1, true)), (2, committed(2))]);
}

/// Found by the target `lane`: it paid for a lost answer.
#[test]
fn who_was_only_in_a_batch_with_an_unmarked_duplicate_does_not_pay() {
    let mut bench = bench();
    bench.rival(say(HERE, ANN, 1));
    bench.offer(say(HERE, ANN, 1));
    bench.offer(say(HERE, BOB, 2));
    let batch = bench.batch().unwrap();
    let result = bench.store.append(&batch);
    bench.finish(result);
    let batch = bench.batch().unwrap();
    bench.store.append(&batch);
    bench.finish(AppendResult::InDoubt);
    assert_eq!(bench.run(), [(1, duplicate(1, true)), (2, duplicate(2, false))]);
}

#[test]
fn unmarked_duplicates_that_press_on_do_not_hold_up_the_others() {
    let mut bench = Bench::new(LaneLimits { tries_max: 3, ..LaneLimits::default() });
    (1..=20).for_each(|n| drop(bench.rival(say(THERE, ANN, n))));
    bench.offer(say(HERE, BOB, 100));
    for n in 1..=20 {
        bench.offer(say(THERE, ANN, n));
        let batch = bench.batch().unwrap();
        let result = bench.store.append(&batch);
        bench.finish(result);
        if bench.answers().contains(&(100, committed(1))) {
            assert!(n <= 2, "held up {n} times");
            return;
        }
    }
    panic!("never written");
}

#[test]
fn once_the_suspects_are_answered_the_others_go_at_once() {
    let mut bench = bench();
    bench.rival(say(HERE, ANN, 1));
    bench.offer(say(HERE, ANN, 1));
    let batch = bench.batch().unwrap();
    bench.offer(say(HERE, BOB, 2));
    let result = bench.store.append(&batch);
    bench.finish(result);
    bench.load();
    let batch = bench.lane.poll_append(bench.now, 7).expect("what is ready is not left to the next event");
    assert_eq!(tickets(&batch), [id(2)]);
}

#[test]
fn data_that_the_store_cannot_take_ends_alone_however_much_presses_on() {
    let mut bench = Bench::new(LaneLimits { batch_max: 8, ..LaneLimits::default() });
    for n in 1..=8 {
        bench.offer(with(if n == 3 { Entry::Poison } else { Entry::Say }, say(HERE, ANN, n)));
    }
    let mut answers = Vec::new();
    for round in 0..40 {
        bench.offer(say(THERE, BOB, 100 + round));
        let batch = bench.batch().unwrap();
        let result = bench.store.append(&batch);
        bench.finish(result);
        answers.extend(bench.answers());
    }
    answers.extend(bench.run());
    let rejected: Vec<_> = answers.iter().filter(|(_, outcome)| *outcome == Outcome::Rejected).collect();
    assert_eq!(rejected, [&(3, Outcome::Rejected)]);
    assert_eq!(bench.store.logs[&HERE].rows.len(), 7);
    assert_eq!(bench.store.logs[&THERE].rows.len(), 40);
    (200..208).for_each(|n| bench.offer(say(HERE, ANN, n)));
    assert_eq!(bench.batch().unwrap().rows.len(), 8, "the cap has grown again");
}

#[test]
fn after_a_conflict_the_head_is_read_again() {
    let mut bench = bench();
    bench.offer(say(HERE, ANN, 1));
    bench.batch().unwrap();
    bench.rival(say(HERE, BOB, 2));
    bench.finish(AppendResult::Conflict);
    assert_eq!(bench.batch().unwrap().expects[0].base, Seq::FIRST);
}

#[test]
fn in_doubt_each_id_is_looked_up_and_every_head_forgotten() {
    for written in [true, false] {
        let mut bench = bench();
        bench.offer(say(THERE, ANN, 1));
        bench.run();
        bench.offer(say(HERE, ANN, 2));
        let batch = bench.batch().unwrap();
        if written {
            bench.store.append(&batch);
        }
        bench.finish(AppendResult::InDoubt);
        bench.offer(say(THERE, BOB, 3));
        let request = bench.lane.poll_load().unwrap();
        assert_eq!(request.ids, [(ANN, id(2))]);
        let result = Ok(bench.store.load(&request));
        bench.lane.handle_loaded(bench.now, &request, result);
        assert_eq!(bench.load(), 1, "the other conversation's head is forgotten too");
        let first = if written { duplicate(1, false) } else { committed(1) };
        assert!(bench.run().contains(&(2, first)));
    }
}

#[test]
fn a_store_that_is_down_or_full_refuses_the_batch_and_those_behind_it() {
    for (result, why) in
        [(AppendResult::Down, Unavailable::StoreDown), (AppendResult::Full, Unavailable::StoreFull)]
    {
        let mut bench = Bench::new(LaneLimits { batch_max: 1, ..LaneLimits::default() });
        bench.offer(say(HERE, ANN, 1));
        bench.offer(after(1, say(HERE, ANN, 2)));
        bench.batch().unwrap();
        bench.finish(result);
        assert_eq!(bench.run(), [(1, Outcome::Unavailable(why)), (2, Outcome::OutOfOrder)]);
    }
}

#[test]
fn a_load_older_than_a_known_effect_is_not_believed() {
    let mut bench = bench();
    bench.offer(with(Entry::Remove(BOB), say(HERE, ANN, 1)));
    let snapshot_of_bob = {
        bench.offer(say(HERE, BOB, 2));
        let batch = bench.batch().unwrap();
        assert_eq!(batch.rows.len(), 1);
        let mut old = Store::default();
        old.create(HERE, &[ANN, BOB, UserId::new(3)]);
        let result = bench.store.append(&batch);
        bench.finish(result);
        old
    };
    bench.run();
    bench.offer(say(HERE, UserId::new(3), 3));
    bench.lane.poll_append(bench.now, 7);
    let request = bench.lane.poll_load().unwrap();
    let lagging = Ok(snapshot_of_bob.load(&request));
    bench.lane.handle_loaded(bench.now, &request, lagging);
    assert!(bench.lane.poll_append(bench.now, 7).is_none(), "it asks again");
    assert_eq!(bench.run(), [(3, Outcome::Refused(Refusal::NotMember))]);
}

#[test]
fn no_such_conversation_and_a_failed_load_answer_who_waited_for_it() {
    let mut bench = bench();
    bench.offer(say(ConversationId::new(77), ANN, 1));
    assert_eq!(bench.run(), [(1, Outcome::NoSuchConversation)]);
    bench.offer(say(HERE, ANN, 2));
    let request = bench.lane.poll_load().unwrap();
    bench.offer(say(HERE, ANN, 3));
    bench.lane.handle_loaded(bench.now, &request, Err(LoadFailed));
    assert_eq!(bench.run(), [(2, Outcome::Unavailable(Unavailable::StoreDown)), (3, committed(1))]);
}

#[test]
fn a_load_vouches_only_for_what_it_asked_for() {
    let mut bench = Bench::new(LaneLimits { load_entries_max: 1, ..LaneLimits::default() });
    bench.rival(say(HERE, ANN, 1));
    bench.rival(say(HERE, ANN, 2));
    bench.offer(retry(say(HERE, ANN, 1)));
    bench.offer(retry(say(HERE, ANN, 2)));
    assert_eq!(bench.run(), [(1, duplicate(1, false)), (2, duplicate(2, false))]);
}

#[test]
fn a_load_from_before_all_was_forgotten_is_void() {
    let mut bench = bench();
    bench.offer(say(HERE, ANN, 1));
    let request = bench.lane.poll_load().unwrap();
    let result = Ok(bench.store.load(&request));
    bench.lane.forget_all();
    bench.lane.handle_loaded(bench.now, &request, result);
    assert!(bench.lane.poll_append(bench.now, 7).is_none());
    assert_eq!(bench.run(), [(1, committed(1))]);
}

#[test]
fn who_came_after_the_load_is_not_told_that_there_is_no_such_conversation() {
    let new = ConversationId::new(77);
    let mut bench = bench();
    bench.offer(say(new, ANN, 1));
    let request = bench.lane.poll_load().unwrap();
    bench.store.create(new, &[ANN]);
    bench.offer(say(new, ANN, 2));
    bench.lane.handle_loaded(bench.now, &request, Ok(None));
    assert_eq!(bench.run(), [(1, Outcome::NoSuchConversation), (2, committed(1))]);
}
