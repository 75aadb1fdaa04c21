use std::collections::VecDeque;

use bytes::Bytes;
use goim_core::lane::{Batch, LoadRequest, Loaded};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, Seq, UserId};
use goim_proto::{Content, ConversationKind, ErrorCode, GroupChange, JoinPolicy, Role};

use super::{MessageAct, Target};

/// An entry to append: what readers get, and what it does to the fold's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDraft {
    /// The code of its content.
    pub kind: EntryKind,
    /// The encoded content.
    pub body: Bytes,
    /// What it changes.
    pub effect: Effect,
}

/// The code of an entry's content, as a column holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKind(pub i16);

impl EntryKind {
    /// The kind of entries with this content.
    #[must_use]
    pub fn of(content: &Content) -> Self {
        Self::from_code(content.code())
    }

    /// The kind of entries whose content has this code; a code that no content has is kept as the largest.
    #[must_use]
    pub fn from_code(code: u64) -> Self {
        Self(i16::try_from(code).unwrap_or(i16::MAX))
    }

    /// A text.
    pub const TEXT: Self = Self(1);
    /// A picture, which has a name.
    pub const IMAGE: Self = Self(3);
    /// A file, which has a name.
    pub const FILE: Self = Self(4);
    /// Codes under this one are messages, which people read and count.
    pub const MESSAGES_END: Self = Self(32);
    /// A group's first entry.
    pub const GROUP_CREATED: Self = Self(32);
    /// A direct chat's first entry.
    pub const DIRECT_OPENED: Self = Self(37);
    /// Somebody joined by himself.
    pub const MEMBER_JOINED: Self = Self(43);
    /// A message was edited.
    pub const EDITED: Self = Self(44);
    /// Codes from this one on are found in inboxes alone.
    pub const INBOX_BEGIN: Self = Self(64);

    /// Whether people read such an entry and count it.
    #[must_use]
    pub fn is_message(self) -> bool {
        self < Self::MESSAGES_END
    }
}

/// What an entry does to the tables that hold its conversation's fold, in its own transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The message mentions somebody.
    Mention {
        /// Whom, each once; or [`EVERYBODY`](super::EVERYBODY) alone.
        users: Vec<UserId>,
    },
    /// Everybody of these becomes a member by this entry, and hears of it in his inbox.
    Join {
        /// Who, each once.
        users: Vec<(UserId, Role)>,
    },
    /// The user becomes a plain member by this entry, which accepts his open application.
    Admit {
        /// Who.
        user: UserId,
    },
    /// The user's membership ends with this entry.
    Part {
        /// Who.
        user: UserId,
    },
    /// A member has another role.
    SetRole {
        /// Who.
        user: UserId,
        /// Which.
        role: Role,
    },
    /// A member's messages are refused, or taken again.
    SetMuted {
        /// Whose.
        user: UserId,
        /// Whether they are refused.
        muted: bool,
    },
    /// The group has a new owner; the sender, who was it, is an admin.
    Transfer {
        /// Who.
        to: UserId,
    },
    /// The group shows or allows something else.
    Change(GroupChange),
    /// Nobody writes any more.
    Dismiss,
    /// Something is done to a message.
    OnMessage {
        /// To which.
        target: Target,
        /// What.
        act: MessageAct,
    },
    /// The conversation has a new title.
    Retitle {
        /// Which.
        title: String,
    },
}

impl Effect {
    /// Adds the users whom it is about.
    pub fn involved(&self, users: &mut Vec<UserId>) {
        match self {
            Self::Join { users: joining } => users.extend(joining.iter().map(|(user, _)| *user)),
            Self::Admit { user }
            | Self::Part { user }
            | Self::SetRole { user, .. }
            | Self::SetMuted { user, .. }
            | Self::Transfer { to: user } => users.push(*user),
            Self::None
            | Self::Mention { .. }
            | Self::Retitle { .. }
            | Self::Change(_)
            | Self::Dismiss
            | Self::OnMessage { .. } => {}
        }
    }
}

/// The fold of a conversation apart from its members, as far as rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its kind.
    pub kind: ConversationKind,
    /// Who made it.
    pub creator: UserId,
    /// Whether its first entry is there.
    pub opened: bool,
    /// Who is blocked by the other one, in a direct chat: up to two, the rest is nobody.
    pub closed_to: [UserId; 2],
    /// What it allows, if it is a group.
    pub group: GroupSettings,
    /// Messages that something was done to lately.
    pub changes: Changes,
}

/// Messages that something was done to, as far back as somebody has watched: whoever looked at a message
/// in the store before is told whether that look is out of date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Everything behind this seq is known.
    since: Seq,
    /// Targets, and the entries that did it.
    recent: VecDeque<(Seq, Seq)>,
}

