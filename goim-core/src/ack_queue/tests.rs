use super::*;

const fn ms(n: u64) -> Time {
    Time::from_millis(n)
}

fn queue(window: usize, retries_max: u32) -> AckQueue<u32> {
    AckQueue::new(AckQueueConfig { window, retries_max, rtt: RttConfig::default() })
}

#[test]
fn an_ack_removes_its_item_once_and_is_a_sample() {
    let mut queue = queue(4, 3);
    let id = queue.push(ms(0), 7).unwrap();
    assert_eq!(queue.poll_timeout(), Some(ms(400)));
    assert_eq!(queue.ack(ms(20), id), Some(7));
    assert_eq!(queue.ack(ms(21), id), None);
    assert_eq!(queue.rtt().smoothed(), Some(Duration::from_millis(20)));
    assert!(queue.is_empty() && queue.poll_timeout().is_none());
}

#[test]
fn a_full_window_refuses_and_gives_the_item_back() {
    let mut queue = queue(2, 3);
    let first = queue.push(ms(0), 1).unwrap();
    queue.push_ordered(ms(0), 2).unwrap();
    assert_eq!(queue.push(ms(0), 3), Err(WindowFull(3)));
    queue.ack(ms(1), first);
    assert!(queue.push(ms(1), 3).is_ok() && queue.is_full());
}

#[test]
fn an_id_of_a_reused_slot_is_stale() {
    let mut queue = queue(1, 3);
    let old = queue.push(ms(0), 1).unwrap();
    queue.ack(ms(1), old);
    let new = queue.push(ms(1), 2).unwrap();
    assert!(new > old);
    assert_eq!((queue.ack(ms(2), old), queue.item(new)), (None, Some(&2)));
}

#[test]
fn an_unanswered_item_backs_off_and_is_given_up() {
    let mut queue = queue(4, 2);
    let id = queue.push(ms(0), 7).unwrap();
    assert_eq!(queue.expired(ms(399)), None);
    assert_eq!(queue.expired(ms(400)), Some(Expired::Retransmit { id, retries: 1, item: &mut 7 }));
    assert_eq!(queue.expired(ms(400)), None);
    assert_eq!(queue.expired(ms(1200)), Some(Expired::Retransmit { id, retries: 2, item: &mut 7 }));
    assert_eq!(queue.expired(ms(2799)), None);
    assert_eq!(queue.expired(ms(2800)), Some(Expired::GivenUp { id, item: 7 }));
    assert!(queue.is_empty());
}

#[test]
fn a_retransmitted_item_gives_no_sample_but_holds_the_timeout_up() {
    let mut queue = queue(4, 3);
    for n in 0..100 {
        let id = queue.push(ms(n), 0).unwrap();
        queue.ack(ms(n + 1), id);
    }
    let smoothed = queue.rtt().smoothed();
    let id = queue.push(ms(1000), 7).unwrap();
    assert!(queue.expired(ms(1050)).is_some() && queue.expired(ms(1150)).is_some());
    queue.ack(ms(1200), id);
    assert_eq!(queue.rtt().smoothed(), smoothed);
    // Sent first at 1000, answered at 1200: twice that until something is measured.
    assert_eq!(queue.rtt().timeout(), Duration::from_millis(400));
}

#[test]
fn ordered_items_have_no_timer_and_go_together() {
    let mut queue = queue(8, 3);
    let timed = queue.push(ms(0), 0).unwrap();
    let ids: Vec<_> = (1..=4).map(|n| queue.push_ordered(ms(0), n).unwrap()).collect();
    queue.ack(ms(1), timed);
    assert_eq!((queue.poll_timeout(), queue.retries(ids[0])), (None, None));
    let mut acked = Vec::new();
    assert_eq!(queue.ack_through(ids[2], |_, item| acked.push(item)), 3);
    assert_eq!(queue.ack_through(ids[1], |_, item| acked.push(item)), 0);
    assert_eq!((acked, queue.len()), (vec![1, 2, 3], 1));
}

#[test]
fn a_clock_that_runs_backwards_does_not_break_the_order() {
    let mut queue = queue(4, 3);
    let early = queue.push(ms(100), 1).unwrap();
    let late = queue.push(ms(50), 2).unwrap();
    assert_eq!(queue.poll_timeout(), Some(ms(500)));
    queue.remove(early);
    assert_eq!(queue.poll_timeout(), Some(ms(500)));
    assert_eq!(queue.ack(ms(0), late), Some(2));
}
