//! What nodes ask the store, and what they are told.

use std::sync::Arc;

use goim_core::lane::{AppendResult, Batch, LoadRequest, Loaded};
use goim_core::room::Look;
use goim_core::{ConversationId, DeviceId, Epoch, OffsetMove, Seq, UserId};

use super::state::{Due, Row};
use crate::entry::{Content, Settings};

/// A statement.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Opens a lane's connection.
    Connect,
    /// Compare-and-append.
    Append(Arc<Batch<Content>>),
    /// What a lane has to know of a conversation.
    Load(LoadRequest),
    /// A conversation's head, count and revision.
    Stand(ConversationId),
    /// Where a user is a member.
    Memberships(UserId),
    /// The same, and where a device stands in all conversations that its user may see; its own offsets win.
    Positions { user: UserId, device: DeviceId, own: Vec<OffsetMove> },
    /// The same of these alone, by what the store has.
    PositionsIn { user: UserId, device: DeviceId, conversations: Vec<ConversationId> },
    /// A conversation's head, and a user's newest range there.
    Look { user: UserId, conversation: ConversationId },
    /// What a user may see behind a seq.
    Pull { user: UserId, conversation: ConversationId, after: Seq, limit: u32, at_replica: bool },
    /// What there is behind a seq, whoever may see it.
    Entries { conversation: ConversationId, after: Seq },
    /// Where conversations stand.
    Heads(Vec<ConversationId>),
    /// Moves offsets, which belong to an epoch.
    Commit { user: UserId, device: DeviceId, moves: Vec<OffsetMove>, epoch: Epoch },
    /// Moves a read marker.
    Mark { user: UserId, conversation: ConversationId, seq: Seq },
    /// What inboxes are owed.
    Due,
    /// They have it.
    DueDone(Vec<u64>),
}

/// Where a device stands in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) conversation: ConversationId,
    pub(crate) head: Seq,
    pub(crate) offset: Seq,
    pub(crate) marker: Seq,
    /// The entry that let its user in, if he is a member now.
    pub(crate) from: Option<Seq>,
}

/// Entries that a reader may see.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) through: Seq,
    pub(crate) head: Seq,
}

/// An answer.
#[derive(Debug)]
pub(crate) enum Told {
    Connected(Epoch),
    Appended(AppendResult),
    Loaded(Option<Loaded<Settings, ()>>),
    Stands {
        head: Seq,
        count: u64,
        rev: u64,
    },
    Memberships(Vec<(ConversationId, Look)>),
    Positions(Vec<Position>),
    Look(Look),
    Page(Page),
    NotMember,
    Entries(Vec<Row>),
    Heads {
        heads: Vec<(ConversationId, Seq)>,
        epoch: Epoch,
    },
    /// The offsets are durable; or they are of another epoch.
    Committed {
        other_epoch: bool,
    },
    Marked(Option<Seq>),
    Due(Vec<(u64, Due)>),
    Done,
    /// The statement failed; nothing was changed.
    Failed,
}