impl Changes {
    /// Changes that are remembered: 1 KiB for a conversation in which there are so many.
    const RECENT_MAX: usize = 64;

    /// Nothing is known yet of what lies behind a head.
    #[must_use]
    pub fn since(head: Seq) -> Self {
        Self { since: head, recent: VecDeque::new() }
    }

    /// The entry at `seq` did something to a message.
    pub fn note(&mut self, target: Seq, seq: Seq) {
        if self.recent.len() == Self::RECENT_MAX
            && let Some((_, oldest)) = self.recent.pop_front()
        {
            self.since = self.since.max(oldest);
        }
        self.recent.push_back((target, seq));
    }

    /// Whether something may have been done to a message behind a head.
    #[must_use]
    pub fn may_touch(&self, target: Seq, head: Seq) -> bool {
        head < self.since || self.recent.iter().any(|(of, at)| *of == target && *at > head)
    }
}

/// What a group allows, as far as rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupSettings {
    /// Who gets in uninvited.
    pub policy: JoinPolicy,
    /// Whether only the owner and admins write.
    pub muted: bool,
    /// Whether nobody writes any more.
    pub dismissed: bool,
    /// How many members it has.
    pub members: u64,
}

/// What the fold says of a user who is a member, was one, or wants to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Member {
    /// What he may do; nothing while he is out.
    pub role: Option<Role>,
    /// Whether his messages are refused. Nobody escapes that by leaving and coming back.
    pub muted: bool,
    /// How often he was let in: each time is a range of what he may read.
    pub stays: u32,
    /// Whether his application is open. It has no entry; each change of it raises the revision.
    pub applies: bool,
}

/// A batch of this server's entries.
pub type EntryBatch = Batch<EntryDraft>;
/// What a lane asks for.
pub type Load = LoadRequest;
/// What a lane is answered.
pub type LoadedState = Loaded<Settings, Member>;
/// An entry as a store has it.
pub type StoredEntry = Entry<Bytes>;

/// Seqs that a reader may see: both ends included; an open end is the conversation's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first that he may see: the entry that let him in, or an earlier one in histories.
    pub from: Seq,
    /// The entry that put him out, if he is out.
    pub until: Option<Seq>,
}

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which.
    pub conversation: ConversationId,
    /// Its highest committed seq.
    pub head: Seq,
}

/// Entries that a reader may see after an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// All of (after, through] that he may see, in order.
    pub entries: Vec<StoredEntry>,
    /// Where his offset may move.
    pub through: Seq,
    /// The highest seq that he may see.
    pub head: Seq,
}

/// An offset to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetCommit {
    /// Whose.
    pub device: DeviceId,
    /// The device's user.
    pub user: UserId,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Everything up to here was handled.
    pub seq: Seq,
    /// The epoch that it belongs to; 0 does not say.
    pub epoch: Epoch,
}

/// An offset that was refused: its place in the list, and why.
pub type OffsetRefusal = (usize, ErrorCode);

/// A user, as accounts keep him.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The id.
    pub user: UserId,
    /// The unique name.
    pub name: String,
    /// His inbox.
    pub inbox: ConversationId,
    /// Argon2id, in PHC form; bots have none.
    pub password_hash: Option<String>,
    /// The person whose bot this is.
    pub owner: Option<UserId>,
}

impl core::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Not the hash: rows end up in logs.
        f.debug_struct("UserRow")
            .field("user", &self.user)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// A device, with what a session needs of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRow {
    /// The id.
    pub device: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// His inbox.
    pub inbox: ConversationId,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A conversation, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// The id.
    pub conversation: ConversationId,
    /// Its kind.
    pub kind: ConversationKind,
    /// Its title.
    pub title: String,
    /// Its head.
    pub head: Seq,
}

/// A member, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberRow {
    /// Who.
    pub user: UserId,
    /// What he may do.
    pub role: Role,
    /// The entry that let him in.
    pub since: Seq,
    /// Whether his messages are refused.
    pub muted: bool,
}

/// A conversation to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    /// Its kind.
    pub kind: ConversationKind,
    /// Who makes it.
    pub creator: UserId,
    /// Makes a repetition find the first one.
    pub client_msg_id: ClientMsgId,
    /// Its title.
    pub title: String,
}

/// An entry that is owed to a user's inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    /// The row.
    pub id: i64,
    /// His inbox.
    pub inbox: ConversationId,
    /// To whom.
    pub user: UserId,
    /// The content's code.
    pub kind: EntryKind,
    /// The entry that owes it: where. 0 if it is owed because of none.
    pub conversation: ConversationId,
    /// The entry that owes it: its place.
    pub seq: Seq,
    /// Who appended that entry.
    pub sender: UserId,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The encoded content of what is owed because of no entry.
    pub body: Option<Bytes>,
}
