//! What a store knows of how people stand to each other.

use async_trait::async_trait;
use bytes::Bytes;
use goim_core::{ConversationId, UserId};
use goim_proto::{AccountSettings, Audience, Content, Friend, FriendRequest, SettingsUpdate};

use super::{EntryKind, OpenLimit, StoreResult};

/// How a user stands to another one, from one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Relation {
    /// They are friends.
    pub friends: bool,
    /// The user blocks the other one.
    pub blocks: bool,
    /// The other one blocks the user.
    pub blocked: bool,
    /// A request of the user's is open.
    pub asked: bool,
    /// A request of the other one's is open.
    pub is_asked: bool,
    /// One of them is the other one's bot.
    pub owns: bool,
    /// Who may open a direct chat with the other one.
    pub direct_from: Audience,
    /// Their direct chat, if it was opened.
    pub direct: Option<ConversationId>,
}

/// What an inbox is owed because of no entry: its content's code, and the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The content's code.
    pub kind: EntryKind,
    /// The encoded content.
    pub body: Bytes,
}

impl Notice {
    /// Says this.
    #[must_use]
    pub fn of(content: &Content) -> Self {
        Self { kind: EntryKind::of(content), body: content.encode() }
    }
}

/// Friends, requests, blocks and what an account allows others.
#[async_trait]
pub trait Friends: Send + Sync {
    /// How a user stands to another one; `None` if there is no such other one.
    async fn relation(&self, user: UserId, other: UserId) -> StoreResult<Option<Relation>>;

    /// Whether somebody of these is not added to groups by a user: whom he blocks, or who is not of the
    /// audience that he chose for it.
    async fn keeps_out_of_groups(&self, user: UserId, added: &[UserId]) -> StoreResult<bool>;

    /// Keeps a request unless one is open or the two are friends, and owes the notice to `to`, if there is
    /// one.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`](super::StoreError::TooMany) if more of `from`'s would be open than may.
    async fn request_friend(
        &self,
        from: UserId,
        to: UserId,
        greeting: &str,
        notice: Option<&Notice>,
        limit: OpenLimit,
        now_ms: u64,
    ) -> StoreResult<()>;

    /// Answers the open request of `from` to `user`, and owes the notice to `from`. Accepted, the two
    /// are friends, and an open request the other way is accepted with it. Whether one was open.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`](super::StoreError::TooMany) if the two were not friends yet and one of
    /// them would have more than this.
    async fn answer_friend(
        &self,
        user: UserId,
        from: UserId,
        accept: bool,
        notice: &Notice,
        friends_max: u64,
        now_ms: u64,
    ) -> StoreResult<bool>;

    /// Requests that a user sent or was sent, the latter but for those of whom he blocks, newest first.
    async fn friend_requests(
        &self,
        user: UserId,
        sent: bool,
        before: u64,
        limit: u32,
    ) -> StoreResult<Vec<FriendRequest>>;

    /// A user's friends, by ascending id.
    async fn friends(&self, user: UserId, after: UserId, limit: u32) -> StoreResult<Vec<Friend>>;

    /// Notes what a user calls a friend; whether they are friends.
    async fn set_remark(&self, user: UserId, friend: UserId, remark: &str) -> StoreResult<bool>;

    /// Ends a friendship; whether there was one.
    async fn delete_friend(&self, user: UserId, friend: UserId) -> StoreResult<bool>;

    /// Blocks a user, or ends that, and raises the revision of the direct chat of the two, if there is
    /// one and that changes anything: both in one transaction, so that the chat's lane judges by it
    /// from the next entry on.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`](super::StoreError::TooMany) if the user would block more than this.
    async fn set_block(&self, user: UserId, other: UserId, block: bool, blocks_max: u64) -> StoreResult<()>;

    /// Whom a user blocks, by ascending id.
    async fn blocked(&self, user: UserId, after: UserId, limit: u32) -> StoreResult<Vec<UserId>>;

    /// Changes what is given of what a user's account allows others; `None` if there is no such user.
    async fn update_settings(
        &self,
        user: UserId,
        update: &SettingsUpdate,
    ) -> StoreResult<Option<AccountSettings>>;
}
