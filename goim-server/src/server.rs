//! A whole server in this process.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use goim_core::lane::LaneLimits;
use goim_core::{BoxLimits, MsgBox};
use goim_proto::ALPN;
use quinn::{Endpoint, VarInt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::access::{Ending, Hub, Identity, IdentityError, Outgoing, accept, listen};
use crate::bus::LocalBus;
use crate::clock::Clock;
use crate::commit::{Committer, Sink};
use crate::config::{Config, ConfigError};
use crate::external::{Issuer, KeysError};
use crate::http;
use crate::service::rules::ChatRules;
use crate::service::{News, Outcomes, Parts, Service, Ticket, Tokens};
use crate::store::{self, LaneStore, Store, StoreError};
use crate::telemetry::Metrics;
use crate::uploads::{Storage, StorageError};

/// Lanes on one core, where the store allows so many.
const LANES_MIN: usize = 2;
/// Heads are compared this often where other processes write the store too, in milliseconds.
const CATCH_UP_SHARED_MS: u64 = 1_000;
/// The same where none does: an append whose answer was lost is found so.
const CATCH_UP_ALONE_MS: u64 = 5_000;
/// When clients of a stopping server should look for it again, in milliseconds.
const COME_BACK_MS: u64 = 500;

/// How long the last packets may take to leave.
const LAST_PACKETS: Duration = Duration::from_millis(500);

/// A running server. Dropping it stops it at once; [`Server::shutdown`] does so politely.
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    endpoint: Endpoint,
    quic_addr: SocketAddr,
    http_addr: Option<SocketAddr>,
    api_addr: Option<SocketAddr>,
    fingerprint: [u8; 32],
    ready: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {path}: {source}")]
    DataDir {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no certificate to be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A setting cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file of an issuer's keys cannot be used.
    #[error(transparent)]
    ExternalLogin(#[from] KeysError),
    /// There is nowhere to keep uploads.
    #[error(transparent)]
    Uploads(#[from] StorageError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Server {
    /// Starts a server; when this returns, it takes clients.
    ///
    /// # Errors
    ///
    /// Whatever it needs that cannot be had: see [`StartError`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let data_dir = |source| StartError::DataDir { path: config.data_dir.clone(), source };
        std::fs::create_dir_all(&config.data_dir).map_err(data_dir)?;
        let tokens = Tokens::keep(&config.data_dir).map_err(data_dir)?;
        let identity = match &config.tls_pem {
            Some(pem) => Identity::read(pem)?,
            None => Identity::keep(&config.data_dir, &config.tls_names)?,
        };
        let fingerprint = identity.fingerprint();
        let options =
            store::Options { unsafe_allowed: config.unsafe_store_allowed, ..store::Options::default() };
        let store = store::open(&config.store_url(), options).await?;
        let storage = Storage::open(&config.uploads.place(&config.data_dir)?, &config.uploads)?;
        let clock = Clock::start();
        let issuer = match config.external_login.trusted()? {
            Some(trusted) => Some(Issuer::open(&config.external_login, trusted, clock).await?),
            None => None,
        };
        let service = Self::service(config, clock, store, storage, tokens, issuer);
        let address = service.config.quic_listen;
        let not_bound = |source| StartError::Listen { address, source };
        let secret = identity.derived_secret("stateless reset");
        let endpoint = listen(address, identity.tls(ALPN)?, &secret).map_err(not_bound)?;
        let quic_addr = endpoint.local_addr().map_err(not_bound)?;
        let ready = Arc::new(AtomicBool::new(true));
        let mut tasks = JoinSet::new();
        let http_addr = serve_http(&service, &ready, &mut tasks).await?;
        let api_addr = serve_api(&service, &mut tasks).await?;
        tasks.spawn(accept(Arc::clone(&service), endpoint.clone()));
        spawn_upkeep(&service, &mut tasks);
        tracing::info!(%quic_addr, "serving");
        Ok(Self { service, endpoint, quic_addr, http_addr, api_addr, fingerprint, ready, tasks })
    }

    fn service(
        config: Config,
        clock: Clock,
        store: Arc<dyn Store>,
        storage: Storage,
        tokens: Tokens,
        issuer: Option<Issuer>,
    ) -> Arc<Service> {
        let metrics = Arc::new(Metrics::default());
        let limits = BoxLimits { bytes_max: config.limits.msg_box_bytes_max, ..BoxLimits::default() };
        let hub = Arc::new(Hub::new(store.gate().served(), MsgBox::new(limits), Arc::clone(&metrics)));
        let bus = LocalBus::new(Arc::clone(&hub), clock);
        let unmarked_duplicate_cost = config.limits.unmarked_duplicate_cost;
        let news = Arc::new(News::default());
        let sink: Arc<dyn Sink<Ticket>> = Arc::new(Outcomes {
            metrics: Arc::clone(&metrics),
            bus,
            news: Arc::clone(&news),
            unmarked_duplicate_cost,
        });
        let lanes = if config.lanes == 0 { lanes_advised() } else { config.lanes };
        let lane_store: Arc<dyn LaneStore> = Arc::<dyn Store>::clone(&store);
        let committer = Committer::start(
            &lane_store,
            lanes,
            ChatRules::new(&config.limits),
            LaneLimits::default(),
            &sink,
        );
        Arc::new(Service::new(Parts {
            config,
            clock,
            store,
            storage,
            committer,
            hub,
            metrics,
            news,
            tokens,
            issuer,
        }))
    }

    /// Where clients connect.
    #[must_use]
    pub fn quic_addr(&self) -> SocketAddr {
        self.quic_addr
    }

    /// Where operators look, if anywhere.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr
    }

    /// Where the HTTP API is, if anywhere.
    #[must_use]
    pub fn api_addr(&self) -> Option<SocketAddr> {
        self.api_addr
    }

    /// SHA-256 of the DER form of the certificate: what a client pins.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Stops politely: takes nobody new, tells clients to come back later, and lets what is under
    /// way end within the configured deadline.
    pub async fn shutdown(mut self) {
        self.ready.store(false, Ordering::Relaxed);
        self.endpoint.set_server_config(None);
        let deadline = Duration::from_millis(self.service.config.shutdown_deadline_ms);
        if tokio::time::timeout(deadline, self.drain()).await.is_err() {
            tracing::warn!("stopped before everything under way had ended");
        }
        self.endpoint.close(VarInt::from_u32(0), b"the server has stopped");
        // Otherwise clients learn of the end from their idle timeout.
        let _ = tokio::time::timeout(LAST_PACKETS, self.endpoint.wait_idle()).await;
        self.tasks.shutdown().await;
        self.service.store.close().await;
        tracing::info!("stopped");
    }

    async fn drain(&self) {
        // What the lanes hold is answered first, while there is somebody to hear it; they get no
        // more.
        self.service.stop_sends();
        self.service.committer.drain().await;
        let sessions = self.service.hub.sessions();
        for connection in &sessions {
            let ending = Ending::shutdown(COME_BACK_MS, "the server is stopping; connect again");
            connection.answer(Outgoing::End(ending));
        }
        // Anonymous connections have nothing under way that lasts.
        while !self.service.hub.sessions().is_empty() {
            self.service.hub.left().await;
        }
        self.service.note_gone(&sessions).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.endpoint.close(VarInt::from_u32(0), b"the server has stopped");
    }
}

/// One for each core: more of them commit less at once, and wait for each other. Two on one core: one judges
/// while the other's store works.
fn lanes_advised() -> usize {
    thread::available_parallelism().map_or(LANES_MIN, NonZeroUsize::get).max(LANES_MIN)
}

async fn serve_http(
    service: &Arc<Service>,
    ready: &Arc<AtomicBool>,
    tasks: &mut JoinSet<()>,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(address) = service.config.http_listen else { return Ok(None) };
    let not_bound = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(not_bound)?;
    let bound = listener.local_addr().map_err(not_bound)?;
    let health = http::Health { service: Arc::clone(service), ready: Arc::clone(ready) };
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, http::router(health)).await {
            tracing::error!(%error, "HTTP ended");
        }
    });
    Ok(Some(bound))
}

