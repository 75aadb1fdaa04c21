//! The search for messages: their words in a table, and an FTS5 index over it.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqlitePool};
use sqlx::{Connection as _, Transaction};

use super::SqliteStore;
use super::open::readers;
use crate::store::indexing::Indexed;
use crate::store::search::Statements;
use crate::store::words::Query;
use crate::store::{EpochGate, StoreResult};

/// Steps of SQLite's machine from one look at the clock to the next: some 50 µs.
const STEPS: i32 = 1_000;

/// Whether a row has the words, each of which stands behind a slash.
const HAS_WORDS: &str = "NOT EXISTS (SELECT 1 FROM json_each($6) p WHERE instr(m.words, p.value) = 0)";
/// All rows that have them.
const WITH_WORDS: &str = "SELECT m.at, m.conversation, m.seq FROM \
     (SELECT DISTINCT conversation FROM members WHERE user_id = $4 {of}) c \
     CROSS JOIN message_words_by_word f CROSS JOIN message_words m \
     WHERE f.message_words_by_word MATCH replace($6, '@', printf('%x', c.conversation)) AND m.id = f.rowid";

static ALL: LazyLock<Statements> = LazyLock::new(|| Statements::new(false, HAS_WORDS, WITH_WORDS));
static ONE: LazyLock<Statements> = LazyLock::new(|| Statements::new(true, HAS_WORDS, WITH_WORDS));

/// The one connection on which searches take turns: SQLite bounds the time of no statement, but asks
/// again and again whether it shall go on. Nobody else finds that question left behind.
#[derive(Debug)]
pub(super) struct Searcher {
    connection: SqlitePool,
    timeout: Duration,
}

impl Searcher {
    pub(super) async fn open(
        options: SqliteConnectOptions,
        gate: &Arc<EpochGate>,
        timeout: Duration,
    ) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: readers(options, gate, 1).await?, timeout })
    }

    pub(super) async fn close(&self) {
        self.connection.close().await;
    }
}

impl SqliteStore {
    pub(super) fn statements(one: bool) -> &'static Statements {
        if one { &ONE } else { &ALL }
    }

    /// What each row has to have, as a list, and the query of FTS5; `@` stands for a conversation.
    pub(super) fn in_words(query: &Query) -> (String, String) {
        let (mut parts, mut text) = (Vec::new(), String::new());
        for term in query.terms() {
            let and = if text.is_empty() { "" } else { " AND " };
            let (end, goes_on) = if term.prefix { ("", "*") } else { (" ", "") };
            parts.push(serde_json::Value::from(format!("/{}{end}", term.word)));
            // Writing to a String cannot fail.
            let _ = write!(text, "{and}\"@/{}\"{goes_on}", term.word);
        }
        (serde_json::Value::from(parts).to_string(), text)
    }

    pub(super) async fn searching(&self) -> StoreResult<PoolConnection<Sqlite>> {
        let mut connection = self.searcher.connection.acquire().await?;
        self.gate.check()?;
        let deadline = Instant::now() + self.searcher.timeout;
        connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < deadline);
        Ok(connection)
    }

    pub(super) async fn begin_search<'c>(
        &self,
        connection: &'c mut PoolConnection<Sqlite>,
    ) -> Result<Transaction<'c, Sqlite>, sqlx::Error> {
        connection.begin().await
    }

    /// Who writes has the store for himself.
    #[allow(clippy::unused_async, reason = "the other engine has to ask")]
    pub(super) async fn claim_words(
        _: &mut SqliteConnection,
        conversations: &[i64],
    ) -> Result<Vec<i64>, sqlx::Error> {
        Ok(conversations.to_vec())
    }

    /// A row that is there is as its message is: what changes that takes the row away.
    pub(super) async fn put_words(
        connection: &mut SqliteConnection,
        indexed: &[Indexed],
    ) -> Result<(), sqlx::Error> {
        if indexed.is_empty() {
            return Ok(());
        }
        let row = |one: &Indexed| serde_json::json!([one.conversation, one.seq, one.at, one.words]);
        let rows: Vec<_> = indexed.iter().map(row).collect();
        sqlx::query(
            "INSERT INTO message_words (conversation, seq, at, words) \
             SELECT value->>0, value->>1, value->>2, (value->>3) || ' ' FROM json_each($1) WHERE true \
             ON CONFLICT (conversation, seq) DO NOTHING",
        )
        .bind(serde_json::Value::from(rows).to_string())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Who writes has the store for himself.
#[allow(clippy::unused_async, reason = "the other engine has to ask")]
pub(super) async fn hold_index(_: &mut SqliteConnection, _: i64) -> Result<(), sqlx::Error> {
    Ok(())
}
