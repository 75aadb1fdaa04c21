//! What groups show and allow, and how people get in. As with all conversations, the lane judges once
//! more where the state is exact.

use goim_core::{ClientMsgId, ConversationId};
use goim_proto::content::{
    ApplicationMade, ApplicationRejected, MemberMuted, MembersAdded, OwnerChanged, RoleChanged,
};
use goim_proto::limits::{ANNOUNCEMENT_BYTES_MAX, GREETING_BYTES_MAX};
use goim_proto::{
    AnswerApplication, ApplicationPage, ApplyToGroup, Content, Error, ErrorCode, GroupAct, GroupChange,
    GroupInfo, HistoryFrom, JoinPolicy, ListApplications, Member, MuteMember, Reply, Role, SessionInfo,
    SetRole, UpdateGroup,
};

use super::conversations::Happening;
use super::draft::check_id;
use super::numbers;
use super::profiles::{check_avatar, check_lines, page_limit};
use super::{Answered, Refusal, Service, failed, failed_or_too_many, refuse};
use crate::clock::unix_ms;
use crate::store::{Applications, Effect, Notice};

impl Service {
    /// What there is to know of a group, for its members.
    pub(super) async fn group_info(&self, session: &SessionInfo, conversation: ConversationId) -> Answered {
        match self.group(session, conversation).await? {
            Some(group) if is_member(&group) => Ok(Reply::Group(group)),
            Some(_) | None => refuse(ErrorCode::NotMember, "you are not a member of this group"),
        }
    }

    /// Finds a group by its public number; what only members may know is left out for others.
    pub(super) async fn find_group(&self, session: &SessionInfo, number: u64) -> Answered {
        let found = match numbers::conversation_of(number) {
            Some(conversation) => self.group(session, conversation).await?,
            None => None,
        };
        match found {
            Some(group) if is_member(&group) => Ok(Reply::Group(group)),
            Some(group) if is_shown(&group) => {
                Ok(Reply::Group(GroupInfo { announcement: String::new(), ..group }))
            }
            Some(_) | None => refuse(ErrorCode::NotFound, "no group with this number can be found"),
        }
    }

    /// Changes what a group shows and allows.
    pub(super) async fn update_group(&self, session: &SessionInfo, arguments: UpdateGroup) -> Answered {
        let UpdateGroup { conversation, client_msg_id, change } = arguments;
        check_change(&change)?;
        let content = Content::GroupUpdated(change.clone());
        self.act(session, conversation, client_msg_id, content, Effect::Change(change)).await
    }

    /// Makes a member an admin, or an admin a plain member.
    pub(super) async fn set_role(&self, session: &SessionInfo, arguments: SetRole) -> Answered {
        let SetRole { conversation, user, role, client_msg_id } = arguments;
        if user == session.user || !matches!(role, Role::Admin | Role::Member) {
            let message =
                "make somebody else an admin (2) or a plain member (3); an owner is made by TransferGroup";
            return refuse(ErrorCode::BadArgument, message);
        }
        let content = Content::RoleChanged(RoleChanged { user, role });
        self.act(session, conversation, client_msg_id, content, Effect::SetRole { user, role }).await
    }

    /// Takes no messages of a member any more, or takes them again.
    pub(super) async fn mute_member(&self, session: &SessionInfo, arguments: MuteMember) -> Answered {
        let MuteMember { conversation, user, muted, client_msg_id } = arguments;
        let content = Content::MemberMuted(MemberMuted { user, muted });
        self.act(session, conversation, client_msg_id, content, Effect::SetMuted { user, muted }).await
    }

    /// Makes a member the owner.
    pub(super) async fn transfer_group(&self, session: &SessionInfo, arguments: Member) -> Answered {
        let Member { conversation, user, client_msg_id } = arguments;
        if user == session.user {
            return refuse(ErrorCode::BadArgument, "a group is handed over to somebody else");
        }
        let content = Content::OwnerChanged(OwnerChanged { user });
        self.act(session, conversation, client_msg_id, content, Effect::Transfer { to: user }).await
    }

    /// Ends a group: nobody writes any more.
    pub(super) async fn dismiss_group(&self, session: &SessionInfo, arguments: GroupAct) -> Answered {
        let GroupAct { conversation, client_msg_id } = arguments;
        self.act(session, conversation, client_msg_id, Content::Dismissed, Effect::Dismiss).await
    }

    /// Joins a group that is open.
    pub(super) async fn join_group(&self, session: &SessionInfo, arguments: GroupAct) -> Answered {
        let GroupAct { conversation, client_msg_id } = arguments;
        check_id(client_msg_id)?;
        if let Some(sent) = self.repeated(session, conversation, client_msg_id).await? {
            return Ok(Reply::Sent(sent));
        }
        let group = self.shown_group(session, conversation).await?;
        if !is_member(&group) {
            if group.policy != JoinPolicy::Open {
                return refuse(ErrorCode::BadArgument, "this group is not open; apply to it");
            }
            self.check_conversation_counts(&[session.user]).await?;
        }
        let effect = Effect::Join { users: vec![(session.user, Role::Member)] };
        self.act(session, conversation, client_msg_id, Content::MemberJoined, effect).await
    }

