use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use goim_core::Epoch;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::PostgresStore;
use crate::store::{EpochGate, Options, StoreError, StoreResult};

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
        let mut first = connect.connect().await?;
        if !options.unsafe_allowed {
            check_flushes(&mut first).await?;
        }
        sqlx::migrate!("migrations/postgres").run(&mut first).await?;
        sqlx::query(
            "INSERT INTO meta (epoch) VALUES (extract(epoch FROM now())::bigint) ON CONFLICT DO NOTHING",
        )
        .execute(&mut first)
        .await?;
        let gate = Arc::new(EpochGate::new(fix_epoch(&mut first).await?));
        first.close().await?;
        let pool = pool(connect.clone(), &gate).await?;
        Ok(Self { pool, options: connect, search_timeout: options.search_timeout, gate })
    }
}

/// Connections that look at the epoch before they are used.
async fn pool(options: PgConnectOptions, gate: &Arc<EpochGate>) -> Result<PgPool, sqlx::Error> {
    let gate = Arc::clone(gate);
    let pool = PgPoolOptions::new()
        .max_connections(POOL_CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_secs(5))
        .after_connect(move |connection, _| {
            let gate = Arc::clone(&gate);
            Box::pin(async move {
                let epoch = fix_epoch(connection).await?;
                gate.saw(epoch).map_err(|error| sqlx::Error::Configuration(error.into()))
            })
        });
    pool.connect_with(options).await
}

/// Begins a new epoch if the data live in another cluster or on another timeline than before:
/// after a promotion or a restored backup entries may be missing that readers have seen. Returns
/// the epoch.
pub(super) async fn fix_epoch(connection: &mut PgConnection) -> Result<Epoch, sqlx::Error> {
    // (The timeline from where the log is written now: the control file has it only since the
    // checkpoint after a promotion. The system identifier is unsigned there and signed here; only
    // its identity counts.)
    sqlx::query(
        "WITH place AS ( \
             SELECT system_identifier AS cluster, \
                 ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint AS timeline \
             FROM pg_control_system()) \
         UPDATE meta SET cluster = place.cluster, timeline = place.timeline, \
             epoch = CASE WHEN meta.cluster IS NULL THEN epoch \
                     ELSE GREATEST(epoch + 1, extract(epoch FROM now())::bigint) END \
         FROM place WHERE meta.cluster IS DISTINCT FROM place.cluster \
             OR meta.timeline IS DISTINCT FROM place.timeline",
    )
    .execute(&mut *connection)
    .await?;
    let (epoch,): (i64,) = sqlx::query_as("SELECT epoch FROM meta").fetch_one(connection).await?;
    Ok(Epoch::from_i64(epoch))
}

async fn check_flushes(connection: &mut PgConnection) -> StoreResult<()> {
    let (fsync, pages, commit): (String, String, String) = sqlx::query_as(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
         current_setting('synchronous_commit')",
    )
    .fetch_one(connection)
    .await?;
    for (setting, value) in [("fsync", fsync), ("full_page_writes", pages), ("synchronous_commit", commit)] {
        if value == "off" {
            return Err(StoreError::NotDurable { setting });
        }
    }
    Ok(())
}
