//! What groups show and allow, and how people get in.

use goim_proto::content::{
    ApplicationMade, ApplicationRejected, Content, MemberMuted, OwnerChanged, RoleChanged,
};
use goim_proto::{
    AnswerApplication, Application, ApplicationPage, ApplyToGroup, Call, ConversationArgument, FindGroup,
    GroupAct, GroupChange, GroupInfo, HistoryFrom, JoinPolicy, ListApplications, Member, MuteMember, Reply,
    RequestState, Role, SetRole, UpdateGroup,
};

use super::{ADA, BEN, Case, GROUP, NOW_MS, call, content, id, reply};

const NUMBER: u64 = 400_100_200;

fn change() -> GroupChange {
    GroupChange {
        avatar: Some("img-3".into()),
        announcement: Some("tea at four".into()),
        policy: Some(JoinPolicy::Open),
        history: Some(HistoryFrom::Start),
        muted: Some(true),
    }
}

pub(super) fn calls() -> Vec<Case> {
    let conversation = GROUP;
    let update = UpdateGroup { conversation, client_msg_id: id(11), change: change() };
    let quiet = GroupChange { muted: Some(false), ..GroupChange::default() };
    let quiet = UpdateGroup { change: quiet, ..update.clone() };
    let role = SetRole { conversation, user: BEN, role: Role::Admin, client_msg_id: id(12) };
    let mute = MuteMember { conversation, user: BEN, muted: true, client_msg_id: id(13) };
    let owner = Member { conversation, user: BEN, client_msg_id: id(14) };
    let act = |n| GroupAct { conversation, client_msg_id: id(n) };
    let apply = ApplyToGroup { conversation, comment: "me too".into() };
    let answer = AnswerApplication { conversation, user: BEN, accept: true, client_msg_id: id(17) };
    let list = ListApplications { conversation, before: 9, limit: 20 };
    vec![
        call("GroupInfo", Call::GroupInfo(ConversationArgument { conversation })),
        call("FindGroup", Call::FindGroup(FindGroup { number: NUMBER })),
        call("UpdateGroup", Call::UpdateGroup(update)),
        call("UpdateGroup of one thing", Call::UpdateGroup(quiet)),
        call("SetRole", Call::SetRole(role)),
        call("MuteMember", Call::MuteMember(mute)),
        call("TransferGroup", Call::TransferGroup(owner)),
        call("DismissGroup", Call::DismissGroup(act(15))),
        call("JoinGroup", Call::JoinGroup(act(16))),
        call("ApplyToGroup", Call::ApplyToGroup(apply)),
        call("AnswerApplication", Call::AnswerApplication(answer)),
        call("ListApplications", Call::ListApplications(list)),
    ]
}

pub(super) fn replies() -> Vec<Case> {
    let group = GroupInfo {
        conversation: GROUP,
        number: NUMBER,
        name: "tea".into(),
        avatar: "img-3".into(),
        announcement: "tea at four".into(),
        policy: JoinPolicy::Approval,
        history: HistoryFrom::Joining,
        muted: false,
        dismissed: true,
        owner: ADA,
        members: 4,
        role: Role::Member,
    };
    let application = Application {
        number: 8,
        conversation: GROUP,
        user: BEN,
        comment: "me too".into(),
        state: RequestState::Open,
        at_ms: NOW_MS,
    };
    let page = ApplicationPage { applications: vec![application], more: true };
    vec![reply("Group", Reply::Group(group)), reply("Applications", Reply::Applications(page))]
}

pub(super) fn contents() -> Vec<Case> {
    let made = ApplicationMade { conversation: GROUP, comment: "me too".into() };
    let rejected = ApplicationRejected { conversation: GROUP };
    vec![
        content("GroupUpdated", Content::GroupUpdated(change())),
        content("RoleChanged", Content::RoleChanged(RoleChanged { user: BEN, role: Role::Admin })),
        content("MemberMuted", Content::MemberMuted(MemberMuted { user: BEN, muted: true })),
        content("OwnerChanged", Content::OwnerChanged(OwnerChanged { user: BEN })),
        content("Dismissed", Content::Dismissed),
        content("MemberJoined", Content::MemberJoined),
        content("ApplicationMade", Content::ApplicationMade(made)),
        content("ApplicationRejected", Content::ApplicationRejected(rejected)),
    ]
}
