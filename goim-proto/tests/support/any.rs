//! Any value of any wire type.

use core::fmt::Debug;

use bytes::Bytes;
use goim_core::id::NUMBER_MAX;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, Seq, UserId};
use goim_proto::content::{
    ApplicationMade, ApplicationRejected, Blank, Content, CustomContent, DirectOpened, Edited,
    EncodedContent, FileContent, FriendAnswered, FriendRequested, GroupCreated, ImageContent, MemberMuted,
    MemberRemoved, MembersAdded, OwnerChanged, Place, Reacted, Recalled, References, Renamed, RoleChanged,
    TextContent,
};
use goim_proto::{
    AccountSettings, Ack, Allocate, Allocated, AnswerApplication, AnswerFriend, Application, ApplicationPage,
    ApplyToGroup, Audience, Authenticate, BlankReason, BlockedPage, BotToken, Call, ChangePassword,
    ClientFrame, Commit, Committed, ConversationArgument, ConversationInfo, ConversationItem,
    ConversationKind, ConversationPage, ConversationUpdate, CreateBot, CreateGroup, Credentials,
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
use proptest::arbitrary::any;
use proptest::collection::vec;
use proptest::strategy::{BoxedStrategy, Just, Strategy, Union};

/// What has values that can be made up.
pub(crate) trait Any: Sized + Clone + Debug + 'static {
    fn any() -> BoxedStrategy<Self>;
}

/// Numbers of every length that MessagePack has for them.
fn number() -> BoxedStrategy<u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(bits, shift)| bits >> shift).boxed()
}

/// Up to 300 bytes, so that every head of a short string or array is there.
fn bytes() -> BoxedStrategy<Vec<u8>> {
    proptest::prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..300)].boxed()
}

impl Any for bool {
    fn any() -> BoxedStrategy<Self> {
        any::<Self>().boxed()
    }
}

impl Any for u32 {
    fn any() -> BoxedStrategy<Self> {
        any::<Self>().boxed()
    }
}

impl Any for u64 {
    fn any() -> BoxedStrategy<Self> {
        number()
    }
}

impl Any for String {
    fn any() -> BoxedStrategy<Self> {
        vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect()).boxed()
    }
}

impl Any for Bytes {
    fn any() -> BoxedStrategy<Self> {
        bytes().prop_map(Self::from).boxed()
    }
}

impl Any for EncodedContent {
    fn any() -> BoxedStrategy<Self> {
        TextContent::any().prop_map(|text| Self(Content::Text(text).encode())).boxed()
    }
}

impl Any for ClientMsgId {
    fn any() -> BoxedStrategy<Self> {
        let minted = (0_u64..1 << 48, any::<[u8; 10]>()).prop_map(|(ms, random)| Self::mint(ms, &random));
        let other = any::<[u8; 16]>().prop_map(|bytes| Self::from_uuid(uuid::Uuid::from_bytes(bytes)));
        proptest::prop_oneof![minted, other].boxed()
    }
}

impl<T: Any> Any for Option<T> {
    fn any() -> BoxedStrategy<Self> {
        proptest::prop_oneof![Just(None), T::any().prop_map(Some)].boxed()
    }
}

impl<T: Any> Any for Vec<T> {
    fn any() -> BoxedStrategy<Self> {
        vec(T::any(), 0..5).boxed()
    }
}

macro_rules! any_id {
    ($($ty:ident)*) => {$(
        impl Any for $ty {
            fn any() -> BoxedStrategy<Self> {
                number().prop_map(|number| Self::new(number & NUMBER_MAX)).boxed()
            }
        }
    )*};
}

any_id!(ConversationId UserId DeviceId Epoch Seq);

/// Every code, and with it what this version does not know.
macro_rules! any_code {
    ($($ty:ident)*) => {$(
        impl Any for $ty {
            fn any() -> BoxedStrategy<Self> {
                let known = proptest::sample::select($ty::CODES);
                let known = known.prop_map(|(code, _)| Self::from_code(code));
                proptest::prop_oneof![known, number().prop_map(Self::from_code)].boxed()
            }
        }
    )*};
}

any_code!(ErrorCode GoAwayReason ConversationKind Role Start Gender Audience RequestState JoinPolicy HistoryFrom BlankReason SequenceKind Viewers PresenceState);

