use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::PostgresStore;
use crate::store::{Options, StoreError, StoreResult};

/// Connections for everything but appending: reads, offsets, accounts.
const POOL_CONNECTIONS_MAX: u32 = 8;

/// Later than any epoch that a restored copy could come to by itself.
pub(super) const NEW_EPOCH: &str =
    "UPDATE meta SET epoch = GREATEST(epoch + 1, extract(epoch FROM now())::bigint) RETURNING epoch";

impl PostgresStore {
    pub(in crate::store) async fn open(url: &str, options: Options) -> StoreResult<Self> {
        let connect = PgConnectOptions::from_str(url)?.application_name("goim").options([
            // A rival that hangs must not hang us, and we must not hang a rival.
            ("lock_timeout", "5s"),
            ("statement_timeout", "15s"),
            ("idle_in_transaction_session_timeout", "15s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(POOL_CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(connect.clone())
            .await?;
        if !options.unsafe_allowed {
            check_flushes(&pool).await?;
        }
        sqlx::migrate!("migrations/postgres").run(&pool).await?;
        let store = Self { pool, options: connect };
        store.fix_epoch().await?;
        Ok(store)
    }

    /// Begins a new epoch if the data live in another cluster or on another timeline than before:
    /// after a promotion or a restored backup entries may be missing that readers have seen.
    async fn fix_epoch(&self) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO meta (epoch) VALUES (extract(epoch FROM now())::bigint) ON CONFLICT DO NOTHING",
        )
        .execute(&self.pool)
        .await?;
        // (system_identifier is unsigned in the control file and signed here; only its identity
        // counts.)
        sqlx::query(
            "WITH place AS (SELECT s.system_identifier AS cluster, c.timeline_id AS timeline \
                            FROM pg_control_system() s, pg_control_checkpoint() c) \
             UPDATE meta SET cluster = place.cluster, timeline = place.timeline, \
                 epoch = CASE WHEN meta.cluster IS NULL THEN epoch \
                         ELSE GREATEST(epoch + 1, extract(epoch FROM now())::bigint) END \
             FROM place WHERE meta.cluster IS DISTINCT FROM place.cluster \
                 OR meta.timeline IS DISTINCT FROM place.timeline",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

async fn check_flushes(pool: &PgPool) -> StoreResult<()> {
    let (fsync, pages, commit): (String, String, String) = sqlx::query_as(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
         current_setting('synchronous_commit')",
    )
    .fetch_one(pool)
    .await?;
    for (setting, value) in [("fsync", fsync), ("full_page_writes", pages), ("synchronous_commit", commit)] {
        if value == "off" {
            return Err(StoreError::NotDurable { setting });
        }
    }
    Ok(())
}
