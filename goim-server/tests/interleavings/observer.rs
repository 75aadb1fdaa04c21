//! Asks PostgreSQL what its processes are waiting for, and ends them.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, query, query_scalar};

/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(120);

/// A connection that nobody holds up.
pub(crate) struct Observer {
    connection: PgConnection,
}

impl Observer {
    pub(crate) async fn connect(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().expect("the URL of PostgreSQL");
        Self { connection: options.connect().await.expect("PostgreSQL answers") }
    }

    /// Whether all of these processes wait for somebody else's lock.
    pub(crate) async fn are_blocked(&mut self, pids: &[i32]) -> bool {
        // Who was granted a lock may not know it yet, so that what he says himself is not enough.
        // But the other question stops all who lock something, so that it is not asked in vain.
        let says = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1) AND wait_event_type = 'Lock'";
        let is = "SELECT count(*) FROM unnest($1) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0";
        for question in [says, is] {
            let waiting: i64 =
                query_scalar(question).bind(pids).fetch_one(&mut self.connection).await.expect("a number");
            if usize::try_from(waiting).ok() != Some(pids.len()) {
                return false;
            }
        }
        true
    }

    /// Ends those of these processes that are left, and returns when they are gone.
    pub(crate) async fn kill_all(&mut self, pids: &[i32]) {
        let left = "SELECT pid FROM pg_stat_activity WHERE pid = ANY($1) \
                    AND datname = current_database() AND pid <> pg_backend_pid()";
        let left: Vec<i32> =
            query_scalar(left).bind(pids).fetch_all(&mut self.connection).await.expect("processes");
        for pid in left {
            self.kill(pid).await;
        }
    }

    /// Ends a process and returns when it is gone.
    pub(crate) async fn kill(&mut self, pid: i32) {
        query("SELECT pg_terminate_backend($1)")
            .bind(pid)
            .execute(&mut self.connection)
            .await
            .expect("a kill");
        let since = Instant::now();
        loop {
            let left: i64 = query_scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = $1")
                .bind(pid)
                .fetch_one(&mut self.connection)
                .await
                .expect("a number");
            if left == 0 {
                return;
            }
            assert!(since.elapsed() < DEADLINE, "process {pid} does not end");
        }
    }
}
