use std::collections::HashSet;
use std::sync::LazyLock;

use async_trait::async_trait;
use goim_core::lane::{AppendResult, Expect, Row};
use goim_core::{ConversationId, Epoch};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::writer::Writer;
use super::{apply_effects, rows};
use crate::store::error::append_fault;
use crate::store::own::{Opening, OwnRead, Written, openings, read};
use crate::store::{EntryBatch, EntryDraft, LaneConnection};

/// Rows in one statement: powers of two, so that each stays prepared and a batch takes few of them,
/// for each is a turn of the thread that SQLite runs on. 512 rows of 8 columns are 4,096 parameters
/// of SQLite's 32,766.
const CHUNKS: [usize; 10] = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement for each of [`CHUNKS`].
type Statements = [String; CHUNKS.len()];

static COMPARE: LazyLock<Statements> = LazyLock::new(|| {
    CHUNKS.map(|rows| {
        let values = values(rows, 6);
        format!(
            "WITH r (conversation, base, rev, n, count, at) AS (VALUES {values}) \
             UPDATE conversations SET head = r.base + r.n, count = r.count, last_at = r.at FROM r \
             WHERE id = r.conversation AND head = r.base AND conversations.rev = r.rev RETURNING id"
        )
    })
});

static INSERT: LazyLock<Statements> = LazyLock::new(|| {
    CHUNKS.map(|rows| {
        let values = values(rows, 8);
        format!(
            "INSERT INTO messages (conversation, seq, sender, client_msg_id, kind, count, at, body) \
             VALUES {values}"
        )
    })
});

/// Whoever had read all that was there has read what he adds.
static READ: LazyLock<Statements> = LazyLock::new(|| {
    CHUNKS.map(|rows| {
        let values = values(rows, 5);
        format!(
            "WITH o (conversation, sender, before, seq, count) AS (VALUES {values}) \
             UPDATE read_markers SET seq = o.seq, count = o.count FROM o \
             WHERE user_id = o.sender AND read_markers.conversation = o.conversation \
             AND read_markers.count = o.before \
             RETURNING read_markers.conversation"
        )
    })
});

/// Parameters without numbers: SQLite keeps those with numbers as names, and looking each up takes
/// longer the more there are.
fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row.as_str(); rows].join(", ")
}

/// A lane's turn on the one writing connection.
pub(super) struct SqliteLane {
    writer: Writer,
    epoch: Epoch,
    read: Vec<OwnRead>,
}

impl SqliteLane {
    pub(super) fn new(writer: Writer, epoch: Epoch) -> Self {
        Self { writer, epoch, read: Vec::new() }
    }
}

#[async_trait]
impl LaneConnection for SqliteLane {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn append(&mut self, batch: &EntryBatch) -> AppendResult {
        let mut connection = match self.writer.turn().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "no connection to append with");
                return AppendResult::Down;
            }
        };
        let appended = append(&mut connection, batch).await;
        drop(connection);
        match appended {
            Ok(Written { stale, read }) => {
                self.read = read;
                AppendResult::Written { stale }
            }
            Err(error) => {
                tracing::warn!(%error, rows = batch.rows.len(), "append failed");
                let result = append_fault(&error);
                if result == AppendResult::InDoubt {
                    self.writer.doubt().await;
                }
                result
            }
        }
    }

    fn take_read(&mut self) -> Vec<OwnRead> {
        std::mem::take(&mut self.read)
    }
}

async fn append(connection: &mut SqliteConnection, batch: &EntryBatch) -> Result<Written, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut written = HashSet::new();
    for (sql, expects) in chunks(&COMPARE, &batch.expects) {
        written.extend(compare(&mut transaction, sql, expects).await?);
    }
    let fresh: Vec<&Row<EntryDraft>> =
        batch.rows.iter().filter(|row| written.contains(&row.conversation)).collect();
    for (sql, rows) in chunks(&INSERT, &fresh) {
        insert(&mut transaction, sql, rows).await?;
    }
    let mut openings = openings(batch);
    openings.retain(|opening| written.contains(&opening.conversation));
    let mut moved = HashSet::new();
    for (sql, openings) in chunks(&READ, &openings) {
        moved.extend(mark_read(&mut transaction, sql, openings).await?);
    }
    let stale = batch.expects.iter().map(|expect| expect.conversation);
    let stale: Vec<_> = stale.filter(|conversation| !written.contains(conversation)).collect();
    if batch.effects {
        apply_effects(&mut transaction, batch, &stale).await?;
    }
    transaction.commit().await?;
    Ok(Written { stale, read: read(&openings, &moved) })
}

async fn compare(
    connection: &mut SqliteConnection,
    sql: &'static str,
    expects: &[Expect],
) -> Result<Vec<ConversationId>, sqlx::Error> {
    let mut query = sqlx::query_as(sql);
    for expect in expects {
        query = query
            .bind(expect.conversation.as_i64())
            .bind(expect.base.as_i64())
            .bind(rows::column(expect.rev))
            .bind(rows::column(expect.n))
            .bind(rows::column(expect.count))
            .bind(rows::column(expect.at_ms));
    }
    let written: Vec<(i64,)> = query.fetch_all(connection).await?;
    Ok(written.into_iter().map(|(id,)| ConversationId::from_i64(id)).collect())
}

async fn insert(
    connection: &mut SqliteConnection,
    sql: &'static str,
    all: &[&Row<EntryDraft>],
) -> Result<(), sqlx::Error> {
    let mut query = sqlx::query(sql);
    for row in all {
        query = query
            .bind(row.conversation.as_i64())
            .bind(row.seq.as_i64())
            .bind(row.sender.as_i64())
            .bind(*row.client_msg_id.as_uuid())
            .bind(row.entry.kind.0)
            .bind(rows::column(row.count))
            .bind(rows::column(row.at_ms))
            .bind(row.entry.body.as_ref());
    }
    query.execute(connection).await?;
    Ok(())
}

async fn mark_read(
    connection: &mut SqliteConnection,
    sql: &'static str,
    openings: &[Opening],
) -> Result<Vec<ConversationId>, sqlx::Error> {
    let mut query = sqlx::query_as(sql);
    for opening in openings {
        query = query
            .bind(opening.conversation.as_i64())
            .bind(opening.sender.as_i64())
            .bind(rows::column(opening.before))
            .bind(opening.seq.as_i64())
            .bind(rows::column(opening.count));
    }
    let moved: Vec<(i64,)> = query.fetch_all(connection).await?;
    Ok(moved.into_iter().map(|(id,)| ConversationId::from_i64(id)).collect())
}

/// Cuts a list into the largest chunks for which there is a statement.
fn chunks<'a, T>(
    statements: &'static Statements,
    mut rest: &'a [T],
) -> impl Iterator<Item = (&'static str, &'a [T])> {
    core::iter::from_fn(move || {
        let fits = CHUNKS.iter().position(|size| *size <= rest.len())?;
        let (chunk, left) = rest.split_at(CHUNKS[fits]);
        rest = left;
        Some((statements[fits].as_str(), chunk))
    })
}
