//! Every frame, call, reply, content and code, each with a name: what the golden files freeze.
//!
//! They tell one story: Ada (70,001) on her device 12 talks with Ben (70,002) in the group 301.

mod groups;
mod messages;
mod people;
mod presence;
mod sequences;

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, Seq, UserId};
use goim_proto::content::{
    Content, CustomContent, DirectOpened, GroupCreated, MemberRemoved, MembersAdded, Place, Renamed,
};
use goim_proto::{
    Ack, Audience, Authenticate, BlankReason, BotToken, Call, ClientFrame, Commit, Committed,
    ConversationArgument, ConversationInfo, ConversationKind, CreateBot, CreateGroup, Credentials, Error,
    ErrorCode, FindUser, Gender, GoAway, GoAwayReason, HeadList, Heads, Hello, History, HistoryFrom,
    HistoryPage, JoinPolicy, ListMembers, Member, MemberInfo, MemberPage, Members, Notification, Position,
    PresenceState, Pull, Pulled, Refresh, RefusedOffset, Rename, Reply, ReplyTo, Request, RequestState, Role,
    Send, Sent, SequenceKind, ServerFrame, Session, SessionInfo, Start, Sync, SyncItem, Synced, User,
    UserArgument, Viewers, Welcome,
};

use super::value::Value;

/// A value with its name, which begins with the enum's and the variant's.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) value: Box<dyn Value>,
}

const ADA: UserId = UserId::new(70_001);
const BEN: UserId = UserId::new(70_002);
const BOT: UserId = UserId::new(70_003);
const DEVICE: DeviceId = DeviceId::new(12);
const INBOX: ConversationId = ConversationId::new(300);
const GROUP: ConversationId = ConversationId::new(301);
const EPOCH: Epoch = Epoch::new(2);
const NOW_MS: u64 = 1_700_000_000_000;
const REQUEST_ID: u64 = 7;

fn id(n: u8) -> ClientMsgId {
    ClientMsgId::mint(NOW_MS + u64::from(n), &[n; 10])
}

fn at(conversation: ConversationId, seq: u64) -> Position {
    Position { conversation, seq: Seq::new(seq) }
}

fn info() -> SessionInfo {
    SessionInfo { user: ADA, device: DEVICE, inbox: INBOX }
}

fn entry(seq: u64, sender: UserId, count: u64, content: &Content) -> Entry<Bytes> {
    let n = u8::try_from(seq).unwrap();
    Entry {
        seq: Seq::new(seq),
        sender,
        client_msg_id: id(n),
        at_ms: NOW_MS + 20 + seq,
        count,
        body: content.encode(),
    }
}

fn item() -> SyncItem {
    SyncItem {
        conversation: GROUP,
        kind: ConversationKind::Group,
        head: Seq::new(4),
        count: 3,
        offset: Seq::new(1),
        read_marker: Seq::ZERO,
    }
}

fn content(name: &str, content: Content) -> Case {
    case(&format!("Content/{name}"), content)
}

fn case(name: &str, value: impl Value + 'static) -> Case {
    Case { name: name.to_owned(), value: Box::new(value) }
}

fn call(name: &str, call: Call) -> Case {
    case(&format!("Call/{name}"), ClientFrame::Request(Request { id: REQUEST_ID, call }))
}

fn reply(name: &str, reply: Reply) -> Case {
    case(&format!("Reply/{name}"), ServerFrame::Reply(ReplyTo { id: REQUEST_ID, reply }))
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut all = client_frames();
    all.extend(account_calls());
    all.extend(people::calls());
    all.extend(presence::calls());
    all.extend(sequences::calls());
    all.extend(groups::calls());
    all.extend(conversation_calls());
    all.extend(message_calls());
    all.extend(messages::calls());
    all.extend(server_frames());
    all.extend(presence::frames());
    all.extend(account_replies());
    all.extend(people::replies());
    all.extend(presence::replies());
    all.extend(sequences::replies());
    all.extend(groups::replies());
    all.extend(message_replies());
    all.extend(messages::replies());
    all.extend(contents());
    all.extend(messages::contents());
    all.extend(people::contents());
    all.extend(groups::contents());
    all.extend(codes());
    all
}

