//! What has to hold, apart from what makes it hard.

use goim_core::lane::{Answer, Lane, Outcome};

use super::rules::{Entry, Refusal};
use super::world::{Sent, Ticket, World};

impl World<'_> {
    pub(super) fn drain(&mut self, lane: usize) {
        while let Some(answer) = self.lanes[lane].poll_answer() {
            self.check(&answer);
        }
        while let Some(entry) = self.lanes[lane].poll_committed() {
            let (seq, row) =
                self.store.logs[&entry.conversation].place(entry.sender, entry.client_msg_id).unwrap();
            assert_eq!((seq, row.count, row.at_ms), (entry.seq.as_u64(), entry.count, entry.at_ms));
            assert_eq!((row.device, row.entry), (entry.device, entry.entry));
            assert!(self.published.insert((entry.conversation, seq)), "published twice");
        }
    }

    fn check(&mut self, answer: &Answer<Refusal, Ticket>) {
        let Sent { device, conversation, client_msg_id, entry, lane, step, connection, retry, is_copy } =
            self.sent[answer.ticket];
        let user = self.devices[device].user;
        self.pending.remove(&(lane, conversation, user, client_msg_id));
        let log = &self.store.logs[&conversation];
        let is_final = match answer.outcome {
            Outcome::Committed { seq, count, at_ms } | Outcome::Duplicate { seq, count, at_ms, .. } => {
                let (place, row) = log.place(user, client_msg_id).expect("answered but not stored");
                assert_eq!((place, row.count, row.at_ms), (seq.as_u64(), count, at_ms));
                if let Outcome::Duplicate { unmarked, .. } = answer.outcome {
                    assert!(!(unmarked && retry), "a marked retry is not to pay");
                    let offers = self.sent.iter().filter(|sent| sent.client_msg_id == client_msg_id);
                    assert!(!unmarked || offers.count() > 1, "it came once, and is to pay");
                } else {
                    let key = (conversation, user, client_msg_id);
                    assert!(self.committed.insert(key), "committed twice");
                }
                true
            }
            Outcome::Refused(_) => {
                assert!(!log.allowed_since(user, step), "refused although allowed all the while");
                self.refused.insert(client_msg_id);
                true
            }
            Outcome::Rejected => {
                assert_eq!(entry, Entry::Poison, "an innocent was rejected");
                self.refused.insert(client_msg_id);
                true
            }
            Outcome::NoSuchConversation => panic!("it exists"),
            Outcome::OutOfOrder => false,
            Outcome::Unavailable(_) => {
                self.unavailable += 1;
                false
            }
        };
        if connection != self.devices[device].connection {
            return;
        }
        let outbox = self.outboxes.get_mut(&(device, conversation)).unwrap();
        // A second copy is answered with the first, which may have come before what it follows.
        let place = outbox.outstanding.iter().position(|ticket| *ticket == answer.ticket).unwrap();
        assert!(place == 0 || is_copy, "answers out of order");
        outbox.outstanding.remove(place);
        if is_final {
            let index = outbox.messages.iter().position(|(id, ..)| *id == client_msg_id).unwrap();
            if matches!(answer.outcome, Outcome::Committed { .. }) {
                let mut ahead = outbox.messages.range(..index);
                let overtakes = ahead.any(|(id, ..)| log.place(user, *id).is_none());
                assert!(!overtakes, "overtook one that may still succeed");
            }
            outbox.messages.remove(index);
            outbox.cursor -= 1;
        } else {
            outbox.broken = true;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.lanes.iter().all(Lane::is_idle) && self.outboxes.values().all(|o| o.messages.is_empty())
    }

    pub(super) fn check_order(&self) {
        for ((device, conversation), outbox) in &self.outboxes {
            let log = &self.store.logs[conversation];
            let user = self.devices[*device].user;
            let kept = outbox.minted.iter().filter(|id| !self.refused.contains(id));
            let places: Vec<_> = kept.map(|id| log.place(user, *id).expect("lost").0).collect();
            assert!(places.is_sorted(), "device {device} in {conversation}: {places:?}");
        }
    }
}
