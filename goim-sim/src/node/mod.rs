//! A server node: core's machines, and around them what the reference server does.

mod conn;
mod hub;
mod lanes;
mod rival;
mod serve;
mod sync;
mod upkeep;

use std::collections::VecDeque;

use goim_core::hash::IdMap;
use goim_core::lane::LoadRequest;
use goim_core::room::Registration;
use goim_core::{ConversationId, Duration, Epoch, MsgBox, Room, Seq, SeqRange, Time, UserId};

use conn::Conn;
use lanes::LaneRunner;
use rival::Rival;
use sync::Syncing;

use crate::cx::Cx;
use crate::entry::Kept;
use crate::event::{ConnId, Event, NodeEvent, Why};
use crate::marks::Mark;
use crate::store::{Ask, Caller, StoreEvent, Told};

/// Who on this node waits for an answer of the store.
#[derive(Debug)]
enum Waiter {
    Connect {
        lane: usize,
    },
    Append {
        lane: usize,
    },
    Load {
        lane: usize,
        request: LoadRequest,
    },
    Sync(Syncing),
    SyncGone(Syncing),
    SyncPage {
        conn: ConnId,
    },
    Pull {
        conn: ConnId,
        conversation: ConversationId,
    },
    Heads {
        conn: ConnId,
        why: Why,
        asked: Vec<ConversationId>,
    },
    Commit {
        conn: ConnId,
    },
    Mark {
        conn: ConnId,
        user: UserId,
        conversation: ConversationId,
    },
    Fetch {
        conversation: ConversationId,
        gap: SeqRange,
    },
    Compare,
    Look {
        conn: ConnId,
        user: UserId,
        conversation: ConversationId,
        registration: Registration,
    },
    /// What inboxes are owed, as of an epoch.
    Due {
        epoch: Epoch,
    },
    DueDone,
    RivalStand {
        conversation: ConversationId,
    },
    RivalAppend,
}

impl Waiter {
    /// It is asked again and again, so that one may be under way at any time.
    const fn is_of_upkeep(&self) -> bool {
        matches!(self, Self::Compare | Self::Due { .. } | Self::RivalStand { .. } | Self::RivalAppend)
    }
}

pub(crate) struct Node {
    pub(crate) id: usize,
    pub(crate) up: bool,
    /// It does nothing before this.
    paused_until: Time,
    /// When it began to stand still, until it has woken.
    stood_since: Option<Time>,
    lanes: Vec<LaneRunner>,
    rooms: IdMap<ConversationId, Room<ConnId, Kept>>,
    msg_box: MsgBox<Kept>,
    gaps: VecDeque<(Time, ConversationId)>,
    gaps_timed: bool,
    invitations: Vec<(UserId, ConversationId, Seq)>,
    registrations: u32,
    conns: IdMap<ConnId, Conn>,
    users: IdMap<UserId, Vec<ConnId>>,
    calls: IdMap<u64, Waiter>,
    last_call: u64,
    epoch: Epoch,
    /// The store that its connections lead to; see [`Caller`].
    line: u32,
    /// The store's connections are new, and nobody has looked at its epoch through them yet.
    store_is_new: bool,
    comparing: bool,
    due_busy: bool,
    rival: Rival,
}

impl Node {
    pub(crate) fn new(cx: &Cx, id: usize) -> Self {
        let lanes = (0..cx.s.lanes).map(|_| LaneRunner::new(&cx.s)).collect();
        Self {
            id,
            up: true,
            paused_until: Time::ZERO,
            stood_since: None,
            lanes,
            rooms: IdMap::default(),
            msg_box: MsgBox::new(hub::box_limits(&cx.s)),
            gaps: VecDeque::new(),
            gaps_timed: false,
            invitations: Vec::new(),
            registrations: 0,
            conns: IdMap::default(),
            users: IdMap::default(),
            calls: IdMap::default(),
            // Numbers of one life are never those of another.
            last_call: u64::from(cx.node_lives[id]) << 32,
            epoch: Epoch::default(),
            line: cx.store_line,
            store_is_new: true,
            comparing: false,
            due_busy: false,
            rival: Rival::new(&cx.s),
        }
    }

