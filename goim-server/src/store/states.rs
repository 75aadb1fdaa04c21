//! Where readers stand in their conversations.

use async_trait::async_trait;
use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_proto::{ConversationKind, Position};

use super::StoreResult;

/// Where a conversation stands, for one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderState {
    /// Which.
    pub conversation: ConversationId,
    /// Its kind.
    pub kind: ConversationKind,
    /// The highest seq that he may see.
    pub head: Seq,
    /// The messages up to there.
    pub count: u64,
    /// The device's offset.
    pub offset: Seq,
    /// The user's read marker; zero where it was not asked for.
    pub read_marker: Seq,
    /// The entry that let him in, if he is a member now.
    pub from: Option<Seq>,
}

/// What readers ask for when they come, and afterwards.
#[async_trait]
pub trait ReaderStates: Send + Sync {
    /// In which conversations a user is a member now, without a look at them.
    async fn member_of(&self, user: UserId) -> StoreResult<Vec<ConversationId>>;

    /// Where a user's conversations stand for a device of his, `limit` of them behind `after`, by ascending
    /// id: where he is a member, and those that he has left and may see something in past the offset. `own`
    /// offsets win over committed ones. The read marker is looked up where there is something past the
    /// offset.
    async fn reader_states(
        &self,
        user: UserId,
        device: DeviceId,
        own: &[Position],
        after: ConversationId,
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
