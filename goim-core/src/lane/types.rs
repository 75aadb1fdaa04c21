use crate::{ClientMsgId, ConversationId, DeviceId, Epoch, Seq, UserId};

/// An entry that somebody asks a lane to append.
#[derive(Debug, Clone)]
pub struct Offer<E, T> {
    /// Handed back with the answer.
    pub ticket: T,
    /// Where it shall go.
    pub conversation: ConversationId,
    /// Who sends it.
    pub sender: UserId,
    /// The sender's device, whose order of sends is kept.
    pub device: DeviceId,
    /// The sender's id for it.
    pub client_msg_id: ClientMsgId,
    /// The device's send before it to the same conversation, if that one is still unanswered.
    pub after: Option<ClientMsgId>,
    /// Whether it was sent before, so that it has to be looked up before it is written.
    pub retry: bool,
    /// The store's, as whoever sends believes it to be: what he let go of because it was acknowledged
    /// in that epoch must not come back in another one, behind what he sent since.
    pub epoch: Epoch,
    /// What shall be appended.
    pub entry: E,
}

/// What became of an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<R> {
    /// Stored now, durably.
    Committed {
        /// Its place.
        seq: Seq,
        /// The messages up to and including it.
        count: u64,
        /// When, in milliseconds since the Unix epoch.
        at_ms: u64,
    },
    /// Stored before; nothing was stored now.
    Duplicate {
        /// The first one's place.
        seq: Seq,
        /// The messages up to and including the first one.
        count: u64,
        /// When the first one was committed, in milliseconds since the Unix epoch.
        at_ms: u64,
        /// The store had to refuse it because nobody had said that it was a retry. That cost the
        /// whole batch a second round; whoever did it should pay.
        unmarked: bool,
    },
    /// Not allowed by the rules. Final.
    Refused(R),
    /// There is no such conversation. Final.
    NoSuchConversation,
    /// The entry that it names in `after` is neither committed nor ahead of it: send again from
    /// the right place.
    OutOfOrder,
    /// The store cannot take this entry's data. Final.
    Rejected,
    /// Not now; the same offer may succeed later.
    Unavailable(Unavailable),
}

impl<R> Outcome<R> {
    /// What a second copy is told when the first was told this: the first alone went to the store.
    pub(super) fn of_copy(self) -> Self {
        match self {
            Self::Committed { seq, count, at_ms } | Self::Duplicate { seq, count, at_ms, .. } => {
                Self::Duplicate { seq, count, at_ms, unmarked: false }
            }
            Self::Refused(_)
            | Self::NoSuchConversation
            | Self::OutOfOrder
            | Self::Rejected
            | Self::Unavailable(_) => self,
        }
    }
}

/// Why an entry could not be appended now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// It waited longer than [`LaneLimits::wait_max`](super::LaneLimits::wait_max).
    WaitedTooLong,
    /// Rival committers were faster each time.
    Contended,
    /// The store cannot be reached.
    StoreDown,
    /// The store has no room.
    StoreFull,
    /// It was sent in another epoch of the store, which went back to an earlier state meanwhile.
    StoreWentBack,
}

/// An answer to an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<R, T> {
    /// The offer's ticket.
    pub ticket: T,
    /// What became of it.
    pub outcome: Outcome<R>,
}

/// An entry that is committed, to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<E> {
    /// Where.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// The messages up to and including it.
    pub count: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who appended it.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The sender's id for it.
    pub client_msg_id: ClientMsgId,
    /// What was appended.
    pub entry: E,
}

/// What a lane wants to know of one conversation.
///
/// All of it has to be answered from one snapshot of the store, or with the head read first: a
/// state newer than its head is found stale by the append, one older than its head is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadRequest {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Whose member rows, each once.
    pub members: Vec<UserId>,
    /// Which ids to look up, each once.
    pub ids: Vec<(UserId, ClientMsgId)>,
    /// What the lane had forgotten up to when it asked.
    pub(super) generation: u64,
    /// The offers that had arrived when it asked.
    pub(super) stamp: u64,
    /// The last of them that it asked for.
    pub(super) covers: u64,
}

/// The answer to a [`LoadRequest`].
#[derive(Debug, Clone)]
pub struct Loaded<S, M> {
    /// The conversation's head.
    pub head: Seq,
    /// The messages up to the head.
    pub count: u64,
    /// The revision: changes of the fold that have no entry.
    pub rev: u64,
    /// The fold apart from its members.
    pub settings: S,
    /// For each user asked about, the row, or `None` for who is not a member; who is left out is not
    /// one either.
    pub members: Vec<(UserId, Option<M>)>,
    /// Those of the ids that are stored.
    pub found: Vec<Found>,
}

/// A stored id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub sender: UserId,
    /// The id.
    pub client_msg_id: ClientMsgId,
    /// Its place.
    pub seq: Seq,
    /// The messages up to and including it.
    pub count: u64,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// The store did not answer a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store did not answer; the entries that waited for it are refused as unavailable")]
pub struct LoadFailed;

/// What to append in one statement or one short transaction.
#[derive(Debug, Clone)]
pub struct Batch<E> {
    /// One for each conversation of the batch, by ascending id, so that rival committers take
    /// their locks in one order.
    pub expects: Vec<Expect>,
    /// The rows; those of one conversation in order of their seqs.
    pub rows: Vec<Row<E>>,
    /// Whether any of them has effects on the fold.
    pub effects: bool,
}

/// Where a conversation has to stand for its rows to be written, and where it stands after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The head that the numbers were counted from.
    pub base: Seq,
    /// The revision that the entries were judged by.
    pub rev: u64,
    /// How many rows the batch has for it; the new head is `base + n`.
    pub n: u64,
    /// The messages up to the new head.
    pub count: u64,
    /// The time of the rows, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// A numbered entry.
#[derive(Debug, Clone)]
pub struct Row<E> {
    /// Where.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// Who appends it.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The sender's id for it.
    pub client_msg_id: ClientMsgId,
    /// The messages up to and including it.
    pub count: u64,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What is appended.
    pub entry: E,
}

/// What came of a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendResult {
    /// All was written and flushed, except for the conversations that stood elsewhere.
    Written {
        /// Those of which nothing was written.
        stale: Vec<ConversationId>,
    },
    /// An id was stored already (a unique violation). Nothing was written.
    Duplicate,
    /// The store cannot take the data of some entry. Nothing was written.
    Data,
    /// A deadlock or a serialisation failure. Nothing was written; it may go through if repeated.
    Conflict,
    /// The answer was lost: it may have been written, it may be written later.
    InDoubt,
    /// The store could not be asked. Nothing was written.
    Down,
    /// The store has no room. Nothing was written.
    Full,
}
