//! The model of an `Inbox`: the logs, what the application took and handled, and a server that
//! answers late, lags, fails, forgets and goes back.

mod check;

use goim_core::{
    ClientMsgId, ConversationId, Duration, Entry, Inbox, InboxLimits, OffsetMove, PullRequest, Seq, Time,
    UserId,
};

use crate::Input;

/// Runs a list of operations; then nothing fails any more, and everything is read and committed.
///
/// # Panics
///
/// Where an entry is missed, doubled or out of order, an offset moves back or past what was
/// handled, a bound is broken, or reading comes to a stop.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while let Some(dice) = input.dice(40) {
        world.step(dice, &mut input);
        world.check();
    }
    world.settle();
}

const CONVERSATIONS: usize = 4;
const BODY: &[u8] = b"a body";

/// One conversation as it is.
#[derive(Debug, Default)]
struct Truth {
    /// What each entry says, or `None` for one that this reader may not see.
    log: Vec<Option<u64>>,
    /// The offset that the server has.
    committed: u64,
    /// The last entry that the application took, and how far it said that it was done.
    taken: u64,
    handled: u64,
    /// Where the inbox's offset stood at least once.
    offset: u64,
    /// The inbox was told how far the log goes.
    told: u64,
    active: bool,
}

impl Truth {
    fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// Whoever starts to read goes on behind the server's offset.
    fn start_over(&mut self) {
        (self.taken, self.handled, self.offset) = (self.committed, self.committed, self.committed);
    }

    fn content(&self, seq: u64) -> Option<u64> {
        *self.log.get(usize::try_from(seq.checked_sub(1)?).ok()?)?
    }

    fn next_visible(&self, after: u64) -> Option<u64> {
        (after + 1..=self.head()).find(|seq| self.content(*seq).is_some())
    }

    fn taken_all(&self) -> bool {
        self.next_visible(self.taken).is_none()
    }

    /// The furthest offset that leaves nothing unhandled behind.
    fn offset_max(&self) -> u64 {
        self.next_visible(self.handled).map_or(self.head(), |next| next - 1)
    }
}

struct World {
    inbox: Inbox<&'static [u8]>,
    limits: InboxLimits,
    now: Time,
    truths: Vec<Truth>,
    pulls: Vec<Asked>,
    unknown: Vec<ConversationId>,
    commit: Option<Vec<OffsetMove>>,
    written: u64,
}

fn conversation(n: usize) -> ConversationId {
    ConversationId::new(n as u64)
}

fn index(conversation: ConversationId) -> usize {
    usize::try_from(conversation.as_u64()).unwrap()
}