async fn serve_api(
    service: &Arc<Service>,
    tasks: &mut JoinSet<()>,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(address) = service.config.api_listen else { return Ok(None) };
    let not_bound = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(not_bound)?;
    let bound = listener.local_addr().map_err(not_bound)?;
    let router = http::Api { service: Arc::clone(service) }.router();
    tasks.spawn(http::serve(listener, router, service.limits.clone()));
    Ok(Some(bound))
}

fn spawn_upkeep(service: &Arc<Service>, tasks: &mut JoinSet<()>) {
    let catch_up_ms = service.config.catch_up_interval_ms.unwrap_or(match service.store.is_shared() {
        true => CATCH_UP_SHARED_MS,
        false => CATCH_UP_ALONE_MS,
    });
    let revocation = Duration::from_millis(service.config.revocation_interval_ms);
    let node = || Arc::clone(service);
    let (offsets, store) = (Arc::clone(&service.offsets), Arc::clone(&service.store));
    tasks.spawn(async move { offsets.run(store).await });
    let service = node();
    tasks.spawn(async move { service.note_presence().await });
    let service = node();
    tasks.spawn(async move { service.tell_of_profiles().await });
    let service = node();
    tasks.spawn(async move { service.follow_epochs().await });
    let service = node();
    tasks.spawn(async move { service.fill_gaps().await });
    let service = node();
    tasks.spawn(async move { service.follow_invitations().await });
    let service = node();
    tasks.spawn(async move { service.deliver_due().await });
    let service = node();
    tasks.spawn(async move { service.index_messages().await });
    let service = node();
    tasks.spawn(async move { service.sweep_uploads().await });
    let service = node();
    tasks.spawn(async move { service.end_stale_sessions(revocation).await });
    if catch_up_ms > 0 {
        let service = node();
        tasks.spawn(async move { service.catch_up(Duration::from_millis(catch_up_ms)).await });
    }
}
