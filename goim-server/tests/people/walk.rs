//! Who may make which call: every call, made by everybody, and what each is answered.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use goim_core::{ConversationId, Epoch, Seq, UserId};
use goim_proto::{
    Allocate, AnswerApplication, AnswerFriend, ApplyToGroup, Audience, Authenticate, Call, ChangePassword,
    Commit, Content, ConversationArgument, ConversationUpdate, CreateBot, CreateGroup, DeviceArgument, Edit,
    FindGroup, FindUser, GoAwayReason, GroupAct, GroupChange, GroupInfo, Heads, History, JoinPolicy,
    ListApplications, ListConversations, ListDevices, ListFriendRequests, ListMembers, ListUsers,
    LoginExternal, Member, Members, MessageList, MuteMember, Position, ProfileUpdate, Pull, React, Recall,
    Refresh, Rename, Reply, ReplyTo, RequestFriend, Role, SearchMessages, SearchUsers, Send, ServerFrame,
    SetPresence, SetRemark, SetRole, SettingsUpdate, Sync, UpdateGroup, UserArgument, UserList,
};

use crate::backend::Backend;
use crate::door::Door;
use crate::on_both_stores;
use crate::support::issuer::{Signer, claims, trusting_file};
use crate::support::{RawClient, TestServer, credentials, mint, unique};
use crate::world::{instance, server};

/// Who calls, in the order of the table's columns.
const CALLERS: [&str; 9] =
    ["nobody", "revoked", "stranger", "blocked", "removed", "muted", "member", "admin", "owner"];

/// What a call may name: made anew after each call that was allowed, so that none meets what another
/// left.
struct Scene {
    /// Of the owner, the admin, the members and the target; the removed one was in it. It takes
    /// applications, and the outsider's is open.
    group: ConversationId,
    /// Its public number.
    number: u64,
    /// The owner's own group, which is open.
    lounge: ConversationId,
    /// The owner's own group, by invitation only.
    club: ConversationId,
    /// Between the owner and the member.
    direct: ConversationId,
    /// A plain member.
    target: UserId,
    /// Somebody who is in no conversation, blocks the blocked one, and asked the member to be friends.
    outsider: UserId,
    /// Somebody who chats with friends only, and has none.
    hermit: UserId,
    owner: UserId,
    /// Between the owner and whom he blocks.
    closed: ConversationId,
    /// What the owner has said in the group.
    said: Seq,
    /// What the owner has said in the direct chat.
    told: Seq,
    /// Of the issuer that the server trusts.
    token: String,
}

