//! Everything that can happen, and the frames between devices and nodes.

use goim_core::outbox::{OutboxSend, SendAnswer};
use goim_core::{ConversationId, Entry, Epoch, OffsetMove, PullRequest, Seq, UserId};

use crate::entry::Body;
use crate::fault::Fault;
use crate::store::{Position, StoreEvent, Told};

/// One connection, never two of the same number.
pub(crate) type ConnId = u64;

/// A message, timer or fault, for the part that handles it.
#[derive(Debug)]
pub(crate) enum Event {
    /// For a node in one of its lives.
    Node(usize, u32, NodeEvent),
    /// For a device in one of its lives.
    Client(usize, u32, ClientEvent),
    Store(StoreEvent),
    Fault(Fault),
}

#[derive(Debug)]
pub(crate) enum NodeEvent {
    Opened {
        conn: ConnId,
        client: usize,
    },
    Frame(ConnId, Box<Up>),
    Closed(ConnId),
    Told(u64, Box<Told>),
    /// Every connection to the store is lost.
    StoreLost,
    Reconnect {
        lane: usize,
    },
    LaneTimer {
        lane: usize,
    },
    ConnTimer(ConnId),
    /// From another node.
    Published(ConversationId, Box<Entry<Body>>, Epoch),
    Gaps,
    CatchUp,
    /// The store's epoch was not told.
    Compare,
    Due,
    Rival,
    Invitations,
    LookAgain(ConnId, UserId, ConversationId),
    Start,
}

#[derive(Debug)]
pub(crate) enum ClientEvent {
    Connect,
    Frame(ConnId, Box<Down>),
    Closed(ConnId),
    Send,
    /// A copy of what was sent a while ago.
    Repeat(Box<OutboxSend<Body>>),
    Mark,
    /// What was handed out in this epoch.
    Handled {
        conversation: ConversationId,
        seq: Seq,
        epoch: Epoch,
    },
    Commit,
    Timer,
    Start,
}

/// What a node may be asked for heads for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A conversation was announced that the device does not know.
    Unknown,
    /// The store went back.
    WentBack,
}

/// From a device.
#[derive(Debug, Clone)]
pub(crate) enum Up {
    Sync(Vec<OffsetMove>),
    Send(OutboxSend<Body>),
    Pull(PullRequest),
    Heads(Why, Vec<ConversationId>),
    Commit(Vec<OffsetMove>, Epoch),
    Mark(ConversationId, Seq),
    /// In a datagram.
    Ack(ConversationId, Seq),
}

/// To a device.
#[derive(Debug, Clone)]
pub(crate) enum Down {
    Welcome {
        epoch: Epoch,
        server_ms: u64,
    },
    Synced {
        positions: Vec<Position>,
        epoch: Epoch,
    },
    /// The session could not begin.
    SyncFailed,
    Sent {
        conversation: ConversationId,
        id: goim_core::ClientMsgId,
        round: u32,
        answer: Answer,
    },
    Pulled {
        conversation: ConversationId,
        entries: Vec<Entry<Body>>,
        through: Seq,
        head: Seq,
        epoch: Epoch,
    },
    PullFailed(ConversationId),
    Heads {
        why: Why,
        asked: Vec<ConversationId>,
        positions: Vec<Position>,
        epoch: Epoch,
    },
    HeadsFailed {
        why: Why,
        asked: Vec<ConversationId>,
    },
    Committed {
        other_epoch: bool,
    },
    CommitFailed,
    Marked(ConversationId, Option<Seq>),
    Notification {
        conversation: ConversationId,
        head: Seq,
        marker: Seq,
        epoch: Epoch,
        entries: Vec<Entry<Body>>,
        /// It came on the stream.
        reliable: bool,
    },
    /// The node ends the connection behind this.
    GoAway,
}

/// What became of a send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Stored { seq: Seq, at_ms: u64, count: u64, duplicate: bool },
    Not(SendAnswer),
}
