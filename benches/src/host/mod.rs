//! The server under load: one of our own in a process of its own, or somebody else's.

pub(crate) mod interrupt;
pub(crate) mod issuer;
mod place;
mod process;
pub(crate) mod usage;

pub(crate) use interrupt::until_interrupted;
pub(crate) use place::Place;
pub(crate) use process::{HEAVY, ServeOptions, serve};

use std::path::PathBuf;

use process::{Process, serves};
use tokio::sync::watch;

/// Where a store of our own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    /// An SQLite file in a temporary folder.
    Sqlite,
    /// The Postgres that `DATABASE_URL` or `scripts/postgres.sh url` names, in a schema of its own.
    Postgres,
}

/// Which server.
#[derive(Debug, clap::Args)]
pub(crate) struct HostOptions {
    /// The store of the server that is started for the run.
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    store: StoreKind,
    /// Servers that run already, ADDRESS:PORT[,ADDRESS:PORT…]: clients are spread over them. All come from
    /// here and are bots of one owner, so the servers' limits have to allow that, bots_max for one. They
    /// and what they said stay there.
    #[arg(long, value_delimiter = ',', requires = "fingerprint", conflicts_with = "store")]
    connect: Vec<String>,
    /// The servers' certificate, 64 hexadecimal digits.
    #[arg(long, requires = "connect")]
    fingerprint: Option<String>,
}

/// What can go wrong with a server of our own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("the server's process did not start")]
    Start(#[source] std::io::Error),
    #[error("the server's process ended before it served; its own words are above")]
    Ended,
    #[error("the server's process did not come to serve within a minute")]
    Silent,
    #[error("the server's process ended in the middle of the run; its own words, if any, are above")]
    Died,
    #[error("no Postgres: set DATABASE_URL, or run scripts/postgres.sh start")]
    NoPostgres,
    #[error("DATABASE_URL names no Postgres: it should begin with postgres://")]
    OtherDatabase,
    #[error("Postgres refused a schema for the run, or to remove it")]
    Schema(#[from] sqlx::Error),
    #[error("the fingerprint is not 64 hexadecimal digits")]
    BadFingerprint,
    #[error("the server is not ours to stop")]
    NotOurs,
    #[error("no folder for the run's data in {path}, or it cannot be removed")]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("interrupted: there are no figures, and what the run had made is removed")]
    Interrupted,
    #[error("this system does not tell us when to stop")]
    Signals(#[source] std::io::Error),
}

/// A server to connect to.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addresses: Vec<String>,
    pub(crate) fingerprint: [u8; 32],
    own: Option<Own>,
}

/// A server of our own, and where its data are.
#[derive(Debug)]
struct Own {
    store_url: String,
    folder: PathBuf,
    process: Option<Process>,
    died: watch::Sender<bool>,
}

impl Host {
    /// Does some work with the server that runs already, or with one of our own on an empty store, which is
    /// gone with its data however that ends.
    pub(crate) async fn with<T, E: From<HostError>>(
        options: &HostOptions,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(digits) = &options.fingerprint else {
            return Self::with_own(options.store, work).await;
        };
        let fingerprint = unhex(digits).ok_or(HostError::BadFingerprint)?;
        let mut host = Self { addresses: options.connect.clone(), fingerprint, own: None };
        until_interrupted(work(&mut host)).await
    }

    /// Does some work with a server of our own.
    pub(crate) async fn with_own<T, E: From<HostError>>(
        store: StoreKind,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        Place::with(store, async |place| {
            let died = watch::Sender::new(false);
            let mut gone = died.subscribe();
            let (store_url, folder) = (place.url.clone(), place.folder().to_owned());
            let own = Own { store_url, folder, process: None, died };
            let mut host = Self { addresses: Vec::new(), fingerprint: [0; 32], own: Some(own) };
            let done = match until_interrupted(host.start()).await {
                Err(error) => Err(error.into()),
                Ok(()) => tokio::select! {
                    biased;
                    _ = gone.wait_for(|gone| *gone) => Err(HostError::Died.into()),
                    done = until_interrupted(work(&mut host)) => done,
                },
            };
            host.end().await;
            done
        })
        .await
    }

    /// Ends a server of ours and starts it again on the same store.
    pub(crate) async fn restart(&mut self) -> Result<(), HostError> {
        self.end().await;
        self.start().await
    }

    /// Ends a server of ours, does something to its store, which is named by its URL, and starts it again.
    pub(crate) async fn restart_after<T, E: From<HostError>>(
        &mut self,
        work: impl AsyncFnOnce(&str) -> Result<T, E>,
    ) -> Result<T, E> {
        self.end().await;
        let done = work(self.store_url().ok_or(HostError::NotOurs)?).await?;
        self.start().await?;
        Ok(done)
    }

    async fn start(&mut self) -> Result<(), HostError> {
        let own = self.own.as_mut().ok_or(HostError::NotOurs)?;
        let (process, stdout) = Process::start(&own.store_url, &own.folder, own.died.clone())?;
        own.process = Some(process);
        let (address, fingerprint) = serves(stdout).await?;
        (self.addresses, self.fingerprint) = (vec![address], fingerprint);
        Ok(())
    }

    async fn end(&mut self) {
        if let Some(process) = self.own.as_mut().and_then(|own| own.process.take()) {
            process.end().await;
        }
    }

    /// The address for client number so-and-so.
    pub(crate) fn address(&self, number: usize) -> &str {
        &self.addresses[number % self.addresses.len()]
    }

    /// The URL of the server's store, if it is ours.
    pub(crate) fn store_url(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.store_url.as_str())
    }

    /// The server's process, if it is ours.
    pub(crate) fn pid(&self) -> Option<u32> {
        Some(self.own.as_ref()?.process.as_ref()?.id)
    }

    /// Bytes of memory that the server holds, if it is ours.
    pub(crate) fn rss_bytes(&self) -> Option<u64> {
        usage::rss_bytes(self.pid()?)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut digits = digits.chars().map(|digit| digit.to_digit(16));
    for byte in &mut bytes {
        *byte = u8::try_from(digits.next()?? << 4 | digits.next()??).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}
