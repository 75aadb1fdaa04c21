//! The store in an SQLite file, in this process alone.

mod append;
mod open;
mod search;
mod writer;

pub use open::sqlite_options;

use std::sync::Arc;

use async_trait::async_trait;
use goim_core::lane::Found;
use goim_core::{ClientMsgId, Epoch, Seq, UserId};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};

use self::search::{Searcher, hold_index};
use self::writer::{Turn, Writer};
use super::shared::rows;
use super::{
    EpochGate, LaneConnection, LaneStore, Load, LoadedState, OffsetCommit, OffsetRefusal, Store, StoreResult,
};

/// Logs in an SQLite file.
#[derive(Debug)]
pub(super) struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    searcher: Searcher,
    gate: Arc<EpochGate>,
}

/// A list parameter as a subquery of one column `id`.
macro_rules! list {
    ($parameter:literal) => {
        concat!("(SELECT value AS id FROM json_each(", $parameter, "))")
    };
}

/// Two list parameters of one length as a subquery of the columns `behind` and `until`.
macro_rules! windows {
    ($behind:literal, $until:literal) => {
        concat!(
            "(SELECT b.value AS behind, u.value AS until FROM json_each(",
            $behind,
            ") b JOIN json_each(",
            $until,
            ") u ON u.key = b.key)"
        )
    };
}

/// Rows of the conversation `$1` in the windows of which `$2` and `$3` are the ends.
///
/// SQLite takes a CROSS JOIN in the order in which it is written, so each window is looked up.
macro_rules! window_rows {
    ($which:literal, $order:literal) => {
        concat!(
            windows!("$2", "$3"),
            " w CROSS JOIN messages m ON m.conversation = $1 AND m.seq > w.behind AND m.seq <= w.until ",
            $which
        )
    };
}

/// Rows of some parts of logs, of which three list parameters of one length are the conversations and the
/// ends. `w.place` is the part's own.
macro_rules! span_rows {
    ($conversation:literal, $behind:literal, $until:literal) => {
        concat!(
            "(SELECT c.key AS place, c.value AS conversation, b.value AS behind, u.value AS until FROM json_each(",
            $conversation,
            ") c JOIN json_each(",
            $behind,
            ") b ON b.key = c.key JOIN json_each(",
            $until,
            ") u ON u.key = c.key) w CROSS JOIN messages m \
             ON m.conversation = w.conversation AND m.seq > w.behind AND m.seq <= w.until"
        )
    };
}

fn bind_list(ids: &[i64]) -> String {
    let mut json = String::with_capacity(2 + ids.len() * 8);
    json.push('[');
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        json.push_str(&id.to_string());
    }
    json.push(']');
    json
}

accounts!(SqliteStore, SqliteConnection, list, bind_list, "");
conversations!(SqliteStore, SqliteConnection, list, windows, bind_list);
deletions!(SqliteStore, list, bind_list);
friends!(SqliteStore, SqliteConnection, list, bind_list);
groups!(SqliteStore);
identities!(SqliteStore);
log!(SqliteStore, SqliteConnection, list, bind_list);
messages!(SqliteStore, SqliteConnection, list, bind_list);
presence!(SqliteStore, list, bind_list);
profiles!(SqliteStore, list, bind_list, "");
readers!(SqliteStore, SqliteConnection, list, window_rows, bind_list);
receipts!(SqliteStore);
search!(SqliteStore, SqliteConnection, list, windows, span_rows, bind_list);
sequences!(SqliteStore);
states!(SqliteStore, list, windows, bind_list);
uploads!(SqliteStore, SqliteConnection, "");
effects!(SqliteConnection, list, bind_list);

impl SqliteStore {
    async fn read(&self) -> StoreResult<PoolConnection<Sqlite>> {
        let connection = self.readers.acquire().await?;
        self.gate.check()?;
        Ok(connection)
    }

    async fn write(&self) -> StoreResult<Turn> {
        self.writer.turn().await
    }

