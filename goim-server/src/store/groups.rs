//! What a store knows of groups besides their logs and members.

use async_trait::async_trait;
use goim_core::{ConversationId, UserId};
use goim_proto::{Application, GroupInfo};

use super::{Notice, OpenLimit, StoreResult};

/// Whose applications are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applications {
    /// Those to a group.
    To(ConversationId),
    /// Those of a user.
    Of(UserId),
}

/// What groups show, and who wants to get in.
#[async_trait]
pub trait Groups: Send + Sync {
    /// What there is to know of an opened group, but for its public number, with the user's role;
    /// `None` if there is no such group.
    async fn group(&self, conversation: ConversationId, user: UserId) -> StoreResult<Option<GroupInfo>>;

    /// Whether a user's application to a group is open.
    async fn applies(&self, conversation: ConversationId, user: UserId) -> StoreResult<bool>;

    /// Keeps an application unless one is open or the user is a member, and owes the notice to the
    /// group's owner and admins who do not block him, up to a bound. An application is part of the fold: each change of it
    /// raises the group's revision in its transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`](super::StoreError::TooMany) if more of the user's would be open than may.
    async fn apply_to_group(
        &self,
        conversation: ConversationId,
        user: UserId,
        comment: &str,
        notice: &Notice,
        limit: OpenLimit,
        now_ms: u64,
    ) -> StoreResult<()>;

    /// Rejects a user's open application and owes him the notice; whether one was open.
    async fn reject_application(
        &self,
        conversation: ConversationId,
        user: UserId,
        by: UserId,
        notice: &Notice,
        now_ms: u64,
    ) -> StoreResult<bool>;

    /// Applications, newest first.
    async fn applications(
        &self,
        which: Applications,
        before: u64,
        limit: u32,
    ) -> StoreResult<Vec<Application>>;
}