/// A call's name, how it is made, and what everybody is answered:
/// `.` done, `U` Unauthenticated, `M` NotMember, `F` Forbidden, `N` NotFound, `A` BadArgument,
/// `T` BadToken.
type Row = (&'static str, fn(&Scene) -> Call, &'static str);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    //                                                                      no re st bl rm mu me ad ow
    ("Register",       |_| Call::Register(credentials(&unique("walker"))), ". . . . . . . . ."),
    ("Login",          |_| Call::Login(credentials("factory")),            ". . . . . . . . ."),
    ("LoginExternal",  |s| Call::LoginExternal(by_token(s)),               ". . . . . . . . ."),
    ("LoginExternal",  |_| Call::LoginExternal(LoginExternal::default()),  "T T T T T T T T T"),
    ("Refresh",        |_| Call::Refresh(Refresh::default()),              "T T T T T T T T T"),
    ("Logout",         |_| Call::Logout,                                   "U U . . . . . . ."),
    ("Authenticate",   |_| Call::Authenticate(Authenticate::default()),    "T T T T T T T T T"),
    ("CreateBot",      |_| Call::CreateBot(CreateBot { name: unique("bot") }), "U U F F F F F F F"),
    ("RevokeBot",      |s| Call::RevokeBot(UserArgument { user: s.target }),   "U U N N N N N N N"),
    ("FindUser",       |_| Call::FindUser(FindUser { name: "factory".into() }), "U U . . . . . . ."),
    ("Profiles",       |s| Call::Profiles(UserList { users: vec![s.target] }), "U U . . . . . . ."),
    ("UpdateProfile",  |_| Call::UpdateProfile(ProfileUpdate::default()),  "U U . . . . . . ."),
    ("SearchUsers",    |_| Call::SearchUsers(SearchUsers { prefix: "f".into(), ..SearchUsers::default() }), "U U . . . . . . ."),
    ("ChangePassword", |_| Call::ChangePassword(new_password()),           "U U F F F F F F F"),
    ("ListDevices",    |_| Call::ListDevices(ListDevices::default()),      "U U . . . . . . ."),
    ("RevokeDevice",   |_| Call::RevokeDevice(DeviceArgument::default()),  "U U N N N N N N N"),
    ("OpenDirect",     |s| Call::OpenDirect(UserArgument { user: s.outsider }), "U U . F . . . . ."),
    ("OpenDirect",     |s| Call::OpenDirect(UserArgument { user: s.hermit }),   "U U F F F F F F F"),
    ("OpenDirect",     |s| Call::OpenDirect(UserArgument { user: s.owner }),    "U U . . . . . . A"),
    ("CreateGroup",    |s| Call::CreateGroup(create(s)),                   "U U . . . . . . ."),
    ("AddMembers",     |s| Call::AddMembers(add(s)),                       "U U M M M F F . ."),
    ("RemoveMember",   |s| Call::RemoveMember(remove(s)),                  "U U M M M F F . ."),
    ("Leave",          |s| Call::Leave(ConversationArgument { conversation: s.group }), "U U M M M . . . F"),
    ("Rename",         |s| Call::Rename(rename(s)),                        "U U M M M F F . ."),
    ("ListMembers",    |s| Call::ListMembers(ListMembers { conversation: s.group, ..ListMembers::default() }), "U U M M M . . . ."),
    ("GroupInfo",      |s| Call::GroupInfo(ConversationArgument { conversation: s.group }), "U U M M M . . . ."),
    ("FindGroup",      |s| Call::FindGroup(FindGroup { number: s.number }), "U U . . . . . . ."),
    ("UpdateGroup",    |s| Call::UpdateGroup(update(s)),                   "U U M M M F F . ."),
    ("SetRole",        |s| Call::SetRole(promote(s)),                      "U U M M M F F F ."),
    ("MuteMember",     |s| Call::MuteMember(mute(s.group, s.target)),      "U U M M M F F . ."),
    ("MuteMember",     |s| Call::MuteMember(mute(s.group, s.owner)),       "U U M M M F F F F"),
    ("TransferGroup",  |s| Call::TransferGroup(remove(s)),                 "U U M M M F F F ."),
    ("DismissGroup",   |s| Call::DismissGroup(act(s.group)),               "U U M M M F F F ."),
    ("JoinGroup",      |s| Call::JoinGroup(act(s.lounge)),                 "U U . . . . . . A"),
    ("JoinGroup",      |s| Call::JoinGroup(act(s.club)),                   "U U N N N N N N A"),
    ("ApplyToGroup",   |s| Call::ApplyToGroup(apply(s.group)),             "U U . . . A A A A"),
    ("ApplyToGroup",   |s| Call::ApplyToGroup(apply(s.club)),              "U U N N N N N N A"),
    ("AnswerApplication", |s| Call::AnswerApplication(answer_to(s, true)), "U U M M M F F . ."),
    ("AnswerApplication", |s| Call::AnswerApplication(answer_to(s, false)), "U U M M M F F . ."),
    ("ListApplications", |s| Call::ListApplications(ListApplications { conversation: s.group, ..ListApplications::default() }), "U U M M M F F . ."),
    ("ListApplications", |_| Call::ListApplications(ListApplications::default()), "U U . . . . . . ."),
    ("Sync",           |_| Call::Sync(Sync::default()),                    "U U . . . . . . ."),
    ("Heads",          |s| Call::Heads(Heads { conversations: vec![s.group] }), "U U . . . . . . ."),
    ("Send",           |s| Call::Send(text(s.group)),                      "U U M M M F . . ."),
    ("Send",           |s| Call::Send(text(s.direct)),                     "U U M M M M . M ."),
    ("Send",           |s| Call::Send(text(s.closed)),                     "U U M F M M M M ."),
    ("Pull",           |s| Call::Pull(Pull { conversation: s.group, ..Pull::default() }), "U U M M . . . . ."),
    ("Pull",           |s| Call::Pull(Pull { conversation: s.direct, ..Pull::default() }), "U U M M M M . M ."),
    ("History",        |s| Call::History(History { conversation: s.group, ..History::default() }), "U U M M . . . . ."),
    ("Commit",         |s| Call::Commit(commit(s)),                        "U U . . . . . . ."),
    ("MarkRead",       |s| Call::MarkRead(Position { conversation: s.group, seq: Seq::FIRST }), "U U M M . . . . ."),
    ("Edit",           |s| Call::Edit(edit(s.group, s.said)),              "U U M M M F F F ."),
    ("Edit",           |s| Call::Edit(edit(s.direct, s.told)),             "U U M M M M F M ."),
    ("Recall",         |s| Call::Recall(recall(s.group, s.said)),          "U U M M M F F . ."),
    ("Recall",         |s| Call::Recall(recall(s.direct, s.told)),         "U U M M M M F M ."),
    ("React",          |s| Call::React(react(s.group, s.said)),            "U U M M M F . . ."),
    ("React",          |s| Call::React(react(s.direct, s.told)),           "U U M M M M . M ."),
    ("React",          |s| Call::React(react(s.closed, Seq::FIRST)),       "U U M F M M M M N"),
    ("DeleteForMe",    |s| Call::DeleteForMe(MessageList { conversation: s.group, seqs: vec![s.said] }), "U U M M . . . . ."),
    ("DeleteForMe",    |s| Call::DeleteForMe(MessageList { conversation: s.direct, seqs: vec![s.told] }), "U U M M M M . M ."),
    ("Readers",        |s| Call::Readers(Position { conversation: s.group, seq: s.said }), "U U M M M . . . ."),
    ("Readers",        |s| Call::Readers(Position { conversation: s.direct, seq: s.told }), "U U M M M M . M ."),
    ("Receipt",        |s| Call::Receipt(ConversationArgument { conversation: s.direct }), "U U M M M M . M ."),
    ("Receipt",        |s| Call::Receipt(ConversationArgument { conversation: s.group }), "U U M M M A A A A"),
    ("ListConversations", |_| Call::ListConversations(ListConversations::default()), "U U . . . . . . ."),
    ("UpdateConversation", |s| Call::UpdateConversation(mute_for_me(s)),    "U U M M . . . . ."),
    ("SearchMessages", |_| Call::SearchMessages(search(ConversationId::default())), "U U . . . . . . ."),
    ("SearchMessages", |s| Call::SearchMessages(search(s.group)),          "U U M M . . . . ."),
    ("SearchMessages", |s| Call::SearchMessages(search(s.direct)),         "U U M M M M . M ."),
    ("Typing",         |s| Call::Typing(ConversationArgument { conversation: s.group }), "U U M M M F . . ."),
    ("Typing",         |s| Call::Typing(ConversationArgument { conversation: s.direct }), "U U M M M M . M ."),
    ("Typing",         |s| Call::Typing(ConversationArgument { conversation: s.closed }), "U U M F M M M M ."),
    ("SetPresence",    |_| Call::SetPresence(SetPresence::default()),      "U U . . . . . . ."),
    ("Presences",      |s| Call::Presences(UserList { users: vec![s.target] }), "U U . . . . . . ."),
    ("Ping",           |_| Call::Ping,                                     ". . . . . . . . ."),
    ("RequestFriend",  |s| Call::RequestFriend(RequestFriend { user: s.outsider, ..RequestFriend::default() }), "U U . . . . . . ."),
    ("AnswerFriend",   |s| Call::AnswerFriend(AnswerFriend { user: s.outsider, accept: true }), "U U N N N N . N N"),
    ("ListFriendRequests", |_| Call::ListFriendRequests(ListFriendRequests::default()), "U U . . . . . . ."),
    ("ListFriends",    |_| Call::ListFriends(ListUsers::default()),        "U U . . . . . . ."),
    ("SetRemark",      |s| Call::SetRemark(SetRemark { user: s.owner, remark: "boss".into() }), "U U N N N N . N N"),
    ("DeleteFriend",   |s| Call::DeleteFriend(UserArgument { user: s.owner }), "U U . . . . . . ."),
    ("Block",          |s| Call::Block(UserArgument { user: s.target }),   "U U . . . . . . ."),
    ("Unblock",        |s| Call::Unblock(UserArgument { user: s.target }), "U U . . . . . . ."),
    ("ListBlocked",    |_| Call::ListBlocked(ListUsers::default()),        "U U . . . . . . ."),
    ("Allocate",       |_| Call::Allocate(Allocate::default()),            "U U F F F F F F F"),
    ("UpdateSettings", |_| Call::UpdateSettings(SettingsUpdate::default()), "U U . . . . . . ."),
];

