//! The list of this user's conversations, and the search in them.

use goim_core::ConversationId;
use goim_proto::{
    Call, ConversationPage, ConversationUpdate, ListConversations, MessagePage, Reply, SearchMessages,
};

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

    /// Messages with all these words, of the last of which the beginning is enough, newest first: in one
    /// conversation, or in all of this user's. `before` is the `next` of the page before, or empty; at
    /// most `limit`, or as many as the server gives for 0. What was sent just now may not be found yet.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the query has no word.
    pub async fn search_messages(
        &self,
        query: &str,
        conversation: Option<ConversationId>,
        before: &str,
        limit: u32,
    ) -> Result<MessagePage, CallError> {
        let (query, before) = (query.to_owned(), before.to_owned());
        let conversation = conversation.unwrap_or_default();
        let call = Call::SearchMessages(SearchMessages { query, conversation, before, limit });
        expect!(self.call(call).await, FoundMessages)
    }
}
