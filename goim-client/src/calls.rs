//! A typed method for every call.

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::{
    Authenticate, BotToken, Call, ConversationArgument, ConversationInfo, CreateBot, CreateGroup,
    Credentials, FindUser, Heads, ListMembers, LoginExternal, Member, MemberPage, Members, Position, Pull,
    Pulled, Rename, Reply, Sent, Session, SyncItem, User, UserArgument,
};

use crate::shared::Tokens;
use crate::{CallError, Client};

/// Takes the payload out of the reply that a call should have.
macro_rules! expect {
    ($reply:expr, $variant:ident) => {
        match $reply? {
            Reply::$variant(value) => Ok(value),
            _ => Err(CallError::UnexpectedReply),
        }
    };
}

mod conversations;
mod friends;
mod groups;
mod messages;
mod people;
mod sequences;

impl Client {
    /// Makes an account and opens a session with it, which this client then has.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the name is taken.
    pub async fn register(&self, name: &str, password: &str) -> Result<Session, CallError> {
        self.open_session(Call::Register(credentials(name, password))).await
    }

    /// Opens a session, which this client then has. Each login is a device of its own; keep the
    /// session's refresh token to come back as the same device. A client whose session has
    /// [ended](crate::Event::SessionEnded) is over: log in with a new one.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if name or password are wrong.
    pub async fn login(&self, name: &str, password: &str) -> Result<Session, CallError> {
        self.open_session(Call::Login(credentials(name, password))).await
    }

    /// Opens a session by a token (a JWT) of the issuer that the server trusts, which this client then has.
    /// The first such login makes the account; otherwise as [`Client::login`].
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the token has expired, or if the server trusts no issuer.
    pub async fn login_external(&self, token: &str) -> Result<Session, CallError> {
        let arguments = LoginExternal { token: token.to_owned(), device_name: String::new() };
        self.open_session(Call::LoginExternal(arguments)).await
    }

    /// Opens the session of a device again by its refresh token, which is then used up: keep the
    /// new one.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the token was used or revoked.
    pub async fn resume(&self, refresh_token: &str) -> Result<Session, CallError> {
        let refresh = goim_proto::Refresh { refresh_token: refresh_token.to_owned() };
        self.open_session(Call::Refresh(refresh)).await
    }

    async fn open_session(&self, call: Call) -> Result<Session, CallError> {
        let session: Session = expect!(self.call(call).await, Session)?;
        let token = session.access_token.clone();
        let authenticate = Authenticate { token: token.clone(), instance: String::new() };
        let info = expect!(self.call(Call::Authenticate(authenticate)).await, Authenticated)?;
        let mut state = self.shared.state();
        state.tokens = Some(Tokens {
            access: token,
            expires_ms: Some(session.access_expires_ms),
            refresh: Some(session.refresh_token.clone()),
        });
        state.session = Some(info);
        state.wants_sync = true;
        drop(state);
        self.shared.wake.notify_one();
        Ok(session)
    }

    /// Ends this device's session for good.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn logout(&self) -> Result<(), CallError> {
        self.call(Call::Logout).await.map(drop)
    }

    /// Makes a bot that this user owns.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the name is taken.
    pub async fn create_bot(&self, name: &str) -> Result<BotToken, CallError> {
        expect!(self.call(Call::CreateBot(CreateBot { name: name.to_owned() })).await, BotToken)
    }

    /// Revokes all tokens of a bot that this user owns.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn revoke_bot(&self, bot: UserId) -> Result<(), CallError> {
        self.call(Call::RevokeBot(UserArgument { user: bot })).await.map(drop)
    }

    /// Finds a user by the whole name.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if there is none.
    pub async fn find_user(&self, name: &str) -> Result<User, CallError> {
        expect!(self.call(Call::FindUser(FindUser { name: name.to_owned() })).await, User)
    }

    /// Opens the direct chat with a user, or finds it.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn open_direct(&self, user: UserId) -> Result<ConversationId, CallError> {
        let reply = self.call(Call::OpenDirect(UserArgument { user })).await;
        let info: ConversationInfo = expect!(reply, Conversation)?;
        Ok(info.conversation)
    }

    /// Makes a group of which this user is the owner.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn create_group(&self, name: &str, members: &[UserId]) -> Result<ConversationId, CallError> {
        let call =
            CreateGroup { name: name.to_owned(), members: members.to_vec(), client_msg_id: self.mint() };
        let info: ConversationInfo = expect!(self.call(Call::CreateGroup(call)).await, Conversation)?;
        Ok(info.conversation)
    }

    /// Adds members to a group.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if somebody is a member already.
    pub async fn add_members(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Sent, CallError> {
        let call = Members { conversation, users: users.to_vec(), client_msg_id: self.mint() };
        expect!(self.call(Call::AddMembers(call)).await, Sent)
    }

    /// Removes a member from a group.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn remove_member(&self, conversation: ConversationId, user: UserId) -> Result<Sent, CallError> {
        let call = Member { conversation, user, client_msg_id: self.mint() };
        expect!(self.call(Call::RemoveMember(call)).await, Sent)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn leave(&self, conversation: ConversationId) -> Result<Sent, CallError> {
        expect!(self.call(Call::Leave(ConversationArgument { conversation })).await, Sent)
    }

    /// Renames a group.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn rename(&self, conversation: ConversationId, name: &str) -> Result<Sent, CallError> {
        let call = Rename { conversation, name: name.to_owned(), client_msg_id: self.mint() };
        expect!(self.call(Call::Rename(call)).await, Sent)
    }

    /// A page of a conversation's members with ids greater than `after`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn members(
        &self,
        conversation: ConversationId,
        after: UserId,
        limit: u32,
    ) -> Result<MemberPage, CallError> {
        let call = Call::ListMembers(ListMembers { conversation, after, limit });
        expect!(self.call(call).await, Members)
    }

    /// Where conversations stand, and how far this device and user are in them.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<SyncItem>, CallError> {
        let call = Call::Heads(Heads { conversations: conversations.to_vec() });
        let heads: goim_proto::HeadList = expect!(self.call(call).await, Heads)?;
        Ok(heads.items)
    }

    /// Reads entries behind a place, without moving any offset.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the user never was a member.
    pub async fn pull(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Pulled, CallError> {
        expect!(self.call(Call::Pull(Pull { conversation, after, limit })).await, Pulled)
    }

    /// Moves the user's read marker forward.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn mark_read(&self, conversation: ConversationId, seq: Seq) -> Result<(), CallError> {
        self.call(Call::MarkRead(Position { conversation, seq })).await.map(drop)
    }

    /// Waits for the server to answer.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn ping(&self) -> Result<(), CallError> {
        self.call(Call::Ping).await.map(drop)
    }
}

fn credentials(name: &str, password: &str) -> Credentials {
    Credentials { name: name.to_owned(), password: password.to_owned(), device_name: String::new() }
}