fn by_token(scene: &Scene) -> LoginExternal {
    LoginExternal { token: scene.token.clone(), ..LoginExternal::default() }
}

fn new_password() -> ChangePassword {
    ChangePassword { password: "correct horse".into(), new_password: "battery staple".into() }
}

fn create(scene: &Scene) -> CreateGroup {
    CreateGroup { name: "another".into(), members: vec![scene.target], client_msg_id: mint() }
}

fn add(scene: &Scene) -> Members {
    Members { conversation: scene.group, users: vec![scene.outsider], client_msg_id: mint() }
}

fn remove(scene: &Scene) -> Member {
    Member { conversation: scene.group, user: scene.target, client_msg_id: mint() }
}

fn rename(scene: &Scene) -> Rename {
    Rename { conversation: scene.group, name: "renamed".into(), client_msg_id: mint() }
}

fn update(scene: &Scene) -> UpdateGroup {
    let change = GroupChange { announcement: Some("hear".into()), ..GroupChange::default() };
    UpdateGroup { conversation: scene.group, client_msg_id: mint(), change }
}

fn promote(scene: &Scene) -> SetRole {
    SetRole { conversation: scene.group, user: scene.target, role: Role::Admin, client_msg_id: mint() }
}

fn mute(conversation: ConversationId, user: UserId) -> MuteMember {
    MuteMember { conversation, user, muted: true, client_msg_id: mint() }
}

