//! The list of this user's conversations.

use goim_core::ConversationId;
use goim_proto::{Call, ConversationPage, ConversationUpdate, ListConversations, Reply};

use crate::{CallError, Client};

impl Client {
    /// A page of this user's conversations with ids greater than `after`, each with its last message
    /// and what is unread in it; at most `limit`, or as many as the server gives for 0.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn conversations(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<ConversationPage, CallError> {
        let call = Call::ListConversations(ListConversations { after, limit });
        expect!(self.call(call).await, Conversations)
    }

    /// Mutes, pins or hides a conversation for this user, on all his devices, or takes that back.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the user never was a member.
    pub async fn update_conversation(&self, update: ConversationUpdate) -> Result<(), CallError> {
        self.call(Call::UpdateConversation(update)).await.map(drop)
    }
}
