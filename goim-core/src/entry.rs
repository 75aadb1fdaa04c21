//! What a log consists of.

use crate::{ClientMsgId, Seq, UserId};

/// One committed entry as readers get it. The conversation is named beside it, never inside.
///
/// `B` is the body: encoded content that core never looks into, borrowed while a frame is being
/// decoded and owned where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<B> {
    /// Its place in the conversation.
    pub seq: Seq,
    /// Who appended it.
    pub sender: UserId,
    /// The id that the sender gave it.
    pub client_msg_id: ClientMsgId,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How many messages the log holds up to and including this entry. Entries that are not
    /// messages, such as a rename, leave it as it was; so two of these numbers give an unread
    /// count without a query.
    pub count: u64,
    /// The encoded content.
    pub body: B,
}

impl<B> Entry<B> {
    /// The same entry with its body converted.
    pub fn map<C>(self, convert: impl FnOnce(B) -> C) -> Entry<C> {
        let Self { seq, sender, client_msg_id, at_ms, count, body } = self;
        Entry { seq, sender, client_msg_id, at_ms, count, body: convert(body) }
    }
}
