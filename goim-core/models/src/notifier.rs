//! The model of a `Notifier`: what each conversation really is, what its reader has heard, and a
//! network that loses, doubles and reorders datagrams, but never what is on the stream.

use goim_core::{Announce, ConversationId, Duration, Notifier, NotifierConfig, Seq, Time};

use crate::Input;

/// Runs a list of operations; then every datagram is lost, and everybody hears of everything.
///
/// # Panics
///
/// Where an announcement is stale, needless, has a hole or never comes.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while let Some(dice) = input.dice(25) {
        world.step(dice, &mut input);
        world.check();
    }
    world.settle();
}

const CONVERSATIONS: usize = 6;

#[derive(Debug, Clone, Default)]
struct Truth {
    head: Seq,
    marker: Seq,
    heard: (Seq, Seq),
    /// Sent on this connection without a hole, or taken to be had already.
    sent: Seq,
    /// The newest head and marker that were announced.
    announced: (Seq, Seq),
    subscribed: bool,
    /// A mark found no room: its head is to be compared later.
    dropped: bool,
}

struct World {
    notifier: Notifier,
    config: NotifierConfig,
    now: Time,
    truths: Vec<Truth>,
    datagrams: Vec<Announce>,
    stream: Vec<Announce>,
    /// Something went on the stream, which may be waited for.
    on_stream: bool,
}

