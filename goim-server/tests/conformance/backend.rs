//! A database of its own for each test, and a way around the store to look into it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Epoch, Seq, UserId};
use goim_server::store::{self, Options, Store, StoredEntry};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

/// Databases of runs that were killed are dropped after this long.
const LEFT_BEHIND_S: u64 = 3_600;

/// Where a test's store lives.
#[allow(clippy::large_enum_variant, reason = "a test has one of these")]
pub(crate) enum Backend {
    Sqlite { folder: tempfile::TempDir },
    Postgres { server: PgConnectOptions, name: String },
}

/// A way around the store.
pub(crate) enum Raw {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Backend {
    pub(crate) fn sqlite() -> Self {
        // Beside the build, not in /tmp: that may be memory, and fsync shall mean something.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        Self::Sqlite { folder }
    }

    pub(crate) async fn postgres() -> Self {
        let server: PgConnectOptions = postgres_url().parse().expect("the URL of PostgreSQL");
        let pool = single(&server).await;
        let name = format!("goim_test_{}_{:016x}", now_s(), rand::random::<u64>());
        execute_on(&pool, &format!("CREATE DATABASE {name}")).await;
        drop_left_behind(&pool).await;
        pool.close().await;
        Self::Postgres { server, name }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { folder } => format!("sqlite:{}", file(folder).display()),
            Self::Postgres { name, .. } => {
                let server = postgres_url();
                let (before, after) = server.rsplit_once('/').expect("a database in the URL");
                let options =
                    after.split_once('?').map_or(String::new(), |(_, options)| format!("?{options}"));
                format!("{before}/{name}{options}")
            }
        }
    }

    /// Opens the store; opened twice, it is two nodes on one store.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        store::open(&self.url(), Options::default()).await.expect("the store opens")
    }

    pub(crate) async fn raw(&self) -> Raw {
        match self {
            Self::Sqlite { folder } => {
                let options = SqliteConnectOptions::new().filename(file(folder));
                Raw::Sqlite(SqlitePool::connect_with(options).await.expect("the file opens"))
            }
            Self::Postgres { server, name } => Raw::Postgres(single(&server.clone().database(name)).await),
        }
    }

    /// Changes what is in the database while nobody is connected to it but who changes it: to a node,
    /// the store was lost and comes back changed. Only PostgreSQL can lose its connections.
    pub(crate) async fn lost_and_back(&self, change: impl AsyncFnOnce(&Raw)) {
        let Self::Postgres { server, name } = self else { panic!("a file has no connections to lose") };
        let raw = self.raw().await;
        let own = raw.number("SELECT pg_backend_pid()::bigint").await;
        let pool = single(server).await;
        execute_on(&pool, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        let wait_ms = 10_000;
        let terminate = format!(
            "SELECT pg_terminate_backend(pid, {wait_ms}) FROM pg_stat_activity \
             WHERE datname = '{name}' AND pid <> {own}"
        );
        execute_on(&pool, &terminate).await;
        change(&raw).await;
        execute_on(&pool, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
        pool.close().await;
    }

    /// Drops the database. One of a test that failed stays for a while, for whoever looks into it.
    pub(crate) async fn finish(self) {
        if let Self::Postgres { server, name } = self {
            let pool = single(&server).await;
            execute_on(&pool, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            pool.close().await;
        }
    }
}

impl Raw {
    pub(crate) async fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(pool) => {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.expect("a statement");
            }
            Self::Postgres(pool) => execute_on(pool, sql).await,
        }
    }

    /// A conversation's entries as the tables have them, in order of seq.
    pub(crate) async fn entries(&self, conversation: ConversationId) -> Vec<StoredEntry> {
        let sql = format!(
            "SELECT seq, sender, client_msg_id, at, count, body FROM messages \
             WHERE conversation = {conversation} ORDER BY seq"
        );
        macro_rules! rows {
            ($pool:expr) => {
                sqlx::query(AssertSqlSafe(sql))
                    .fetch_all($pool)
                    .await
                    .expect("the entries")
                    .into_iter()
                    .map(|row| StoredEntry {
                        seq: Seq::from_i64(row.get(0)),
                        sender: UserId::from_i64(row.get(1)),
                        client_msg_id: ClientMsgId::from_uuid(row.get::<Uuid, _>(2)),
                        at_ms: row.get::<i64, _>(3).cast_unsigned(),
                        count: row.get::<i64, _>(4).cast_unsigned(),
                        body: Bytes::from(row.get::<Vec<u8>, _>(5)),
                    })
                    .collect()
            };
        }
        match self {
            Self::Sqlite(pool) => rows!(pool),
            Self::Postgres(pool) => rows!(pool),
        }
    }

    /// A number that a statement selects.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let query = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(query).fetch_one(pool).await,
            Self::Postgres(pool) => sqlx::query_scalar(query).fetch_one(pool).await,
        }
        .expect("a number")
    }

    /// The database's name.
    pub(crate) async fn name(&self) -> String {
        match self {
            Self::Sqlite(_) => String::from("main"),
            Self::Postgres(pool) => {
                let name = sqlx::query_scalar("SELECT current_database()::text").fetch_one(pool).await;
                name.expect("a name")
            }
        }
    }

    pub(crate) async fn head(&self, conversation: ConversationId) -> Seq {
        let sql = format!("SELECT head FROM conversations WHERE id = {conversation}");
        Seq::from_i64(self.number(&sql).await)
    }

    /// Begins a new epoch.
    pub(crate) async fn new_epoch(&self) {
        self.execute("UPDATE meta SET epoch = epoch + 1").await;
    }

    pub(crate) async fn epoch(&self) -> Epoch {
        Epoch::from_i64(self.number("SELECT epoch FROM meta").await)
    }

    /// Takes a conversation back to an earlier head, as a restored backup would have it.
    pub(crate) async fn take_back(&self, conversation: ConversationId, head: Seq) {
        self.execute(&format!("DELETE FROM messages WHERE conversation = {conversation} AND seq > {head}"))
            .await;
        self.execute(&format!(
            "UPDATE conversations SET head = {head}, count = \
             (SELECT count FROM messages WHERE conversation = {conversation} AND seq = {head}) \
             WHERE id = {conversation}"
        ))
        .await;
    }

    /// Terminates one backend of this database at random; how many there were.
    pub(crate) async fn kill_one(&self) -> i64 {
        self.number(
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() \
             ORDER BY random() LIMIT 1) AS victim",
        )
        .await
    }
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("goim.sqlite")
}

async fn single(options: &PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(1);
    pool.connect_with(options.clone()).await.expect("PostgreSQL answers")
}

async fn execute_on(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.expect("a statement");
}

async fn drop_left_behind(pool: &PgPool) {
    let query = "SELECT datname FROM pg_database WHERE datname LIKE 'goim\\_test\\_%'";
    let names: Vec<String> = sqlx::query_scalar(query).fetch_all(pool).await.expect("the databases");
    for name in names {
        let made_at = name.split('_').nth(2).and_then(|time| time.parse::<u64>().ok());
        if made_at.is_some_and(|at| at + LEFT_BEHIND_S < now_s()) {
            execute_on(pool, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The server's URL; the first test that asks starts the server.
fn postgres_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        script("start");
        script("url")
    })
}

fn script(verb: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres.sh");
    let output = Command::new(&path).arg(verb).output().expect("scripts/postgres.sh runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no PostgreSQL to test with: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
