//! Every request. Its answer is in [`reply`](crate::reply).

mod account;
mod conversations;
mod friends;
mod groups;
mod messages;
mod presence;
mod sequences;

use goim_core::{ClientMsgId, ConversationId, Epoch, Seq, UserId};

pub use account::*;
pub use conversations::*;
pub use friends::*;
pub use groups::*;
pub use messages::*;
pub use presence::*;
pub use sequences::*;

wire_enum! {
    /// A request.
    pub enum Call<B> {
        /// Makes an account; answered by `Session`.
        1 => Register(Credentials),
        /// Opens a session; answered by `Session`.
        2 => Login(Credentials),
        /// Trades a refresh token for new tokens; answered by `Session`.
        3 => Refresh(Refresh),
        /// Ends the device's session for good; answered by `Done`.
        4 => Logout,
        /// Authenticates this connection, or renews its session; answered by `Authenticated`.
        5 => Authenticate(Authenticate),
        /// Makes a bot that the caller owns; answered by `BotToken`.
        6 => CreateBot(CreateBot),
        /// Revokes all tokens of a bot of the caller's; answered by `Done`.
        7 => RevokeBot(UserArgument),
        /// Finds a user by name; answered by `User`.
        8 => FindUser(FindUser),
        /// Reads the profiles of users; answered by `Profiles`.
        9 => Profiles(UserList),
        /// Changes the caller's own profile; answered by `Profiles`.
        10 => UpdateProfile(ProfileUpdate),
        /// Finds users whose name or nickname begins like this; answered by `Found`.
        11 => SearchUsers(SearchUsers),
        /// Changes the caller's password and revokes his other devices; answered by `Done`.
        12 => ChangePassword(ChangePassword),
        /// Lists the caller's devices; answered by `Devices`.
        13 => ListDevices(ListDevices),
        /// Ends the sessions of one of the caller's devices for good; answered by `Done`.
        14 => RevokeDevice(DeviceArgument),
        /// Opens a session by the word of the issuer that the operator trusts; answered by `Session`.
        15 => LoginExternal(LoginExternal),
        /// Opens the direct chat with a user; answered by `Conversation`.
        20 => OpenDirect(UserArgument),
        /// Makes a group that the caller owns; answered by `Conversation`.
        21 => CreateGroup(CreateGroup),
        /// Adds members to a group; answered by `Sent`.
        22 => AddMembers(Members),
        /// Removes a member from a group; answered by `Sent`.
        23 => RemoveMember(Member),
        /// Leaves a group; answered by `Sent`.
        24 => Leave(ConversationArgument),
        /// Renames a group; answered by `Sent`.
        25 => Rename(Rename),
        /// Lists a conversation's members; answered by `Members`.
        26 => ListMembers(ListMembers),
        /// Reads what there is to know of a group; answered by `Group`.
        27 => GroupInfo(ConversationArgument),
        /// Finds a group by its public number; answered by `Group`.
        28 => FindGroup(FindGroup),
        /// Changes what a group shows and allows; answered by `Sent`.
        29 => UpdateGroup(UpdateGroup),
        /// Makes a member an admin, or an admin a plain member; answered by `Sent`.
        30 => SetRole(SetRole),
        /// Takes no messages of a member any more, or takes them again; answered by `Sent`.
        31 => MuteMember(MuteMember),
        /// Makes a member the owner; answered by `Sent`.
        32 => TransferGroup(Member),
        /// Ends a group: nobody writes any more; answered by `Sent`.
        33 => DismissGroup(GroupAct),
        /// Joins a group that is open; answered by `Sent`.
        34 => JoinGroup(GroupAct),
        /// Asks to be let into a group; answered by `Done`.
        35 => ApplyToGroup(ApplyToGroup),
        /// Lets an applicant in, or rejects him; answered by `Done`.
        36 => AnswerApplication(AnswerApplication),
        /// Lists applications to a group, or the caller's own; answered by `Applications`.
        37 => ListApplications(ListApplications),
        /// Registers this connection for all conversations of the user, then lists those past the
        /// device's offset; answered by `Synced`.
        40 => Sync(Sync),
        /// Asks where conversations stand; answered by `Heads`.
        41 => Heads(Heads),
        /// Appends a message; answered by `Sent`.
        42 => Send(Send<B>),
        /// Reads entries after an offset; answered by `Pulled`.
        43 => Pull(Pull),
        /// Reads messages before a seq, newest first; answered by `History`.
        44 => History(History),
        /// Commits offsets of the device; answered by `Committed`, after they are durable.
        45 => Commit(Commit),
        /// Moves the user's read marker forward; answered by `Done`.
        46 => MarkRead(Position),
        /// Edits a message of the caller's; answered by `Sent`.
        47 => Edit(Edit<B>),
        /// Recalls a message; answered by `Sent`.
        48 => Recall(Recall),
        /// Reacts to a message, or not any more; answered by `Sent`.
        49 => React(React),
        /// Takes messages out of the caller's sight, and of nobody else's; answered by `Done`.
        50 => DeleteForMe(MessageList),
        /// Asks who has read a message; answered by `Readers`.
        51 => Readers(Position),
        /// Asks how far the other one in a direct chat is; answered by `Receipt`.
        52 => Receipt(ConversationArgument),
        /// Lists the caller's conversations; answered by `Conversations`.
        53 => ListConversations(ListConversations),
        /// Changes how the caller keeps a conversation, on all his devices; answered by `Done`.
        54 => UpdateConversation(ConversationUpdate),
        /// Finds messages by their words, newest first; answered by `FoundMessages`.
        55 => SearchMessages(SearchMessages),
        /// Nothing; answered by `Done`.
        60 => Ping,
        /// Tells those who read a conversation now that the caller is typing; answered by `Done`.
        61 => Typing(ConversationArgument),
        /// Says whether the user is away from the calling device; answered by `Done`.
        62 => SetPresence(SetPresence),
        /// Asks whether users are there; answered by `Presences`.
        63 => Presences(UserList),
        /// Asks a user to be friends; answered by `Done`.
        70 => RequestFriend(RequestFriend),
        /// Answers a user's request; answered by `Done`.
        71 => AnswerFriend(AnswerFriend),
        /// Lists requests that the caller sent or was sent; answered by `FriendRequests`.
        72 => ListFriendRequests(ListFriendRequests),
        /// Lists the caller's friends; answered by `Friends`.
        73 => ListFriends(ListUsers),
        /// Notes what the caller calls a friend; answered by `Done`.
        74 => SetRemark(SetRemark),
        /// Ends a friendship; answered by `Done`.
        75 => DeleteFriend(UserArgument),
        /// Takes no direct messages from a user any more; answered by `Done`.
        76 => Block(UserArgument),
        /// Takes them again; answered by `Done`.
        77 => Unblock(UserArgument),
        /// Lists whom the caller blocks; answered by `Blocked`.
        78 => ListBlocked(ListUsers),
        /// Changes what the caller's account allows others; answered by `Settings`.
        79 => UpdateSettings(SettingsUpdate),
        /// Takes numbers of a sequence, for good; answered by `Allocated`.
        90 => Allocate(Allocate),
    }
}

