//! Every call of the protocol, made by everybody.

use goim_core::{ConversationId, Epoch, Seq, UserId};
use goim_proto::{
    Allocate, AnswerApplication, AnswerFriend, ApplyToGroup, Authenticate, Call, ChangePassword, Commit,
    Content, ConversationArgument, ConversationUpdate, CreateBot, CreateGroup, DeviceArgument, Edit,
    FindGroup, FindUser, GroupAct, GroupChange, Heads, History, ListApplications, ListConversations,
    ListDevices, ListFriendRequests, ListMembers, ListUsers, LoginExternal, Member, Members, MessageList,
    MuteMember, Position, ProfileUpdate, Pull, React, Recall, Refresh, Rename, RequestFriend, Role,
    SearchMessages, SearchUsers, Send, SetPresence, SetRemark, SetRole, SettingsUpdate, Sync, UpdateGroup,
    UserArgument, UserList,
};

use super::Row;
use super::scene::Scene;
use crate::support::{credentials, mint, unique};

#[rustfmt::skip]
pub(super) const CALLS: &[Row<Call>] = &[
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
    ("RevokeDevice",   |s| Call::RevokeDevice(DeviceArgument { device: s.device }), "U U N N N N N N N"),
    ("OpenDirect",     |s| Call::OpenDirect(UserArgument { user: s.outsider }), "U U . F . . . . ."),
    ("OpenDirect",     |s| Call::OpenDirect(UserArgument { user: s.hermit }),   "U U F F F F F F F"),
    ("OpenDirect",     |s| Call::OpenDirect(UserArgument { user: s.owner }),    "U U . . . . . . A"),
    ("CreateGroup",    |s| Call::CreateGroup(create(s)),                   "U U . . . . . . ."),
    ("AddMembers",     |s| Call::AddMembers(add(s)),                       "U U M M M F F . ."),
    ("RemoveMember",   |s| Call::RemoveMember(remove(s)),                  "U U M M M F F . ."),
    ("Leave",          |s| Call::Leave(ConversationArgument { conversation: s.group }), "U U M M M . . . F"),
    ("AddMembers",     |s| Call::AddMembers(Members { conversation: s.direct, ..add(s) }),    "U U M M M M M M M"),
    ("RemoveMember",   |s| Call::RemoveMember(Member { conversation: s.direct, ..remove(s) }), "U U M M M M F M F"),
    ("Leave",          |s| Call::Leave(ConversationArgument { conversation: s.direct }), "U U M M M M F M F"),
    ("Leave",          |s| Call::Leave(ConversationArgument { conversation: s.inbox }), "U U F F F F F F F"),
    ("Rename",         |s| Call::Rename(Rename { conversation: s.direct, ..rename(s) }), "U U M M M M F M F"),
    ("SetRole",        |s| Call::SetRole(SetRole { conversation: s.direct, ..promote(s) }), "U U M M M M F M F"),
    ("TransferGroup",  |s| Call::TransferGroup(Member { conversation: s.direct, ..remove(s) }), "U U M M M M F M F"),
    ("DismissGroup",   |s| Call::DismissGroup(act(s.direct)),              "U U M M M M F M F"),
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
    ("Send",           |s| Call::Send(text(s.inbox)),                      "U U F F F F F F F"),
    ("Pull",           |s| Call::Pull(Pull { conversation: s.inbox, ..Pull::default() }), "U U M M M M M M ."),
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

pub(super) fn mute(conversation: ConversationId, user: UserId) -> MuteMember {
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

pub(super) fn apply(conversation: ConversationId) -> ApplyToGroup {
    ApplyToGroup { conversation, comment: String::new() }
}

fn answer_to(scene: &Scene, accept: bool) -> AnswerApplication {
    let (conversation, user) = (scene.group, scene.outsider);
    AnswerApplication { conversation, user, accept, client_msg_id: mint() }
}

pub(super) fn text(conversation: ConversationId) -> Send {
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
