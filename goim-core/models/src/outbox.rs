//! The model of an `Outbox`: a plain list of messages for each conversation, and a server that
//! refuses, puts off, answers late and twice, over connections that are lost.

mod server;

use std::collections::BTreeSet;

use goim_core::outbox::{Answered, SendAnswer};
use goim_core::{ClientMsgId, ConversationId, Duration, Outbox, OutboxConfig, Time};

use crate::Input;
use server::{Copy, Server};

/// Runs a list of operations; then nothing fails any more, and every message meets its fate.
///
/// # Panics
///
/// Where a message is lost, doubled or overtaken, is told a wrong fate, goes too early or too late,
/// or a bound is broken.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while let Some(dice) = input.dice(24) {
        world.step(dice, &mut input);
        world.check();
    }
    world.settle();
}

const CONVERSATIONS: usize = 3;

/// A message that has not met its fate. Later ones have higher numbers.
#[derive(Debug, Clone)]
struct Message {
    number: u64,
    body: Vec<u8>,
    retry: bool,
    /// The round that it was sent in last, and whether that is unanswered.
    round: Option<u32>,
    sent: bool,
}

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Message>,
    failures: u32,
    not_before: Option<Time>,
    /// Sends of others since it could have had its turn.
    passed_over: usize,
}

impl Queue {
    fn next(&self) -> Option<usize> {
        self.messages.iter().position(|message| !message.sent)
    }

    fn may_send(&self) -> bool {
        self.not_before.is_none() && self.next().is_some()
    }

    fn unsend(&mut self, from: usize) {
        for message in self.messages.iter_mut().skip(from) {
            message.retry |= message.sent;
            message.sent = false;
        }
        self.passed_over = 0;
    }
}

/// An answer on its way.
#[derive(Debug, Clone, Copy)]
struct Reply {
    conversation: usize,
    number: u64,
    round: u32,
    answer: SendAnswer,
}

struct World {
    outbox: Outbox<Vec<u8>, u64>,
    config: OutboxConfig,
    in_flight_max: usize,
    now: Time,
    queues: Vec<Queue>,
    server: Server,
    replies: Vec<Reply>,
    pushed: Vec<Vec<u64>>,
    numbers: u64,
    refused: BTreeSet<u64>,
}

fn conversation(n: usize) -> ConversationId {
    ConversationId::new(n as u64)
}

