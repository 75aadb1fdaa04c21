//! A server of our own in a process of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use goim_server::{Config, Server};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::{HostError, hex, issuer, unhex};

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

/// The account of a benchmark that may take numbers of sequences.
pub(crate) const HEAVY: &str = "heavy";

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
    // The crowd are bots of one owner, who is in all their groups.
    config.limits.bots_max = 1_000_000;
    config.limits.conversations_per_user_max = 10_000_000;
    config.limits.group_members_max = 100_000;
    config.limits.connections_max = 100_000;
    // One user makes every call again and again.
    config.limits.logins_per_s = 100_000;
    config.limits.allocations_per_s = 100_000;
    config.limits.open_requests_max = 1_000_000;
    config.limits.searches_per_s = 100_000;
    config.sequence_users = vec![HEAVY.to_owned()];
    config.external_login = issuer::trusted(&config.data_dir)?;
    let server = Server::start(config).await?;
    let ready = format!("{READY}{} {}\n", server.quic_addr(), hex(&server.fingerprint()));
    // If nobody reads it, the run has ended, and so has standard input.
    let _ = std::io::stdout().write_all(ready.as_bytes());
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ended);
    });
    let _ = end.await;
    server.shutdown().await;
    Ok(())
}

/// The longest that a server may take to serve, and to end.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const END_TIMEOUT: Duration = Duration::from_secs(60);

/// The process, which ends with this.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: u32,
    end: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Process {
    /// Starts it; what it says on its standard output tells when it serves. `died` is told when it ends
    /// without being asked to.
    pub(super) fn start(
        store: &str,
        folder: &Path,
        died: watch::Sender<bool>,
    ) -> Result<(Self, ChildStdout), HostError> {
        let program = std::env::current_exe().map_err(HostError::Start)?;
        let mut command = Command::new(program);
        command.args(["serve", "--store", store, "--data"]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Whoever interrupts the run ends us, and we end it.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(HostError::Start)?;
        let id = child.id().ok_or(HostError::Ended)?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or(HostError::Ended)?;
        let (end, asked) = oneshot::channel();
        let ended = tokio::spawn(async move {
            tokio::select! {
                _ = child.wait() => {
                    died.send_replace(true);
                    return;
                }
                _ = asked => drop(stdin),
            }
            if timeout(END_TIMEOUT, child.wait()).await.is_err() {
                // However it ends, it is gone.
                let _ = child.kill().await;
            }
        });
        Ok((Self { id, end, ended }, stdout))
    }

    /// Ends it; what it served stays.
    pub(super) async fn end(self) {
        drop(self.end);
        // It does not panic.
        let _ = self.ended.await;
    }
}

/// Reads what the process says until it serves; returns its address and fingerprint.
pub(super) async fn serves(stdout: ChildStdout) -> Result<(String, [u8; 32]), HostError> {
    let mut lines = BufReader::new(stdout).lines();
    let end = Instant::now() + START_TIMEOUT;
    while let Some(line) =
        timeout_at(end, lines.next_line()).await.map_err(|_| HostError::Silent)?.map_err(HostError::Start)?
    {
        let parts = line.strip_prefix(READY).and_then(|ready| ready.split_once(' '));
        if let Some((address, digits)) = parts {
            return Ok((address.to_owned(), unhex(digits).ok_or(HostError::BadFingerprint)?));
        }
    }
    Err(HostError::Ended)
}
