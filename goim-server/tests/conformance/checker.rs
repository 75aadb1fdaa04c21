//! What must hold after everything: dense, ordered, once, and answers equal to the store.
//!
//! It looks at tables and at the tests' own books, never at what a store says of itself.

use std::collections::{BTreeMap, BTreeSet};

use goim_core::{ConversationId, Seq};
use goim_server::store::StoredEntry;

use crate::backend::Backend;
use crate::fixtures::is_message;
use crate::ledger::{Books, Key, Ledger, Outcome, place};

/// Checks every conversation that the ledger knows.
pub(crate) async fn check(backend: &Backend, ledger: &Ledger) {
    let raw = backend.raw().await;
    for conversation in ledger.conversations() {
        let entries = raw.entries(conversation).await;
        let head = raw.head(conversation).await;
        is_dense(conversation, &entries, head);
        ledger.look(|books| {
            is_once(conversation, &entries, books);
            is_answered(conversation, &entries, books);
            is_ordered(conversation, &entries, books);
        });
    }
}

/// 1, 2, 3, … up to the head, with counts that follow.
pub(crate) fn is_dense(conversation: ConversationId, entries: &[StoredEntry], head: Seq) {
    let mut count = 0;
    for (entry, seq) in entries.iter().zip(1..) {
        assert_eq!(entry.seq, Seq::new(seq), "a gap in conversation {conversation}");
        count += u64::from(is_message(&entry.body));
        assert_eq!(entry.count, count, "the count of {conversation}/{seq}");
    }
    let last = entries.last().map_or(Seq::ZERO, |entry| entry.seq);
    assert_eq!(head, last, "the head of conversation {conversation}");
}

/// Nothing twice, nothing that nobody offered, and the bodies of the first offers.
pub(crate) fn is_once(conversation: ConversationId, entries: &[StoredEntry], books: &Books) {
    let mut seen = BTreeSet::new();
    for entry in entries {
        let key = (conversation, entry.sender, entry.client_msg_id);
        assert!(seen.insert(key), "{key:?} is stored twice");
        let body = books.offered.get(&key).unwrap_or_else(|| panic!("{key:?} was never offered"));
        assert_eq!(*body, entry.body, "the body of {key:?}");
    }
}

/// Who was told of a place finds the entry there; who was refused for good finds none; and at
/// most one copy of an id was told that it was the first.
pub(crate) fn is_answered(conversation: ConversationId, entries: &[StoredEntry], books: &Books) {
    let stored: BTreeMap<Key, &StoredEntry> =
        entries.iter().map(|entry| ((conversation, entry.sender, entry.client_msg_id), entry)).collect();
    let mut first = BTreeSet::new();
    for (key, outcome) in books.answers.iter().filter(|(key, _)| key.0 == conversation) {
        let entry = stored.get(key);
        if let Some(told) = place(outcome) {
            let entry = entry.unwrap_or_else(|| panic!("{key:?} was acknowledged and is lost: {outcome:?}"));
            assert_eq!(told, (entry.seq, entry.count, entry.at_ms), "the answer to {key:?}");
        }
        if matches!(outcome, Outcome::Committed { .. }) {
            assert!(first.insert(*key), "{key:?} was committed twice");
        }
        if matches!(outcome, Outcome::Refused(_) | Outcome::NoSuchConversation | Outcome::Rejected) {
            assert!(entry.is_none(), "{key:?} was refused and is stored: {outcome:?}");
        }
    }
}

/// Each device's entries have seqs in the order of its calls.
pub(crate) fn is_ordered(conversation: ConversationId, entries: &[StoredEntry], books: &Books) {
    let seqs: BTreeMap<_, _> =
        entries.iter().map(|entry| ((entry.sender, entry.client_msg_id), entry.seq)).collect();
    for ((place, device), calls) in books.calls.iter().filter(|((place, _), _)| *place == conversation) {
        let mut last = Seq::ZERO;
        for seq in calls.iter().filter_map(|call| seqs.get(call)) {
            assert!(last < *seq, "device {device} was overtaken by itself in {place} at {seq}");
            last = *seq;
        }
    }
}
