//! What a store knows of messages besides the entries that they are.

use async_trait::async_trait;
use bytes::Bytes;
use goim_core::{ConversationId, Seq, UserId};
use goim_proto::content::{Blank, Edited, EncodedContent};
use goim_proto::{BlankReason, Content, MessageForm, MessageList, Receipt};

use super::{EntryKind, Notice, StoreResult};

/// What is done to a message by an entry behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageAct {
    /// It has another content.
    Edit {
        /// Which, encoded.
        body: Bytes,
        /// Whom it mentions, as in [`Effect::Mention`](super::Effect::Mention).
        mentions: Vec<UserId>,
    },
    /// Nobody reads it any more.
    Recall,
    /// The sender reacts to it, or not any more.
    React {
        /// With what.
        emoji: String,
        /// Whether he does.
        set: bool,
        /// Whether others did so when it was looked at.
        known: bool,
    },
}

impl MessageAct {
    /// Whether it makes another difference to what may be done next than that the sender did it:
    /// whoever looked at the message before has to look again. Else all who react at once to one
    /// message would wait for each other.
    #[must_use]
    pub fn unsettles(&self) -> bool {
        !matches!(self, Self::React { set: true, known: true, .. })
    }
}

/// A message that something is done to, as it was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Which message.
    pub seq: Seq,
    /// The conversation's head when it was looked at.
    pub seen: Seq,
    /// Whether whoever does it sent it.
    pub own: bool,
    /// Whether it is too old for its sender to do that.
    pub late: bool,
    /// What forbids it whoever does it.
    pub objection: Option<Objection>,
}

/// Why something cannot be done to a message, whoever does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// No such message, or not one that whoever does it may read.
    #[error("there is no such message that you may read")]
    NoSuchMessage,
    /// It was recalled.
    #[error("the message was recalled")]
    Recalled,
    /// It is of another kind than what shall take its place.
    #[error("the message is of another kind; edit a text into a text")]
    OtherKind,
    /// It was edited as often as it may be.
    #[error("the message was edited too often; recall it and send another")]
    TooManyEdits,
    /// It has as many kinds of reactions as it may have.
    #[error("the message has too many kinds of reactions; take one that it has")]
    TooManyReactions,
}

/// What there is to know of a message before something is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetRow {
    /// The conversation's head at that moment.
    pub head: Seq,
    /// Who sent it.
    pub sender: UserId,
    /// Its content's code.
    pub kind: EntryKind,
    /// When it was sent, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whether whoever asks may read it.
    pub visible: bool,
    /// Whether it was recalled.
    pub recalled: bool,
    /// How often it was edited.
    pub edits: u64,
    /// How many kinds of reactions it has.
    pub reactions: u64,
    /// Whether it has the one that was asked about.
    pub known: bool,
}

/// What became of messages.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Looks at an entry in one snapshot with the head, for a user who may react to it so; `None` if
    /// there is no such entry.
    async fn target(
        &self,
        user: UserId,
        conversation: ConversationId,
        seq: Seq,
        emoji: &str,
    ) -> StoreResult<Option<TargetRow>>;

    /// What became of those of these messages that were edited or reacted to, by ascending seq, as a
    /// user sees it who may read them.
    async fn forms(
        &self,
        user: UserId,
        conversation: ConversationId,
        seqs: &[Seq],
    ) -> StoreResult<Vec<MessageForm>>;
}

/// Messages that users have deleted for themselves.
#[async_trait]
pub trait Deletions: Send + Sync {
    /// Deletes those of these entries for a user that are messages which he may read, and owes his inbox
    /// the notice if there are such that he had not deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotMember`](super::StoreError::NotMember) if he never was a member.
    async fn delete_for(
        &self,
        user: UserId,
        list: &MessageList,
        notice: &Notice,
        now_ms: u64,
    ) -> StoreResult<()>;

    /// The conversations in which a user has deleted messages, each with the last of them.
    async fn last_deletions(&self, user: UserId) -> StoreResult<Vec<(ConversationId, Seq)>>;
}

/// How far readers of messages are, as others may know it.
#[async_trait]
pub trait Receipts: Send + Sync {
    /// Up to `limit` members of now, by ascending id: each with whether he has read this entry, or with
    /// nothing if he may not read it.
    async fn readers_of(
        &self,
        conversation: ConversationId,
        seq: Seq,
        limit: u32,
    ) -> StoreResult<Vec<(UserId, Option<bool>)>>;

    /// How far the other one in a user's direct chat is; `None` if it is not one of his.
    async fn receipt(&self, user: UserId, conversation: ConversationId) -> StoreResult<Option<Receipt>>;
}

/// The body of a message for who has deleted it for himself.
#[must_use]
pub fn deleted_body() -> Bytes {
    Content::Blank(Blank { reason: BlankReason::Deleted }).encode()
}

/// The body of a message that was recalled.
#[must_use]
pub fn recalled_body() -> Bytes {
    Content::Blank(Blank { reason: BlankReason::Recalled }).encode()
}

/// The body of an entry that edited a message which was recalled.
#[must_use]
pub fn recalled_edit(seq: Seq) -> Bytes {
    Content::Edited(Edited { seq, body: EncodedContent(recalled_body()) }).encode()
}
