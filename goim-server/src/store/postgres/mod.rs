//! The store in PostgreSQL.

mod append;
mod open;
mod search;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use goim_core::lane::Found;
use goim_core::{ClientMsgId, Epoch, Seq, UserId};
use sqlx::Transaction;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, Postgres};

use self::search::hold_index;
use self::turn::Turn;

use super::shared::rows;
use super::{
    EpochGate, LaneConnection, LaneStore, Load, LoadedState, OffsetCommit, OffsetRefusal, Store, StoreResult,
};

/// Logs in PostgreSQL.
#[derive(Debug)]
pub(super) struct PostgresStore {
    pool: PgPool,
    options: PgConnectOptions,
    search_timeout: Duration,
    gate: Arc<EpochGate>,
}

/// A list parameter as a subquery of one column `id`.
macro_rules! list {
    ($parameter:literal) => {
        concat!("(SELECT unnest(", $parameter, "::bigint[]) AS id)")
    };
}

/// Two list parameters of one length as a subquery of the columns `behind` and `until`.
macro_rules! windows {
    ($behind:literal, $until:literal) => {
        concat!("(SELECT * FROM unnest(", $behind, "::bigint[], ", $until, "::bigint[]) t(behind, until))")
    };
}

/// Rows of the conversation `$1` in the windows of which `$2` and `$3` are the ends, `$4` of each at most.
///
/// LATERAL, so that each window is looked up in the index: a plain join may be planned as a walk
/// through the whole log in order, with the windows as a filter.
macro_rules! window_rows {
    ($which:literal, $order:literal) => {
        concat!(
            windows!("$2", "$3"),
            " w CROSS JOIN LATERAL (SELECT m.* FROM messages m \
                 WHERE m.conversation = $1 AND m.seq > w.behind AND m.seq <= w.until ",
            $which,
            " ORDER BY m.seq ",
            $order,
            " LIMIT $4) m"
        )
    };
}

/// Rows of some parts of logs, of which three list parameters of one length are the conversations and the
/// ends. `w.place` is the part's own.
///
/// LATERAL for the reason above, and with a limit, without which it would be taken for a plain join.
macro_rules! span_rows {
    ($conversation:literal, $behind:literal, $until:literal) => {
        concat!(
            "unnest(",
            $conversation,
            "::bigint[], ",
            $behind,
            "::bigint[], ",
            $until,
            "::bigint[]) WITH ORDINALITY w(conversation, behind, until, place) \
             CROSS JOIN LATERAL (SELECT m.* FROM messages m \
                 WHERE m.conversation = w.conversation AND m.seq > w.behind AND m.seq <= w.until \
                 ORDER BY m.seq LIMIT w.until - w.behind) m"
        )
    };
}

fn bind_list(ids: &[i64]) -> Vec<i64> {
    ids.to_vec()
}

accounts!(PostgresStore, PgConnection, list, bind_list, " FOR SHARE");
conversations!(PostgresStore, PgConnection, list, windows, bind_list);
deletions!(PostgresStore, list, bind_list);
friends!(PostgresStore, PgConnection, list, bind_list);
groups!(PostgresStore);
identities!(PostgresStore);
log!(PostgresStore, PgConnection, list, bind_list);
messages!(PostgresStore, PgConnection, list, bind_list);
presence!(PostgresStore, list, bind_list);
profiles!(PostgresStore, list, bind_list, " FOR SHARE");
readers!(PostgresStore, PgConnection, list, window_rows, bind_list);
receipts!(PostgresStore);
search!(PostgresStore, PgConnection, list, windows, span_rows, bind_list);
sequences!(PostgresStore);
states!(PostgresStore, list, windows, bind_list);
uploads!(PostgresStore, PgConnection, " FOR UPDATE");
effects!(PgConnection, list, bind_list);

impl PostgresStore {
    async fn read(&self) -> StoreResult<PoolConnection<Postgres>> {
        let connection = self.pool.acquire().await?;
        self.gate.check()?;
        Ok(connection)
    }

    async fn write(&self) -> StoreResult<Turn> {
        Ok(Turn::new(self.read().await?))
    }

