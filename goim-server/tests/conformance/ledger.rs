//! What was offered, and what was answered: the tests' own memory, apart from the store's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Seq, UserId};
use goim_server::Refusal;

pub(crate) type Outcome = goim_core::lane::Outcome<Refusal>;

/// (conversation, sender, id): what may be stored once.
pub(crate) type Key = (ConversationId, UserId, ClientMsgId);

/// What tests remember of all that they offered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    inner: Arc<Mutex<Books>>,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    /// The body of each id's first offer.
    pub(crate) offered: BTreeMap<Key, Bytes>,
    /// Each device's calls in order, by conversation.
    pub(crate) calls: BTreeMap<(ConversationId, DeviceId), Vec<(UserId, ClientMsgId)>>,
    pub(crate) answers: Vec<(Key, Outcome)>,
}

impl Ledger {
    pub(crate) fn offered(&self, key: Key, device: DeviceId, body: &Bytes) {
        let mut books = self.books();
        if books.offered.contains_key(&key) {
            return;
        }
        books.offered.insert(key, body.clone());
        books.calls.entry((key.0, device)).or_default().push((key.1, key.2));
    }

    pub(crate) fn answered(&self, key: Key, outcome: Outcome) {
        self.books().answers.push((key, outcome));
    }

    /// Looks into the books; nobody may write meanwhile.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.books())
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // A check that fails while it looks has changed nothing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn conversations(&self) -> BTreeSet<ConversationId> {
        self.look(|books| books.offered.keys().map(|key| key.0).collect())
    }
}

/// Where an answer says that the entry stands.
pub(crate) fn place(outcome: &Outcome) -> Option<(Seq, u64, u64)> {
    match outcome {
        Outcome::Committed { seq, count, at_ms } | Outcome::Duplicate { seq, count, at_ms, .. } => {
            Some((*seq, *count, *at_ms))
        }
        Outcome::Refused(_)
        | Outcome::NoSuchConversation
        | Outcome::OutOfOrder
        | Outcome::Rejected
        | Outcome::Unavailable(_) => None,
    }
}
