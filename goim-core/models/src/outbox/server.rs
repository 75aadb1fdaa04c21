//! The server's end: logs, what is on its way to them, and moods.

use std::collections::{BTreeSet, VecDeque};

use goim_core::Duration;
use goim_core::outbox::SendAnswer;

use super::Reply;
use crate::Input;

/// A message on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copy {
    pub(super) conversation: usize,
    pub(super) number: u64,
    pub(super) after: Option<u64>,
    pub(super) round: u32,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) logs: Vec<Vec<u64>>,
    /// What the present connection brings, in order.
    pub(super) stream: VecDeque<Copy>,
    /// What lost connections brought and nobody has looked at yet.
    lost: Vec<Copy>,
    /// Refused for good whenever it comes.
    pub(super) bad: BTreeSet<u64>,
    /// Conversations that take nothing for now, and refuse for good what comes meanwhile.
    closed: Vec<bool>,
    /// What a lost connection brought may be stored much later. Then no conversation closes, for
    /// nobody could tell whether a message that was refused meanwhile is stored in the end.
    lingers: bool,
}

impl Server {
    pub(super) fn new(conversations: usize, lingers: bool) -> Self {
        Self {
            logs: vec![Vec::new(); conversations],
            stream: VecDeque::new(),
            lost: Vec::new(),
            bad: BTreeSet::new(),
            closed: vec![false; conversations],
            lingers,
        }
    }

    pub(super) fn toggle(&mut self, input: &mut Input<'_>) {
        let c = input.below(self.closed.len());
        self.closed[c] = !self.closed[c] && !self.lingers;
    }

    pub(super) fn open(&mut self) {
        self.closed.fill(false);
    }

    /// The connection is lost: some of what it brought was stored, and some may be later.
    pub(super) fn disconnect(&mut self, input: &mut Input<'_>) {
        let read = input.below(self.stream.len() + 1);
        let rest = self.stream.split_off(read);
        for copy in core::mem::take(&mut self.stream) {
            self.judge(copy);
        }
        if self.lingers {
            self.lost.extend(rest);
        }
    }

    /// Looks at something that a lost connection brought.
    pub(super) fn linger(&mut self, input: &mut Input<'_>) {
        if !self.lost.is_empty() {
            let at = input.below(self.lost.len());
            let copy = self.lost.remove(at);
            self.judge(copy);
        }
    }

    /// Takes the next message, in some mood.
    pub(super) fn take(&mut self, input: &mut Input<'_>) -> Option<Reply> {
        let copy = self.stream.pop_front()?;
        let retry_after = input.percent(30).then(|| Duration::from_millis(input.between(0, 60)));
        let answer = match input.below(10) {
            0 => SendAnswer::NotNow { retry_after },
            // A rival was faster.
            1 => SendAnswer::OutOfOrder { retry_after },
            _ => match self.judge(copy) {
                SendAnswer::OutOfOrder { .. } => SendAnswer::OutOfOrder { retry_after },
                other => other,
            },
        };
        Some(reply(copy, answer))
    }

    /// Takes the next message, in a good mood.
    pub(super) fn take_well(&mut self) -> Option<Reply> {
        let copy = self.stream.pop_front()?;
        Some(reply(copy, self.judge(copy)))
    }

    fn judge(&mut self, copy: Copy) -> SendAnswer {
        let log = &mut self.logs[copy.conversation];
        if log.contains(&copy.number) {
            return SendAnswer::Stored;
        }
        if self.bad.contains(&copy.number) || self.closed[copy.conversation] {
            return SendAnswer::Refused;
        }
        if copy.after.is_some_and(|after| !log.contains(&after)) {
            return SendAnswer::OutOfOrder { retry_after: None };
        }
        log.push(copy.number);
        SendAnswer::Stored
    }
}

fn reply(copy: Copy, answer: SendAnswer) -> Reply {
    let Copy { conversation, number, round, .. } = copy;
    Reply { conversation, number, round, answer }
}
