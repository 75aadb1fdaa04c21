//! The server under load: one of our own in a process of its own, or somebody else's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::io::{BufRead, BufReader};

use goim_server::{Config, Server};

/// Where a store of our own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    /// An SQLite file in a temporary folder.
    Sqlite,
    /// The Postgres that `DATABASE_URL` or `scripts/postgres.sh url` names, in a schema of its own.
    Postgres,
}

/// What can go wrong before there is a load.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("the server's process did not start: {0}")]
    Start(#[source] std::io::Error),
    #[error("the server's process ended before it served; its own words are above")]
    Ended,
    #[error("no Postgres: set DATABASE_URL, or run scripts/postgres.sh start")]
    NoPostgres,
    #[error("Postgres refused a schema for the run")]
    Schema(#[from] sqlx::Error),
    #[error("{0:?} is not ADDRESS:PORT#FINGERPRINT, and --fingerprint is not given")]
    NoFingerprint(String),
    #[error("the fingerprint is not 64 hexadecimal digits")]
    BadFingerprint,
    #[error("no folder for the run's data: {0}")]
    Folder(#[source] std::io::Error),
}

/// Arguments of the hidden `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeOptions {
    /// `sqlite:PATH` or `postgres://…`.
    #[arg(long)]
    store: String,
    #[arg(long)]
    data: PathBuf,
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// What the server's process says when it serves.
const READY: &str = "READY ";

/// Serves until standard input ends.
pub(crate) async fn serve(options: ServeOptions) -> Result<(), Box<dyn std::error::Error>> {
    goim_server::init_logs(Some("warn"), goim_server::LogFormat::Text);
    let mut config = Config {
        quic_listen: options.listen,
        store: Some(options.store),
        data_dir: options.data,
        ..Config::default()
    };
    // All clients of a benchmark come from one address.
    config.limits.handshakes_per_s = 100_000;
    let server = Server::start(config).await?;
    println!("{READY}{} {}", server.quic_addr(), hex(&server.fingerprint()));
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ended);
    });
    let _ = end.await;
    server.shutdown().await;
    Ok(())
}

/// A server to connect to.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addresses: Vec<String>,
    pub(crate) fingerprint: [u8; 32],
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    // Removed with the server.
    folder: PathBuf,
    schema: Option<(String, String)>,
}

impl Host {
    /// Servers that run already.
    pub(crate) fn connect(addresses: &[String], fingerprint: Option<&str>) -> Result<Self, HostError> {
        let digits = fingerprint.ok_or_else(|| HostError::NoFingerprint(addresses.join(",")))?;
        let fingerprint = unhex(digits).ok_or(HostError::BadFingerprint)?;
        Ok(Self { addresses: addresses.to_vec(), fingerprint, process: None })
    }

    /// Starts a server in a process of its own, on an empty store.
    pub(crate) async fn start(store: StoreKind) -> Result<Self, HostError> {
        let run = format!("goim_bench_{}_{}", std::process::id(), rand::random::<u32>());
        let folder = std::env::temp_dir().join(&run);
        std::fs::create_dir_all(&folder).map_err(HostError::Folder)?;
        let (url, schema) = match store {
            StoreKind::Sqlite => (format!("sqlite:{}", folder.join("goim.sqlite").display()), None),
            StoreKind::Postgres => {
                let base = postgres_url().ok_or(HostError::NoPostgres)?;
                (make_schema(&base, &run).await?, Some((base, run)))
            }
        };
        let (child, address, fingerprint) = spawn(&url, &folder)?;
        let process = Some(Process { child, folder, schema });
        Ok(Self { addresses: vec![address], fingerprint, process })
    }

    /// Bytes of memory that the server holds, if it is ours.
    pub(crate) fn rss_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.as_ref()?.child.id()));
        let line = status.ok()?.lines().find(|line| line.starts_with("VmRSS:"))?.to_owned();
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    }

    /// Ends a server of ours and removes what it left.
    pub(crate) async fn stop(self) -> Result<(), HostError> {
        let Some(mut process) = self.process else { return Ok(()) };
        drop(process.child.stdin.take());
        let child = tokio::task::spawn_blocking(move || process.child.wait());
        let _ = child.await;
        let _ = std::fs::remove_dir_all(&process.folder);
        if let Some((base, schema)) = &process.schema {
            drop_schema(base, schema).await?;
        }
        Ok(())
    }
}

fn spawn(url: &str, folder: &Path) -> Result<(Child, String, [u8; 32]), HostError> {
    let program = std::env::current_exe().map_err(HostError::Start)?;
    let mut child = Command::new(program)
        .args(["serve", "--store", url, "--data"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(HostError::Start)?;
    let lines = child.stdout.take().map(BufReader::new).ok_or(HostError::Ended)?.lines();
    for line in lines.map_while(Result::ok) {
        let parts = line.strip_prefix(READY).and_then(|ready| ready.split_once(' '));
        if let Some((address, digits)) = parts {
            let fingerprint = unhex(digits).ok_or(HostError::BadFingerprint)?;
            return Ok((child, address.to_owned(), fingerprint));
        }
    }
    Err(HostError::Ended)
}

fn postgres_url() -> Option<String> {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return Some(url);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres.sh");
    let output = Command::new(script).arg("url").output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

async fn make_schema(base: &str, schema: &str) -> Result<String, HostError> {
    execute(base, format!("CREATE SCHEMA {schema}")).await?;
    let separator = if base.contains('?') { '&' } else { '?' };
    Ok(format!("{base}{separator}options[search_path]={schema}"))
}

async fn drop_schema(base: &str, schema: &str) -> Result<(), HostError> {
    execute(base, format!("DROP SCHEMA {schema} CASCADE")).await
}

async fn execute(base: &str, sql: String) -> Result<(), HostError> {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(base).await?;
    // The name is made here, of letters, digits and underscores.
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
    Ok(())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}
