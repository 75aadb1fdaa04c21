//! The server under load: one of our own in a process of its own, or somebody else's.

pub(crate) mod issuer;
mod place;
mod process;
pub(crate) mod usage;

pub(crate) use place::Place;
pub(crate) use process::{HEAVY, ServeOptions, serve};

use process::Process;

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
    /// Servers that run already, ADDRESS:PORT[,ADDRESS:PORT…]: clients are spread over them.
    #[arg(long, value_delimiter = ',', requires = "fingerprint", conflicts_with = "store")]
    connect: Vec<String>,
    /// The servers' certificate, 64 hexadecimal digits.
    #[arg(long, requires = "connect")]
    fingerprint: Option<String>,
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
    #[error("the fingerprint is not 64 hexadecimal digits")]
    BadFingerprint,
    #[error("the server is not ours to stop")]
    NotOurs,
    #[error("no folder for the run's data: {0}")]
    Folder(#[source] std::io::Error),
}

/// A server to connect to.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addresses: Vec<String>,
    pub(crate) fingerprint: [u8; 32],
    process: Option<Process>,
}

impl Host {
    /// Finds the server that runs already, or starts one on an empty store.
    pub(crate) async fn open(options: &HostOptions) -> Result<Self, HostError> {
        if let Some(digits) = &options.fingerprint {
            let fingerprint = unhex(digits).ok_or(HostError::BadFingerprint)?;
            return Ok(Self { addresses: options.connect.clone(), fingerprint, process: None });
        }
        Self::start(options.store).await
    }

    /// Starts a server on an empty store.
    pub(crate) async fn start(store: StoreKind) -> Result<Self, HostError> {
        Ok(Self::of(Process::start(Place::make(store).await?)?))
    }

    /// Ends a server of ours and starts it again on the same store.
    pub(crate) async fn restart(self) -> Result<Self, HostError> {
        match self.process {
            Some(process) => Ok(Self::of(Process::start(process.end().await)?)),
            None => Ok(self),
        }
    }

    /// Ends a server of ours, does something to its store, which is named by its URL, and starts it again.
    /// What cannot be done takes the store with it.
    pub(crate) async fn restart_after<T, E: From<HostError>>(
        self,
        work: impl AsyncFnOnce(&str) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let place = self.process.ok_or(HostError::NotOurs)?.end().await;
        match work(&place.url).await {
            Ok(done) => Ok((Self::of(Process::start(place)?), done)),
            Err(error) => {
                place.remove().await?;
                Err(error)
            }
        }
    }

    fn of((process, address, fingerprint): (Process, String, [u8; 32])) -> Self {
        Self { addresses: vec![address], fingerprint, process: Some(process) }
    }

    /// The address for client number so-and-so.
    pub(crate) fn address(&self, number: usize) -> &str {
        &self.addresses[number % self.addresses.len()]
    }

    /// The URL of the server's store, if it is ours.
    pub(crate) fn store_url(&self) -> Option<&str> {
        self.process.as_ref().map(Process::store_url)
    }

    /// The server's process, if it is ours.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Bytes of memory that the server holds, if it is ours.
    pub(crate) fn rss_bytes(&self) -> Option<u64> {
        usage::rss_bytes(self.pid()?)
    }

    /// Ends a server of ours and removes what it left.
    pub(crate) async fn stop(self) -> Result<(), HostError> {
        match self.process {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }
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