fn client_frames() -> Vec<Case> {
    let authenticate = Some(Authenticate { token: "goim_a_5e".into(), instance: String::new() });
    let hello = Hello { version: 1, agent: "doc/1".into(), authenticate, datagrams: true };
    let anonymous = Hello { authenticate: None, datagrams: false, ..hello.clone() };
    let request = Request { id: REQUEST_ID, call: Call::Ping };
    vec![
        case("ClientFrame/Hello", ClientFrame::<Bytes>::Hello(hello)),
        case("ClientFrame/Hello anonymous", ClientFrame::<Bytes>::Hello(anonymous)),
        case("ClientFrame/Request", ClientFrame::<Bytes>::Request(request)),
        case("ClientFrame/Ack", ClientFrame::<Bytes>::Ack(Ack { conversation: GROUP, head: Seq::new(6) })),
    ]
}

fn account_calls() -> Vec<Case> {
    let credentials =
        Credentials { name: "ada".into(), password: "correct horse".into(), device_name: "phone".into() };
    let authenticate = Authenticate { token: "goim_b_0b".into(), instance: "eu-1".into() };
    vec![
        call("Register", Call::Register(credentials.clone())),
        call("Login", Call::Login(credentials)),
        call("Refresh", Call::Refresh(Refresh { refresh_token: "goim_r_77".into() })),
        call("Logout", Call::Logout),
        call("Authenticate", Call::Authenticate(authenticate)),
        call("CreateBot", Call::CreateBot(CreateBot { name: "echo".into() })),
        call("RevokeBot", Call::RevokeBot(UserArgument { user: BOT })),
        call("FindUser", Call::FindUser(FindUser { name: "ben".into() })),
    ]
}

fn conversation_calls() -> Vec<Case> {
    let create = CreateGroup { name: "tea".into(), members: vec![BEN, BOT], client_msg_id: id(1) };
    let add = Members { conversation: GROUP, users: vec![BEN], client_msg_id: id(2) };
    let remove = Member { conversation: GROUP, user: BEN, client_msg_id: id(3) };
    let rename = Rename { conversation: GROUP, name: "Tee für 2".into(), client_msg_id: id(4) };
    let list = ListMembers { conversation: GROUP, after: ADA, limit: 100 };
    vec![
        call("OpenDirect", Call::OpenDirect(UserArgument { user: BEN })),
        call("CreateGroup", Call::CreateGroup(create)),
        call("AddMembers", Call::AddMembers(add)),
        call("RemoveMember", Call::RemoveMember(remove)),
        call("Leave", Call::Leave(ConversationArgument { conversation: GROUP })),
        call("Rename", Call::Rename(rename)),
        call("ListMembers", Call::ListMembers(list)),
    ]
}

fn message_calls() -> Vec<Case> {
    let sync = Sync { offsets: vec![], start: Start::Now, after: ConversationId::new(0), limit: 0 };
    let own = Sync { offsets: vec![at(GROUP, 1)], start: Start::Beginning, after: INBOX, limit: 50 };
    let body = Content::text("hello").encode();
    let send = Send { conversation: GROUP, client_msg_id: id(5), after: None, retry: false, body };
    let again = Send { after: Some(id(4)), retry: true, ..send.clone() };
    let pull = Pull { conversation: GROUP, after: Seq::new(1), limit: 2 };
    let history = History { conversation: GROUP, before: Seq::new(4), limit: 20 };
    vec![
        call("Sync", Call::Sync(sync)),
        call("Sync with own offsets", Call::Sync(own)),
        call("Heads", Call::Heads(Heads { conversations: vec![INBOX, GROUP] })),
        call("Send", Call::Send(send)),
        call("Send again", Call::Send(again)),
        call("Pull", Call::Pull(pull)),
        call("History", Call::History(history)),
        call("Commit", Call::Commit(Commit { offsets: vec![at(GROUP, 6)], epoch: Epoch::new(2) })),
        call("MarkRead", Call::MarkRead(at(GROUP, 6))),
        call("Ping", Call::Ping),
    ]
}

