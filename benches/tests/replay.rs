//! Replays through servers that are killed, and through two servers on one store.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection};

const BENCH: &str = env!("CARGO_BIN_EXE_goim-bench");
/// What a replay may take before it counts as hung.
const DEADLINE: Duration = Duration::from_secs(240);

/// A server in a process of its own, killed without a warning when it is dropped.
struct Server {
    child: Child,
    address: String,
    fingerprint: String,
}

impl Server {
    fn start(store: &str, data: &Path, listen: &str) -> Self {
        let mut child = Command::new(BENCH)
            .args(["serve", "--store", store, "--listen", listen, "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = line.trim().strip_prefix("READY ").expect("the server did not start");
        let (address, fingerprint) = ready.split_once(' ').unwrap();
        Self { child, address: address.to_owned(), fingerprint: fingerprint.to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL: nothing of it runs any more.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn log_file(folder: &Path, lines: u32) -> std::path::PathBuf {
    let path = folder.join("channel.txt");
    let out = path.display().to_string();
    let arguments = ["logs", "--seed", "11", "--people", "25", "--lines", &lines.to_string(), "--out", &out];
    assert!(Command::new(BENCH).args(arguments).status().unwrap().success());
    path
}

fn replay(addresses: &str, fingerprint: &str, rate: u32, log: &Path) -> Child {
    Command::new(BENCH)
        .args(["replay", "--json", "--connect", addresses, "--fingerprint", fingerprint])
        .args(["--rate", &rate.to_string()])
        .arg(log)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(mut replay: Child) {
    let started = Instant::now();
    let mut output = String::new();
    let status = loop {
        if let Some(status) = replay.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < DEADLINE, "the replay hangs");
        std::thread::park_timeout(Duration::from_millis(20));
    };
    replay.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    let report: serde_json::Value = serde_json::from_str(&output).expect("no report");
    assert!(status.success(), "{report:#}");
    assert_eq!(report["failed_checks"], 0, "{report:#}");
    assert!(report["messages"].as_u64().unwrap() > 0 && report["deliveries"].as_u64().unwrap() > 0);
}

/// Waits until the store has so many entries, while the replay runs.
async fn entries_reach(store: &str, wanted: i64, replay: &mut Child) {
    let started = Instant::now();
    loop {
        let count = count(store).await.unwrap_or(0);
        if count >= wanted {
            return;
        }
        assert!(replay.try_wait().unwrap().is_none(), "the replay ended before its server was killed");
        assert!(started.elapsed() < DEADLINE, "only {count} entries");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn count(store: &str) -> Result<i64, sqlx::Error> {
    let sql = "SELECT count(*) FROM messages";
    let (count,): (i64,) = if let Some(path) = store.strip_prefix("sqlite:") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
        sqlx::query_as(sql).fetch_one(&mut connection).await?
    } else {
        let mut connection = sqlx::PgConnection::connect(store).await?;
        sqlx::query_as(sql).fetch_one(&mut connection).await?
    };
    Ok(count)
}

async fn survives_kills(store: &str, data: &Path) {
    let log = log_file(data, 1_200);
    let mut server = Server::start(store, data, "127.0.0.1:0");
    let (address, fingerprint) = (server.address.clone(), server.fingerprint.clone());
    let mut replay = replay(&address, &fingerprint, 400, &log);
    for entries in [150, 450, 750, 1_000] {
        entries_reach(store, entries, &mut replay).await;
        drop(server);
        server = Server::start(store, data, &address);
    }
    finish(replay);
    drop(server);
}

/// A schema of its own on the real Postgres.
async fn schema(name: &str) -> String {
    let base = std::env::var("DATABASE_URL").unwrap_or_else(|_| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres.sh");
        let output = Command::new(script).arg("url").output().unwrap();
        assert!(output.status.success(), "no Postgres: run scripts/postgres.sh start");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    });
    let name = format!("{name}_{}", std::process::id());
    let mut connection = sqlx::PgConnection::connect(&base).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&mut connection).await.unwrap();
    let separator = if base.contains('?') { '&' } else { '?' };
    format!("{base}{separator}options[search_path]={name}")
}

#[tokio::test]
async fn a_server_on_sqlite_killed_in_the_middle_of_a_replay_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("goim.sqlite").display());
    survives_kills(&store, folder.path()).await;
}

#[tokio::test]
async fn a_server_on_postgres_killed_in_the_middle_of_a_replay_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    survives_kills(&schema("killed").await, folder.path()).await;
}

#[tokio::test]
async fn two_servers_on_one_postgres_serve_one_group() {
    let folder = tempfile::tempdir().unwrap();
    let store = schema("two_servers").await;
    let log = log_file(folder.path(), 800);
    let one = Server::start(&store, folder.path(), "127.0.0.1:0");
    // The same folder: the same certificate and the same key for tokens.
    let two = Server::start(&store, folder.path(), "127.0.0.1:0");
    finish(replay(&format!("{},{}", one.address, two.address), &one.fingerprint, 400, &log));
}
