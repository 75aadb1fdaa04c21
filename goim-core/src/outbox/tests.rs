use super::*;
use crate::Duration;

const C: ConversationId = ConversationId::new(1);
const D: ConversationId = ConversationId::new(2);
const MAX: usize = 1 << 20;
const NOT_NOW: SendAnswer = SendAnswer::NotNow { retry_after: None };
const OUT_OF_ORDER: SendAnswer = SendAnswer::OutOfOrder { retry_after: None };

type Test = Outbox<Vec<u8>, u8>;

fn id(n: u8) -> ClientMsgId {
    ClientMsgId::mint(1_700_000_000_000, &[n; 10])
}

/// Messages 1, 2, … to one conversation, each with its number as ticket.
fn outbox(messages: u8) -> Test {
    let mut outbox = Outbox::new(OutboxConfig::default());
    for n in 1..=messages {
        outbox.push(C, id(n), vec![n], false, n);
    }
    outbox
}

/// (id, after, retry) of all that can be sent now.
fn sends(outbox: &mut Test, now: Time) -> Vec<(ClientMsgId, Option<ClientMsgId>, bool)> {
    let sends = core::iter::from_fn(|| outbox.poll_send(now, MAX));
    sends.map(|send| (send.client_msg_id, send.after, send.retry)).collect()
}

fn answer(outbox: &mut Test, n: u8, round: u32, answer: SendAnswer) -> Answered<Vec<u8>, u8> {
    outbox.handle_answer(Time::ZERO, C, id(n), round, answer)
}

#[test]
fn g4_each_send_names_the_unanswered_one_before_it() {
    let mut outbox = outbox(3);
    let all = sends(&mut outbox, Time::ZERO);
    assert_eq!(all, [(id(1), None, false), (id(2), Some(id(1)), false), (id(3), Some(id(2)), false)]);
    for n in 1..=3 {
        let done = answer(&mut outbox, n, 0, SendAnswer::Stored);
        assert_eq!(done, Answered::Done { body: vec![n], ticket: n });
    }
    assert!(outbox.is_empty() && outbox.bytes() == 0);
    assert_eq!(answer(&mut outbox, 3, 0, SendAnswer::Stored), Answered::Stale);
}

#[test]
fn g4_a_lost_connection_sends_the_unanswered_again_in_order() {
    let mut outbox = outbox(3);
    sends(&mut outbox, Time::ZERO);
    answer(&mut outbox, 1, 0, SendAnswer::Stored);
    outbox.handle_reset();
    assert_eq!(sends(&mut outbox, Time::ZERO), [(id(2), None, true), (id(3), Some(id(2)), true)]);
}

#[test]
fn a_lost_connection_ends_all_waiting() {
    let mut outbox = outbox(2);
    sends(&mut outbox, Time::ZERO);
    answer(&mut outbox, 1, 0, NOT_NOW);
    assert_eq!(sends(&mut outbox, Time::ZERO), []);
    outbox.handle_reset();
    assert_eq!(outbox.poll_timeout(), None);
    assert_eq!(sends(&mut outbox, Time::ZERO).len(), 2);
}

#[test]
fn g4_what_may_still_succeed_is_not_overtaken() {
    let mut outbox = outbox(3);
    sends(&mut outbox, Time::ZERO);
    assert_eq!(answer(&mut outbox, 1, 0, NOT_NOW), Answered::Again);
    assert_eq!(sends(&mut outbox, Time::ZERO), []);
    assert_eq!(answer(&mut outbox, 2, 0, OUT_OF_ORDER), Answered::Stale);
    let at = outbox.poll_timeout().unwrap();
    let again = sends(&mut outbox, at);
    assert_eq!(again, [(id(1), None, true), (id(2), Some(id(1)), true), (id(3), Some(id(2)), true)]);
}