fn mute_for_me(scene: &Scene) -> ConversationUpdate {
    ConversationUpdate { conversation: scene.group, muted: Some(true), ..ConversationUpdate::default() }
}

fn search(conversation: ConversationId) -> SearchMessages {
    SearchMessages { query: "hello".into(), conversation, ..SearchMessages::default() }
}

fn act(conversation: ConversationId) -> GroupAct {
    GroupAct { conversation, client_msg_id: mint() }
}

fn apply(conversation: ConversationId) -> ApplyToGroup {
    ApplyToGroup { conversation, comment: String::new() }
}

fn answer_to(scene: &Scene, accept: bool) -> AnswerApplication {
    let (conversation, user) = (scene.group, scene.outsider);
    AnswerApplication { conversation, user, accept, client_msg_id: mint() }
}

fn text(conversation: ConversationId) -> Send {
    let body = Content::text("hello").encode();
    Send { conversation, client_msg_id: mint(), body, ..Send::default() }
}

fn edit(conversation: ConversationId, seq: Seq) -> Edit {
    Edit { conversation, seq, client_msg_id: mint(), body: Content::text("bye").encode() }
}

fn recall(conversation: ConversationId, seq: Seq) -> Recall {
    Recall { conversation, seq, client_msg_id: mint() }
}

fn react(conversation: ConversationId, seq: Seq) -> React {
    React { conversation, seq, emoji: "🍵".into(), set: true, client_msg_id: mint() }
}

fn commit(scene: &Scene) -> Commit {
    let offsets = vec![Position { conversation: scene.group, seq: Seq::FIRST }];
    Commit { offsets, epoch: Epoch::default() }
}