    async fn begin(turn: &mut Turn) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
        turn.begin().await
    }

    async fn find_ids(connection: &mut PgConnection, load: &Load) -> StoreResult<Vec<Found>> {
        if load.ids.is_empty() {
            return Ok(Vec::new());
        }
        let senders: Vec<i64> = load.ids.iter().map(|(sender, _)| sender.as_i64()).collect();
        let ids: Vec<uuid::Uuid> = load.ids.iter().map(|(_, id)| *id.as_uuid()).collect();
        let found: Vec<(i64, uuid::Uuid, i64, i64, i64)> = sqlx::query_as(
            "SELECT m.sender, m.client_msg_id, m.seq, m.count, m.at \
             FROM unnest($2::bigint[], $3::uuid[]) i(sender, id) \
             JOIN messages m ON m.conversation = $1 AND m.sender = i.sender AND m.client_msg_id = i.id",
        )
        .bind(load.conversation.as_i64())
        .bind(senders)
        .bind(ids)
        .fetch_all(connection)
        .await?;
        let found = found.into_iter().map(|(sender, id, seq, count, at)| Found {
            sender: UserId::from_i64(sender),
            client_msg_id: ClientMsgId::from_uuid(id),
            seq: Seq::from_i64(seq),
            count: rows::number(count),
            at_ms: rows::number(at),
        });
        Ok(found.collect())
    }

    async fn commit_offsets_in_bulk(&self, offsets: &[OffsetCommit]) -> StoreResult<Vec<OffsetRefusal>> {
        let column = |of: fn(&OffsetCommit) -> i64| offsets.iter().map(of).collect::<Vec<i64>>();
        let mut connection = self.write().await?;
        // In key order, so that two of these never wait for each other in a circle.
        let verdicts: Vec<(i64, bool, bool)> = sqlx::query_as(
            "WITH i AS MATERIALIZED ( \
                 SELECT t.*, COALESCE(r.head >= t.seq, false) AS within, \
                     t.epoch IN (0, (SELECT epoch FROM meta)) AS present, r.head IS NOT NULL AS member \
                 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
                     WITH ORDINALITY t(device, user_id, conversation, seq, epoch, place) \
                 CROSS JOIN LATERAL (SELECT max(COALESCE(m.until_seq, c.head)) AS head \
                     FROM members m JOIN conversations c ON c.id = m.conversation \
                     WHERE m.conversation = t.conversation AND m.user_id = t.user_id) r), \
             w AS ( \
                 INSERT INTO offsets (device, conversation, seq) \
                 SELECT device, conversation, max(seq) FROM i WHERE within AND member AND present \
                 GROUP BY device, conversation ORDER BY device, conversation \
                 ON CONFLICT (device, conversation) DO UPDATE SET seq = GREATEST(offsets.seq, excluded.seq) \
                 WHERE offsets.seq < excluded.seq) \
             SELECT place, member, present FROM i WHERE NOT (within AND member AND present)",
        )
        .bind(column(|offset| offset.device.as_i64()))
        .bind(column(|offset| offset.user.as_i64()))
        .bind(column(|offset| offset.conversation.as_i64()))
        .bind(column(|offset| offset.seq.as_i64()))
        .bind(column(|offset| offset.epoch.as_i64()))
        .fetch_all(&mut *connection)
        .await?;
        // Ordinality counts from 1.
        let refusal = |(place, member, present)| rows::refusal(place - 1, member, present);
        Ok(verdicts.into_iter().map(refusal).collect())
    }
}

#[async_trait]
impl LaneStore for PostgresStore {
    /// Two to four lanes reached the store's full rate when this was measured; each holds a
    /// connection, of which a server has a hundred unless it is told otherwise.
    fn lanes_max(&self) -> usize {
        4
    }

    async fn lane_connection(&self) -> StoreResult<Box<dyn LaneConnection>> {
        Ok(Box::new(append::PostgresLane::connect(&self.options, &self.gate).await?))
    }

    async fn load(&self, load: &Load) -> StoreResult<Option<LoadedState>> {
        self.load_state(load).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn epoch(&self) -> StoreResult<Epoch> {
        let (epoch,): (i64,) = sqlx::query_as("SELECT epoch FROM meta").fetch_one(&self.pool).await?;
        Ok(Epoch::from_i64(epoch))
    }

    async fn new_epoch(&self) -> StoreResult<Epoch> {
        let (epoch,): (i64,) = sqlx::query_as(open::NEW_EPOCH).fetch_one(&self.pool).await?;
        let epoch = Epoch::from_i64(epoch);
        self.gate.saw(epoch)?;
        Ok(epoch)
    }

    fn gate(&self) -> &EpochGate {
        &self.gate
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