#[test]
fn g4_what_was_refused_for_good_fails_alone() {
    let mut outbox = outbox(3);
    sends(&mut outbox, Time::ZERO);
    let refused = answer(&mut outbox, 1, 0, SendAnswer::Refused);
    assert_eq!(refused, Answered::Done { body: vec![1], ticket: 1 });
    assert_eq!(answer(&mut outbox, 2, 0, OUT_OF_ORDER), Answered::Again);
    assert_eq!(sends(&mut outbox, Time::ZERO), [(id(2), None, true), (id(3), Some(id(2)), true)]);
    // The first copy's answer comes late: the second one is on its way already.
    assert_eq!(answer(&mut outbox, 3, 0, OUT_OF_ORDER), Answered::Stale);
    assert_eq!(outbox.poll_timeout(), None);
    assert_eq!(sends(&mut outbox, Time::ZERO), []);
}

/// Whoever may not send when the first copy comes may when the second one does.
#[test]
fn a_copy_that_is_under_way_again_is_not_refused_by_the_answer_to_an_earlier_one() {
    let mut outbox = outbox(2);
    sends(&mut outbox, Time::ZERO);
    answer(&mut outbox, 1, 0, OUT_OF_ORDER);
    let again = outbox.poll_send(Time::ZERO, MAX).unwrap().round;
    outbox.poll_send(Time::ZERO, MAX).unwrap();
    assert_eq!(answer(&mut outbox, 2, 0, SendAnswer::Refused), Answered::Stale);
    // What is stored is stored.
    assert_eq!(answer(&mut outbox, 1, 0, SendAnswer::Stored), Answered::Done { body: vec![1], ticket: 1 });
    assert_eq!(
        answer(&mut outbox, 2, again, SendAnswer::Refused),
        Answered::Done { body: vec![2], ticket: 2 }
    );
}

#[test]
fn g4_a_failure_counts_though_one_behind_it_failed_first() {
    let mut outbox = outbox(3);
    sends(&mut outbox, Time::ZERO);
    // The lane judged them again for one that a rival was faster than.
    answer(&mut outbox, 2, 0, OUT_OF_ORDER);
    assert_eq!(sends(&mut outbox, Time::ZERO), [(id(2), Some(id(1)), true), (id(3), Some(id(2)), true)]);
    answer(&mut outbox, 1, 0, OUT_OF_ORDER);
    let again = [(id(1), None, true), (id(2), Some(id(1)), true), (id(3), Some(id(2)), true)];
    let at = outbox.poll_timeout().unwrap();
    assert_eq!(sends(&mut outbox, at), again);
}

#[test]
fn waits_double_unless_the_server_says_and_begin_anew_after_a_success() {
    let mut outbox = outbox(2);
    let said = SendAnswer::NotNow { retry_after: Some(Duration::from_secs(60)) };
    let mut now = Time::ZERO;
    let mut waits = Vec::new();
    for failure in [NOT_NOW, OUT_OF_ORDER, NOT_NOW, said, NOT_NOW] {
        let round = outbox.poll_send(now, MAX).unwrap().round;
        assert_eq!(outbox.handle_answer(now, C, id(1), round, failure), Answered::Again);
        let at = outbox.poll_timeout().unwrap();
        waits.push(at.since(now).as_millis());
        now = at;
    }
    assert_eq!(waits, [50, 100, 200, 60_000, 800]);
    let round = outbox.poll_send(now, MAX).unwrap().round;
    outbox.poll_send(now, MAX);
    outbox.handle_answer(now, C, id(1), round, SendAnswer::Stored);
    outbox.handle_answer(now, C, id(2), round, NOT_NOW);
    assert_eq!(outbox.poll_timeout(), Some(now + OutboxConfig::default().retry_min));
}

#[test]
fn a_wait_is_never_longer_than_its_bound() {
    let config = OutboxConfig { retry_min: Duration::MAX, retry_max: Duration::MAX, ..Default::default() };
    assert_eq!(config.wait_after(NOT_NOW, u32::MAX), Some(Duration::MAX));
    let config = OutboxConfig::default();
    assert_eq!(config.wait_after(NOT_NOW, u32::MAX), Some(config.retry_max));
}

