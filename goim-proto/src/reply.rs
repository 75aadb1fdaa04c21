//! Every answer to a [`Call`](crate::Call).

mod account;
mod conversations;
mod friends;
mod groups;
mod messages;
mod presence;
mod sequences;

use goim_core::{ConversationId, Entry, Epoch, Seq, UserId};

use crate::Error;

pub use account::*;
pub use conversations::*;
pub use friends::*;
pub use groups::*;
pub use messages::*;
pub use presence::*;
pub use sequences::*;

wire_enum! {
    /// The answer to a call.
    pub enum Reply<B> {
        /// The call failed.
        1 => Error(Error),
        /// Done; there is nothing to tell.
        2 => Done,
        /// A session was opened.
        3 => Session(Session),
        /// The connection is authenticated.
        4 => Authenticated(SessionInfo),
        /// A bot was made.
        5 => BotToken(BotToken),
        /// A user.
        6 => User(User),
        /// Profiles of users.
        7 => Profiles(ProfileList),
        /// A page of users that were searched for.
        8 => Found(FoundPage),
        /// A page of devices.
        9 => Devices(DevicePage),
        /// What the caller's account allows others.
        10 => Settings(AccountSettings),
        /// A conversation.
        20 => Conversation(ConversationInfo),
        /// A page of members.
        21 => Members(MemberPage),
        /// A group.
        22 => Group(GroupInfo),
        /// A page of applications.
        23 => Applications(ApplicationPage),
        /// A page of conversations past the device's offsets.
        40 => Synced(Synced),
        /// Where conversations stand.
        41 => Heads(HeadList),
        /// The entry is committed.
        42 => Sent(Sent),
        /// Entries after an offset.
        43 => Pulled(Pulled<B>),
        /// Messages before a seq.
        44 => History(HistoryPage<B>),
        /// The offsets are committed.
        45 => Committed(Committed),
        /// Who has read a message.
        51 => Readers(ReaderList),
        /// How far the other one in a direct chat is.
        52 => Receipt(Receipt),
        /// A page of the caller's conversations.
        53 => Conversations(ConversationPage<B>),
        /// A page of messages that were searched for.
        55 => FoundMessages(MessagePage<B>),
        /// Whether users are there.
        63 => Presences(PresenceList),
        /// A page of requests to be friends.
        70 => FriendRequests(FriendRequestPage),
        /// A page of friends.
        71 => Friends(FriendPage),
        /// A page of users whom the caller blocks.
        72 => Blocked(BlockedPage),
        /// Numbers of a sequence.
        90 => Allocated(Allocated),
    }
}

wire_code! {
    /// The kind of a conversation.
    pub enum ConversationKind {
        /// Two people.
        1 => Direct,
        /// Any number of people.
        2 => Group,
        /// What the server tells one person.
        3 => Inbox,
    }
}

wire_struct! {
    /// A conversation.
    pub struct ConversationInfo {
        /// The id.
        pub conversation: ConversationId,
        /// The kind.
        pub kind: ConversationKind,
        /// The group's name; empty for others.
        pub title: String,
        /// The highest committed seq.
        pub head: Seq,
    }
}

wire_code! {
    /// What a member may do.
    pub enum Role {
        /// Everything.
        1 => Owner,
        /// Add, remove and mute plain members, answer applications, change what the group shows and allows.
        2 => Admin,
        /// Read and write.
        3 => Member,
    }
}

wire_struct! {
    /// A member.
    pub struct MemberInfo {
        /// Who.
        pub user: UserId,
        /// What he may do.
        pub role: Role,
        /// The entry that let him in.
        pub since: Seq,
        /// Whether his messages are refused.
        pub muted: bool,
    }
}

wire_struct! {
    /// A page of members, by ascending user id.
    pub struct MemberPage {
        /// The members.
        pub members: Vec<MemberInfo>,
        /// Whether more follow.
        pub more: bool,
    }
}

wire_struct! {
    /// Where a conversation stands, for one reader.
    pub struct SyncItem {
        /// Which.
        pub conversation: ConversationId,
        /// Its kind.
        pub kind: ConversationKind,
        /// The highest seq that this reader may see.
        pub head: Seq,
        /// The messages up to the head.
        pub count: u64,
        /// The device's offset.
        pub offset: Seq,
        /// The user's read marker.
        pub read_marker: Seq,
    }
}

wire_struct! {
    /// A page of conversations, by ascending id.
    pub struct Synced {
        /// Those past the device's offset.
        pub items: Vec<SyncItem>,
        /// Whether more follow, after the conversation `next`.
        pub more: bool,
        /// Where the next page starts.
        pub next: ConversationId,
        /// The store's epoch.
        pub epoch: Epoch,
    }
}

wire_struct! {
    /// Where conversations stand, as the store's primary has it.
    pub struct HeadList {
        /// Those of the conversations asked for that the caller may read.
        pub items: Vec<SyncItem>,
        /// The store's epoch.
        pub epoch: Epoch,
    }
}

wire_struct! {
    /// A committed entry.
    pub struct Sent {
        /// Its place.
        pub seq: Seq,
        /// Whether it was stored before.
        pub duplicate: bool,
        /// When it was committed, in milliseconds since the Unix epoch.
        pub at_ms: u64,
        /// The messages up to and including it.
        pub count: u64,
    }
}

wire_struct! {
    /// Entries after an offset.
    pub struct Pulled<B> {
        /// Everything that this reader may see in (after, through], in order.
        pub entries: Vec<Entry<B>>,
        /// Where the offset may move. It passes over what the reader may not see or what retention
        /// took.
        pub through: Seq,
        /// The highest seq that this reader may see, as whoever answered knew it.
        pub head: Seq,
        /// The store's epoch.
        pub epoch: Epoch,
    }
}

wire_struct! {
    /// Messages before a seq, newest first.
    pub struct HistoryPage<B> {
        /// The messages, each with its latest content.
        pub entries: Vec<Entry<B>>,
        /// Whether there are older ones.
        pub more: bool,
        /// What else became of those that were edited or reacted to.
        pub forms: Vec<MessageForm>,
    }
}

wire_struct! {
    /// The offsets are durable, but for those that were refused.
    pub struct Committed {
        /// Refused offsets, each with the error's code.
        pub refused: Vec<RefusedOffset>,
    }
}

wire_struct! {
    /// An offset that was refused.
    pub struct RefusedOffset {
        /// Which conversation.
        pub conversation: ConversationId,
        /// `OffsetBeyondHead`, `NotMember` or `OtherEpoch`.
        pub code: crate::ErrorCode,
    }
}
