//! Calls about messages: what is done to them after they were sent.

use goim_core::{ConversationId, Seq};
use goim_proto::{
    Call, Content, ConversationArgument, Edit, History, HistoryPage, MessageList, Position, React,
    ReaderList, Recall, Receipt, Reply, Sent,
};

use crate::{CallError, Client};

impl Client {
    /// Tells those who read a conversation now that this user is typing. Call it as he types: the server
    /// passes on one in 3 s, to clients of the same node.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if he may not write there.
    pub async fn typing(&self, conversation: ConversationId) -> Result<(), CallError> {
        self.call(Call::Typing(ConversationArgument { conversation })).await.map(drop)
    }

    /// Edits a message of this user's: it has this content from now on, of the same kind as before.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the message is not his, was recalled, or is too old.
    pub async fn edit(
        &self,
        conversation: ConversationId,
        seq: Seq,
        content: &Content,
    ) -> Result<Sent, CallError> {
        let call = Edit { conversation, seq, client_msg_id: self.mint(), body: content.encode() };
        expect!(self.call(Call::Edit(call)).await, Sent)
    }

    /// Recalls a message: nobody reads it any more, and the server forgets what it said. A group's owner
    /// and admins recall those of others too.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the message is too old.
    pub async fn recall(&self, conversation: ConversationId, seq: Seq) -> Result<Sent, CallError> {
        let call = Recall { conversation, seq, client_msg_id: self.mint() };
        expect!(self.call(Call::Recall(call)).await, Sent)
    }

    /// Reacts to a message. To do so again changes nothing.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if it has too many kinds of reactions.
    pub async fn react(
        &self,
        conversation: ConversationId,
        seq: Seq,
        emoji: &str,
    ) -> Result<Sent, CallError> {
        self.set_reaction(conversation, seq, emoji, true).await
    }

    /// Takes a reaction back.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn unreact(
        &self,
        conversation: ConversationId,
        seq: Seq,
        emoji: &str,
    ) -> Result<Sent, CallError> {
        self.set_reaction(conversation, seq, emoji, false).await
    }

    async fn set_reaction(
        &self,
        conversation: ConversationId,
        seq: Seq,
        emoji: &str,
        set: bool,
    ) -> Result<Sent, CallError> {
        let call = React { conversation, seq, emoji: emoji.to_owned(), set, client_msg_id: self.mint() };
        expect!(self.call(Call::React(call)).await, Sent)
    }

    /// Reads messages before a place in their current form, newest first; `None` for the newest.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the user never was a member.
    pub async fn history(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<HistoryPage, CallError> {
        let call = History { conversation, before: before.unwrap_or(Seq::ZERO), limit };
        expect!(self.call(Call::History(call)).await, History)
    }

    /// Takes up to 100 messages out of this user's sight, on all his devices, and out of nobody else's.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the user never was a member.
    pub async fn delete_for_me(&self, conversation: ConversationId, seqs: &[Seq]) -> Result<(), CallError> {
        let call = MessageList { conversation, seqs: seqs.to_vec() };
        self.call(Call::DeleteForMe(call)).await.map(drop)
    }

    /// Who has read a message, and who has not.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the group is too large.
    pub async fn readers(&self, conversation: ConversationId, seq: Seq) -> Result<ReaderList, CallError> {
        expect!(self.call(Call::Readers(Position { conversation, seq })).await, Readers)
    }

    /// How far the other one in a direct chat is.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if it is no direct chat.
    pub async fn receipt(&self, conversation: ConversationId) -> Result<Receipt, CallError> {
        expect!(self.call(Call::Receipt(ConversationArgument { conversation })).await, Receipt)
    }
}
