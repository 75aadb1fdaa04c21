use async_trait::async_trait;
use goim_core::lane::AppendResult;
use goim_core::{ConversationId, Epoch};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Acquire, ConnectOptions};
use uuid::Uuid;

use super::open::fix_epoch;
use super::{apply_effects, rows};
use crate::store::error::append_fault;
use crate::store::own::{OwnRead, Written, openings, read};
use crate::store::{EntryBatch, EpochGate, LaneConnection, StoreResult};

/// Compare-and-append. Only this statement changes `head`, together with the rows base+1 … base+n
/// and under the row's lock: so the head is the number of entries ever appended, and no gap can
/// arise, whoever believes to own the conversation.
///
/// Whoever had read all that was there has read what he adds. A marker is locked behind its conversation's
/// row, and by nothing else that locks more than it: so nobody waits in a circle.
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
    WHERE i.conversation IN (SELECT id FROM w)),
k AS (
    UPDATE read_markers k SET seq = o.seq, count = o.count
    FROM unnest($15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])
        o(conversation, sender, before, seq, count)
    WHERE k.user_id = o.sender AND k.conversation = o.conversation AND k.count = o.before
        AND o.conversation IN (SELECT id FROM w) RETURNING k.conversation)
SELECT w.id, k.conversation IS NOT NULL FROM w LEFT JOIN k ON k.conversation = w.id";

/// A lane's own connection.
pub(super) struct PostgresLane {
    connection: PgConnection,
    epoch: Epoch,
    read: Vec<OwnRead>,
}

impl PostgresLane {
    pub(super) async fn connect(options: &PgConnectOptions, gate: &EpochGate) -> StoreResult<Self> {
        let mut connection = options.connect().await?;
        let epoch = fix_epoch(&mut connection).await?;
        gate.saw(epoch)?;
        gate.check()?;
        Ok(Self { connection, epoch, read: Vec::new() })
    }

    async fn append_with_effects(&mut self, batch: &EntryBatch) -> Result<Written, sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        let written = append(&mut transaction, batch).await?;
        apply_effects(&mut transaction, batch, &written.stale).await?;
        transaction.commit().await?;
        Ok(written)
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
            Ok(Written { stale, read }) => {
                self.read = read;
                AppendResult::Written { stale }
            }
            Err(error) => {
                tracing::warn!(%error, rows = batch.rows.len(), "append failed");
                append_fault(&error)
            }
        }
    }

    fn take_read(&mut self) -> Vec<OwnRead> {
        std::mem::take(&mut self.read)
    }
}

async fn append(connection: &mut PgConnection, batch: &EntryBatch) -> Result<Written, sqlx::Error> {
    let expects = &batch.expects;
    let all = &batch.rows;
    let openings = openings(batch);
    let written: Vec<(i64, bool)> = sqlx::query_as(APPEND)
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
        .bind(openings.iter().map(|o| o.conversation.as_i64()).collect::<Vec<_>>())
        .bind(openings.iter().map(|o| o.sender.as_i64()).collect::<Vec<_>>())
        .bind(openings.iter().map(|o| rows::column(o.before)).collect::<Vec<_>>())
        .bind(openings.iter().map(|o| o.seq.as_i64()).collect::<Vec<_>>())
        .bind(openings.iter().map(|o| rows::column(o.count)).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let moved = written.iter().filter(|(_, moved)| *moved).map(|(id, _)| ConversationId::from_i64(*id));
    let read = read(&openings, &moved.collect());
    if written.len() == expects.len() {
        return Ok(Written { stale: Vec::new(), read });
    }
    let written: std::collections::HashSet<i64> = written.into_iter().map(|(id, _)| id).collect();
    let stale = expects.iter().map(|e| e.conversation).filter(|id| !written.contains(&id.as_i64()));
    Ok(Written { stale: stale.collect(), read })
}
