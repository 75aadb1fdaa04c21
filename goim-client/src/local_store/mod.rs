//! What a client keeps across restarts: its outbox, and its offsets.

mod memory;
mod sqlite;

use async_trait::async_trait;
use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Epoch};
use goim_proto::Position;

pub use memory::MemoryStore;
pub use sqlite::SqliteStore;

use crate::LocalStoreError;

/// A message on its way to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Where to.
    pub conversation: ConversationId,
    /// Its id: a repetition is known by it.
    pub client_msg_id: ClientMsgId,
    /// Encoded content.
    pub body: Bytes,
}

/// Where a client keeps what has to outlive it. An application that keeps offsets in its own
/// database, in the transaction of what it does with a message, implements this.
#[async_trait]
pub trait LocalStore: Send + Sync + 'static {
    /// The messages that were not yet answered, in order of [`LocalStore::push`].
    async fn outbox(&self) -> Result<Vec<OutgoingMessage>, LocalStoreError>;

    /// Keeps a message until it is answered.
    async fn push(&self, message: &OutgoingMessage) -> Result<(), LocalStoreError>;

    /// Those messages were answered.
    async fn remove(&self, messages: &[ClientMsgId]) -> Result<(), LocalStoreError>;

    /// The offsets that were kept; they win over the server's. Empty to trust the server.
    async fn offsets(&self) -> Result<Vec<Position>, LocalStoreError>;

    /// These offsets are committed at the server. With a new epoch they may be lower than before.
    async fn save_offsets(&self, offsets: &[Position]) -> Result<(), LocalStoreError>;

    /// The epoch of the server's store that the offsets belong to.
    async fn epoch(&self) -> Result<Option<Epoch>, LocalStoreError>;

    /// Keeps the epoch.
    async fn save_epoch(&self, epoch: Epoch) -> Result<(), LocalStoreError>;
}

#[cfg(test)]
mod tests {
    use goim_core::Seq;

    use super::*;

    fn message(n: u8) -> OutgoingMessage {
        OutgoingMessage {
            conversation: ConversationId::new(u64::from(n % 2) + 1),
            client_msg_id: ClientMsgId::mint(1_700_000_000_000, &[n; 10]),
            body: Bytes::copy_from_slice(&[n]),
        }
    }

    async fn conforms(store: &dyn LocalStore) {
        assert_eq!(store.outbox().await.unwrap(), []);
        for n in [9, 3, 5] {
            store.push(&message(n)).await.unwrap();
        }
        store.push(&message(3)).await.unwrap();
        store.remove(&[message(9).client_msg_id]).await.unwrap();
        assert_eq!(store.outbox().await.unwrap(), [message(3), message(5)], "in order, each once");

        let position = |c, s| Position { conversation: ConversationId::new(c), seq: Seq::new(s) };
        store.save_offsets(&[position(1, 5), position(2, 7)]).await.unwrap();
        store.save_offsets(&[position(2, 4)]).await.unwrap();
        let mut offsets = store.offsets().await.unwrap();
        offsets.sort_by_key(|offset| offset.conversation);
        assert_eq!(offsets, [position(1, 5), position(2, 4)]);

        assert_eq!(store.epoch().await.unwrap(), None);
        store.save_epoch(Epoch::new(3)).await.unwrap();
        store.save_epoch(Epoch::new(4)).await.unwrap();
        assert_eq!(store.epoch().await.unwrap(), Some(Epoch::new(4)));
    }

    #[tokio::test]
    async fn memory_conforms() {
        conforms(&MemoryStore::default()).await;
    }

    #[tokio::test]
    async fn sqlite_conforms_and_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.db");
        conforms(&SqliteStore::open(&path).await.unwrap()).await;
        let again = SqliteStore::open(&path).await.unwrap();
        assert_eq!(again.outbox().await.unwrap(), [message(3), message(5)]);
        assert_eq!(again.epoch().await.unwrap(), Some(Epoch::new(4)));
    }
}
