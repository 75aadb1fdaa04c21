use crate::{ConversationId, Seq, UserId};

/// A change of who reads a conversation, as an entry says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These read from this entry on.
    Added(Vec<UserId>),
    /// This one reads up to and including this entry.
    Gone(UserId),
    /// In an inbox: its owner was added to another conversation, by this entry of it.
    InvitedTo(ConversationId, Seq),
}

/// What is to be done outside a [`Room`](super::Room).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<R, M> {
    /// Keep this entry for readers.
    Keep(M),
    /// These users' connections have to be [let in](super::Room::let_in) at this entry.
    LetIn(Vec<UserId>, Seq),
    /// This connection reads no further than this entry, and is gone from the room.
    Stop(R, Seq),
    /// Entries up to here were passed over: what is kept is no longer whole.
    Skip(Seq),
    /// What was passed over may have put out the user of this connection, who read. It reads no more
    /// until it was [registered](super::Room::register) again and looked for.
    Look(R, UserId),
    /// The reader of this inbox was added to another conversation, by this entry of it. Whoever of his
    /// connections does not read there from that entry on has to be
    /// [registered](super::Room::register) and looked for, also if it reads: it may be put out yet.
    Invite(UserId, ConversationId, Seq),
}

/// Which registration of a connection a look is of: a number that no other registration of that
/// connection has while the look is under way. One counter for all that wraps around will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration(u32);

impl Registration {
    /// Wraps a number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

/// What looking in the store brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The conversation's head when it was looked at; no later than the rest.
    pub head: Seq,
    /// The entry that the user is a member since, if he is one.
    pub from: Option<Seq>,
    /// The last entry that the user may see, if he was a member and is none.
    pub last: Seq,
}

/// What a look means for who looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// He reads, from this entry on.
    Reads(Seq),
    /// He is out, and may see no more than up to this entry; zero for who never was in.
    Out(Seq),
    /// Nobody knows: the look is older than what this room has seen pass. Look again.
    TooOld,
    /// Nobody waits for it: the connection was registered again meanwhile, and the look of that
    /// registration says where it stands; or it has left.
    Superseded,
}
