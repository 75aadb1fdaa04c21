//! Calls about conversations and groups: who is in, and what they show.

use goim_client::{GroupChange, JoinPolicy, Role};
use goim_proto::{
    AnswerApplication, Call, ConversationArgument, CreateGroup, FindGroup, GroupAct, ListApplications,
    ListMembers, Member, MuteMember, Rename, Reply, SetRole, UpdateGroup, UserArgument,
};

use super::{Row, plain, prepared};
use crate::api::ApiError;
use crate::api::world::Who::{Heavy, Peer};
use crate::api::world::World;

/// Members of a new group.
const MEMBERS: usize = 20;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    plain("OpenDirect", "Conversation", "there already", Heavy, |w| Call::OpenDirect(UserArgument { user: w.direct().members[1] })),
    prepared("OpenDirect", "Conversation", "a new one", Peer, |w| Box::pin(async {
        Ok(Call::OpenDirect(UserArgument { user: w.new_bot(Heavy).await? }))
    })),
    plain("CreateGroup", "Conversation", "of 21", Peer, |w| Call::CreateGroup(CreateGroup { name: w.name("group"), members: w.users(MEMBERS), client_msg_id: w.mint() })),
    prepared("AddMembers", "Sent", "one", Heavy, |w| Box::pin(async {
        Ok(Call::AddMembers(w.add_to_own_group().await?))
    })),
    prepared("RemoveMember", "Sent", "", Heavy, |w| Box::pin(async {
        let (conversation, user) = w.new_member().await?;
        Ok(Call::RemoveMember(Member { conversation, user, client_msg_id: w.mint() }))
    })),
    prepared("Leave", "Sent", "", Heavy, |w| Box::pin(async {
        let conversation = w.club(JoinPolicy::Open).await?;
        let join = w.joins(conversation);
        w.ask(Heavy, Call::JoinGroup(join)).await?;
        w.forget(conversation);
        Ok(Call::Leave(ConversationArgument { conversation }))
    })),
    plain("Rename", "Sent", "", Heavy, |w| Call::Rename(Rename { conversation: w.own_group(), name: w.name("group"), client_msg_id: w.mint() })),
    plain("ListMembers", "Members", "all, up to 1,000", Heavy, |w| Call::ListMembers(ListMembers { conversation: w.group(), ..ListMembers::default() })),
    plain("GroupInfo", "Group", "", Heavy, |w| Call::GroupInfo(ConversationArgument { conversation: w.group() })),
    prepared("FindGroup", "Group", "", Heavy, |w| Box::pin(find_group(w))),
    plain("UpdateGroup", "Sent", "its announcement", Heavy, |w| Call::UpdateGroup(update_group(w))),
    prepared("SetRole", "Sent", "", Heavy, |w| Box::pin(async {
        let (conversation, user) = w.new_member().await?;
        Ok(Call::SetRole(SetRole { conversation, user, role: Role::Admin, client_msg_id: w.mint() }))
    })),
    prepared("MuteMember", "Sent", "", Heavy, |w| Box::pin(async {
        let (conversation, user) = w.new_member().await?;
        Ok(Call::MuteMember(MuteMember { conversation, user, muted: true, client_msg_id: w.mint() }))
    })),
    prepared("TransferGroup", "Sent", "", Peer, |w| Box::pin(transfer_group(w))),
    prepared("DismissGroup", "Sent", "", Peer, |w| Box::pin(async {
        Ok(Call::DismissGroup(GroupAct { conversation: w.new_group().await?, client_msg_id: w.mint() }))
    })),
    prepared("JoinGroup", "Sent", "", Heavy, |w| Box::pin(async {
        let conversation = w.club(JoinPolicy::Open).await?;
        Ok(Call::JoinGroup(w.joins(conversation)))
    })),
    prepared("ApplyToGroup", "Done", "", Heavy, |w| Box::pin(async {
        let conversation = w.club(JoinPolicy::Approval).await?;
        Ok(Call::ApplyToGroup(w.applies(conversation)))
    })),
    prepared("AnswerApplication", "Done", "accepted", Peer, |w| Box::pin(answer_application(w))),
    prepared("ListApplications", "Applications", "20 to a group", Peer, |w| Box::pin(async {
        let conversation = w.club(JoinPolicy::Approval).await?;
        Ok(Call::ListApplications(ListApplications { conversation, ..ListApplications::default() }))
    })),
];

async fn find_group(world: &mut World) -> Result<Call, ApiError> {
    let conversation = world.club(JoinPolicy::Open).await?;
    let call = Call::GroupInfo(ConversationArgument { conversation });
    match world.ask(Peer, call).await? {
        Reply::Group(group) => Ok(Call::FindGroup(FindGroup { number: group.number })),
        _ => Err(ApiError::Unexpected("Group")),
    }
}

fn update_group(world: &mut World) -> UpdateGroup {
    let announcement = Some(world.name("we meet on Friday"));
    let change = GroupChange { announcement, ..GroupChange::default() };
    UpdateGroup { conversation: world.own_group(), client_msg_id: world.mint(), change }
}

async fn transfer_group(world: &mut World) -> Result<Call, ApiError> {
    let conversation = world.new_group().await?;
    let (user, client_msg_id) = (world.new_bot(Peer).await?, world.mint());
    let users = vec![user];
    world.ask(Peer, Call::AddMembers(goim_proto::Members { conversation, users, client_msg_id })).await?;
    Ok(Call::TransferGroup(Member { conversation, user, client_msg_id: world.mint() }))
}

async fn answer_application(world: &mut World) -> Result<Call, ApiError> {
    let conversation = world.club(JoinPolicy::Approval).await?;
    let apply = world.applies(conversation);
    world.ask(Heavy, Call::ApplyToGroup(apply)).await?;
    world.forget(conversation);
    let GroupAct { client_msg_id, .. } = world.joins(conversation);
    let user = world.data.people.heavy;
    Ok(Call::AnswerApplication(AnswerApplication { conversation, user, accept: true, client_msg_id }))
}
