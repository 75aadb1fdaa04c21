use super::*;
use proptest::prelude::*;

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

#[derive(Debug, Clone)]
enum Op {
    Push,
    PushOrdered,
    Ack(usize),
    AckThrough(usize),
    Remove(usize),
    Restart(usize),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Push),
        2 => Just(Op::PushOrdered),
        4 => (0usize..40).prop_map(Op::Ack),
        1 => (0usize..40).prop_map(Op::AckThrough),
        1 => (0usize..40).prop_map(Op::Remove),
        1 => (0usize..40).prop_map(Op::Restart),
        4 => (0u64..600_000).prop_map(Op::Wait),
    ]
}

/// An unordered heap of facts; every question is answered by looking at all of them.
#[derive(Default)]
struct Model {
    items: Vec<Held>,
    ids: Vec<AckId>,
}

#[derive(Clone, Copy)]
struct Held {
    id: AckId,
    item: u32,
    sent: Time,
    /// `None` is ordered.
    retries: Option<u32>,
}

impl Model {
    fn find(&self, id: AckId) -> Option<usize> {
        self.items.iter().position(|held| held.id == id)
    }

    fn pick(&self, n: usize) -> Option<AckId> {
        (!self.ids.is_empty()).then(|| self.ids[n % self.ids.len()])
    }

    fn next_deadline(&self, rtt: &Rtt) -> Option<Time> {
        self.items.iter().filter_map(|held| Some(held.sent + rtt.timeout_after(held.retries?))).min()
    }

    fn push(&mut self, id: AckId, item: u32, sent: Time, retries: Option<u32>) {
        assert!(self.ids.last().is_none_or(|last| *last < id), "ids grow");
        self.ids.push(id);
        self.items.push(Held { id, item, sent, retries });
    }

    fn check_expired(&mut self, now: Time, queue: &mut AckQueue<u32>, retries_max: u32) {
        loop {
            let due = self.next_deadline(queue.rtt()).filter(|deadline| *deadline <= now);
            let rtt = queue.rtt().clone();
            let deadline = |held: &Held| held.retries.map(|n| held.sent + rtt.timeout_after(n));
            match queue.expired(now) {
                None => return assert_eq!(due, None),
                Some(Expired::GivenUp { id, item }) => {
                    let held = self.items.remove(self.find(id).unwrap());
                    assert_eq!((held.item, held.retries, deadline(&held)), (item, Some(retries_max), due));
                }
                Some(Expired::Retransmit { id, retries, item }) => {
                    let at = self.find(id).unwrap();
                    let held = &mut self.items[at];
                    assert_eq!((held.item, held.retries, deadline(held)), (*item, Some(retries - 1), due));
                    assert!(retries <= retries_max);
                    (held.sent, held.retries) = (now, Some(retries));
                }
            }
        }
    }
}

fn step(op: &Op, now: &mut Time, n: u32, queue: &mut AckQueue<u32>, model: &mut Model, limits: (usize, u32)) {
    let full = model.items.len() >= limits.0;
    match *op {
        Op::Push => match queue.push(*now, n) {
            Ok(id) => model.push(id, n, *now, Some(0)),
            Err(back) => assert!(full && back.0 == n),
        },
        Op::PushOrdered => match queue.push_ordered(*now, n) {
            Ok(id) => model.push(id, n, *now, None),
            Err(back) => assert!(full && back.0 == n),
        },
        Op::Ack(pick) | Op::Remove(pick) => {
            let Some(id) = model.pick(pick) else { return };
            let expected = model.find(id).map(|at| model.items.remove(at).item);
            let got = if matches!(op, Op::Ack(_)) { queue.ack(*now, id) } else { queue.remove(id) };
            assert_eq!(got, expected);
        }
        Op::AckThrough(pick) => {
            let Some(id) = model.pick(pick) else { return };
            let gone = |held: &Held| held.retries.is_none() && held.id <= id;
            let expected: Vec<_> = model.items.iter().filter(|h| gone(h)).map(|h| (h.id, h.item)).collect();
            model.items.retain(|held| !gone(held));
            let mut got = Vec::new();
            assert_eq!(queue.ack_through(id, |id, item| got.push((id, item))), expected.len());
            assert_eq!(got, expected);
        }
        Op::Restart(pick) => {
            let Some(id) = model.pick(pick) else { return };
            let at = model.find(id);
            assert_eq!(queue.restart(*now, id), at.is_some());
            if let Some(held) = at.map(|at| &mut model.items[at]).filter(|held| held.retries.is_some()) {
                (held.sent, held.retries) = (*now, Some(0));
            }
        }
        Op::Wait(us) => {
            *now += Duration::from_micros(us);
            model.check_expired(*now, queue, limits.1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn behaves_like_a_plain_list(
        window in 1usize..12, retries_max in 0u32..5, ops in prop::collection::vec(op(), 1..120),
    ) {
        let (mut queue, mut model, mut now) = (queue(window, retries_max), Model::default(), Time::ZERO);
        for (n, op) in (0u32..).zip(&ops) {
            step(op, &mut now, n, &mut queue, &mut model, (window, retries_max));
            prop_assert_eq!(queue.len(), model.items.len());
            prop_assert_eq!(queue.poll_timeout(), model.next_deadline(queue.rtt()));
            for held in &model.items {
                prop_assert_eq!((queue.item(held.id), queue.retries(held.id)), (Some(&held.item), held.retries));
            }
        }
    }
}
