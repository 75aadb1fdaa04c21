use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goim_core::Epoch;
use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::SqliteStore;
use super::search::Searcher;
use super::writer::Writer;
use crate::store::{EpochGate, Options, StoreResult};

/// Connections for reading.
const READERS_MAX: u32 = 4;

/// Later than any epoch that a restored copy could come to by itself.
pub(super) const NEW_EPOCH: &str = "UPDATE meta SET epoch = max(epoch + 1, unixepoch()) RETURNING epoch";

impl SqliteStore {
    pub(in crate::store) async fn open(path: &str, options: Options) -> StoreResult<Self> {
        let mut connect = sqlite_options(path);
        if let Some(pages) = options.sqlite_pages_max {
            connect = connect.pragma("max_page_count", pages.to_string());
        }
        let mut writer = connect.clone().connect().await?;
        sqlx::migrate!("migrations/sqlite").run(&mut writer).await?;
        sqlx::query("INSERT INTO meta (epoch) VALUES (unixepoch()) ON CONFLICT DO NOTHING")
            .execute(&mut writer)
            .await?;
        let gate = Arc::new(EpochGate::new(epoch_of(&mut writer).await?));
        let read_only = connect.clone().read_only(true);
        let readers = readers(read_only.clone(), &gate, READERS_MAX).await?;
        let searcher = Searcher::open(read_only, &gate, options.search_timeout).await?;
        Ok(Self { writer: Writer::new(writer, connect, Arc::clone(&gate)), readers, searcher, gate })
    }
}

/// How the store opens its file for writing; for programs that measure what a store can do.
#[doc(hidden)]
#[must_use]
pub fn sqlite_options(path: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(Path::new(path))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode only FULL flushes the log at each commit.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", "-16384")
        // A statement of many rows keeps what it may have to undo; not in a file.
        .pragma("temp_store", "memory")
}

/// Connections that look at the epoch before they are used.
pub(super) async fn readers(
    options: SqliteConnectOptions,
    gate: &Arc<EpochGate>,
    connections_max: u32,
) -> Result<SqlitePool, sqlx::Error> {
    let gate = Arc::clone(gate);
    let pool =
        SqlitePoolOptions::new().max_connections(connections_max).after_connect(move |connection, _| {
            let gate = Arc::clone(&gate);
            Box::pin(async move {
                let epoch = epoch_of(connection).await?;
                gate.saw(epoch).map_err(|error| sqlx::Error::Configuration(error.into()))
            })
        });
    pool.connect_with(options).await
}

pub(super) async fn epoch_of(connection: &mut SqliteConnection) -> Result<Epoch, sqlx::Error> {
    let (epoch,): (i64,) = sqlx::query_as("SELECT epoch FROM meta").fetch_one(connection).await?;
    Ok(Epoch::from_i64(epoch))
}
