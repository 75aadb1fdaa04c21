use std::sync::Arc;
use std::time::Duration;

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{Store, StoreError};

/// How to open a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Accepts a store that is set not to flush. For tests and caches of other logs only.
    pub unsafe_allowed: bool,
    /// The most pages of 4 KiB that an SQLite file may have; `None` for no limit.
    pub sqlite_pages_max: Option<u32>,
    /// How long each of the few statements of a search may take, and on SQLite all together; at least a
    /// millisecond.
    pub search_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let search_timeout = Duration::from_secs(3);
        Self { unsafe_allowed: false, sqlite_pages_max: None, search_timeout }
    }
}

/// Opens the store at a URL (`sqlite:PATH` or `postgres://…`), making or updating its schema.
///
/// # Errors
///
/// [`StoreError`] for a URL that names no store, a store that cannot be reached or does not flush,
/// or a schema that cannot be brought up to date.
pub async fn open(url: &str, options: Options) -> Result<Arc<dyn Store>, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.trim_start_matches("//");
        if path.is_empty() || path == ":memory:" {
            return Err(StoreError::NoFile);
        }
        Ok(Arc::new(SqliteStore::open(path, options).await?))
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(Arc::new(PostgresStore::open(url, options).await?))
    } else {
        // Not the whole URL: it may hold a password.
        let scheme = url.split(':').next().unwrap_or_default();
        Err(StoreError::BadUrl(scheme.chars().take(32).collect()))
    }
}
