//! Nothing allocates once a connection has seen its fullest moment.

use allocation_counter::measure;
use goim_core::ack_queue::Expired;
use goim_core::{
    AckQueue, AckQueueConfig, ConversationId, Duration, Notifier, NotifierConfig, RttConfig, Seq, Time,
};

const WINDOW: u64 = 64;
const WINDOW_SLOTS: usize = 64;

/// Fills the window, lets a third expire, and acknowledges everything.
fn queue_round(queue: &mut AckQueue<u64>, now: &mut Time) {
    let mut ids = [None; WINDOW_SLOTS];
    for (n, id) in (0..WINDOW).zip(&mut ids) {
        *id = if n % 4 == 0 { queue.push_ordered(*now, n) } else { queue.push(*now, n) }.ok();
    }
    assert!(queue.push(*now, 0).is_err());
    for id in ids.iter().step_by(3).flatten() {
        queue.ack(*now, *id);
    }
    while let Some(at) = queue.poll_timeout() {
        *now = at;
        while let Some(Expired::Retransmit { .. } | Expired::GivenUp { .. }) = queue.expired(*now) {}
    }
    if let Some(last) = ids.iter().flatten().next_back() {
        queue.ack_through(*last, |_, _| {});
    }
    assert!(queue.is_empty());
}

#[test]
fn an_ack_queue_allocates_nothing_in_steady_state() {
    let config = AckQueueConfig { window: WINDOW_SLOTS, retries_max: 2, rtt: RttConfig::default() };
    let (mut queue, mut now) = (AckQueue::new(config), Time::ZERO);
    let first = measure(|| queue_round(&mut queue, &mut now));
    assert!(first.count_total > 0, "the counter counts");
    let steady = measure(|| (0..100).for_each(|_| queue_round(&mut queue, &mut now)));
    assert_eq!(steady.count_total, 0, "{steady:?}");
}

/// Every conversation gets news; two thirds of it are acknowledged at once, the rest only after a
/// retransmission.
fn notifier_round(notifier: &mut Notifier, now: &mut Time, round: u64) {
    for n in 1..=WINDOW {
        notifier.mark(ConversationId::new(n), Seq::new(round), Seq::ZERO);
    }
    let mut acked = [false; WINDOW_SLOTS + 1];
    while !notifier.is_idle() {
        while let Some(announce) = notifier.poll_announce(*now) {
            notifier.announced(announce.id, announce.head);
            let n = announce.conversation.as_u64();
            let slot = &mut acked[usize::try_from(n).unwrap_or(0)];
            if n % 3 > 0 || *slot {
                notifier.handle_ack(*now, announce.conversation, announce.head);
            }
            *slot = true;
        }
        *now = notifier.poll_timeout().unwrap_or(*now + Duration::from_millis(1));
    }
    notifier.sent_through(ConversationId::new(1), Seq::new(round));
}

#[test]
fn a_notifier_allocates_nothing_in_steady_state() {
    for datagrams in [true, false] {
        let mut notifier = Notifier::new(NotifierConfig { datagrams, ..NotifierConfig::default() });
        let mut now = Time::ZERO;
        if datagrams {
            notifier_round(&mut notifier, &mut now, 1);
            let rounds = || (2..100).for_each(|round| notifier_round(&mut notifier, &mut now, round));
            assert_eq!(measure(rounds).count_total, 0);
        } else {
            let mut round = |round: u64| {
                for n in 1..=WINDOW {
                    notifier.mark(ConversationId::new(n), Seq::new(round), Seq::ZERO);
                }
                while let Some(announce) = notifier.poll_announce(now) {
                    notifier.handle_ack(now, announce.conversation, announce.head);
                }
            };
            round(1);
            assert_eq!(measure(|| (2..100).for_each(round)).count_total, 0);
        }
    }
}