    /// Asks to be let into a group.
    pub(super) async fn apply_to_group(&self, session: &SessionInfo, arguments: ApplyToGroup) -> Answered {
        let ApplyToGroup { conversation, comment } = arguments;
        check_lines(&comment, GREETING_BYTES_MAX)?;
        let group = self.shown_group(session, conversation).await?;
        if is_member(&group) {
            return refuse(ErrorCode::BadArgument, "you are a member already");
        }
        if group.policy != JoinPolicy::Approval {
            return refuse(ErrorCode::BadArgument, "this group is open; join it");
        }
        let user = session.user;
        if self.store.applies(conversation, user).await.map_err(failed)? {
            return Ok(Reply::Done);
        }
        let made = ApplicationMade { conversation, comment: comment.clone() };
        let notice = Notice::of(&Content::ApplicationMade(made));
        let limit = self.open_limit();
        let applied =
            self.store.apply_to_group(conversation, user, &comment, &notice, limit, unix_ms()).await;
        applied
            .map_err(failed_or_too_many("too many of your applications are not answered; wait for some"))?;
        self.due_now.notify_one();
        Ok(Reply::Done)
    }

    /// Lets an applicant in, or rejects him.
    pub(super) async fn answer_application(
        &self,
        session: &SessionInfo,
        arguments: AnswerApplication,
    ) -> Answered {
        let AnswerApplication { conversation, user, accept, client_msg_id } = arguments;
        check_id(client_msg_id)?;
        if accept && self.repeated(session, conversation, client_msg_id).await?.is_some() {
            return Ok(Reply::Done);
        }
        self.managed_group(session, conversation).await?;
        if accept {
            self.check_conversation_counts(&[user]).await?;
            let content = Content::MembersAdded(MembersAdded { users: vec![user] });
            let admitted = self.act(session, conversation, client_msg_id, content, Effect::Admit { user });
            return admitted.await.map(|_| Reply::Done);
        }
        let content = Content::ApplicationRejected(ApplicationRejected { conversation });
        let notice = Notice::of(&content);
        let by = session.user;
        let rejected = self.store.reject_application(conversation, user, by, &notice, unix_ms()).await;
        if !rejected.map_err(failed)? && self.is_in(user, conversation).await? {
            return Err(Refusal::NoApplication.into_error());
        }
        self.due_now.notify_one();
        Ok(Reply::Done)
    }

    /// Lists applications to a group, for its owner and admins, or the caller's own.
    pub(super) async fn list_applications(
        &self,
        session: &SessionInfo,
        arguments: ListApplications,
    ) -> Answered {
        let ListApplications { conversation, before, limit } = arguments;
        let which = if conversation == ConversationId::default() {
            Applications::Of(session.user)
        } else {
            self.managed_group(session, conversation).await?;
            Applications::To(conversation)
        };
        let limit = page_limit(limit);
        let before = if before == 0 { u64::MAX } else { before };
        let applications = self.store.applications(which, before, limit).await.map_err(failed)?;
        let more = applications.len() >= limit as usize;
        Ok(Reply::Applications(ApplicationPage { applications, more }))
    }

    /// Appends the entry of something that was done to a group.
    async fn act(
        &self,
        session: &SessionInfo,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
        content: Content,
        effect: Effect,
    ) -> Answered {
        check_id(client_msg_id)?;
        let happening = Happening { conversation, client_msg_id, content, effect };
        self.append(session, happening).await.map(Reply::Sent)
    }

    /// A group with its public number, as the caller stands to it.
    async fn group(
        &self,
        session: &SessionInfo,
        conversation: ConversationId,
    ) -> Result<Option<GroupInfo>, Error> {
        let group = self.store.group(conversation, session.user).await.map_err(failed)?;
        Ok(group.map(|group| GroupInfo { number: numbers::number_of(conversation), ..group }))
    }

    /// A group that the caller is in or may know of.
    async fn shown_group(
        &self,
        session: &SessionInfo,
        conversation: ConversationId,
    ) -> Result<GroupInfo, Error> {
        match self.group(session, conversation).await? {
            Some(group) if is_member(&group) || is_shown(&group) => Ok(group),
            Some(_) | None => refuse(ErrorCode::NotFound, "there is no such group to join or apply to"),
        }
    }

    /// A group of which the caller is the owner or an admin.
    pub(super) async fn managed_group(
        &self,
        session: &SessionInfo,
        conversation: ConversationId,
    ) -> Result<GroupInfo, Error> {
        match self.group(session, conversation).await? {
            Some(group) if matches!(group.role, Role::Owner | Role::Admin) => Ok(group),
            Some(group) if is_member(&group) => {
                refuse(ErrorCode::Forbidden, "only the group's owner and admins do this")
            }
            Some(_) | None => refuse(ErrorCode::NotMember, "you are not a member of this group"),
        }
    }
}

fn is_member(group: &GroupInfo) -> bool {
    group.role != Role::default()
}

/// Whether people who are not in a group may know of it.
fn is_shown(group: &GroupInfo) -> bool {
    !group.dismissed && matches!(group.policy, JoinPolicy::Open | JoinPolicy::Approval)
}

fn check_change(change: &GroupChange) -> Result<(), Error> {
    let GroupChange { avatar, announcement, policy, history, muted: _ } = change;
    if *change == GroupChange::default() {
        return refuse(ErrorCode::BadArgument, "name something that shall change");
    }
    if let Some(avatar) = avatar {
        check_avatar(avatar)?;
    }
    if let Some(announcement) = announcement {
        check_lines(announcement, ANNOUNCEMENT_BYTES_MAX)?;
    }
    if let Some(JoinPolicy::Unknown(_)) = policy {
        return refuse(
            ErrorCode::BadArgument,
            "a group is open (1), by approval (2) or by invitation only (3)",
        );
    }
    if let Some(HistoryFrom::Unknown(_)) = history {
        return refuse(ErrorCode::BadArgument, "the history is read from joining (1) or from the start (2)");
    }
    Ok(())
}