fn server_frames() -> Vec<Case> {
    let welcome = Welcome {
        version: 1,
        server_time_ms: NOW_MS,
        epoch: EPOCH,
        in_flight_bytes_max: 262_144,
        session: Some(info()),
        refused: None,
    };
    let refused = Error::new(ErrorCode::BadToken, "the access token has expired; refresh it");
    let refused = Welcome { session: None, refused: Some(refused), ..welcome.clone() };
    let hint = Notification {
        conversation: GROUP,
        head: Seq::new(6),
        epoch: EPOCH,
        read_marker: Seq::new(5),
        entries: vec![],
    };
    let inline = vec![entry(6, BEN, 5, &Content::text("hi"))];
    let inline = Notification { entries: inline, ..hint.clone() };
    let away = GoAway {
        reason: GoAwayReason::Shutdown,
        retry_after_ms: 500,
        message: "the server is stopping; connect again".into(),
    };
    let to = ReplyTo { id: REQUEST_ID, reply: Reply::Done };
    vec![
        case("ServerFrame/Welcome", ServerFrame::<Bytes>::Welcome(welcome)),
        case("ServerFrame/Welcome refused", ServerFrame::<Bytes>::Welcome(refused)),
        case("ServerFrame/Reply", ServerFrame::<Bytes>::Reply(to)),
        case("ServerFrame/Notification", ServerFrame::Notification(inline)),
        case("ServerFrame/Notification without entries", ServerFrame::Notification(hint)),
        case("ServerFrame/GoAway", ServerFrame::<Bytes>::GoAway(away)),
    ]
}

fn account_replies() -> Vec<Case> {
    let later = Error {
        code: ErrorCode::Unavailable,
        message: "the store is down; try again".into(),
        retry_after_ms: Some(1_000),
    };
    let session = Session {
        info: info(),
        access_token: "goim_a_5e".into(),
        access_expires_ms: NOW_MS + 3_600_000,
        refresh_token: "goim_r_77".into(),
    };
    let group = ConversationInfo {
        conversation: GROUP,
        kind: ConversationKind::Group,
        title: "tea".into(),
        head: Seq::FIRST,
    };
    let ben = MemberInfo { user: BEN, role: Role::Member, since: Seq::FIRST, muted: true };
    let bot = MemberInfo { user: BOT, role: Role::Admin, since: Seq::new(4), muted: false };
    vec![
        reply("Error", Reply::Error(Error::new(ErrorCode::NotMember, "you are not a member"))),
        reply("Error to retry", Reply::Error(later)),
        reply("Done", Reply::Done),
        reply("Session", Reply::Session(session)),
        reply("Authenticated", Reply::Authenticated(info())),
        reply("BotToken", Reply::BotToken(BotToken { user: BOT, token: "goim_b_0b".into() })),
        reply("User", Reply::User(User { user: BEN, name: "ben".into() })),
        reply("Conversation", Reply::Conversation(group)),
        reply("Members", Reply::Members(MemberPage { members: vec![ben, bot], more: false })),
    ]
}

