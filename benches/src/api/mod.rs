//! How long every call takes against a store that has something in it.

mod calls;
mod report;
mod seed;
mod whole;
mod wire;
mod world;

use std::time::{Duration, Instant};

use goim_client::ConversationId;
use goim_proto::Call;
use goim_server::store;

use self::report::Measured;
use self::seed::{DataSet, SeedError, Size};
use self::wire::WireError;
use self::world::{Door, PEER, World, credentials};
use crate::host::{HEAVY, Host, HostError, StoreKind};

pub(crate) use report::Report;

/// How often it is looked whether the inboxes have what is due to them.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// How long that may take: of the largest data set, some minutes.
const DELIVERED_WITHIN: Duration = Duration::from_secs(1_800);

/// Measures every call, one after the other, over a real connection, against a store that has a data set:
/// one user with many conversations among many, and what they have said.
///
/// The data set is written by the store's own code, and the list of conversations has to tell of it what
/// was written. An answer that is not what the call promises is an error, and there are no figures then.
#[derive(Debug, clap::Args)]
pub(crate) struct ApiOptions {
    /// The store of the server that is started for the run.
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    store: StoreKind,
    #[command(flatten)]
    size: Size,
    /// How often each call is made.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeat: u32,
    /// The same seed makes the same data set, and the same calls.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the data set cannot be written")]
    Seed(#[from] SeedError),
    #[error("no token can be signed")]
    Token(#[from] std::io::Error),
    #[error("the store cannot be looked into")]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("{call} was refused: {error}")]
    Refused { call: &'static str, error: goim_proto::Error },
    #[error("the answer is no {0}")]
    Unexpected(&'static str),
    #[error("the table makes another call for {0}")]
    OtherCall(&'static str),
    #[error("{0} is answered with nothing, where there is something")]
    Nothing(&'static str),
    #[error("{0} is answered with something, where there is nothing")]
    Something(&'static str),
    #[error("the server does not put into inboxes what the data set owes them")]
    Undelivered,
    #[error("{moved} conversations should be listed, and {items} are")]
    Moved { moved: usize, items: usize },
    #[error("conversation {0} is not listed")]
    Missing(ConversationId),
    #[error("conversation {conversation}: {fact} is {answered}, and {written} was written")]
    Differs { conversation: ConversationId, fact: &'static str, written: u64, answered: u64 },
}

/// Writes the data set, and measures.
pub(crate) async fn run(options: &ApiOptions) -> Result<Report, ApiError> {
    let began = Instant::now();
    Host::with_own(options.store, async |host| {
        register(host).await?;
        let write = async |url: &str| Ok::<_, ApiError>(seed::write(url, options.size, options.seed).await?);
        let data = host.restart_after(write).await?;
        measure(host, options, data, began).await
    })
    .await
}

/// The accounts whose passwords are used: the server hashes them.
async fn register(host: &Host) -> Result<(), ApiError> {
    let door = Door::of(host)?;
    for name in [HEAVY, PEER] {
        door.enter(Call::Register(credentials(name))).await?.0.close();
    }
    Ok(())
}

async fn measure(
    host: &Host,
    options: &ApiOptions,
    data: DataSet,
    began: Instant,
) -> Result<Report, ApiError> {
    if let Some(url) = host.store_url() {
        delivered(url).await?;
        seed::analyse(url).await?;
    }
    let seeding_s = began.elapsed().as_secs_f64();
    let ApiOptions { size, seed, repeat, .. } = *options;
    let mut world = World::new(Door::of(host)?, data, seed).await?;
    whole::check(&mut world).await?;
    let mut calls = whole::measure(&mut world, repeat).await?;
    for row in calls::rows() {
        let latencies = row.measure(&mut world, repeat).await?;
        calls.push(Measured::new(row.call, row.what.to_owned(), &latencies));
    }
    Ok(Report { size, seed, repeat, seeding_s, calls })
}

/// Waits until the server has put into inboxes what the data set owes them.
async fn delivered(url: &str) -> Result<(), ApiError> {
    let store = store::open(url, store::Options::default()).await?;
    let end = Instant::now() + DELIVERED_WITHIN;
    while !store.due(1).await?.is_empty() {
        if Instant::now() >= end {
            return Err(ApiError::Undelivered);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    store.close().await;
    Ok(())
}
