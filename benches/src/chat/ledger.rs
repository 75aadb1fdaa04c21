//! How far messages are: sent, acknowledged, handed over, committed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use goim_client::{Seq, UserId};
use goim_core::hash::IdMap;

/// How far a sender's messages are; they are in order.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Of those that were due, sent too late for their figures to be true.
    pub(super) late: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) acked: AtomicU64,
    /// The seq of the last one that is.
    pub(super) through: AtomicU64,
}

/// Of everybody who sends.
pub(super) type Senders = IdMap<UserId, Progress>;

/// What a reader was handed. Only what has not gone all the way yet is kept.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Messages of others that were handed over.
    pub(super) handled: u64,
    /// Of these, those that were acknowledged, and their offset committed.
    settled: u64,
    /// The rest, by ascending seq, and who sent them.
    open: VecDeque<(Seq, UserId)>,
}

impl Ledger {
    /// Takes what was handed over; whether it is time to settle.
    pub(super) fn add(&mut self, seq: Seq, sender: UserId) -> bool {
        const SETTLE_EVERY: usize = 1_024;
        self.handled += 1;
        self.open.push_back((seq, sender));
        self.open.len().is_multiple_of(SETTLE_EVERY)
    }

    /// Forgets the first of what has gone all the way, with the reader's offset committed up to there.
    pub(super) fn settle(&mut self, committed: Seq, senders: &Senders) {
        while self.open.front().is_some_and(|one| is_whole(one, committed, senders)) {
            self.open.pop_front();
            self.settled += 1;
        }
    }

    /// How many have gone all the way: in a group one sender's acknowledgement may come after those of
    /// others behind him.
    pub(super) fn delivered(&self, committed: Seq, senders: &Senders) -> u64 {
        let whole = self.open.iter().filter(|one| is_whole(one, committed, senders));
        self.settled + whole.count() as u64
    }
}

fn is_whole((seq, sender): &(Seq, UserId), committed: Seq, senders: &Senders) -> bool {
    let through = senders.get(sender).map(|sender| sender.through.load(Ordering::Acquire));
    *seq <= committed && through.is_some_and(|through| seq.as_u64() <= through)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acknowledged_and_committed_has_gone_all_the_way_once() {
        let (one, other) = (UserId::new(1), UserId::new(2));
        let senders: Senders = [one, other].map(|user| (user, Progress::default())).into_iter().collect();
        let acked = |sender: UserId, seq| senders[&sender].through.store(seq, Ordering::Release);
        let mut ledger = Ledger::default();
        let delivered = |ledger: &mut Ledger, committed| {
            let before = ledger.delivered(Seq::new(committed), &senders);
            ledger.settle(Seq::new(committed), &senders);
            assert_eq!(ledger.delivered(Seq::new(committed), &senders), before, "what is forgotten counts");
            before
        };
        for (seq, sender) in [(1, one), (2, other), (3, one), (4, other)] {
            ledger.add(Seq::new(seq), sender);
        }
        assert_eq!(delivered(&mut ledger, 4), 0, "nothing is acknowledged");
        acked(other, 4);
        assert_eq!(delivered(&mut ledger, 3), 1, "one behind what is not");
        acked(one, 1);
        assert_eq!(delivered(&mut ledger, 3), 2);
        assert_eq!(delivered(&mut ledger, 4), 3);
        acked(one, 3);
        assert_eq!(delivered(&mut ledger, 4), 4);
        assert_eq!((ledger.handled, ledger.open.len()), (4, 0), "nothing is kept");
    }
}