fn id(number: u64) -> ClientMsgId {
    ClientMsgId::mint(number, &[0; 10])
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let config = OutboxConfig {
            message_bytes: input.below(200),
            retry_min: Duration::from_millis(input.between(0, 50)),
            retry_max: Duration::from_millis(input.between(0, 400)),
        };
        Self {
            outbox: Outbox::new(config),
            config,
            in_flight_max: 1 + input.below(1_500),
            now: Time::ZERO,
            queues: (0..CONVERSATIONS).map(|_| Queue::default()).collect(),
            server: Server::new(CONVERSATIONS, input.percent(50)),
            replies: Vec::new(),
            pushed: vec![Vec::new(); CONVERSATIONS],
            numbers: 0,
            refused: BTreeSet::new(),
        }
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        match dice {
            0..=4 => {
                let (c, length) = (input.below(CONVERSATIONS), input.below(300));
                self.push(c, length, input.percent(15));
            }
            5..=9 => {
                for _ in 0..1 + input.below(4) {
                    self.send();
                }
            }
            10..=13 => {
                for _ in 0..1 + input.below(4) {
                    let taken = self.server.take(input);
                    self.replies.extend(taken);
                }
            }
            14..=18 => {
                for _ in 0..1 + input.below(3) {
                    self.hear(input);
                }
            }
            19 => self.server.linger(input),
            20 => self.reset(input),
            21 => self.restart(input),
            22 => self.server.toggle(input),
            _ => {
                let later = self.now + Duration::from_millis(input.between(0, 100));
                let due = self.outbox.poll_timeout().filter(|_| input.percent(50));
                self.now = due.map_or(later, |due| due.max(self.now));
            }
        }
    }

    fn push(&mut self, c: usize, length: usize, bad: bool) {
        self.numbers += 1;
        let number = self.numbers;
        self.pushed[c].push(number);
        if bad {
            self.server.bad.insert(number);
        }
        let body = vec![u8::try_from(number % 256).unwrap(); length];
        self.put(c, Message { number, body, retry: false, round: None, sent: false });
    }

    fn put(&mut self, c: usize, message: Message) {
        let Message { number, body, retry, .. } = message.clone();
        self.outbox.push(conversation(c), id(number), body, retry, number);
        self.queues[c].messages.push(message);
    }

    fn bytes(&self, sent_only: bool) -> usize {
        let all = self.queues.iter().flat_map(|queue| &queue.messages);
        let counted = all.filter(|message| message.sent || !sent_only);
        counted.map(|message| message.body.len() + self.config.message_bytes).sum()
    }

    fn send(&mut self) -> bool {
        for queue in &mut self.queues {
            queue.not_before = queue.not_before.filter(|at| *at > self.now);
        }
        let room = self.bytes(true) < self.in_flight_max;
        let Some(send) = self.outbox.poll_send(self.now, self.in_flight_max) else {
            assert!(!room || !self.queues.iter().any(Queue::may_send), "it holds something back");
            return false;
        };
        assert!(room, "more in flight than is allowed");
        let c = usize::try_from(send.conversation.as_u64()).unwrap();
        for (other, queue) in self.queues.iter_mut().enumerate() {
            queue.passed_over = if other != c && queue.may_send() { queue.passed_over + 1 } else { 0 };
            assert!(queue.passed_over < CONVERSATIONS, "it never has its turn");
        }
        let queue = &mut self.queues[c];
        assert!(queue.may_send(), "it has to wait");
        let next = queue.next().unwrap();
        let before = next.checked_sub(1).map(|before| queue.messages[before].number);
        let message = &mut queue.messages[next];
        let expected = (id(message.number), before.map(id), message.retry, &message.body);
        assert_eq!((send.client_msg_id, send.after, send.retry, &send.body), expected);
        assert_ne!(message.round, Some(send.round), "its answers could be confused");
        (message.round, message.sent) = (Some(send.round), true);
        let number = message.number;
        self.server.stream.push_back(Copy { conversation: c, number, after: before, round: send.round });
        true
    }

    /// Some answer arrives, at times not for the last time.
    fn hear(&mut self, input: &mut Input<'_>) {
        if self.replies.is_empty() {
            return;
        }
        // On a stream they are in order, but a refusal need not wait its turn.
        let at = if input.percent(60) { 0 } else { input.below(self.replies.len()) };
        let reply = if input.percent(10) { self.replies[at] } else { self.replies.remove(at) };
        self.answered(reply);
    }

    fn answered(&mut self, reply: Reply) {
        let Reply { conversation: c, number, round, answer } = reply;
        let got = self.outbox.handle_answer(self.now, conversation(c), id(number), round, answer);
        let queue = &mut self.queues[c];
        let place = queue.messages.iter().position(|message| message.number == number && message.sent);
        let Some(place) = place else { return assert_eq!(got, Answered::Stale) };
        let newest = queue.messages[place].round == Some(round);
        match answer {
            // A later copy may fare better.
            _ if !newest && answer != SendAnswer::Stored => assert_eq!(got, Answered::Stale),
            SendAnswer::OutOfOrder { .. } | SendAnswer::NotNow { .. } => {
                assert_eq!(got, Answered::Again);
                queue.not_before = Some(self.now + wait(&self.config, answer, queue.failures));
                queue.failures += 1;
                queue.unsend(place);
            }
            SendAnswer::Stored | SendAnswer::Refused => {
                let Message { body, .. } = queue.messages.remove(place);
                assert_eq!(got, Answered::Done { body, ticket: number });
                queue.failures = 0;
                if answer == SendAnswer::Refused {
                    self.refused.insert(number);
                }
            }
        }
    }

    fn reset(&mut self, input: &mut Input<'_>) {
        self.server.disconnect(input);
        if input.percent(50) {
            self.replies.clear();
        }
        self.outbox.handle_reset();
        for queue in &mut self.queues {
            queue.not_before = None;
            queue.unsend(0);
        }
    }

    /// The process ends, and the next one finds in its store what had not met its fate.
    fn restart(&mut self, input: &mut Input<'_>) {
        self.server.disconnect(input);
        self.replies.clear();
        let drained: Vec<_> = self.outbox.drain().collect();
        assert!(self.outbox.is_empty() && self.outbox.bytes() == 0);
        for c in 0..CONVERSATIONS {
            let left = core::mem::take(&mut self.queues[c]).messages;
            let tickets = drained.iter().filter(|ticket| self.pushed[c].contains(ticket)).copied();
            assert!(tickets.eq(left.iter().map(|message| message.number)), "{drained:?}");
            for message in left {
                self.put(c, Message { retry: true, round: None, sent: false, ..message });
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.outbox.bytes(), self.bytes(false));
        assert_eq!(self.outbox.is_empty(), self.queues.iter().all(|queue| queue.messages.is_empty()));
        let earliest = self.queues.iter().filter_map(|queue| queue.not_before).min();
        assert_eq!(self.outbox.poll_timeout(), earliest);
        for log in &self.server.logs {
            assert!(log.is_sorted_by(|one, next| one < next), "overtaken: {log:?}");
            assert!(!log.iter().any(|number| self.refused.contains(number)), "stored, and told refused");
        }
    }

    fn settle(&mut self) {
        self.server.open();
        let mut turns = 0..10_000;
        while !self.outbox.is_empty() {
            turns.next().expect("it goes round in circles");
            let mut moved = false;
            while self.send() {
                moved = true;
            }
            while let Some(reply) = self.server.take_well() {
                self.replies.push(reply);
            }
            for reply in core::mem::take(&mut self.replies) {
                moved = true;
                self.answered(reply);
            }
            self.check();
            if !moved {
                let at = self.outbox.poll_timeout().expect("it stands still");
                assert!(at > self.now, "a timer that leads to nothing");
                self.now = at;
            }
        }
        for (pushed, log) in self.pushed.iter().zip(&self.server.logs) {
            let stored = pushed.iter().filter(|number| !self.refused.contains(number));
            assert!(stored.eq(log), "{pushed:?} became {log:?} with {:?} refused", self.refused);
        }
    }
}

/// How long an answer makes its conversation wait.
fn wait(config: &OutboxConfig, answer: SendAnswer, failures: u32) -> Duration {
    let retry_after = match answer {
        SendAnswer::OutOfOrder { .. } if failures == 0 => return Duration::ZERO,
        SendAnswer::OutOfOrder { retry_after } | SendAnswer::NotNow { retry_after } => retry_after,
        SendAnswer::Stored | SendAnswer::Refused => unreachable!("they end all waiting"),
    };
    let doubled = |wait: Duration, _| (wait * 2).min(config.retry_max);
    let own = (0..failures).fold(config.retry_min.min(config.retry_max), doubled);
    retry_after.unwrap_or(own)
}
