//! The list of a user's conversations, and how he keeps them.

use goim_proto::{Content, ConversationUpdate, ListConversations, Reply, SessionInfo};

use super::messages::PAGE_BYTES_MAX;
use super::profiles::page_limit;
use super::{Answered, Service, failed};
use crate::clock::unix_ms;
use crate::store::Notice;

impl Service {
    /// Lists the caller's conversations.
    pub(super) async fn list_conversations(
        &self,
        session: &SessionInfo,
        arguments: ListConversations,
    ) -> Answered {
        let ListConversations { after, limit } = arguments;
        let (user, device, limit) = (session.user, session.device, page_limit(limit));
        let page = self.store.conversations(user, device, after, limit, PAGE_BYTES_MAX).await;
        Ok(Reply::Conversations(page.map_err(failed)?))
    }

    /// Changes how the caller keeps a conversation.
    pub(super) async fn update_conversation(
        &self,
        session: &SessionInfo,
        update: ConversationUpdate,
    ) -> Answered {
        let notice = Notice::of(&Content::ConversationUpdated(update.clone()));
        self.store.update_conversation(session.user, &update, &notice, unix_ms()).await.map_err(failed)?;
        self.due_now.notify_one();
        Ok(Reply::Done)
    }
}
