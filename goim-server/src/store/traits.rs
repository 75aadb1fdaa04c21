use core::fmt;

use async_trait::async_trait;
use goim_core::lane::{AppendResult, Found};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Epoch, Seq, UserId};
use goim_proto::Start;

use super::types::{
    ConversationRow, DeviceRow, DueRow, EntryBatch, Head, Load, LoadedState, MemberRow, NewConversation,
    OffsetCommit, OffsetRefusal, Page, Range, StoredEntry, UserRow,
};
use super::{
    BotOwner, Conversations, Deletions, EpochGate, Friends, Groups, Identities, MessageSearch, Messages,
    OwnRead, Presences, Profiles, ReaderStates, Receipts, Sequences, StoreError, StoreResult, Uploads,
};

/// A store: logs, readers' positions, accounts and people, sequences, what was uploaded.
///
/// All but [`Store::epoch`] and [`Store::new_epoch`] fail with [`StoreError::WentBack`] while the
/// store's epoch is not the one that is [served](EpochGate::serve).
#[async_trait]
pub trait Store:
    Accounts
    + Conversations
    + Deletions
    + Friends
    + Groups
    + Identities
    + LaneStore
    + Log
    + MessageSearch
    + Messages
    + Presences
    + Profiles
    + ReaderStates
    + Readers
    + Receipts
    + Sequences
    + Uploads
    + fmt::Debug
    + 'static
{
    /// The life of the store.
    async fn epoch(&self) -> StoreResult<Epoch>;

    /// Begins a new life, for a store that was restored or otherwise went back.
    async fn new_epoch(&self) -> StoreResult<Epoch>;

    /// Through which everything is answered: only in the epoch that is served.
    fn gate(&self) -> &EpochGate;

    /// Whether other processes may commit to it too, so that heads have to be compared.
    fn is_shared(&self) -> bool;

    /// Ends all connections, after what they are doing.
    async fn close(&self);
}

/// What lanes need.
#[async_trait]
pub trait LaneStore: Send + Sync {
    /// How many lanes may append at once to any use.
    fn lanes_max(&self) -> usize;

    /// Opens a connection of its own for one lane. Where the store finds that it went back since
    /// it was last looked at, it begins a new epoch first.
    async fn lane_connection(&self) -> StoreResult<Box<dyn LaneConnection>>;

    /// What a lane has to know of a conversation; the head is read first.
    async fn load(&self, load: &Load) -> StoreResult<Option<LoadedState>>;
}

/// The one connection of a lane.
#[async_trait]
pub trait LaneConnection: Send {
    /// The store's epoch when this connection was opened: a lane that remembers ids from another
    /// one has to forget them.
    fn epoch(&self) -> Epoch;

    /// Compare-and-append: writes of a batch exactly those conversations whose head and revision
    /// are what the batch expects, rows and new head together, and flushes before it answers.
    ///
    /// After [`AppendResult::InDoubt`] the connection must not be used again.
    async fn append(&mut self, batch: &EntryBatch) -> AppendResult;

    /// The read markers that the last append moved: whoever had read everything has read what he sent.
    fn take_read(&mut self) -> Vec<OwnRead>;
}

/// The logs.
#[async_trait]
pub trait Log: Send + Sync {
    /// Entries after a seq, whoever may see them: for a node that passes them on.
    async fn entries(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
        bytes_max: usize,
    ) -> StoreResult<Vec<StoredEntry>>;

    /// Where those of these conversations stand that exist, after a look at the epoch.
    async fn heads(&self, conversations: &[ConversationId]) -> StoreResult<Vec<Head>>;

    /// Where an entry stands that its sender gave this id, if it is there.
    async fn appended(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_msg_id: ClientMsgId,
    ) -> StoreResult<Option<Found>>;

    /// The conversation that a creator made by this id, if its first entry is there.
    async fn created(
        &self,
        creator: UserId,
        client_msg_id: ClientMsgId,
    ) -> StoreResult<Option<ConversationId>>;

    /// Makes a conversation without entries or members, or finds the one that the same creator
    /// made by the same id.
    async fn create_conversation(&self, new: &NewConversation) -> StoreResult<ConversationId>;

    /// Finds or makes the direct chat of two users.
    async fn direct_chat(&self, creator: UserId, other: UserId) -> StoreResult<ConversationId>;

    /// A conversation, for people.
    async fn conversation(&self, conversation: ConversationId) -> StoreResult<Option<ConversationRow>>;

    /// Entries that are owed to inboxes, oldest first.
    async fn due(&self, limit: u32) -> StoreResult<Vec<DueRow>>;

    /// Those were delivered.
    async fn due_done(&self, ids: &[i64]) -> StoreResult<()>;
}