/// The code that a call is refused with, if it is.
async fn refusal(client: &mut RawClient, call: Call) -> Option<String> {
    let asked = client.request(call).await;
    loop {
        match client.frame().await {
            ServerFrame::Reply(ReplyTo { id, reply: Reply::Error(error) }) if id == asked => {
                return Some(format!("{:?}", error.code));
            }
            ServerFrame::Reply(ReplyTo { id, .. }) if id == asked => return None,
            // Whoever logs out is answered and said good-bye to in either order.
            ServerFrame::GoAway(away) if away.reason == GoAwayReason::SessionEnded => return None,
            ServerFrame::Notification(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn letter(refusal: Option<&str>) -> &'static str {
    match refusal {
        None => ".",
        Some("Unauthenticated") => "U",
        Some("NotMember") => "M",
        Some("Forbidden") => "F",
        Some("NotFound") => "N",
        Some("BadArgument") => "A",
        Some("BadToken") => "T",
        Some(other) => panic!("the table has no letter for {other}"),
    }
}

fn opened(conversation: ConversationId, policy: JoinPolicy) -> UpdateGroup {
    let change = GroupChange { policy: Some(policy), ..GroupChange::default() };
    UpdateGroup { conversation, client_msg_id: mint(), change }
}

/// A caller's column.
fn at(name: &str) -> usize {
    CALLERS.iter().position(|caller| *caller == name).unwrap()
}

/// Everybody who acts: bots, which need no password, all of one factory.
struct Cast<'a> {
    server: &'a TestServer,
    issuer: &'a Signer,
    factory: RawClient,
    owner: RawClient,
    hermit: UserId,
    /// Between the owner and whom he blocks.
    closed: ConversationId,
    lounge: ConversationId,
    club: ConversationId,
    /// The user and the token of each caller but nobody.
    callers: Vec<(UserId, String)>,
}

impl<'a> Cast<'a> {
    async fn gather(server: &'a TestServer, issuer: &'a Signer) -> Self {
        let mut factory = RawClient::user(server.addr(), "factory").await;
        let mut callers = Vec::new();
        for name in &CALLERS[1..] {
            callers.push(Self::made(&mut factory, name).await);
        }
        let revoke = Call::RevokeBot(UserArgument { user: callers[0].0 });
        assert_eq!(factory.call(revoke).await.unwrap(), Reply::Done);
        let caller = |name: &str| &callers[at(name) - 1];
        let mut owner = instance(server, &caller("owner").1, "the scene").await;
        let mut member = instance(server, &caller("member").1, "the scene").await;
        owner.befriend(&mut member).await;
        let blocked = caller("blocked").0;
        let closed = owner.direct(blocked).await.unwrap();
        owner.call(Call::Block(UserArgument { user: blocked })).await.unwrap();
        let (lounge, club) = (owner.group(vec![]).await, owner.group(vec![]).await);
        owner.call(Call::UpdateGroup(opened(lounge, JoinPolicy::Open))).await.unwrap();
        let (hermit, token) = Self::made(&mut factory, "hermit").await;
        let friends_only =
            SettingsUpdate { direct_from: Some(Audience::Friends), ..SettingsUpdate::default() };
        instance(server, &token, "").await.call(Call::UpdateSettings(friends_only)).await.unwrap();
        Self { server, issuer, factory, owner, hermit, closed, lounge, club, callers }
    }

    async fn made(factory: &mut RawClient, name: &str) -> (UserId, String) {
        let made = factory.call(Call::CreateBot(CreateBot { name: unique(name) })).await.unwrap();
        let Reply::BotToken(bot) = made else { panic!("{made:?}") };
        (bot.user, bot.token)
    }

    fn user(&self, name: &str) -> UserId {
        self.callers[at(name) - 1].0
    }

    async fn scene(&mut self) -> Scene {
        let (target, _) = Self::made(&mut self.factory, "target").await;
        let (outsider, token) = Self::made(&mut self.factory, "outsider").await;
        let mut client = instance(self.server, &token, "").await;
        client.call(Call::Block(UserArgument { user: self.user("blocked") })).await.unwrap();
        let request = RequestFriend { user: self.user("member"), ..RequestFriend::default() };
        client.call(Call::RequestFriend(request)).await.unwrap();
        let [removed, muted, member, admin] =
            ["removed", "muted", "member", "admin"].map(|name| self.user(name));
        let group = self.owner.group(vec![removed, muted, member, admin, target]).await;
        let role = SetRole { conversation: group, user: admin, role: Role::Admin, client_msg_id: mint() };
        let gone = Member { conversation: group, user: removed, client_msg_id: mint() };
        for call in [
            Call::SetRole(role),
            Call::MuteMember(mute(group, muted)),
            Call::RemoveMember(gone),
            Call::UpdateGroup(opened(group, JoinPolicy::Approval)),
        ] {
            self.owner.call(call).await.unwrap();
        }
        client.call(Call::ApplyToGroup(apply(group))).await.unwrap();
        let info = self.owner.call(Call::GroupInfo(ConversationArgument { conversation: group })).await;
        let Ok(Reply::Group(GroupInfo { number, .. })) = info else { panic!("{info:?}") };
        let direct = self.owner.direct(member).await.unwrap();
        let Self { hermit, closed, lounge, club, .. } = *self;
        let owner = self.user("owner");
        let said = self.owner.text(group, "hello").await.unwrap().seq;
        let told = self.owner.text(direct, "hello").await.unwrap().seq;
        let token = self.issuer.sign(&claims("walker"));
        Scene {
            group,
            number,
            lounge,
            club,
            direct,
            target,
            outsider,
            hermit,
            owner,
            closed,
            said,
            told,
            token,
        }
    }

    /// What a caller is answered, on a device that nobody else has.
    async fn answer(&self, door: Option<&Door>, caller: usize, call: Call) -> &'static str {
        let token = caller.checked_sub(1).map(|at| self.callers[at].1.as_str());
        let device = unique("device");
        let refusal = match (door, token) {
            (Some(door), token) => door.refusal(token, &device, &call).await,
            (None, None) => refusal(&mut RawClient::hello(self.server.addr()).await, call).await,
            (None, Some(token)) => refusal(&mut instance(self.server, token, &device).await, call).await,
        };
        letter(refusal.as_deref())
    }
}

async fn over_quic(backend: &Backend) {
    walk(backend, false).await;
}

async fn over_http(backend: &Backend) {
    walk(backend, true).await;
}

async fn walk(backend: &Backend, over_http: bool) {
    let (issuer, folder) = (Signer::ed("key"), tempfile::tempdir().unwrap());
    let trusted = trusting_file(folder.path(), &[&issuer]);
    let server = server(backend, |config| {
        config.external_login = trusted;
        config.api_listen = over_http.then_some(SocketAddr::from(([127, 0, 0, 1], 0)));
    })
    .await;
    let door = if over_http { Some(Door::of(&server).await) } else { None };
    let mut cast = Cast::gather(&server, &issuer).await;
    let mut wrong = Vec::new();
    let mut scene = cast.scene().await;
    // Over HTTP it has no token of its own, and says whom the request's speaks for.
    let walked = TABLE.iter().filter(|(name, ..)| door.is_none() || *name != "Authenticate");
    for (name, call, expected) in walked {
        let mut answered = Vec::new();
        for at in 0..CALLERS.len() {
            let call = call(&scene);
            assert!(format!("{call:?}").starts_with(name), "{name} makes {call:?}");
            let answer = cast.answer(door.as_ref(), at, call).await;
            // A token that is no good is refused when a connection says hello, and with each request.
            let is_refused_token = door.is_some() && answer == "T" && at == 1 && expected.starts_with("U U");
            answered.push(if is_refused_token { "U" } else { answer });
            if answer == "." {
                scene = cast.scene().await;
            }
        }
        if answered.join(" ") != *expected {
            wrong.push(format!("{name:<16} expected {expected}, answered {}", answered.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "not as in the table: {CALLERS:?}\n{}", wrong.join("\n"));
}

#[test]
fn every_call_is_in_the_table() {
    let walked: BTreeSet<_> = TABLE.iter().map(|(name, ..)| *name).collect();
    let known: BTreeSet<_> = Call::<bytes::Bytes>::CODES.iter().map(|(_, name)| *name).collect();
    assert_eq!(walked, known);
    for (name, _, expected) in TABLE {
        assert_eq!(expected.split(' ').count(), CALLERS.len(), "{name}");
    }
}

on_both_stores! {
    super::over_quic as g9_every_call_by_everybody_is_answered_as_in_the_table,
    super::over_http as g9_every_call_by_everybody_is_answered_alike_over_http,
}