macro_rules! any_struct {
    ($($name:ident $(<$body:ty>)? { $($field:ident),* })*) => {$(
        impl Any for $name $(<$body>)? {
            fn any() -> BoxedStrategy<Self> {
                $( let $field = Any::any(); )*
                ($($field,)*).prop_map(|($($field,)*)| Self { $($field),* }).boxed()
            }
        }
    )*};
}

impl Any for ConversationItem<Bytes> {
    /// (A tuple has at most 12 strategies.)
    fn any() -> BoxedStrategy<Self> {
        let shown = (Any::any(), Any::any(), Any::any(), Any::any(), Any::any());
        let read = (Any::any(), Any::any(), Any::any(), Any::any(), Any::any(), Any::any());
        let kept = (Any::any(), Any::any(), Any::any());
        let item = (shown, read, kept).prop_map(|(shown, read, kept)| {
            let (conversation, kind, title, avatar, peer) = shown;
            let (head, offset, read_marker, unread, mentioned, last) = read;
            let (muted, pinned, hidden) = kept;
            Self {
                conversation,
                kind,
                title,
                avatar,
                peer,
                head,
                offset,
                read_marker,
                unread,
                mentioned,
                last,
                muted,
                pinned,
                hidden,
            }
        });
        item.boxed()
    }
}

any_struct! {
    Hello { version, agent, authenticate, datagrams }
    Request<Bytes> { id, call }
    Ack { conversation, head }
    Welcome { version, server_time_ms, epoch, in_flight_bytes_max, session, refused }
    ReplyTo<Bytes> { id, reply }
    Notification<Bytes> { conversation, head, epoch, read_marker, entries }
    GoAway { reason, retry_after_ms, message }
    Error { code, message, retry_after_ms }
    Credentials { name, password, device_name }
    Refresh { refresh_token }
    Authenticate { token, instance }
    LoginExternal { token, device_name }
    CreateBot { name }
    UserArgument { user }
    FindUser { name }
    UserList { users }
    ProfileUpdate { nickname, avatar, gender, bio }
    SearchUsers { prefix, after, limit }
    ChangePassword { password, new_password }
    ListDevices { after, limit }
    DeviceArgument { device }
    RequestFriend { user, greeting }
    AnswerFriend { user, accept }
    ListFriendRequests { sent, before, limit }
    ListUsers { after, limit }
    SetRemark { user, remark }
    SettingsUpdate { direct_from, groups_from, presence_to }
    FriendRequest { number, user, greeting, state, at_ms }
    FriendRequestPage { requests, more }
    Friend { user, remark, version, since_ms }
    FriendPage { friends, more }
    BlockedPage { users, more }
    AccountSettings { direct_from, groups_from, presence_to }
    FindGroup { number }
    UpdateGroup { conversation, client_msg_id, change }
    GroupChange { avatar, announcement, policy, history, muted }
    SetRole { conversation, user, role, client_msg_id }
    MuteMember { conversation, user, muted, client_msg_id }
    GroupAct { conversation, client_msg_id }
    ApplyToGroup { conversation, comment }
    AnswerApplication { conversation, user, accept, client_msg_id }
    ListApplications { conversation, before, limit }
    GroupInfo {
        conversation, number, name, avatar, announcement, policy, history, muted, dismissed, owner, members,
        role
    }
    Application { number, conversation, user, comment, state, at_ms }
    ApplicationPage { applications, more }
    RoleChanged { user, role }
    MemberMuted { user, muted }
    OwnerChanged { user }
    ApplicationMade { conversation, comment }
    ApplicationRejected { conversation }
    FriendRequested { greeting }
    FriendAnswered { accepted }
    Typing { conversation, user }
    ProfileChanged { user, version }
    SetPresence { away }
    Presence { user, state, last_seen_ms }
    PresenceList { presences }
    Allocate { sequence, kind, count }
    Allocated { first, last }
    ConversationArgument { conversation }
    CreateGroup { name, members, client_msg_id }
    Members { conversation, users, client_msg_id }
    Member { conversation, user, client_msg_id }
    Rename { conversation, name, client_msg_id }
    ListMembers { conversation, after, limit }
    Position { conversation, seq }
    Sync { offsets, start, after, limit }
    Heads { conversations }
    Send<Bytes> { conversation, client_msg_id, after, retry, body }
    Pull { conversation, after, limit }
    History { conversation, before, limit }
    Commit { offsets, epoch }
    SessionInfo { user, device, inbox }
    Session { info, access_token, access_expires_ms, refresh_token }
    BotToken { user, token }
    User { user, name }
    Profile { user, name, nickname, avatar, gender, bio, version, bot }
    ProfileList { profiles }
    FoundPage { users, next }
    DeviceInfo { device, name, created_ms }
    DevicePage { devices, more }
    ConversationInfo { conversation, kind, title, head }
    MemberInfo { user, role, since, muted }
    MemberPage { members, more }
    ListConversations { after, limit }
    SearchMessages { query, conversation, before, limit }
    FoundMessage<Bytes> { conversation, entry }
    MessagePage<Bytes> { messages, next }
    ConversationUpdate { conversation, muted, pinned, hidden }
    ConversationPage<Bytes> { items, more }
    SyncItem { conversation, kind, head, count, offset, read_marker }
    Synced { items, more, next, epoch }
    HeadList { items, epoch }
    Sent { seq, duplicate, at_ms, count }
    Pulled<Bytes> { entries, through, head, epoch }
    HistoryPage<Bytes> { entries, more, forms }
    Edit { conversation, seq, client_msg_id, body }
    Recall { conversation, seq, client_msg_id }
    React { conversation, seq, emoji, set, client_msg_id }
    MessageForm { seq, edited_at_ms, reactions }
    Reactions { emoji, count, own }
    MessageList { conversation, seqs }
    ReaderList { read, unread }
    Receipt { delivered, read }
    Blank { reason }
    Edited { seq, body }
    Recalled { seq }
    Reacted { seq, emoji, set }
    RefusedOffset { conversation, code }
    Committed { refused }
    TextContent { text, references }
    References { reply_to, mentions_all, mentions }
    ImageContent { key, name, media_type, size, width, height, references }
    FileContent { key, name, media_type, size, references }
    CustomContent { kind, data }
    GroupCreated { name, members }
    MembersAdded { users }
    MemberRemoved { user }
    Renamed { name }
    DirectOpened { user }
    Place { conversation, seq }
    Entry<Bytes> { seq, sender, client_msg_id, at_ms, count, body }
}

