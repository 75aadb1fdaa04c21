//! What has to hold of an inbox.

use goim_core::Seq;

use super::{BODY, CONVERSATIONS, Fate, Truth, World, conversation, index};

/// What an entry that waits takes besides its body, at most.
const ENTRY_BYTES: usize = 128;

impl World {
    /// G5: each entry once, in order, without a gap.
    pub(super) fn take(&mut self, of: Option<usize>) -> bool {
        let taken = match of {
            Some(c) => self.inbox.take_from(conversation(c)).map(|entry| (conversation(c), entry)),
            None => self.inbox.take(),
        };
        let Some((id, entry)) = taken else { return false };
        let truth = &mut self.truths[index(id)];
        let next = truth.next_visible(truth.taken);
        assert_eq!(Some(entry.seq.as_u64()), next, "not the next one of {id}: {truth:?}");
        assert_eq!(Some(entry.count), truth.content(entry.seq.as_u64()), "of a log that is no more");
        truth.taken = entry.seq.as_u64();
        true
    }

    /// G6: an offset only grows, and nothing unhandled lies behind it.
    pub(super) fn poll_commit(&mut self, max: usize) {
        let Some(moves) = self.inbox.poll_commit(max) else { return };
        assert!(self.commit.is_none(), "one commit at a time");
        assert!((1..=max).contains(&moves.len()));
        for to in &moves {
            let truth = &self.truths[index(to.conversation)];
            assert!(to.offset.as_u64() <= truth.offset_max(), "{to:?} passes over something: {truth:?}");
        }
        self.commit = Some(moves);
    }

    pub(super) fn answer_commit(&mut self, fate: Fate) {
        let Some(moves) = self.commit.take() else { return };
        if fate != Fate::Failed {
            for to in moves {
                let truth = &mut self.truths[index(to.conversation)];
                // An offset beyond the head is refused.
                if to.offset.as_u64() <= truth.head() {
                    truth.committed = truth.committed.max(to.offset.as_u64());
                }
            }
        }
        if fate == Fate::Answered {
            self.inbox.handle_committed();
        } else {
            self.inbox.handle_commit_failed();
        }
    }

    pub(super) fn check(&mut self) {
        let pulled = self.limits.pulls_max * self.limits.pull_limit as usize;
        let bytes_max = self.limits.bytes_max + (pulled + 1) * (ENTRY_BYTES + BODY.len());
        assert!(self.inbox.bytes() <= bytes_max, "{} bytes wait", self.inbox.bytes());
        for (c, truth) in self.truths.iter_mut().enumerate() {
            let Some(offset) = self.inbox.offset(conversation(c)).map(Seq::as_u64) else { continue };
            assert!(offset >= truth.offset.max(truth.handled), "{c} went back to {offset}: {truth:?}");
            assert!(offset <= truth.offset_max(), "{c} passes over something: {truth:?}");
            truth.offset = offset;
        }
    }

    /// Nothing fails any more, and whoever was not told is told now.
    pub(super) fn settle(&mut self) {
        for c in 0..CONVERSATIONS {
            if self.inbox.knows(conversation(c)) {
                self.set_active(c, true);
                let head = self.truths[c].head();
                if self.truths[c].told < head {
                    self.tell(c, head);
                    self.inbox.handle_notification(conversation(c), Seq::new(head), []);
                }
            } else {
                self.subscribe(c);
            }
        }
        let entries: usize = self.truths.iter().map(|truth| truth.log.len()).sum();
        for _ in 0..entries * 4 + 40 {
            if self.is_settled() {
                break;
            }
            self.poll_pulls();
            for asked in core::mem::take(&mut self.pulls) {
                self.answer_pull(asked, 0, Fate::Answered);
            }
            while self.take(None) {}
            for c in 0..CONVERSATIONS {
                self.handled(c, self.truths[c].taken);
            }
            self.poll_commit(CONVERSATIONS);
            self.answer_commit(Fate::Answered);
            self.check();
            self.now = self.inbox.poll_timeout().unwrap_or(self.now).max(self.now);
            self.inbox.handle_timeout(self.now);
        }
        self.check_settled();
    }

    fn is_settled(&self) -> bool {
        let is_under_way = !self.pulls.is_empty() || self.commit.is_some();
        let done = |truth: &Truth| truth.taken_all() && truth.committed == truth.head();
        !is_under_way && self.inbox.is_committed() && self.truths.iter().all(done)
    }

    fn check_settled(&self) {
        assert_eq!(self.inbox.bytes(), 0);
        assert!(self.inbox.is_committed());
        for (c, truth) in self.truths.iter().enumerate() {
            assert!(truth.taken_all(), "{c} stands still: {truth:?}");
            assert_eq!(truth.committed, truth.head(), "{c} is not committed: {truth:?}");
        }
    }
}