fn conversation(n: usize) -> ConversationId {
    ConversationId::new(n as u64 + 1)
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let config = NotifierConfig {
            window: input.below(6),
            retries_max: u32::try_from(input.below(4)).unwrap(),
            stream_depth: u8::try_from(input.below(4)).unwrap(),
            datagrams: input.percent(80),
            conversations_max: if input.percent(25) { input.below(CONVERSATIONS) } else { CONVERSATIONS },
            ..NotifierConfig::default()
        };
        Self {
            notifier: Notifier::new(config),
            config,
            now: Time::ZERO,
            truths: vec![Truth::default(); CONVERSATIONS],
            datagrams: Vec::new(),
            stream: Vec::new(),
            on_stream: false,
        }
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        match dice {
            0..=5 => {
                let (c, entries) = (input.below(CONVERSATIONS), input.between(0, 3));
                self.append(c, entries, input.percent(50));
            }
            6..=11 => {
                let (room, inline, lost) = (1 + input.below(4), input.percent(50), input.percent(40));
                for _ in 0..room {
                    self.announce(inline, lost);
                }
            }
            12..=17 => self.deliver(input),
            18 => {
                let c = input.below(CONVERSATIONS);
                let truth = &mut self.truths[c];
                if truth.subscribed {
                    (truth.sent, truth.heard.0) = (truth.head, truth.head);
                    self.notifier.sent_through(conversation(c), truth.head);
                }
            }
            19 => self.own_entry(input.below(CONVERSATIONS)),
            20 => {
                let c = input.below(CONVERSATIONS);
                self.truths[c].subscribed = false;
                self.notifier.unsubscribe(conversation(c));
            }
            21 => self.now = self.notifier.poll_timeout().unwrap_or(self.now).max(self.now),
            _ => self.now += Duration::from_micros(input.between(0, 900_000)),
        }
    }

    fn append(&mut self, c: usize, entries: u64, marker: bool) {
        let truth = &mut self.truths[c];
        if !truth.subscribed {
            let (head, marker) = (truth.head, truth.marker);
            *truth = Truth { subscribed: true, head, marker, sent: head, ..Truth::default() };
            truth.heard.0 = head;
            self.notifier.sent_through(conversation(c), head);
        }
        truth.head = truth.head.plus(entries);
        if marker {
            truth.marker = truth.head;
        }
        self.mark(c);
    }

    fn mark(&mut self, c: usize) {
        let dropped = self.notifier.marks_dropped();
        let truth = &mut self.truths[c];
        self.notifier.mark(conversation(c), truth.head, truth.marker);
        truth.dropped = self.notifier.marks_dropped() > dropped;
        assert!(!truth.dropped || self.config.conversations_max < CONVERSATIONS, "there was room");
    }

    /// The reader's own entry: the answer to its send tells it the seq.
    fn own_entry(&mut self, c: usize) {
        let truth = &mut self.truths[c];
        if !truth.subscribed {
            return;
        }
        truth.head = truth.head.next();
        truth.heard.0 = truth.head;
        if truth.sent.next() == truth.head {
            truth.sent = truth.head;
        }
        self.notifier.sent_one(conversation(c), truth.head);
        self.mark(c);
    }

    fn announce(&mut self, inline: bool, lost: bool) -> bool {
        let due = self.notifier.poll_timeout().is_some_and(|at| at <= self.now);
        let Some(announce) = self.notifier.poll_announce(self.now) else {
            assert!(!due, "it is due");
            self.check_prompt();
            return false;
        };
        let truth = &mut self.truths[usize::try_from(announce.conversation.as_u64()).unwrap() - 1];
        assert!(truth.subscribed);
        let now = (announce.head, announce.read_marker);
        if !truth.dropped {
            assert_eq!(now, (truth.head, truth.marker), "not the newest");
        }
        let (head, marker) = truth.announced;
        // One that was forgotten as idle may be told its marker again.
        let forgets = self.config.conversations_max < CONVERSATIONS;
        assert!(due || now.0 > head || now.1 > marker || forgets, "nothing new in it");
        truth.announced = (head.max(now.0), marker.max(now.1));
        assert!(announce.inline_after <= truth.sent.max(announce.head), "{announce:?} {truth:?}");
        if inline {
            // One that was forgotten counts as up to date; its reader finds the hole by the seqs.
            assert!(forgets || announce.inline_after <= truth.sent, "a hole: {announce:?} {truth:?}");
            truth.sent = announce.head;
            self.notifier.announced(announce.id, announce.head);
        }
        if announce.reliable {
            self.on_stream = true;
            self.stream.push(announce);
        } else {
            assert!(self.config.datagrams);
            if !lost {
                self.datagrams.push(announce);
            }
        }
        true
    }

    /// A mark that goes as a datagram waits for nothing but room in the window.
    fn check_prompt(&self) {
        if self.on_stream || self.notifier.in_flight() >= self.config.window.max(1) {
            return;
        }
        for truth in self.truths.iter().filter(|truth| truth.subscribed && !truth.dropped) {
            assert!(truth.head <= truth.announced.0.max(truth.heard.0), "it waits: {truth:?}");
        }
    }

    fn deliver(&mut self, input: &mut Input<'_>) {
        if !self.datagrams.is_empty() && input.percent(70) {
            let at = input.below(self.datagrams.len());
            // Doubled at times.
            let announce =
                if input.percent(15) { self.datagrams[at] } else { self.datagrams.swap_remove(at) };
            self.hear(&announce, input.percent(30));
        } else if !self.stream.is_empty() {
            // An ack of a frame travels on the stream as well.
            let announce = self.stream.remove(0);
            self.hear(&announce, false);
        }
    }

    fn hear(&mut self, announce: &Announce, ack_lost: bool) {
        let truth = &mut self.truths[usize::try_from(announce.conversation.as_u64()).unwrap() - 1];
        truth.heard.0 = truth.heard.0.max(announce.head);
        truth.heard.1 = truth.heard.1.max(announce.read_marker);
        if !ack_lost {
            self.notifier.handle_ack(self.now, announce.conversation, announce.head);
        }
    }

    fn check(&self) {
        assert!(self.notifier.in_flight() <= self.config.window.max(1));
        assert!(self.notifier.conversations() <= self.config.conversations_max.max(1));
        let latest = self.now + self.config.rtt.cap;
        assert!(self.notifier.poll_timeout().is_none_or(|at| at <= latest), "put off too long");
    }

    /// From now on every datagram is lost; the stream works. Everybody hears of everything.
    fn settle(&mut self) {
        self.datagrams.clear();
        for _ in 0..10_000 {
            for c in 0..CONVERSATIONS {
                if self.truths[c].subscribed && self.truths[c].dropped {
                    self.mark(c);
                }
            }
            while self.announce(false, true) {}
            if self.stream.is_empty() {
                match self.notifier.poll_timeout() {
                    Some(at) => self.now = self.now.max(at),
                    None => break,
                }
            } else {
                let announce = self.stream.remove(0);
                self.hear(&announce, false);
            }
        }
        assert!(self.notifier.is_idle() && !self.notifier.has_news(), "{:?}", self.notifier);
        for truth in self.truths.iter().filter(|truth| truth.subscribed) {
            assert_eq!(truth.heard.0, truth.head, "{truth:?}");
        }
    }
}