/// Readers: who may see what, and how far they are.
#[async_trait]
pub trait Readers: Send + Sync {
    /// The ranges of a conversation that a user may see, in order; empty if he never was a member.
    async fn ranges(&self, user: UserId, conversation: ConversationId) -> StoreResult<Vec<Range>>;

    /// Whether a user is a member now.
    async fn is_member(&self, user: UserId, conversation: ConversationId) -> StoreResult<bool>;

    /// What a user may see after an offset.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotMember`] if he never was a member.
    async fn pull(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
        bytes_max: usize,
    ) -> Result<Page, StoreError>;

    /// Messages that a user may see before a seq, newest first, each with its latest content.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotMember`] if he never was a member.
    async fn history(
        &self,
        user: UserId,
        conversation: ConversationId,
        before: Seq,
        limit: u32,
        bytes_max: usize,
    ) -> Result<Vec<StoredEntry>, StoreError>;

    /// Whether somebody of these is a member of `most` conversations or more now.
    async fn are_in_many(&self, users: &[UserId], most: u64) -> StoreResult<bool>;

    /// Fixes where a device starts to read, once: at the heads of this moment, or at the beginning.
    /// An inbox starts at its head in any case.
    async fn start_device(&self, user: UserId, device: DeviceId, start: Start) -> StoreResult<()>;

    /// Moves offsets forward, never back, durably. Returns what was refused: what lies beyond the
    /// highest seq that its reader may see, among others.
    async fn commit_offsets(&self, offsets: &[OffsetCommit]) -> StoreResult<Vec<OffsetRefusal>>;

    /// Moves a read marker forward, never back and never beyond the highest seq that the user may
    /// see. Returns where it is now if it moved.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotMember`] if he never was a member.
    async fn mark_read(
        &self,
        user: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Option<Seq>, StoreError>;

    /// A conversation's members, by ascending id.
    async fn members(
        &self,
        conversation: ConversationId,
        after: UserId,
        limit: u32,
    ) -> StoreResult<Vec<MemberRow>>;
}

/// Accounts, devices and tokens. Tokens are given and kept as hashes.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes a user with his inbox, or returns `None` if the name is taken. Who has an owner is a bot.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`] if the owner would have made more bots than he may.
    async fn create_user(
        &self,
        name: &str,
        password_hash: Option<&str>,
        owner: Option<BotOwner>,
        now_ms: u64,
    ) -> StoreResult<Option<UserRow>>;

    /// Finds a user by his whole name.
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<UserRow>>;

    /// Finds a user.
    async fn user(&self, user: UserId) -> StoreResult<Option<UserRow>>;

    /// Which of these users exist.
    async fn existing_users(&self, users: &[UserId]) -> StoreResult<Vec<UserId>>;

    /// Makes a device of a person.
    async fn create_device(&self, user: UserId, name: &str, now_ms: u64) -> StoreResult<DeviceId>;

    /// Finds or makes the device of an instance of the bot that a token is for; `None` if it is for
    /// none. In one statement with the look at the token: no device outlives [`Accounts::revoke_bot`].
    async fn bot_device(
        &self,
        token_hash: &[u8],
        instance: &str,
        now_ms: u64,
    ) -> StoreResult<Option<DeviceRow>>;

    /// Finds a device.
    async fn device(&self, device: DeviceId) -> StoreResult<Option<DeviceRow>>;

    /// Revokes a device with its refresh tokens.
    async fn revoke_device(&self, device: DeviceId) -> StoreResult<()>;

    /// Which of these devices are revoked or gone.
    async fn revoked_devices(&self, devices: &[DeviceId]) -> StoreResult<Vec<DeviceId>>;

    /// Keeps a refresh token's hash.
    async fn put_refresh_token(&self, hash: &[u8], device: DeviceId, expires_ms: u64) -> StoreResult<()>;

    /// Uses a refresh token up; returns its device if it had not ended.
    async fn take_refresh_token(&self, hash: &[u8], now_ms: u64) -> StoreResult<Option<DeviceRow>>;

    /// Keeps a bot token's hash.
    async fn put_bot_token(&self, hash: &[u8], bot: UserId) -> StoreResult<()>;

    /// Revokes a bot's tokens and devices.
    async fn revoke_bot(&self, bot: UserId) -> StoreResult<()>;
}

/// Derives the id of what an entry causes elsewhere: the entry's time, and a hash of the rest, so
/// that it is the same however often and wherever it is derived.
#[must_use]
pub fn derived_id(at_ms: u64, parts: &[u64]) -> ClientMsgId {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.to_be_bytes());
    }
    let mut random = [0; 10];
    random.copy_from_slice(&hash.finalize()[..10]);
    ClientMsgId::mint(at_ms, &random)
}
