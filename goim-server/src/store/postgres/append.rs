use async_trait::async_trait;
use goim_core::lane::AppendResult;
use goim_core::{ConversationId, Epoch};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Acquire, ConnectOptions};
use uuid::Uuid;

use super::open::fix_epoch;
use super::{apply_effects, rows};
use crate::store::error::append_fault;
use crate::store::{EntryBatch, EpochGate, LaneConnection, StoreResult};

/// Compare-and-append. Only this statement changes `head`, together with the rows base+1 … base+n
/// and under the row's lock: so the head is the number of entries ever appended, and no gap can
/// arise, whoever believes to own the conversation.
const APPEND: &str = "
WITH r AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        t(conversation, base, rev, n, count, at)),
w AS MATERIALIZED (
    UPDATE conversations v SET head = r.base + r.n, count = r.count, last_at = r.at FROM r
    WHERE v.id = r.conversation AND v.head = r.base AND v.rev = r.rev RETURNING v.id),
x AS (
    INSERT INTO messages (conversation, seq, sender, client_msg_id, kind, count, at, body)
    SELECT * FROM unnest($7::bigint[], $8::bigint[], $9::bigint[], $10::uuid[], $11::smallint[],
                         $12::bigint[], $13::bigint[], $14::bytea[])
        i(conversation, seq, sender, client_msg_id, kind, count, at, body)
    WHERE i.conversation IN (SELECT id FROM w))
SELECT id FROM w";

/// A lane's own connection.
pub(super) struct PostgresLane {
    connection: PgConnection,
    epoch: Epoch,
}

impl PostgresLane {
    pub(super) async fn connect(options: &PgConnectOptions, gate: &EpochGate) -> StoreResult<Self> {
        let mut connection = options.connect().await?;
        let epoch = fix_epoch(&mut connection).await?;
        gate.saw(epoch)?;
        gate.check()?;
        Ok(Self { connection, epoch })
    }

    async fn append_with_effects(&mut self, batch: &EntryBatch) -> Result<Vec<ConversationId>, sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        let stale = append(&mut transaction, batch).await?;
        apply_effects(&mut transaction, batch, &stale).await?;
        transaction.commit().await?;
        Ok(stale)
    }
}

#[async_trait]
impl LaneConnection for PostgresLane {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn append(&mut self, batch: &EntryBatch) -> AppendResult {
        let appended = if batch.effects {
            self.append_with_effects(batch).await
        } else {
            append(&mut self.connection, batch).await
        };
        match appended {
            Ok(stale) => AppendResult::Written { stale },
            Err(error) => {
                tracing::warn!(%error, rows = batch.rows.len(), "append failed");
                append_fault(&error)
            }
        }
    }
}

/// Returns the conversations of which nothing was written.
async fn append(
    connection: &mut PgConnection,
    batch: &EntryBatch,
) -> Result<Vec<ConversationId>, sqlx::Error> {
    let expects = &batch.expects;
    let all = &batch.rows;
    let written: Vec<(i64,)> = sqlx::query_as(APPEND)
        .bind(expects.iter().map(|e| e.conversation.as_i64()).collect::<Vec<_>>())
        .bind(expects.iter().map(|e| e.base.as_i64()).collect::<Vec<_>>())
        .bind(expects.iter().map(|e| rows::column(e.rev)).collect::<Vec<_>>())
        .bind(expects.iter().map(|e| rows::column(e.n)).collect::<Vec<_>>())
        .bind(expects.iter().map(|e| rows::column(e.count)).collect::<Vec<_>>())
        .bind(expects.iter().map(|e| rows::column(e.at_ms)).collect::<Vec<_>>())
        .bind(all.iter().map(|r| r.conversation.as_i64()).collect::<Vec<_>>())
        .bind(all.iter().map(|r| r.seq.as_i64()).collect::<Vec<_>>())
        .bind(all.iter().map(|r| r.sender.as_i64()).collect::<Vec<_>>())
        .bind(all.iter().map(|r| *r.client_msg_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind(all.iter().map(|r| r.entry.kind.0).collect::<Vec<_>>())
        .bind(all.iter().map(|r| rows::column(r.count)).collect::<Vec<_>>())
        .bind(all.iter().map(|r| rows::column(r.at_ms)).collect::<Vec<_>>())
        .bind(all.iter().map(|r| r.entry.body.as_ref()).collect::<Vec<&[u8]>>())
        .fetch_all(connection)
        .await?;
    if written.len() == expects.len() {
        return Ok(Vec::new());
    }
    let written: std::collections::HashSet<i64> = written.into_iter().map(|(id,)| id).collect();
    let stale = expects.iter().map(|e| e.conversation).filter(|id| !written.contains(&id.as_i64()));
    Ok(stale.collect())
}
