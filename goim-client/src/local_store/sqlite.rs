use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Epoch, Seq};
use goim_proto::Position;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::{LocalStore, OutgoingMessage};
use crate::LocalStoreError;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS outbox (
    place integer PRIMARY KEY AUTOINCREMENT,
    client_msg_id blob NOT NULL UNIQUE,
    conversation integer NOT NULL,
    body blob NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (conversation integer PRIMARY KEY, seq integer NOT NULL);
CREATE TABLE IF NOT EXISTS epoch (only_row integer PRIMARY KEY CHECK (only_row = 1), epoch integer NOT NULL);
";

/// Keeps everything in an SQLite file; one client at a time.
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, making it if it is not there.
    ///
    /// # Errors
    ///
    /// [`LocalStoreError::Sqlite`] if the file cannot be opened or is none of SQLite's.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, LocalStoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A message counts as kept when `send` returns: it has to outlive a power cut.
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self { pool })
    }
}

#[async_trait]
impl LocalStore for SqliteStore {
    async fn outbox(&self) -> Result<Vec<OutgoingMessage>, LocalStoreError> {
        let rows: Vec<(i64, uuid::Uuid, Vec<u8>)> =
            sqlx::query_as("SELECT conversation, client_msg_id, body FROM outbox ORDER BY place")
                .fetch_all(&self.pool)
                .await?;
        let message = |(conversation, id, body)| OutgoingMessage {
            conversation: ConversationId::from_i64(conversation),
            client_msg_id: ClientMsgId::from_uuid(id),
            body: Bytes::from(body),
        };
        Ok(rows.into_iter().map(message).collect())
    }

    async fn push(&self, message: &OutgoingMessage) -> Result<(), LocalStoreError> {
        sqlx::query(
            "INSERT INTO outbox (client_msg_id, conversation, body) VALUES ($1, $2, $3) \
             ON CONFLICT (client_msg_id) DO NOTHING",
        )
        .bind(message.client_msg_id.as_uuid())
        .bind(message.conversation.as_i64())
        .bind(message.body.as_ref())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn remove(&self, messages: &[ClientMsgId]) -> Result<(), LocalStoreError> {
        let mut transaction = self.pool.begin().await?;
        for id in messages {
            sqlx::query("DELETE FROM outbox WHERE client_msg_id = $1")
                .bind(id.as_uuid())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn offsets(&self) -> Result<Vec<Position>, LocalStoreError> {
        let rows: Vec<(i64, i64)> =
            sqlx::query_as("SELECT conversation, seq FROM offsets").fetch_all(&self.pool).await?;
        let position = |(conversation, seq)| Position {
            conversation: ConversationId::from_i64(conversation),
            seq: Seq::from_i64(seq),
        };
        Ok(rows.into_iter().map(position).collect())
    }

    async fn save_offsets(&self, offsets: &[Position]) -> Result<(), LocalStoreError> {
        let mut transaction = self.pool.begin().await?;
        for offset in offsets {
            sqlx::query(
                "INSERT INTO offsets (conversation, seq) VALUES ($1, $2) \
                 ON CONFLICT (conversation) DO UPDATE SET seq = excluded.seq",
            )
            .bind(offset.conversation.as_i64())
            .bind(offset.seq.as_i64())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn epoch(&self) -> Result<Option<Epoch>, LocalStoreError> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT epoch FROM epoch").fetch_optional(&self.pool).await?;
        Ok(row.map(|(epoch,)| Epoch::from_i64(epoch)))
    }

    async fn save_epoch(&self, epoch: Epoch) -> Result<(), LocalStoreError> {
        sqlx::query(
            "INSERT INTO epoch (only_row, epoch) VALUES (1, $1) \
             ON CONFLICT (only_row) DO UPDATE SET epoch = excluded.epoch",
        )
        .bind(epoch.as_i64())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
