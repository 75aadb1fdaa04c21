//! Where readers stand in their conversations.

use async_trait::async_trait;
use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_proto::{Position, SyncItem};

use super::StoreResult;

/// Where a conversation stands, for one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderState {
    /// What he is told; of several conversations, with a read marker of zero where nothing is past the offset.
    pub item: SyncItem,
    /// The entry that let him in, if he is a member now.
    pub from: Option<Seq>,
}

/// A conversation in which a user is a member now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Which.
    pub conversation: ConversationId,
    /// The entry that let him in.
    pub from: Seq,
    /// The conversation's head.
    pub head: Seq,
}

/// Which of a user's conversations are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those in which he may see something past the device's offset, and all that he is in.
    All,
    /// Those in which he may see something past the device's offset.
    PastOffset,
}

/// What readers ask for when they come, and afterwards.
#[async_trait]
pub trait ReaderStates: Send + Sync {
    /// In which conversations a user is a member now, without a look at them.
    async fn member_of(&self, user: UserId) -> StoreResult<Vec<ConversationId>>;

    /// Where a user is a member now, all from one look.
    async fn memberships(&self, user: UserId) -> StoreResult<Vec<Membership>>;

    /// Where a user's conversations stand for a device of his, `limit` of them behind `after`, by ascending
    /// id; those that he has left are among them. `own` offsets win over committed ones. The read marker is
    /// looked up where there is something past the offset.
    async fn reader_states(
        &self,
        user: UserId,
        device: DeviceId,
        own: &[Position],
        after: ConversationId,
        which: Which,
        limit: u32,
    ) -> StoreResult<Vec<ReaderState>>;

    /// The same for those of these conversations that the user may see, past the offset or not.
    async fn reader_states_of(
        &self,
        user: UserId,
        device: DeviceId,
        conversations: &[ConversationId],
    ) -> StoreResult<Vec<ReaderState>>;
}