    /// Begins a life: nothing is known.
    pub(crate) fn start(&mut self, cx: &mut Cx) {
        *self = Self::new(cx, self.id);
        for lane in 0..self.lanes.len() {
            self.connect_lane(cx, lane);
        }
        // Nobody is let in before the epoch is known, which comes with the heads.
        self.after(cx, Duration::ZERO, NodeEvent::CatchUp);
        self.after(cx, Duration::from_millis(100), NodeEvent::Due);
        if cx.s.rival_every_ms > 0 {
            let wait = cx.rng.around(cx.s.rival_every_ms);
            self.after(cx, wait, NodeEvent::Rival);
        }
    }

    /// Ends its life; whatever was in memory is gone.
    pub(crate) fn crash(&mut self, cx: &mut Cx) {
        if !self.up {
            return;
        }
        cx.marks.hit(Mark::NodeCrashed);
        self.up = false;
        cx.node_up[self.id] = false;
        cx.node_lives[self.id] += 1;
        let id = self.id;
        cx.cut_where(|_, node| node == id);
        self.conns.clear();
        let down = cx.rng.millis(10, 2_000);
        self.after(cx, down, NodeEvent::Start);
    }

    /// Whether it crashes at a named step of its work.
    fn crashes_at(&mut self, cx: &mut Cx, mark: Mark) -> bool {
        let strikes = cx.rng.permille(cx.rate(cx.s.step_crash_permille));
        if strikes {
            cx.marks.hit(mark);
            self.crash(cx);
        }
        strikes
    }

    pub(crate) fn handle(&mut self, cx: &mut Cx, event: NodeEvent) {
        if cx.now < self.paused_until {
            return cx.at(self.paused_until, Event::Node(self.id, cx.node_lives[self.id], event));
        }
        if let Some(since) = self.stood_since.take() {
            // Longer than anything may wait here, and something does.
            let is_old = cx.now >= since + lanes::WAIT_MAX;
            cx.marks.hit_if(is_old && self.has_sends(), Mark::OldSendsWoken);
        }
        if let NodeEvent::Start = event {
            self.start(cx);
            return;
        }
        if !self.up {
            return;
        }
        match event {
            NodeEvent::Opened { conn, client } => self.opened(cx, conn, client),
            NodeEvent::Frame(conn, frame) if cx.net.carries(conn) => self.frame(cx, conn, *frame),
            NodeEvent::Frame(..) => {}
            NodeEvent::Closed(conn) => self.leave(conn),
            NodeEvent::Told(call, told) => self.told(cx, call, *told),
            NodeEvent::StoreLost => self.store_lost(cx),
            NodeEvent::Reconnect { lane } => self.connect_lane(cx, lane),
            NodeEvent::LaneTimer { lane } => self.lane_timer(cx, lane),
            NodeEvent::ConnTimer(conn) => self.conn_timer(cx, conn),
            NodeEvent::Published(conversation, entry, epoch) => {
                self.publish(cx, vec![(conversation, Kept(*entry))], epoch);
            }
            NodeEvent::LookAgain(conn, user, conversation) => {
                self.look_for(cx, conn, user, conversation);
            }
            NodeEvent::Gaps => self.fill_gaps(cx),
            NodeEvent::CatchUp => self.catch_up(cx),
            NodeEvent::Compare => self.compare(cx),
            NodeEvent::Due => self.look_for_due(cx),
            NodeEvent::Rival => self.rival_writes(cx),
            NodeEvent::Invitations => self.follow_invitations(cx),
            NodeEvent::Start => {}
        }
    }

    /// Stands still for a while: what comes meanwhile waits.
    pub(crate) fn pause(&mut self, now: Time, pause: Duration) {
        self.stood_since.get_or_insert(now);
        self.paused_until = self.paused_until.max(now + pause);
    }