/// A pull that is under way.
#[derive(Clone, Copy)]
struct Asked {
    pull: PullRequest,
    /// The store went back since: whatever the answer says does not count.
    void: bool,
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Done, but the answer was lost.
    Lost,
    Failed,
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let limits = InboxLimits {
            conversation_bytes_max: 1 + input.below(600),
            bytes_max: 1 + input.below(1_500),
            pull_limit: 1 + u32::try_from(input.below(5)).unwrap(),
            pulls_max: 1 + input.below(3),
            ..InboxLimits::default()
        };
        Self {
            inbox: Inbox::new(limits),
            limits,
            now: Time::ZERO,
            truths: (0..CONVERSATIONS).map(|_| Truth::default()).collect(),
            pulls: Vec::new(),
            unknown: Vec::new(),
            commit: None,
            written: 0,
        }
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        let c = input.below(CONVERSATIONS);
        match dice {
            0..=4 => self.append(c, 1 + input.below(4), input),
            5..=10 => self.notify(c, input),
            11..=14 => self.poll_pulls(),
            15..=18 if !self.pulls.is_empty() => {
                let asked = self.pulls.swap_remove(input.below(self.pulls.len()));
                let lag = if input.percent(25) { input.below(6) } else { 0 };
                let fate = if input.percent(20) { Fate::Failed } else { Fate::Answered };
                self.answer_pull(asked, lag, fate);
            }
            19..=23 => {
                self.take(input.percent(50).then_some(c));
            }
            24..=26 => {
                let seq = self.truths[c].handled + input.between(0, 6);
                self.handled(c, seq);
            }
            27..=28 => self.poll_commit(1 + input.below(CONVERSATIONS)),
            29..=30 => self.answer_commit(input.pick(&[Fate::Answered, Fate::Lost, Fate::Failed])),
            31..=32 => self.locate(input.percent(80)),
            33 => self.set_active(c, input.percent(60)),
            34 => self.reset(),
            35 if input.percent(30) => self.crash(),
            36 if input.percent(50) => self.go_back(c, input.below(8)),
            37 => self.subscribe(c),
            38 => self.own(c, input),
            39 => self.rewind(c),
            _ => {
                self.now += Duration::from_millis(input.between(0, 50));
                self.inbox.handle_timeout(self.now);
            }
        }
    }

    fn append(&mut self, c: usize, count: usize, input: &mut Input<'_>) {
        for _ in 0..count {
            self.written += 1;
            let visible = !input.percent(25);
            self.truths[c].log.push(visible.then_some(self.written));
        }
    }

    fn entry(&self, c: usize, seq: u64) -> Option<Entry<&'static [u8]>> {
        Some(Entry {
            seq: Seq::new(seq),
            sender: UserId::new(1),
            client_msg_id: ClientMsgId::mint(seq, &[0; 10]),
            at_ms: 0,
            count: self.truths[c].content(seq)?,
            body: BODY,
        })
    }

    /// Any head so far, with any run of visible entries up to it: so notifications are lost, doubled
    /// and reordered.
    fn notify(&mut self, c: usize, input: &mut Input<'_>) {
        let newest = self.truths[c].head();
        let head = newest.saturating_sub(if input.percent(40) { input.between(0, 5) } else { 0 });
        let first = (head + 1).saturating_sub(input.between(0, 4)).max(1);
        let entries: Vec<_> = (first..=head).map_while(|seq| self.entry(c, seq)).collect();
        self.tell(c, head);
        self.inbox.handle_notification(conversation(c), Seq::new(head), entries);
    }

    /// The answer to a send of the reader's own, before or behind what else comes of it.
    fn own(&mut self, c: usize, input: &mut Input<'_>) {
        let seq = self.truths[c].head().saturating_sub(input.between(0, 3)).max(1);
        if let Some(entry) = self.entry(c, seq)
            && self.inbox.knows(conversation(c))
        {
            self.tell(c, seq);
            self.inbox.handle_own(self.now, conversation(c), entry);
        }
    }

    fn tell(&mut self, c: usize, head: u64) {
        self.truths[c].told = self.truths[c].told.max(head);
    }

    fn poll_pulls(&mut self) {
        while let Some(pull) = self.inbox.poll_pull() {
            let truth = &self.truths[index(pull.conversation)];
            assert!(self.inbox.bytes() < self.limits.bytes_max, "a pull without room");
            assert!(truth.active, "nobody takes its entries");
            let after = pull.after.as_u64();
            assert!((truth.taken..truth.told).contains(&after), "a pull in vain: {pull:?} {truth:?}");
            assert_eq!(pull.limit, self.limits.pull_limit);
            self.pulls.push(Asked { pull, void: false });
            assert!(self.pulls.len() <= self.limits.pulls_max);
            let alike = self.pulls.iter().filter(|asked| asked.pull.conversation == pull.conversation);
            assert_eq!(alike.count(), 1, "asked twice");
        }
    }

    /// From a server that knows all but the last `lag` entries.
    fn answer_pull(&mut self, Asked { pull, void }: Asked, lag: usize, fate: Fate) {
        let c = index(pull.conversation);
        if fate != Fate::Answered {
            return self.inbox.handle_pull_failed(self.now, pull.conversation);
        }
        let (after, head) = (pull.after.as_u64(), self.truths[c].head().saturating_sub(lag as u64));
        let visible = (after + 1..=head).filter_map(|seq| self.entry(c, seq));
        let entries: Vec<_> = visible.take(pull.limit as usize).collect();
        let full = entries.len() == pull.limit as usize;
        let last = entries.last().map_or(after, |entry| entry.seq.as_u64());
        let through = if full { last } else { head.max(after) };
        let head = head.max(through);
        if !void {
            self.tell(c, head);
        }
        let (through, head) = (Seq::new(through), Seq::new(head));
        self.inbox.handle_pulled(self.now, pull.conversation, entries, through, head);
    }

    fn handled(&mut self, c: usize, seq: u64) {
        if self.inbox.knows(conversation(c)) {
            // What was not taken cannot have been handled.
            self.truths[c].handled = self.truths[c].handled.max(seq.min(self.truths[c].taken));
        }
        self.inbox.handled(conversation(c), Seq::new(seq));
    }

    fn locate(&mut self, known: bool) {
        self.unknown.extend(core::iter::from_fn(|| self.inbox.poll_unknown()));
        let Some(id) = self.unknown.pop() else { return };
        let c = index(id);
        if known {
            self.subscribe(c);
        } else {
            self.inbox.forget_unknown(id);
        }
    }

    /// Of a conversation that is read already, it only tells the head.
    fn subscribe(&mut self, c: usize) {
        let (offset, head) = (self.truths[c].committed, self.truths[c].head());
        self.tell(c, head);
        self.inbox.subscribe(conversation(c), Seq::new(offset), Seq::new(head));
        self.inbox.set_active(conversation(c), true);
        self.truths[c].active = true;
    }

    fn set_active(&mut self, c: usize, active: bool) {
        if self.inbox.knows(conversation(c)) {
            self.truths[c].active = active;
            self.inbox.set_active(conversation(c), active);
        }
    }

    /// Somebody else takes its entries from now on: what was taken and not handled comes again.
    fn rewind(&mut self, c: usize) {
        self.inbox.rewind(conversation(c));
        let truth = &mut self.truths[c];
        let handled = truth.offset.max(truth.handled);
        if truth.taken > handled {
            truth.taken = handled;
            let its = |asked: &&mut Asked| index(asked.pull.conversation) == c;
            self.pulls.iter_mut().filter(its).for_each(|asked| asked.void = true);
        }
    }

    /// The connection is lost, and with it all that was under way.
    fn reset(&mut self) {
        self.pulls.clear();
        self.unknown.clear();
        self.commit = None;
        self.inbox.handle_reset();
    }

    /// Everything in memory is gone: the server's offsets are what is left.
    fn crash(&mut self) {
        (self.pulls, self.unknown, self.commit) = (Vec::new(), Vec::new(), None);
        self.inbox = Inbox::new(self.limits);
        for truth in &mut self.truths {
            truth.start_over();
            (truth.told, truth.active) = (0, false);
        }
    }

    /// The store goes back, and offsets with it. A pull that is under way stays so, and is answered by
    /// the store as it is by then; a commit is refused.
    fn go_back(&mut self, c: usize, by: usize) {
        let truth = &mut self.truths[c];
        truth.log.truncate(truth.log.len().saturating_sub(by));
        let head = truth.head();
        for position in [&mut truth.committed, &mut truth.taken, &mut truth.handled, &mut truth.offset] {
            *position = head.min(*position);
        }
        truth.committed = truth.committed.saturating_sub(by as u64);
        truth.told = head;
        if !self.inbox.knows(conversation(c)) {
            truth.start_over();
        }
        for asked in self.pulls.iter_mut().filter(|asked| index(asked.pull.conversation) == c) {
            asked.void = true;
        }
        if let Some(moves) = &mut self.commit {
            moves.retain(|to| index(to.conversation) != c);
        }
        self.inbox.handle_store_went_back(conversation(c), Seq::new(head));
    }
}
