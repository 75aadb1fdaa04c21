//! Calls about friends, and about what this user's account allows others.

use goim_core::UserId;
use goim_proto::{
    AccountSettings, AnswerFriend, BlockedPage, Call, FriendPage, FriendRequestPage, ListFriendRequests,
    ListUsers, Reply, RequestFriend, SetRemark, SettingsUpdate, UserArgument,
};

use crate::{CallError, Client};

impl Client {
    /// Asks a user to be friends; one whose own request is open is accepted by this.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the two are friends.
    pub async fn request_friend(&self, user: UserId, greeting: &str) -> Result<(), CallError> {
        let call = RequestFriend { user, greeting: greeting.to_owned() };
        self.call(Call::RequestFriend(call)).await.map(drop)
    }

    /// Accepts or rejects a user's request, of which the inbox tells.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if no request is open.
    pub async fn answer_friend(&self, user: UserId, accept: bool) -> Result<(), CallError> {
        self.call(Call::AnswerFriend(AnswerFriend { user, accept })).await.map(drop)
    }

    /// A page of the requests that this user was sent, newest first: with numbers under `before`, or
    /// the newest.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn friend_requests(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<FriendRequestPage, CallError> {
        self.requests(false, before, limit).await
    }

    /// A page of the requests that this user sent, as [`friend_requests`](Self::friend_requests).
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn sent_friend_requests(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<FriendRequestPage, CallError> {
        self.requests(true, before, limit).await
    }

    async fn requests(
        &self,
        sent: bool,
        before: Option<u64>,
        limit: u32,
    ) -> Result<FriendRequestPage, CallError> {
        let call = ListFriendRequests { sent, before: before.unwrap_or(0), limit };
        expect!(self.call(Call::ListFriendRequests(call)).await, FriendRequests)
    }

    /// A page of this user's friends with ids greater than `after`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn friends(&self, after: UserId, limit: u32) -> Result<FriendPage, CallError> {
        expect!(self.call(Call::ListFriends(ListUsers { after, limit })).await, Friends)
    }

    /// Notes what this user calls a friend, for his own devices alone.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if they are not friends.
    pub async fn set_remark(&self, user: UserId, remark: &str) -> Result<(), CallError> {
        self.call(Call::SetRemark(SetRemark { user, remark: remark.to_owned() })).await.map(drop)
    }

    /// Ends a friendship, for both; the other one is not told.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if they are not friends.
    pub async fn delete_friend(&self, user: UserId) -> Result<(), CallError> {
        self.call(Call::DeleteFriend(UserArgument { user })).await.map(drop)
    }

    /// Takes no direct messages from a user any more, from this moment on.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn block(&self, user: UserId) -> Result<(), CallError> {
        self.call(Call::Block(UserArgument { user })).await.map(drop)
    }

    /// Takes a user's direct messages again.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn unblock(&self, user: UserId) -> Result<(), CallError> {
        self.call(Call::Unblock(UserArgument { user })).await.map(drop)
    }

    /// A page of users whom this user blocks, with ids greater than `after`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn blocked(&self, after: UserId, limit: u32) -> Result<BlockedPage, CallError> {
        expect!(self.call(Call::ListBlocked(ListUsers { after, limit })).await, Blocked)
    }

    /// Changes what is given of what this user's account allows others; returns all of it as it is
    /// then.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn update_settings(&self, update: SettingsUpdate) -> Result<AccountSettings, CallError> {
        expect!(self.call(Call::UpdateSettings(update)).await, Settings)
    }
}