    /// Goes on, if it stands still.
    pub(crate) fn resume(&mut self, now: Time) {
        self.paused_until = self.paused_until.min(now);
    }

    /// Whether sends wait here.
    fn has_sends(&self) -> bool {
        self.lanes.iter().any(|runner| runner.lane.waiting() > 0)
    }

    fn after(&self, cx: &mut Cx, wait: Duration, event: NodeEvent) {
        cx.after(wait, Event::Node(self.id, cx.node_lives[self.id], event));
    }

    /// Asks the store; the answer comes to [`Node::told`], one way or another.
    fn ask(&mut self, cx: &mut Cx, waiter: Waiter, ask: Ask) {
        // A store that went back has lost all its connections. So whoever looks at the epoch first
        // through each new one serves nothing of the new log as if it were of the old.
        let looks = matches!(waiter, Waiter::Compare) || bug!("the epoch is looked at now and then");
        self.last_call += 1;
        let call = self.last_call;
        self.calls.insert(call, waiter);
        let life = cx.node_lives[self.id];
        if !cx.store_reachable(self.id) || (self.store_is_new && !looks) {
            let down = match ask {
                Ask::Append(_) => Told::Appended(goim_core::lane::AppendResult::Down),
                _ => Told::Failed,
            };
            let soon = cx.rng.micros(10, 5_000);
            return self.after(cx, soon, NodeEvent::Told(call, Box::new(down)));
        }
        let flight = cx.store_flight();
        let caller = Caller { node: self.id, life, call, line: self.line };
        cx.after(flight, Event::Store(StoreEvent::Asked(caller, Box::new(ask))));
    }

    fn told(&mut self, cx: &mut Cx, call: u64, told: Told) {
        // It was given up, or answered before.
        let Some(waiter) = self.calls.remove(&call) else { return };
        match waiter {
            Waiter::Connect { lane } => self.lane_connected(cx, lane, &told),
            Waiter::Append { lane } => self.appended(cx, lane, told),
            Waiter::Load { lane, request } => self.loaded(cx, lane, &request, told),
            Waiter::Sync(sync) => self.sync_looked(cx, sync, told),
            Waiter::SyncGone(sync) => self.sync_gone(cx, sync, told),
            Waiter::SyncPage { conn } => self.sync_page(cx, conn, told),
            Waiter::Pull { conn, conversation } => self.pulled(cx, conn, conversation, told),
            Waiter::Heads { conn, why, asked } => self.located(cx, conn, why, asked, told),
            Waiter::Commit { conn } => self.committed_offsets(cx, conn, &told),
            Waiter::Mark { conn, user, conversation } => self.marked(cx, conn, user, conversation, &told),
            Waiter::Fetch { conversation, gap } => self.fetched(cx, conversation, gap, told),
            Waiter::Compare => self.compared(cx, told),
            Waiter::Look { conn, user, conversation, registration } => {
                self.looked(cx, conn, user, conversation, registration, &told);
            }
            Waiter::Due { epoch } => self.due_told(cx, epoch, told),
            Waiter::DueDone => {}
            Waiter::RivalStand { conversation } => self.rival_stands(cx, conversation, &told),
            Waiter::RivalAppend => self.rival_appended(cx, &told),
        }
    }

    /// Every call that waits fails.
    fn store_lost(&mut self, cx: &mut Cx) {
        (self.store_is_new, self.line) = (true, cx.store_line);
        self.rival.forget_all();
        let mut calls: Vec<_> = self.calls.keys().copied().collect();
        calls.sort_unstable();
        for call in calls {
            let append = matches!(self.calls.get(&call), Some(Waiter::Append { .. } | Waiter::RivalAppend));
            let lost =
                if append { Told::Appended(goim_core::lane::AppendResult::InDoubt) } else { Told::Failed };
            self.told(cx, call, lost);
            if !self.up {
                return;
            }
        }
        for lane in 0..self.lanes.len() {
            self.lane_disconnected(cx, lane);
        }
        self.compare(cx);
    }
}
