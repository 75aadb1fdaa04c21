//! A server of our own in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use goim_server::{Config, Server};

use super::issuer;
use super::place::Place;
use super::{HostError, hex, unhex};

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
    // The crowd are bots.
    config.limits.bots_max = 1_000_000;
    // One user makes every call again and again.
    config.limits.logins_per_s = 100_000;
    config.limits.allocations_per_s = 100_000;
    config.limits.open_requests_max = 1_000_000;
    config.limits.searches_per_s = 100_000;
    config.sequence_users = vec![HEAVY.to_owned()];
    config.external_login = issuer::trusted(&config.data_dir)?;
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

/// The process, and where its data are.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    place: Place,
}

impl Process {
    /// Starts it; returns it with its address and fingerprint once it serves.
    pub(super) fn start(place: Place) -> Result<(Self, String, [u8; 32]), HostError> {
        let program = std::env::current_exe().map_err(HostError::Start)?;
        let mut child = Command::new(program)
            .args(["serve", "--store", &place.url, "--data"])
            .arg(&place.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(HostError::Start)?;
        let lines = child.stdout.take().map(BufReader::new).ok_or(HostError::Ended)?.lines();
        for line in lines.map_while(Result::ok) {
            let parts = line.strip_prefix(READY).and_then(|ready| ready.split_once(' '));
            if let Some((address, digits)) = parts {
                let fingerprint = unhex(digits).ok_or(HostError::BadFingerprint)?;
                return Ok((Self { child, place }, address.to_owned(), fingerprint));
            }
        }
        Err(HostError::Ended)
    }

    /// Ends it; what it served stays.
    pub(super) async fn end(mut self) -> Place {
        drop(self.child.stdin.take());
        let mut child = self.child;
        // However it ended, it is gone.
        let _ = tokio::task::spawn_blocking(move || child.wait()).await;
        self.place
    }

    pub(super) fn store_url(&self) -> &str {
        &self.place.url
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it, and removes its data.
    pub(super) async fn stop(self) -> Result<(), HostError> {
        self.end().await.remove().await
    }
}
