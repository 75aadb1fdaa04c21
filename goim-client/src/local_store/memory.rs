use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use goim_core::{ClientMsgId, ConversationId, Epoch, Seq};
use goim_proto::Position;

use super::{LocalStore, OutgoingMessage};
use crate::LocalStoreError;

/// Keeps everything for as long as the value lives; share it between clients of one process that
/// follow each other.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the order of arrival.
    outbox: BTreeMap<u64, OutgoingMessage>,
    places: HashMap<ClientMsgId, u64>,
    pushed: u64,
    offsets: HashMap<ConversationId, Seq>,
    epoch: Option<Epoch>,
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics under this lock; if it did, the lists would still be whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LocalStore for MemoryStore {
    async fn outbox(&self) -> Result<Vec<OutgoingMessage>, LocalStoreError> {
        Ok(self.kept().outbox.values().cloned().collect())
    }

    async fn push(&self, message: &OutgoingMessage) -> Result<(), LocalStoreError> {
        let mut kept = self.kept();
        if !kept.places.contains_key(&message.client_msg_id) {
            kept.pushed += 1;
            let place = kept.pushed;
            kept.places.insert(message.client_msg_id, place);
            kept.outbox.insert(place, message.clone());
        }
        Ok(())
    }

    async fn remove(&self, messages: &[ClientMsgId]) -> Result<(), LocalStoreError> {
        let mut kept = self.kept();
        for id in messages {
            if let Some(place) = kept.places.remove(id) {
                kept.outbox.remove(&place);
            }
        }
        Ok(())
    }

    async fn offsets(&self) -> Result<Vec<Position>, LocalStoreError> {
        let position = |(conversation, seq): (&ConversationId, &Seq)| Position {
            conversation: *conversation,
            seq: *seq,
        };
        Ok(self.kept().offsets.iter().map(position).collect())
    }

    async fn save_offsets(&self, offsets: &[Position]) -> Result<(), LocalStoreError> {
        self.kept().offsets.extend(offsets.iter().map(|offset| (offset.conversation, offset.seq)));
        Ok(())
    }

    async fn epoch(&self) -> Result<Option<Epoch>, LocalStoreError> {
        Ok(self.kept().epoch)
    }

    async fn save_epoch(&self, epoch: Epoch) -> Result<(), LocalStoreError> {
        self.kept().epoch = Some(epoch);
        Ok(())
    }
}
