//! How much may wait, how long, and what ends a wait.

use goim_core::lane::{AppendResult, LaneLimits, Offer, Outcome, Unavailable};
use goim_core::{ConversationId, Epoch, Time};

use crate::bench::{ANN, BOB, Bench, HERE, THERE, after, bench, committed, say};

const NEXT: Epoch = Epoch::new(2);

#[test]
fn what_waited_too_long_is_refused_but_never_before_what_is_in_flight() {
    let mut bench = Bench::new(LaneLimits { batch_max: 1, ..LaneLimits::default() });
    bench.offer(say(HERE, ANN, 1));
    bench.offer(after(1, say(HERE, ANN, 2)));
    let batch = bench.batch().unwrap();
    bench.now = Time::from_millis(10_000);
    assert_eq!(bench.lane.poll_timeout(), Some(bench.now));
    bench.lane.handle_timeout(bench.now);
    assert_eq!(bench.answers(), []);
    let result = bench.store.append(&batch);
    bench.now = bench.lane.poll_timeout().unwrap();
    bench.finish(result);
    assert_eq!(bench.answers(), [(1, committed(1)), (2, Outcome::Unavailable(Unavailable::WaitedTooLong))]);
}

/// A copy of what was acknowledged and lost must not come back behind later ones of its sender.
#[test]
fn what_was_offered_before_the_store_went_back_is_refused_for_now() {
    let went_back = Outcome::Unavailable(Unavailable::StoreWentBack);
    for result in [AppendResult::Written { stale: Vec::new() }, AppendResult::InDoubt, AppendResult::Conflict]
    {
        let mut bench = Bench::new(LaneLimits { batch_max: 1, ..LaneLimits::default() });
        bench.offer(say(HERE, ANN, 1));
        bench.offer(say(HERE, BOB, 2));
        bench.batch().unwrap();
        bench.offer(say(THERE, ANN, 3));
        bench.lane.handle_new_epoch(NEXT);
        assert_eq!(bench.answers(), [(3, went_back.clone())], "nothing is answered past what is in flight");
        bench.offer(Offer { epoch: NEXT, ..say(HERE, BOB, 4) });
        bench.lane.handle_new_epoch(NEXT);
        bench.finish(result);
        assert_eq!(bench.answers(), [(1, went_back.clone()), (2, went_back.clone())]);
        assert!(bench.lane.poll_committed().is_none());
        assert_eq!(bench.run(), [(4, committed(1))]);
    }
}

/// It waited outside of the lane meanwhile, or in a connection that nobody read.
#[test]
fn what_was_sent_before_the_store_went_back_is_refused_for_now_however_late_it_is_offered() {
    let mut bench = bench();
    bench.lane.handle_new_epoch(NEXT);
    bench.offer(Offer { epoch: NEXT, ..say(HERE, ANN, 2) });
    bench.offer(say(HERE, ANN, 1));
    let went_back = Outcome::Unavailable(Unavailable::StoreWentBack);
    assert_eq!(bench.run(), [(2, committed(1)), (1, went_back)]);
}

/// Its timer may be late, and what was handed back by a full lane has waited already.
#[test]
fn what_has_waited_too_long_when_it_is_offered_is_not_written() {
    let mut bench = bench();
    let wait_max = LaneLimits::default().wait_max;
    bench.now = Time::ZERO + wait_max / 2;
    bench.offer(say(THERE, ANN, 1));
    bench.lane.offer(Time::ZERO, say(HERE, ANN, 2)).unwrap();
    assert_eq!(bench.lane.poll_timeout(), Some(Time::ZERO + wait_max));
    bench.now = Time::ZERO + wait_max;
    assert_eq!(bench.run(), [(2, Outcome::Unavailable(Unavailable::WaitedTooLong)), (1, committed(1))]);
}

#[test]
fn the_wait_of_an_offer_counts_from_its_arrival() {
    let mut bench = bench();
    bench.now = Time::from_millis(3_000);
    bench.lane.offer(Time::ZERO, say(HERE, ANN, 1)).unwrap();
    bench.offer(say(HERE, ANN, 2));
    bench.now = bench.lane.poll_timeout().unwrap();
    assert_eq!(bench.now, Time::ZERO + LaneLimits::default().wait_max);
    bench.lane.handle_timeout(bench.now);
    assert_eq!(bench.answers(), [(1, Outcome::Unavailable(Unavailable::WaitedTooLong))]);
}

#[test]
fn a_full_lane_hands_the_offer_back() {
    let mut bench = Bench::new(LaneLimits { waiting_max: 2, ..LaneLimits::default() });
    bench.offer(say(HERE, ANN, 1));
    bench.offer(say(HERE, ANN, 1));
    let back = bench.lane.offer(bench.now, say(HERE, ANN, 2)).unwrap_err();
    assert_eq!(back.ticket, 2);
    bench.run();
    bench.offer(back);
    let mut bytes = Bench::new(LaneLimits { waiting_bytes_max: 150, ..LaneLimits::default() });
    bytes.offer(say(HERE, ANN, 1));
    assert!(bytes.lane.offer(bytes.now, say(HERE, ANN, 2)).is_err(), "bytes are bounded too");
}

