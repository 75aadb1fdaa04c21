//! The model of an `AckQueue`: an unordered heap of facts; every question is answered by looking
//! at all of them.

use goim_core::ack_queue::{AckId, Expired};
use goim_core::{AckQueue, AckQueueConfig, Duration, Rtt, RttConfig, Time};

use crate::Input;

/// Runs a list of operations.
///
/// # Panics
///
/// Where queue and model differ.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while let Some(dice) = input.dice(24) {
        world.step(dice, &mut input);
        world.check();
    }
}

#[derive(Clone, Copy)]
struct Held {
    id: AckId,
    item: u32,
    sent: Time,
    /// `None` is ordered.
    retries: Option<u32>,
}

struct World {
    queue: AckQueue<u32>,
    window: usize,
    retries_max: u32,
    now: Time,
    items: Vec<Held>,
    ids: Vec<AckId>,
    pushes: u32,
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let (window, retries_max) = (input.below(12), u32::try_from(input.below(9)).unwrap());
        let config = AckQueueConfig { window, retries_max, rtt: RttConfig::default() };
        Self {
            queue: AckQueue::new(config),
            window,
            retries_max: retries_max.min(goim_core::ack_queue::RETRIES_MAX),
            now: Time::ZERO,
            items: Vec::new(),
            ids: Vec::new(),
            pushes: 0,
        }
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        match dice {
            0..=5 => self.push(true),
            6..=7 => self.push(false),
            8..=12 => self.ack(input),
            13 => self.ack_through(input),
            14 => self.remove(input),
            15 => self.restart(input),
            16 => self.now = Time::from_micros(self.now.as_micros().saturating_sub(input.between(0, 90_000))),
            17 => {
                // Exactly when something is due.
                self.now = self.queue.poll_timeout().unwrap_or(self.now).max(self.now);
                self.expire();
            }
            _ => {
                self.now += Duration::from_micros(input.between(0, 600_000));
                self.expire();
            }
        }
    }

    fn find(&self, id: AckId) -> Option<usize> {
        self.items.iter().position(|held| held.id == id)
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<AckId> {
        let back = input.below(40);
        (!self.ids.is_empty()).then(|| self.ids[self.ids.len() - 1 - back % self.ids.len()])
    }

    /// When something sent now counts as sent: not before the last one that was sent as often.
    fn sent(&self, retries: Option<u32>) -> Time {
        let alike = self.items.iter().filter(|held| held.retries == retries);
        alike.map(|held| held.sent).max().map_or(self.now, |last| last.max(self.now))
    }

    fn deadline(held: &Held, rtt: &Rtt) -> Option<Time> {
        Some(held.sent + rtt.timeout_after(held.retries?))
    }

    fn next_deadline(&self) -> Option<Time> {
        self.items.iter().filter_map(|held| Self::deadline(held, self.queue.rtt())).min()
    }

    fn push(&mut self, timed: bool) {
        self.pushes += 1;
        let (item, retries) = (self.pushes, timed.then_some(0));
        let pushed =
            if timed { self.queue.push(self.now, item) } else { self.queue.push_ordered(self.now, item) };
        let Ok(id) = pushed else {
            assert_eq!(pushed.unwrap_err().0, item);
            assert!(self.items.len() >= self.window, "refused with room");
            return;
        };
        assert!(self.items.len() < self.window, "over its window");
        assert!(self.ids.last().is_none_or(|last| *last < id), "ids grow");
        self.ids.push(id);
        self.items.push(Held { id, item, sent: self.sent(retries), retries });
    }

    /// Karn's rule: only what was sent once is a sample.
    fn ack(&mut self, input: &mut Input<'_>) {
        let Some(id) = self.pick(input) else { return };
        let held = self.find(id).map(|at| self.items.remove(at));
        let mut rtt = self.queue.rtt().clone();
        assert_eq!(self.queue.ack(self.now, id), held.map(|held| held.item));
        let after = self.queue.rtt();
        let elapsed = held.map_or(Duration::ZERO, |held| self.now.since(held.sent));
        match held.and_then(|held| held.retries) {
            Some(0) => {
                rtt.sample(elapsed);
                assert_eq!(after.timeout(), rtt.timeout());
            }
            Some(_) => {
                let held_up = (elapsed * 2).min(RttConfig::default().cap);
                assert!(after.timeout() >= rtt.timeout().max(held_up), "not held up");
            }
            None => assert_eq!(after.timeout(), rtt.timeout()),
        }
        assert_eq!(after.smoothed(), rtt.smoothed());
    }

    fn remove(&mut self, input: &mut Input<'_>) {
        let Some(id) = self.pick(input) else { return };
        let expected = self.find(id).map(|at| self.items.remove(at).item);
        let before = self.queue.rtt().timeout();
        assert_eq!(self.queue.remove(id), expected);
        assert_eq!(self.queue.rtt().timeout(), before);
    }

    fn ack_through(&mut self, input: &mut Input<'_>) {
        let Some(id) = self.pick(input) else { return };
        let gone = |held: &Held| held.retries.is_none() && held.id <= id;
        let expected: Vec<_> = self.items.iter().filter(|h| gone(h)).map(|h| (h.id, h.item)).collect();
        self.items.retain(|held| !gone(held));
        let mut got = Vec::new();
        assert_eq!(self.queue.ack_through(id, |id, item| got.push((id, item))), expected.len());
        assert_eq!(got, expected);
    }

    fn restart(&mut self, input: &mut Input<'_>) {
        let Some(id) = self.pick(input) else { return };
        let at = self.find(id);
        assert_eq!(self.queue.restart(self.now, id), at.is_some());
        if let Some(mut held) = at.map(|at| self.items[at]).filter(|held| held.retries.is_some()) {
            self.items.retain(|other| other.id != id);
            (held.sent, held.retries) = (self.sent(Some(0)), Some(0));
            self.items.push(held);
        }
    }

    /// Everything due comes out, the longest overdue first.
    fn expire(&mut self) {
        loop {
            let due = self.next_deadline().filter(|deadline| *deadline <= self.now);
            let rtt = self.queue.rtt().clone();
            let (id, again) = match self.queue.expired(self.now) {
                None => return assert_eq!(due, None, "overdue"),
                Some(Expired::GivenUp { id, item }) => (id, (item, self.retries_max + 1)),
                Some(Expired::Retransmit { id, item, retries }) => (id, (*item, retries)),
            };
            let at = self.find(id).expect("it was in the window");
            let mut held = self.items.remove(at);
            let retries = held.retries.expect("ordered items do not expire") + 1;
            assert_eq!((again, due), ((held.item, retries), Self::deadline(&held, &rtt)));
            if retries <= self.retries_max {
                (held.sent, held.retries) = (self.sent(Some(retries)), Some(retries));
                self.items.push(held);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.queue.len(), self.items.len());
        assert_eq!(self.queue.is_empty(), self.items.is_empty());
        assert_eq!(self.queue.is_full(), self.items.len() >= self.window);
        assert_eq!(self.queue.poll_timeout(), self.next_deadline());
        for held in &self.items {
            assert_eq!(
                (self.queue.item(held.id), self.queue.retries(held.id)),
                (Some(&held.item), held.retries)
            );
        }
    }
}
