//! Users' lists of conversations.

use async_trait::async_trait;
use goim_core::{ConversationId, DeviceId, UserId};
use goim_proto::{ConversationPage, ConversationUpdate};

use super::{Notice, StoreResult};

/// Among those whom a message mentions: everybody. No user has this id.
pub const EVERYBODY: UserId = UserId::new(0);

/// The conversations that users may see, and how they keep them.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Up to `limit` conversations that a user may see, or could once, by ascending id, as far as
    /// their last messages have no more than `bytes_max` bytes together.
    async fn conversations(
        &self,
        user: UserId,
        device: DeviceId,
        after: ConversationId,
        limit: u32,
        bytes_max: usize,
    ) -> StoreResult<ConversationPage>;

    /// Changes how a user keeps a conversation, and owes his inbox the notice if that is a change.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotMember`](super::StoreError::NotMember) if he never was a member.
    async fn update_conversation(
        &self,
        user: UserId,
        update: &ConversationUpdate,
        notice: &Notice,
        now_ms: u64,
    ) -> StoreResult<()>;
}