    async fn begin(turn: &mut Turn) -> Result<sqlx::Transaction<'_, Sqlite>, sqlx::Error> {
        // Whoever reads before he writes would fail at once if a lane had written between.
        sqlx::Connection::begin_with(&mut **turn, "BEGIN IMMEDIATE").await
    }

    async fn find_ids(connection: &mut SqliteConnection, load: &Load) -> StoreResult<Vec<Found>> {
        let mut all = Vec::new();
        for (sender, id) in &load.ids {
            let found: Option<(i64, i64, i64)> = sqlx::query_as(
                "SELECT seq, count, at FROM messages \
                 WHERE conversation = $1 AND sender = $2 AND client_msg_id = $3",
            )
            .bind(load.conversation.as_i64())
            .bind(sender.as_i64())
            .bind(id.as_uuid())
            .fetch_optional(&mut *connection)
            .await?;
            all.extend(found.map(|(seq, count, at)| Found {
                sender: UserId::from_i64(sender.as_i64()),
                client_msg_id: ClientMsgId::from_uuid(*id.as_uuid()),
                seq: Seq::from_i64(seq),
                count: rows::number(count),
                at_ms: rows::number(at),
            }));
        }
        Ok(all)
    }

    async fn commit_offsets_in_bulk(&self, offsets: &[OffsetCommit]) -> StoreResult<Vec<OffsetRefusal>> {
        let list = offset_list(offsets);
        let mut connection = self.write().await?;
        let mut transaction = Self::begin(&mut connection).await?;
        let verdicts: Vec<(i64, bool, bool)> =
            sqlx::query_as(REFUSED_OFFSETS).bind(&list).fetch_all(&mut *transaction).await?;
        sqlx::query(COMMIT_OFFSETS).bind(&list).execute(&mut *transaction).await?;
        transaction.commit().await?;
        let refusal = |(place, member, present)| rows::refusal(place, member, present);
        Ok(verdicts.into_iter().map(refusal).collect())
    }
}

/// Offsets that are to be committed, with what speaks for each.
macro_rules! judged_offsets {
    () => {
        "WITH i AS MATERIALIZED (SELECT key AS place, value->>0 AS device, value->>1 AS user_id, \
             value->>2 AS conversation, value->>3 AS seq, value->>4 AS epoch FROM json_each($1)), \
         reach AS MATERIALIZED (SELECT i.*, (SELECT max(COALESCE(m.until_seq, c.head)) \
             FROM members m JOIN conversations c ON c.id = m.conversation \
             WHERE m.conversation = i.conversation AND m.user_id = i.user_id) AS head FROM i), \
         judged AS MATERIALIZED (SELECT reach.*, COALESCE(head >= seq, false) AS within, \
             head IS NOT NULL AS member, epoch IN (0, (SELECT epoch FROM meta)) AS present \
             FROM reach) "
    };
}

const REFUSED_OFFSETS: &str = concat!(
    judged_offsets!(),
    "SELECT place, member, present FROM judged WHERE NOT (within AND member AND present)"
);

const COMMIT_OFFSETS: &str = concat!(
    judged_offsets!(),
    "INSERT INTO offsets (device, conversation, seq) \
     SELECT device, conversation, seq FROM judged WHERE within AND member AND present \
     ON CONFLICT (device, conversation) DO UPDATE SET seq = excluded.seq WHERE offsets.seq < excluded.seq"
);

/// `[[device, user, conversation, seq, epoch], …]`
fn offset_list(offsets: &[OffsetCommit]) -> String {
    let row = |offset: &OffsetCommit| {
        let OffsetCommit { device, user, conversation, seq, epoch } = offset;
        let (device, user, conversation) = (device.as_i64(), user.as_i64(), conversation.as_i64());
        format!("[{device},{user},{conversation},{},{}]", seq.as_i64(), epoch.as_i64())
    };
    format!("[{}]", offsets.iter().map(row).collect::<Vec<_>>().join(","))
}

#[async_trait]
impl LaneStore for SqliteStore {
    fn lanes_max(&self) -> usize {
        1
    }

    async fn lane_connection(&self) -> StoreResult<Box<dyn LaneConnection>> {
        let epoch = self.epoch().await?;
        self.gate.saw(epoch)?;
        self.gate.check()?;
        Ok(Box::new(append::SqliteLane::new(self.writer.clone(), epoch)))
    }

    async fn load(&self, load: &Load) -> StoreResult<Option<LoadedState>> {
        self.load_state(load).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn epoch(&self) -> StoreResult<Epoch> {
        let (epoch,): (i64,) = sqlx::query_as("SELECT epoch FROM meta").fetch_one(&self.readers).await?;
        Ok(Epoch::from_i64(epoch))
    }

    async fn new_epoch(&self) -> StoreResult<Epoch> {
        let mut connection = self.write().await?;
        let (epoch,): (i64,) = sqlx::query_as(open::NEW_EPOCH).fetch_one(&mut *connection).await?;
        let epoch = Epoch::from_i64(epoch);
        self.gate.saw(epoch)?;
        Ok(epoch)
    }

    fn gate(&self) -> &EpochGate {
        &self.gate
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn close(&self) {
        self.readers.close().await;
        self.searcher.close().await;
    }
}
