//! Runs core's lanes against the store, as the server's committer does.

use std::collections::VecDeque;

use goim_core::lane::{
    AppendResult, Committed, Lane, LaneLimits, LoadFailed, LoadRequest, Offer, Outcome, Unavailable,
};
use goim_core::outbox::SendAnswer;
use goim_core::{ClientMsgId, ConversationId, Duration, Entry, Epoch, Time};

use super::{Node, Waiter};
use crate::cx::Cx;
use crate::entry::{Content, Kept, Refusal, SimRules};
use crate::event::{Answer, ConnId, Down, Event, NodeEvent};
use crate::marks::Mark;
use crate::scenario::Scenario;
use crate::store::{Ask, Told};

/// How long an entry may wait in a lane.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(4);
/// Loads under way at once.
pub(super) const LOADS_MAX: usize = 4;
/// Before the store is tried again.
const RECONNECT: Duration = Duration::from_millis(50);

/// Whom to tell what became of an offer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ticket {
    Send { conn: ConnId, conversation: ConversationId, id: ClientMsgId, round: u32 },
    Due(u64),
}

impl Ticket {
    /// Which message it is of.
    const fn id(self) -> Option<ClientMsgId> {
        match self {
            Self::Send { id, .. } => Some(id),
            Self::Due(_) => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Free,
    Appending,
    Connecting,
}

#[derive(Debug)]
pub(super) struct LaneRunner {
    pub(super) lane: Lane<SimRules, Ticket>,
    link: Link,
    /// The store's, when the last connection was opened.
    epoch: Option<Epoch>,
    /// What the lane had no room for, and when it arrived.
    pub(super) overflow: VecDeque<(Time, Offer<Content, Ticket>)>,
    timer: Option<Time>,
}

impl LaneRunner {
    pub(super) fn new(s: &Scenario) -> Self {
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let limits = LaneLimits {
            waiting_max: size(s.lane_waiting),
            waiting_bytes_max: size(s.lane_waiting_bytes),
            batch_max: size(s.lane_batch),
            batch_bytes_max: size(s.lane_batch_bytes),
            load_entries_max: size(s.lane_load),
            conversations_max: size(s.lane_conversations),
            members_max: size(s.lane_members),
            devices_max: size(s.lane_members),
            recent_max: size(s.lane_recent),
            loads_max: LOADS_MAX,
            tries_max: 6,
            wait_max: WAIT_MAX,
        };
        Self {
            lane: Lane::new(SimRules, limits),
            link: Link::Connecting,
            epoch: None,
            overflow: VecDeque::new(),
            timer: None,
        }
    }

    /// What is believed is of an earlier connection, and not even of which ids are stored if the
    /// store went back since.
    pub(super) fn begin_epoch(&mut self, epoch: Epoch) {
        if bug!("ids remembered across epochs") {
            self.lane.forget_all();
        } else if !bug!("heads kept across store connections") {
            self.lane.handle_new_epoch(epoch);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lane.is_idle() && self.overflow.is_empty()
    }
}

impl Node {
    /// Which lane a conversation belongs to.
    fn lane_of(&self, conversation: ConversationId) -> usize {
        usize::try_from(conversation.as_u64()).unwrap_or(0) % self.lanes.len()
    }

    pub(super) fn offer(&mut self, cx: &mut Cx, offer: Offer<Content, Ticket>) {
        let lane = self.lane_of(offer.conversation);
        self.lanes[lane].overflow.push_back((cx.now, offer));
        self.run_lane(cx, lane);
    }

    fn run_lane(&mut self, cx: &mut Cx, lane: usize) {
        // What is answered while a batch is drafted makes room that no later event would tell of.
        loop {
            let took = self.take_offers(cx, lane);
            let answered = self.run_lane_once(cx, lane);
            if !self.up {
                return;
            }
            if !took && !answered {
                return self.arm_lane(cx, lane);
            }
        }
    }

    /// Offers what waits; whether the lane took any of it.
    fn take_offers(&mut self, cx: &mut Cx, lane: usize) -> bool {
        let runner = &mut self.lanes[lane];
        let mut took = false;
        while let Some((arrived, offer)) = runner.overflow.pop_front() {
            if let Err(offer) = runner.lane.offer(arrived, offer) {
                cx.marks.hit(Mark::LaneFull);
                runner.overflow.push_front((arrived, offer));
                break;
            }
            took = true;
        }
        took
    }

    /// Whether anything was answered.
    fn run_lane_once(&mut self, cx: &mut Cx, lane: usize) -> bool {
        let node = self.id;
        let runner = &mut self.lanes[lane];
        if runner.link == Link::Free
            && let Some(batch) = runner.lane.poll_append(cx.now, cx.wall_ms(node))
        {
            runner.link = Link::Appending;
            if self.crashes_at(cx, Mark::CrashBetweenTakeSeqAndWrite) {
                return false;
            }
            self.ask(cx, Waiter::Append { lane }, Ask::Append(batch));
        }
        while let Some(request) = self.lanes[lane].lane.poll_load() {
            self.ask(cx, Waiter::Load { lane, request: request.clone() }, Ask::Load(request));
        }
        self.deliver(cx, lane)
    }

    fn arm_lane(&mut self, cx: &mut Cx, lane: usize) {
        let runner = &mut self.lanes[lane];
        if let Some(at) = runner.lane.poll_timeout()
            && runner.timer.is_none_or(|timer| at < timer)
        {
            runner.timer = Some(at);
            cx.at(at, Event::Node(self.id, cx.node_lives[self.id], NodeEvent::LaneTimer { lane }));
        }
    }

    pub(super) fn lane_timer(&mut self, cx: &mut Cx, lane: usize) {
        let runner = &mut self.lanes[lane];
        runner.timer = None;
        runner.lane.handle_timeout(cx.now);
        self.run_lane(cx, lane);
    }

    /// Answers first, then what is published: whoever sent need not wait for readers.
    fn deliver(&mut self, cx: &mut Cx, lane: usize) -> bool {
        let mut answered = false;
        let mut last = None;
        while let Some(answer) = self.lanes[lane].lane.poll_answer() {
            answered = true;
            // Copies of one entry in one lane are answered together.
            let id = answer.ticket.id();
            cx.marks.hit_if(id.is_some() && id == last, Mark::SecondCopy);
            last = id;
            self.settle(cx, answer.ticket, &answer.outcome);
        }
        let mut committed = Vec::new();
        while let Some(entry) = self.lanes[lane].lane.poll_committed() {
            committed.push(entry);
        }
        if committed.is_empty() || self.crashes_at(cx, Mark::CrashBetweenReplyAndPublish) {
            return answered;
        }
        let owes = committed.iter().any(|entry| matches!(entry.entry, Content::Add(_)));
        let entries: Vec<_> = committed.iter().map(published).collect();
        let epoch = self.lanes[lane].epoch.unwrap_or_default();
        self.publish_all(cx, entries, epoch);
        if owes && self.up {
            self.look_for_due_now(cx);
        }
        answered
    }

    /// Onto the bus, and into the own hub.
    pub(super) fn publish_all(&mut self, cx: &mut Cx, entries: Vec<(ConversationId, Kept)>, epoch: Epoch) {
        self.to_bus(cx, &entries, epoch);
        if !self.crashes_at(cx, Mark::CrashBetweenPublishAndInsert) {
            self.publish(cx, entries, epoch);
        }
    }

    fn to_bus(&self, cx: &mut Cx, entries: &[(ConversationId, Kept)], epoch: Epoch) {
        let others: Vec<_> = (0..cx.node_lives.len()).filter(|node| *node != self.id).collect();
        for node in others {
            if cx.weather.are_apart(self.id, node) {
                cx.marks.hit(Mark::NodesApart);
                continue;
            }
            for (conversation, entry) in entries {
                if cx.weather.bus_down || cx.rng.permille(cx.rate(cx.s.bus_loss_permille)) {
                    cx.marks.hit(Mark::BusLost);
                    continue;
                }
                let twice = cx.rng.permille(cx.rate(cx.s.bus_twice_permille));
                cx.marks.hit_if(twice, Mark::BusTwice);
                for _ in 0..1 + u32::from(twice) {
                    let late = cx.rng.permille(cx.rate(cx.s.bus_late_permille));
                    cx.marks.hit_if(late, Mark::BusLate);
                    let flight = if late { cx.rng.millis(1, 3_000) } else { cx.flight() };
                    let event = NodeEvent::Published(*conversation, Box::new(entry.0.clone()), epoch);
                    cx.after(flight, Event::Node(node, cx.node_lives[node], event));
                }
            }
        }
    }

    fn settle(&mut self, cx: &mut Cx, ticket: Ticket, outcome: &Outcome<Refusal>) {
        match ticket {
            Ticket::Due(id) => {
                let done = !matches!(outcome, Outcome::Unavailable(_));
                if done {
                    self.ask(cx, Waiter::DueDone, Ask::DueDone(vec![id]));
                }
            }
            Ticket::Send { conn, conversation, id, round } => {
                let answer = answer(cx, outcome);
                if let Answer::Stored { seq, duplicate: false, .. } = answer {
                    self.own_sent(conn, conversation, seq);
                }
                cx.down(conn, Down::Sent { conversation, id, round, answer });
            }
        }
    }

    pub(super) fn connect_lane(&mut self, cx: &mut Cx, lane: usize) {
        self.lanes[lane].link = Link::Connecting;
        self.ask(cx, Waiter::Connect { lane }, Ask::Connect);
    }

    pub(super) fn lane_disconnected(&mut self, cx: &mut Cx, lane: usize) {
        if self.lanes[lane].link == Link::Free {
            self.connect_lane(cx, lane);
        }
    }

    pub(super) fn lane_connected(&mut self, cx: &mut Cx, lane: usize, told: &Told) {
        let runner = &mut self.lanes[lane];
        let Told::Connected(epoch) = told else {
            // What could be written if there were a connection is answered, so that senders keep it.
            while runner.lane.poll_append(cx.now, 0).is_some() {
                runner.lane.handle_appended(cx.now, AppendResult::Down);
            }
            self.after(cx, RECONNECT, NodeEvent::Reconnect { lane });
            return self.run_lane(cx, lane);
        };
        runner.epoch = Some(*epoch);
        runner.begin_epoch(*epoch);
        runner.link = Link::Free;
        self.run_lane(cx, lane);
    }

    pub(super) fn appended(&mut self, cx: &mut Cx, lane: usize, told: Told) {
        let result = match told {
            Told::Appended(result) => result,
            _ => AppendResult::InDoubt,
        };
        let lost = matches!(result, AppendResult::InDoubt | AppendResult::Down);
        let runner = &mut self.lanes[lane];
        runner.lane.handle_appended(cx.now, result);
        runner.link = Link::Free;
        if lost {
            self.connect_lane(cx, lane);
        }
        self.run_lane(cx, lane);
    }

    pub(super) fn loaded(&mut self, cx: &mut Cx, lane: usize, request: &LoadRequest, told: Told) {
        let result = match told {
            Told::Loaded(loaded) => Ok(loaded),
            _ => Err(LoadFailed),
        };
        self.lanes[lane].lane.handle_loaded(cx.now, request, result);
        self.run_lane(cx, lane);
    }
}

fn published(committed: &Committed<Content>) -> (ConversationId, Kept) {
    let Committed { conversation, seq, count, at_ms, sender, client_msg_id, entry, .. } = *committed;
    (conversation, Kept(Entry { seq, sender, client_msg_id, at_ms, count, body: entry.encode() }))
}

fn answer(cx: &mut Cx, outcome: &Outcome<Refusal>) -> Answer {
    match *outcome {
        Outcome::Committed { seq, count, at_ms } => Answer::Stored { seq, at_ms, count, duplicate: false },
        Outcome::Duplicate { seq, count, at_ms, unmarked } => {
            cx.marks.hit(Mark::Duplicate);
            cx.marks.hit_if(unmarked, Mark::UnmarkedDuplicate);
            Answer::Stored { seq, at_ms, count, duplicate: true }
        }
        Outcome::Refused(why) => {
            cx.marks.hit(if why == Refusal::Blocked { Mark::Blocked } else { Mark::Refused });
            Answer::Not(SendAnswer::Refused)
        }
        Outcome::NoSuchConversation | Outcome::Rejected => Answer::Not(SendAnswer::Refused),
        Outcome::OutOfOrder => {
            cx.marks.hit(Mark::OutOfOrder);
            Answer::Not(SendAnswer::OutOfOrder { retry_after: None })
        }
        Outcome::Unavailable(why) => {
            cx.marks.hit_if(why == Unavailable::WaitedTooLong, Mark::WaitedTooLong);
            cx.marks.hit_if(why == Unavailable::Contended, Mark::Contended);
            if bug!("what may yet be stored is refused") {
                return Answer::Not(SendAnswer::Refused);
            }
            Answer::Not(SendAnswer::NotNow { retry_after: None })
        }
    }
}