/// Every variant; those behind the semicolon have no payload. The names are for a test that none is
/// missing.
macro_rules! any_enum {
    ($($name:ident $(<$body:ty>)? { $($variant:ident)* ; $($unit:ident)* })*) => {
        $(
            impl Any for $name $(<$body>)? {
                fn any() -> BoxedStrategy<Self> {
                    Union::new([
                        $( Any::any().prop_map(Self::$variant).boxed(), )*
                        $( Just(Self::$unit).boxed(), )*
                    ]).boxed()
                }
            }
        )*

        /// The variants that are made up, of each enum.
        pub(crate) const VARIANTS: &[(&str, &[&str])] =
            &[$( (stringify!($name), &[$(stringify!($variant),)* $(stringify!($unit),)*]), )*];
    };
}

any_enum! {
    ClientFrame<Bytes> { Hello Request Ack; }
    ServerFrame<Bytes> { Welcome Reply Notification GoAway Ephemeral; }
    Ephemeral { Typing ProfileChanged; }
    Call<Bytes> {
        Register Login Refresh Authenticate CreateBot RevokeBot FindUser
        Profiles UpdateProfile SearchUsers ChangePassword ListDevices RevokeDevice LoginExternal
        OpenDirect CreateGroup AddMembers RemoveMember Leave Rename ListMembers
        GroupInfo FindGroup UpdateGroup SetRole MuteMember TransferGroup DismissGroup JoinGroup
        ApplyToGroup AnswerApplication ListApplications
        Sync Heads Send Pull History Commit MarkRead Edit Recall React DeleteForMe Readers Receipt
        ListConversations UpdateConversation SearchMessages RequestFriend AnswerFriend ListFriendRequests ListFriends SetRemark DeleteFriend Block Unblock
        ListBlocked UpdateSettings Typing SetPresence Presences Allocate;
        Logout Ping
    }
    Reply<Bytes> {
        Error Session Authenticated BotToken User Profiles Found Devices Settings Conversation Members Group Applications
        Synced Heads Sent Pulled History Committed
        Readers Receipt Conversations FoundMessages FriendRequests Friends Blocked Presences Allocated;
        Done
    }
    Content {
        Text Custom Image File Blank Edited Recalled Reacted GroupCreated MembersAdded MemberRemoved Renamed DirectOpened AddedTo RemovedFrom
        FriendRequested FriendAnswered GroupUpdated RoleChanged MemberMuted OwnerChanged
        ApplicationMade ApplicationRejected DeletedForMe ConversationUpdated;
        MemberLeft Dismissed MemberJoined
    }
}
