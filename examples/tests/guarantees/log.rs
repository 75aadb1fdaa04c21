//! What a log is like, by its tables and not by what a server says of it; and what readers got.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use goim_client::{Content, ConversationId, Message, Subscription};
use goim_server::store::StoredEntry;

use crate::backend::Backend;
use crate::fixtures::in_time;

/// A conversation's entries: 1, 2, 3, … up to its head, counts that follow, no id twice. It may
/// grow meanwhile.
pub(crate) async fn whole_log(backend: &Backend, conversation: ConversationId) -> Vec<StoredEntry> {
    let raw = backend.raw().await;
    let head_before = raw.head(conversation).await.as_u64();
    let entries = raw.entries(conversation).await;
    let heads = head_before..=raw.head(conversation).await.as_u64();
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for (entry, seq) in entries.iter().zip(1..) {
        assert_eq!(entry.seq.as_u64(), seq, "a gap in the log");
        assert!(ids.insert((entry.sender, entry.client_msg_id)), "entry {seq} is there twice");
        count += u64::from(text_of(&entry.body).is_some());
        assert_eq!(entry.count, count, "the count at {seq}");
    }
    assert!(heads.contains(&(entries.len() as u64)), "{} entries with the head in {heads:?}", entries.len());
    entries
}

pub(crate) fn text_of(body: &[u8]) -> Option<String> {
    Content::decode(body).ok()?.as_text().map(ToOwned::to_owned)
}

/// The next entry.
pub(crate) async fn next(messages: &mut Subscription) -> Message {
    in_time("an entry", messages.next()).await.expect("a client that lives")
}

/// Takes the entries behind `after` up to `last`: each once and in order.
pub(crate) async fn read(messages: &mut Subscription, after: u64, last: u64) -> Vec<Message> {
    let mut all = Vec::new();
    for seq in after + 1..=last {
        let message = next(messages).await;
        assert_eq!(message.seq().as_u64(), seq, "handed out instead of the next one");
        all.push(message);
    }
    all
}

/// What was read is what is stored.
pub(crate) fn is_log(messages: &[Message], log: &[StoredEntry]) {
    let read: Vec<_> = messages.iter().map(|message| &message.entry).collect();
    let stored: Vec<_> = log.iter().collect();
    assert_eq!(read, stored, "what was handed out is not what is stored");
}