#[test]
fn a_batch_ends_at_its_bytes() {
    let mut bench = Bench::new(LaneLimits { batch_bytes_max: 200, ..LaneLimits::default() });
    (1..=3).for_each(|n| bench.offer(say(HERE, ANN, n)));
    assert_eq!(bench.batch().unwrap().rows.len(), 2, "of a hundred bytes each");
}

#[test]
fn bytes_that_wait_are_given_back_with_every_answer() {
    for result in [AppendResult::Down, AppendResult::Full, AppendResult::Data] {
        let limits = LaneLimits { waiting_bytes_max: 200, batch_max: 1, ..LaneLimits::default() };
        let mut bench = Bench::new(limits);
        for n in 0..4 {
            bench.offer(say(HERE, ANN, 2 * n + 1));
            bench.offer(say(HERE, ANN, 2 * n + 2));
            assert!(bench.lane.offer(bench.now, say(HERE, ANN, 100)).is_err(), "{result:?}, round {n}");
            bench.batch().unwrap();
            bench.finish(result.clone());
            assert_eq!(bench.run().len(), 2);
        }
    }
}

#[test]
fn all_that_waits_behind_a_batch_of_the_old_epoch_is_refused_with_it() {
    let mut bench = Bench::new(LaneLimits { batch_max: 2, ..LaneLimits::default() });
    for n in [1, 3] {
        bench.offer(say(HERE, ANN, n));
        bench.offer(say(THERE, ANN, n + 1));
    }
    assert_eq!(bench.batch().unwrap().expects.len(), 2);
    bench.lane.handle_new_epoch(NEXT);
    bench.finish(AppendResult::InDoubt);
    let went_back = |(_, outcome): &(u64, _)| *outcome == Outcome::Unavailable(Unavailable::StoreWentBack);
    let answers = bench.answers();
    assert!(answers.len() == 4 && answers.iter().all(went_back), "{answers:?}");
}

#[test]
fn what_waits_behind_a_batch_is_looked_at_soon_though_others_wait_longer() {
    let mut bench = Bench::new(LaneLimits { batch_max: 1, ..LaneLimits::default() });
    let wait_max = LaneLimits::default().wait_max;
    bench.offer(say(HERE, ANN, 1));
    bench.batch().unwrap();
    bench.offer(say(HERE, ANN, 2));
    bench.now = Time::ZERO + wait_max;
    bench.offer(say(THERE, ANN, 3));
    bench.lane.handle_timeout(bench.now);
    assert_eq!(bench.lane.poll_timeout(), Some(bench.now + wait_max / 8));
}

/// As when a process stood still: its timer is handled before the answer that has come meanwhile.
#[test]
fn nothing_that_waited_too_long_goes_with_the_next_batch() {
    for stale in [false, true] {
        let mut bench = Bench::new(LaneLimits { batch_max: 1, ..LaneLimits::default() });
        bench.offer(say(HERE, ANN, 1));
        bench.offer(say(HERE, ANN, 2));
        let batch = bench.batch().unwrap();
        if stale {
            bench.rival(say(HERE, BOB, 3));
        }
        let result = bench.store.append(&batch);
        drop(batch);
        bench.now = Time::ZERO + LaneLimits::default().wait_max;
        bench.lane.handle_timeout(bench.now);
        bench.finish(result);
        let overdue = || Outcome::Unavailable(Unavailable::WaitedTooLong);
        let first = if stale { overdue() } else { committed(1) };
        assert_eq!(bench.run(), [(1, first), (2, overdue())]);
    }
}

/// The store answers neither its load nor its batch.
#[test]
fn g7_conversations_whose_sends_waited_too_long_are_forgotten_though_the_store_stands_still() {
    let limits = LaneLimits { conversations_max: 4, loads_max: 1, batch_max: 1, ..LaneLimits::default() };
    for batch_is_out in [false, true] {
        let mut bench = Bench::new(limits);
        if batch_is_out {
            bench.offer(say(HERE, ANN, 1));
            bench.batch().unwrap();
        }
        for n in 10..200 {
            let somewhere = ConversationId::new(n);
            bench.store.create(somewhere, &[ANN]);
            bench.offer(say(somewhere, ANN, n));
            if batch_is_out {
                bench.load();
            } else {
                let _ = bench.lane.poll_load();
            }
            bench.now += limits.wait_max;
            bench.lane.handle_timeout(bench.now);
            assert_eq!(bench.answers(), [(n, Outcome::Unavailable(Unavailable::WaitedTooLong))]);
            // One may be loading, the last one came behind the look, and an eighth may be a round late.
            let most = limits.conversations_max + 3;
            assert!(bench.lane.conversations() <= most, "{} remembered", bench.lane.conversations());
        }
    }
}
