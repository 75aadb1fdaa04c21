use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::SqliteStore;
use super::writer::Writer;
use crate::store::{Options, StoreResult};

/// Connections for reading.
const READERS_MAX: u32 = 4;

/// Later than any epoch that a restored copy could come to by itself.
pub(super) const NEW_EPOCH: &str = "UPDATE meta SET epoch = max(epoch + 1, unixepoch()) RETURNING epoch";

impl SqliteStore {
    pub(in crate::store) async fn open(path: &str, options: Options) -> StoreResult<Self> {
        let mut connect = SqliteConnectOptions::new()
            .filename(Path::new(path))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode only FULL flushes the log at each commit.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", "-16384")
            // A statement of many rows keeps what it may have to undo; not in a file.
            .pragma("temp_store", "memory");
        if let Some(pages) = options.sqlite_pages_max {
            connect = connect.pragma("max_page_count", pages.to_string());
        }
        let mut writer = connect.clone().connect().await?;
        sqlx::migrate!("migrations/sqlite").run(&mut writer).await?;
        sqlx::query("INSERT INTO meta (epoch) VALUES (unixepoch()) ON CONFLICT DO NOTHING")
            .execute(&mut writer)
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(connect.clone().read_only(true))
            .await?;
        Ok(Self { writer: Writer::new(writer, connect), readers })
    }
}
