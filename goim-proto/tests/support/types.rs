//! Every struct and enum of the wire by name, for tests that must not forget one.

use goim_core::Entry;
use goim_proto::content::{
    ApplicationMade, ApplicationRejected, Blank, CustomContent, DirectOpened, Edited, FileContent,
    FriendAnswered, FriendRequested, GroupCreated, ImageContent, MemberMuted, MemberRemoved, MembersAdded,
    OwnerChanged, Place, Reacted, Recalled, References, Renamed, RoleChanged, TextContent,
};
use goim_proto::{
    AccountSettings, Ack, Allocate, Allocated, AnswerApplication, AnswerFriend, Application, ApplicationPage,
    ApplyToGroup, Audience, Authenticate, BlankReason, BlockedPage, BotToken, Call, ChangePassword,
    ClientFrame, Commit, Committed, Content, ConversationArgument, ConversationInfo, ConversationItem,
    ConversationKind, ConversationPage, ConversationUpdate, CreateBot, CreateGroup, Credentials, Decode,
    DeviceArgument, DeviceInfo, DevicePage, Edit, Ephemeral, Error, ErrorCode, FindGroup, FindUser,
    FoundMessage, FoundPage, Friend, FriendPage, FriendRequest, FriendRequestPage, Gender, GoAway,
    GoAwayReason, GroupAct, GroupChange, GroupInfo, HeadList, Heads, Hello, History, HistoryFrom,
    HistoryPage, JoinPolicy, ListApplications, ListConversations, ListDevices, ListFriendRequests,
    ListMembers, ListUsers, LoginExternal, Member, MemberInfo, MemberPage, Members, MessageForm, MessageList,
    MessagePage, MuteMember, Notification, Position, Presence, PresenceList, PresenceState, Profile,
    ProfileChanged, ProfileList, ProfileUpdate, Pull, Pulled, React, Reactions, ReaderList, Recall, Receipt,
    Refresh, RefusedOffset, Rename, Reply, ReplyTo, Request, RequestFriend, RequestState, Role,
    SearchMessages, SearchUsers, Send, Sent, SequenceKind, ServerFrame, Session, SessionInfo, SetPresence,
    SetRemark, SetRole, SettingsUpdate, Start, Sync, SyncItem, Synced, Typing, UpdateGroup, User,
    UserArgument, UserList, Viewers, Welcome,
};

use super::value::Value;

type Body = bytes::Bytes;

/// A struct of the wire.
pub(crate) struct Struct {
    pub(crate) name: &'static str,
    /// Names and types.
    pub(crate) fields: &'static [(&'static str, &'static str)],
    /// What an empty array means.
    pub(crate) absent: Box<dyn Value>,
}

/// An enum of the wire.
pub(crate) struct Enum {
    pub(crate) name: &'static str,
    pub(crate) codes: &'static [(u64, &'static str)],
    /// The payloads' types; none for enums that are bare integers.
    pub(crate) payloads: &'static [&'static str],
}

macro_rules! structs {
    ($($name:ident $(<$body:ident>)?)*) => {
        vec![$( Struct {
            name: stringify!($name),
            fields: $name $(::<$body>)? ::FIELDS,
            absent: Box::new($name $(::<$body>)? ::absent()),
        } ),*]
    };
}

/// Every struct.
pub(crate) fn structs() -> Vec<Struct> {
    let mut all = structs! {
        Hello Request<Body> Ack Welcome ReplyTo<Body> Notification<Body> GoAway Typing ProfileChanged SetPresence Presence PresenceList Error
        Credentials Refresh Authenticate LoginExternal CreateBot UserArgument FindUser
        UserList ProfileUpdate SearchUsers ChangePassword ListDevices DeviceArgument
        RequestFriend AnswerFriend ListFriendRequests ListUsers SetRemark SettingsUpdate
        FriendRequest FriendRequestPage Friend FriendPage BlockedPage AccountSettings
        FriendRequested FriendAnswered
        FindGroup UpdateGroup GroupChange SetRole MuteMember GroupAct ApplyToGroup AnswerApplication
        ListApplications GroupInfo Application ApplicationPage
        RoleChanged MemberMuted OwnerChanged ApplicationMade ApplicationRejected
        ConversationArgument CreateGroup Members Member Rename ListMembers
        Position Sync Heads Send<Body> Pull History Commit
        SessionInfo Session BotToken User Profile ProfileList FoundPage DeviceInfo DevicePage
        ConversationInfo MemberInfo MemberPage
        ListConversations ConversationUpdate ConversationItem<Body> ConversationPage<Body>
        SearchMessages FoundMessage<Body> MessagePage<Body>
        SyncItem Synced HeadList Sent Pulled<Body> HistoryPage<Body> RefusedOffset Committed
        Allocate Allocated
        Edit<Body> Recall React MessageList MessageForm ReaderList Receipt Reactions Blank Edited Recalled Reacted
        TextContent References CustomContent ImageContent FileContent GroupCreated MembersAdded MemberRemoved Renamed DirectOpened Place
    };
    // Core's, which knows no wire: its fields are listed here, and their order is golden.
    let entry = &[
        ("seq", "Seq"),
        ("sender", "UserId"),
        ("client_msg_id", "ClientMsgId"),
        ("at_ms", "u64"),
        ("count", "u64"),
        ("body", "B"),
    ];
    all.push(Struct { name: "Entry", fields: entry, absent: Box::new(Entry::<Body>::absent()) });
    all
}

/// Every enum whose codes come with payloads.
pub(crate) fn enums() -> Vec<Enum> {
    macro_rules! list {
        ($($name:ident $(<$body:ident>)?),* $(,)?) => {
            vec![$( Enum {
                name: stringify!($name),
                codes: $name $(::<$body>)? ::CODES,
                payloads: $name $(::<$body>)? ::PAYLOADS,
            } ),*]
        };
    }
    list![ClientFrame<Body>, ServerFrame<Body>, Ephemeral, Call<Body>, Reply<Body>, Content]
}

/// Every enum that is a bare integer.
pub(crate) fn codes() -> Vec<Enum> {
    macro_rules! list {
        ($($name:ident),*) => {
            vec![$( Enum { name: stringify!($name), codes: $name::CODES, payloads: &[] } ),*]
        };
    }
    list![
        ErrorCode,
        GoAwayReason,
        ConversationKind,
        Role,
        Start,
        Gender,
        Audience,
        RequestState,
        JoinPolicy,
        HistoryFrom,
        BlankReason,
        SequenceKind,
        Viewers,
        PresenceState
    ]
}