wire_struct! {
    /// A conversation as the only argument.
    pub struct ConversationArgument {
        /// Which.
        pub conversation: ConversationId,
    }
}

wire_struct! {
    /// Arguments of `CreateGroup`.
    pub struct CreateGroup {
        /// The group's name.
        pub name: String,
        /// Its members besides the caller.
        pub members: Vec<UserId>,
        /// Makes a repeated call find the group that the first one made.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `AddMembers`.
    pub struct Members {
        /// Which group.
        pub conversation: ConversationId,
        /// Whom.
        pub users: Vec<UserId>,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `RemoveMember`.
    pub struct Member {
        /// Which group.
        pub conversation: ConversationId,
        /// Whom.
        pub user: UserId,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `Rename`.
    pub struct Rename {
        /// Which group.
        pub conversation: ConversationId,
        /// Its new name.
        pub name: String,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `ListMembers`.
    pub struct ListMembers {
        /// Which conversation.
        pub conversation: ConversationId,
        /// Members with a greater id only; 0 for the first page.
        pub after: UserId,
        /// At most so many.
        pub limit: u32,
    }
}

wire_code! {
    /// Where a device that has no offsets yet starts to read.
    pub enum Start {
        /// At the heads of its first list: what lies before is history.
        1 => Now,
        /// At the beginning of what it may see.
        2 => Beginning,
    }
}

wire_struct! {
    /// Arguments of `Sync`.
    pub struct Sync {
        /// Offsets that the application keeps itself; they win over the server's.
        pub offsets: Vec<Position>,
        /// Where to start without an offset. It counts on the device's first sync only.
        pub start: Start,
        /// Conversations with a greater id only; 0 for the first page.
        pub after: ConversationId,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// Arguments of `Heads`.
    pub struct Heads {
        /// Which conversations.
        pub conversations: Vec<ConversationId>,
    }
}

wire_struct! {
    /// Arguments of `Send`.
    pub struct Send<B> {
        /// Where to.
        pub conversation: ConversationId,
        /// A UUIDv7 minted on the server's time; a repetition names the same.
        pub client_msg_id: ClientMsgId,
        /// The device's send before it to this conversation, while that one is unanswered.
        pub after: Option<ClientMsgId>,
        /// Whether it may have been sent before.
        pub retry: bool,
        /// Encoded content.
        pub body: B,
    }
}

wire_struct! {
    /// Arguments of `Pull`.
    pub struct Pull {
        /// Which conversation.
        pub conversation: ConversationId,
        /// Entries behind this offset.
        pub after: Seq,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// Arguments of `History`.
    pub struct History {
        /// Which conversation.
        pub conversation: ConversationId,
        /// Messages before this seq; 0 for the newest.
        pub before: Seq,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// A place in a conversation.
    pub struct Position {
        /// Which conversation.
        pub conversation: ConversationId,
        /// Which place.
        pub seq: Seq,
    }
}

wire_struct! {
    /// Arguments of `Commit`.
    pub struct Commit {
        /// Everything up to and including these places has been handled.
        pub offsets: Vec<Position>,
        /// The epoch of the store that these places belong to; 0 does not say.
        pub epoch: Epoch,
    }
}