fn message_replies() -> Vec<Case> {
    let created = Content::GroupCreated(GroupCreated { name: "tea".into(), members: vec![BEN] });
    let synced = Synced { items: vec![item()], more: false, next: GROUP, epoch: EPOCH };
    let sent = Sent { seq: Seq::new(5), duplicate: false, at_ms: NOW_MS + 25, count: 4 };
    let repeated = Sent { duplicate: true, ..sent.clone() };
    let entries = vec![entry(2, ADA, 1, &Content::text("tea?")), entry(3, BEN, 2, &Content::text("yes"))];
    let pulled = Pulled { entries: entries.clone(), through: Seq::new(3), head: Seq::new(4), epoch: EPOCH };
    let nothing = Pulled { entries: vec![], through: Seq::new(4), ..pulled.clone() };
    let history =
        HistoryPage { entries: entries.into_iter().rev().collect(), more: true, forms: messages::forms() };
    let late = RefusedOffset { conversation: GROUP, code: ErrorCode::OffsetBeyondHead };
    let first = Pulled { entries: vec![entry(1, ADA, 0, &created)], through: Seq::FIRST, ..pulled.clone() };
    vec![
        reply("Synced", Reply::Synced(synced)),
        reply("Heads", Reply::Heads(HeadList { items: vec![item()], epoch: EPOCH })),
        reply("Sent", Reply::Sent(sent)),
        reply("Sent before", Reply::Sent(repeated)),
        reply("Pulled", Reply::Pulled(pulled)),
        reply("Pulled the first", Reply::Pulled(first)),
        reply("Pulled nothing", Reply::Pulled(nothing)),
        reply("History", Reply::History(history)),
        reply("Committed", Reply::Committed(Committed { refused: vec![] })),
        reply("Committed but one", Reply::Committed(Committed { refused: vec![late] })),
    ]
}

fn contents() -> Vec<Case> {
    let custom = CustomContent { kind: "poll".into(), data: Bytes::from_static(&[0, 1, 0xfe, 0xff]) };
    let place = || Place { conversation: GROUP, seq: Seq::new(2) };
    let created = GroupCreated { name: "tea".into(), members: vec![BEN] };
    vec![
        content("Text", Content::text("hello")),
        content("Text beyond ASCII", Content::text("你好, wörld 🍵")),
        content("Custom", Content::Custom(custom)),
        content("GroupCreated", Content::GroupCreated(created)),
        content("MembersAdded", Content::MembersAdded(MembersAdded { users: vec![BEN, BOT] })),
        content("MemberRemoved", Content::MemberRemoved(MemberRemoved { user: BEN })),
        content("MemberLeft", Content::MemberLeft),
        content("Renamed", Content::Renamed(Renamed { name: "coffee".into() })),
        content("DirectOpened", Content::DirectOpened(DirectOpened { user: BEN })),
        content("AddedTo", Content::AddedTo(place())),
        content("RemovedFrom", Content::RemovedFrom(place())),
    ]
}

fn codes() -> Vec<Case> {
    let mut all = Vec::new();
    macro_rules! each {
        ($($ty:ident),*) => {$(
            for (code, name) in $ty::CODES {
                all.push(case(&format!("{}/{name}", stringify!($ty)), $ty::from_code(*code)));
            }
        )*};
    }
    each!(
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
    );
    all
}

/// Codes that no version has yet, wherever there is a code.
pub(crate) fn unknown() -> Vec<Case> {
    let error = Error { code: ErrorCode::Unknown(299), message: "new".into(), retry_after_ms: Some(1) };
    let away = GoAway { reason: GoAwayReason::Unknown(99), retry_after_ms: 1, message: "new".into() };
    let kind = ConversationKind::Unknown(99);
    let conversation = ConversationInfo { conversation: GROUP, kind, title: String::new(), head: Seq::FIRST };
    let member = MemberInfo { user: BEN, role: Role::Unknown(99), since: Seq::FIRST, muted: false };
    let sync = Sync { offsets: vec![], start: Start::Unknown(99), after: INBOX, limit: 1 };
    vec![
        case("ClientFrame of no known code", ClientFrame::<Bytes>::Unknown(99)),
        case("ServerFrame of no known code", ServerFrame::<Bytes>::Unknown(300)),
        presence::unknown(),
        call("of no known code", Call::Unknown(70_000)),
        reply("of no known code", Reply::Unknown(99)),
        case("Content of no known code", Content::Unknown(31)),
        reply("Error of no known code", Reply::Error(error)),
        case("ServerFrame/GoAway of no known reason", ServerFrame::<Bytes>::GoAway(away)),
        reply("Conversation of no known kind", Reply::Conversation(conversation)),
        reply("Members of no known role", Reply::Members(MemberPage { members: vec![member], more: true })),
        call("Sync from no known start", Call::Sync(sync)),
    ]
}