#[test]
fn one_conversation_s_wait_holds_up_no_other() {
    let mut outbox = outbox(1);
    sends(&mut outbox, Time::ZERO);
    answer(&mut outbox, 1, 0, NOT_NOW);
    outbox.push(C, id(2), vec![], false, 2);
    outbox.push(D, id(3), vec![], false, 3);
    assert_eq!(sends(&mut outbox, Time::ZERO), [(id(3), None, false)]);
    assert_eq!(sends(&mut outbox, Time::from_millis(50)), [(id(1), None, true), (id(2), Some(id(1)), false)]);
}

#[test]
fn g4_what_has_not_been_sent_yet_does_not_overtake_what_waits() {
    let mut outbox = outbox(2);
    assert!(outbox.poll_send(Time::ZERO, 100).is_some());
    answer(&mut outbox, 1, 0, NOT_NOW);
    assert_eq!(sends(&mut outbox, Time::ZERO), []);
    assert_eq!(sends(&mut outbox, Time::from_millis(50)).len(), 2);
}

#[test]
fn the_last_failure_says_how_long_to_wait() {
    let mut outbox = outbox(2);
    sends(&mut outbox, Time::ZERO);
    answer(&mut outbox, 2, 0, OUT_OF_ORDER);
    assert_eq!(outbox.poll_timeout(), Some(Time::ZERO));
    answer(&mut outbox, 1, 0, NOT_NOW);
    assert_eq!(outbox.poll_timeout(), Some(Time::from_millis(100)));
    assert_eq!(sends(&mut outbox, Time::from_millis(99)), []);
    assert_eq!(sends(&mut outbox, Time::from_millis(100)).len(), 2);
}

#[test]
fn conversations_take_turns() {
    let mut outbox = outbox(2);
    outbox.push(D, id(3), vec![], false, 3);
    let ids: Vec<_> = sends(&mut outbox, Time::ZERO).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, [id(1), id(3), id(2)]);
}

#[test]
fn g7_bytes_in_flight_are_bounded() {
    let mut outbox = outbox(3);
    assert_eq!(outbox.bytes(), 3 * 129);
    assert!(outbox.poll_send(Time::ZERO, 100).is_some());
    assert!(outbox.poll_send(Time::ZERO, 100).is_none());
    answer(&mut outbox, 1, 0, SendAnswer::Stored);
    assert_eq!(outbox.bytes(), 2 * 129);
    assert!(outbox.poll_send(Time::ZERO, 100).is_some());
    // A copy that failed is no longer in flight.
    answer(&mut outbox, 2, 0, OUT_OF_ORDER);
    assert!(outbox.poll_send(Time::ZERO, 100).is_some());
}

/// A runner that has no room to send must not be told of the past, or it never sleeps.
#[test]
fn what_has_waited_enough_wants_no_timer_while_there_is_no_room() {
    let mut outbox = outbox(1);
    sends(&mut outbox, Time::ZERO);
    answer(&mut outbox, 1, 0, NOT_NOW);
    let at = outbox.poll_timeout().unwrap();
    assert_eq!(outbox.poll_send(at, 0), None);
    assert_eq!(outbox.poll_timeout(), None);
    assert_eq!(sends(&mut outbox, at), [(id(1), None, true)]);
}

#[test]
fn draining_gives_back_what_has_met_no_fate() {
    let mut outbox = outbox(3);
    sends(&mut outbox, Time::ZERO);
    answer(&mut outbox, 1, 0, SendAnswer::Stored);
    answer(&mut outbox, 2, 0, NOT_NOW);
    outbox.push(D, id(4), vec![], false, 4);
    let mut tickets: Vec<_> = outbox.drain().collect();
    assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.poll_timeout().is_none());
    tickets.sort_unstable();
    assert_eq!(tickets, [2, 3, 4]);
    outbox.push(D, id(5), vec![], false, 5);
    outbox.push(C, id(6), vec![], false, 6);
    assert_eq!(sends(&mut outbox, Time::ZERO), [(id(5), None, false), (id(6), None, false)]);
}
