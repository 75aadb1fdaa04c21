//! Calls about groups: what they show and allow, and how people get in.

use goim_core::{ConversationId, UserId};
use goim_proto::{
    AnswerApplication, ApplicationPage, ApplyToGroup, Call, ConversationArgument, FindGroup, GroupAct,
    GroupChange, GroupInfo, ListApplications, Member, MuteMember, Reply, Role, Sent, SetRole, UpdateGroup,
};

use crate::{CallError, Client};

impl Client {
    /// What there is to know of a group that this user is a member of.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if he is not.
    pub async fn group(&self, conversation: ConversationId) -> Result<GroupInfo, CallError> {
        expect!(self.call(Call::GroupInfo(ConversationArgument { conversation })).await, Group)
    }

    /// Finds a group by its public number.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if there is none, or it is by invitation only.
    pub async fn find_group(&self, number: u64) -> Result<GroupInfo, CallError> {
        expect!(self.call(Call::FindGroup(FindGroup { number })).await, Group)
    }

    /// Changes what is given of what a group shows and allows.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn update_group(
        &self,
        conversation: ConversationId,
        change: GroupChange,
    ) -> Result<Sent, CallError> {
        let call = UpdateGroup { conversation, client_msg_id: self.mint(), change };
        expect!(self.call(Call::UpdateGroup(call)).await, Sent)
    }

    /// Makes a member an admin, or an admin a plain member.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if this user is not the owner.
    pub async fn set_role(
        &self,
        conversation: ConversationId,
        user: UserId,
        role: Role,
    ) -> Result<Sent, CallError> {
        let call = SetRole { conversation, user, role, client_msg_id: self.mint() };
        expect!(self.call(Call::SetRole(call)).await, Sent)
    }

    /// Takes no messages of a member any more, or takes them again. Who leaves and comes back is muted
    /// as before.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn mute_member(
        &self,
        conversation: ConversationId,
        user: UserId,
        muted: bool,
    ) -> Result<Sent, CallError> {
        let call = MuteMember { conversation, user, muted, client_msg_id: self.mint() };
        expect!(self.call(Call::MuteMember(call)).await, Sent)
    }

    /// Makes a member the owner; this user, who was it, is an admin then.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn transfer_group(&self, conversation: ConversationId, to: UserId) -> Result<Sent, CallError> {
        let call = Member { conversation, user: to, client_msg_id: self.mint() };
        expect!(self.call(Call::TransferGroup(call)).await, Sent)
    }

    /// Ends a group: it can be read and left, and nobody writes any more.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if this user is not the owner.
    pub async fn dismiss_group(&self, conversation: ConversationId) -> Result<Sent, CallError> {
        let call = GroupAct { conversation, client_msg_id: self.mint() };
        expect!(self.call(Call::DismissGroup(call)).await, Sent)
    }

    /// Joins a group that is open.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if it is not.
    pub async fn join_group(&self, conversation: ConversationId) -> Result<Sent, CallError> {
        let call = GroupAct { conversation, client_msg_id: self.mint() };
        expect!(self.call(Call::JoinGroup(call)).await, Sent)
    }

    /// Asks to be let into a group. The inbox tells of the answer.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the group takes no applications.
    pub async fn apply_to_group(&self, conversation: ConversationId, comment: &str) -> Result<(), CallError> {
        let call = ApplyToGroup { conversation, comment: comment.to_owned() };
        self.call(Call::ApplyToGroup(call)).await.map(drop)
    }

    /// Lets an applicant in, or rejects him.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if no application is open.
    pub async fn answer_application(
        &self,
        conversation: ConversationId,
        user: UserId,
        accept: bool,
    ) -> Result<(), CallError> {
        let call = AnswerApplication { conversation, user, accept, client_msg_id: self.mint() };
        self.call(Call::AnswerApplication(call)).await.map(drop)
    }

    /// A page of the applications to a group, newest first: with numbers under `before`, or the newest.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if this user is neither owner nor admin.
    pub async fn applications(
        &self,
        conversation: ConversationId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<ApplicationPage, CallError> {
        let call = ListApplications { conversation, before: before.unwrap_or(0), limit };
        expect!(self.call(Call::ListApplications(call)).await, Applications)
    }

    /// A page of this user's own applications, as [`applications`](Self::applications).
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn own_applications(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<ApplicationPage, CallError> {
        self.applications(ConversationId::default(), before, limit).await
    }
}
