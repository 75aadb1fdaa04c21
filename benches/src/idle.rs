//! What a connection costs the server while nothing happens on it.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use goim_client::{Client, Transport};
use serde::Serialize;

use crate::crowd::{Crowd, CrowdError, Token};
use crate::host::{Host, HostError, StoreKind};

/// Members of each group: small ones, of which a server holds many.
const MEMBERS: usize = 10;
/// Groups made, or clients connected, at once.
const AT_ONCE: usize = 16;
/// Memory counts as settled when it has been the same, but for this much, so often in a row.
const SETTLED_BYTES: u64 = 64 << 10;
const SETTLED_LOOKS: u32 = 6;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

/// Measures the server's memory for each idle connection: without a session, with one, and with
/// one whose user is in --conversations groups of ten.
///
/// The server is started anew once the users and groups are there, so that nothing is hidden in
/// memory that their making has left behind.
#[derive(Debug, clap::Args)]
pub(crate) struct IdleOptions {
    /// The store of the server that is started for the run.
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    store: StoreKind,
    /// How many connections of each kind.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    connections: u32,
    /// Groups that each user of the last kind is in.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    conversations: u32,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdleError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Crowd(#[from] CrowdError),
    #[error("the server's memory cannot be read: this needs Linux's /proc")]
    NoMemory,
    #[error("the server's memory changed for {} s on end, with nothing going on", SETTLED_WITHIN.as_secs())]
    Restless,
}

/// Bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    connections: u32,
    conversations: u32,
    server_bytes: u64,
    /// A connection that has said hello and nothing else.
    connected_bytes: u64,
    /// One with a session, whose user has nothing but his inbox.
    authenticated_bytes: u64,
    /// One with a session, whose user is in so many conversations.
    with_conversations_bytes: u64,
}

/// Runs all stages.
pub(crate) async fn run(options: &IdleOptions) -> Result<Idle, IdleError> {
    Host::with_own(options.store, async |host| {
        let (alone, together) = make(host, options).await?;
        host.restart().await?;
        measure(host, options, &alone, &together).await
    })
    .await
}

/// Users who are in no conversation, and users who are in all that they should be.
async fn make(host: &Host, options: &IdleOptions) -> Result<(Vec<Token>, Vec<Token>), CrowdError> {
    let count = options.connections as usize;
    let crowd = Crowd::gather(host).await?;
    let mut alone = crowd.tokens(2 * count).await?;
    let together = alone.split_off(count);
    let groups = (count * options.conversations as usize).div_ceil(MEMBERS);
    let (owner, users) = (&crowd.owner, &together);
    let group = |number: usize| async move {
        let member = |place: usize| users[(number * MEMBERS + place) % users.len()].user;
        let members: Vec<_> = (0..MEMBERS).map(member).collect();
        owner.create_group("idle", &members).await
    };
    stream::iter(0..groups).map(group).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
    crowd.owner.clone().close().await;
    Ok((alone, together))
}

async fn measure(
    host: &Host,
    options: &IdleOptions,
    alone: &[Token],
    together: &[Token],
) -> Result<Idle, IdleError> {
    let transport = Transport::with_fingerprint(host.fingerprint).map_err(CrowdError::from)?;
    let count = options.connections as usize;
    let server_bytes = settled(host).await?;
    let nobody: Vec<Option<&Token>> = vec![None; count];
    let _connected = connect(host, &transport, nobody).await?;
    let connected = settled(host).await?;
    let _alone = connect(host, &transport, alone.iter().map(Some).collect()).await?;
    let authenticated = settled(host).await?;
    let _together = connect(host, &transport, together.iter().map(Some).collect()).await?;
    let with_conversations = settled(host).await?;
    let each = |after: u64, before: u64| after.saturating_sub(before) / u64::from(options.connections);
    Ok(Idle {
        connections: options.connections,
        conversations: options.conversations,
        server_bytes,
        connected_bytes: each(connected, server_bytes),
        authenticated_bytes: each(authenticated, connected),
        with_conversations_bytes: each(with_conversations, authenticated),
    })
}

async fn connect(
    host: &Host,
    transport: &Transport,
    tokens: Vec<Option<&Token>>,
) -> Result<Vec<Client>, CrowdError> {
    let client = |(number, token): (usize, Option<&Token>)| {
        let token = token.map(|token| token.token.clone());
        async move {
            let with = |builder: goim_client::ClientBuilder| match &token {
                Some(token) => builder.token(token),
                None => builder,
            };
            host.connect(transport, number, with).await
        }
    };
    stream::iter(tokens.into_iter().enumerate()).map(client).buffered(AT_ONCE).try_collect().await
}

/// The server's memory, once it does not change any more.
async fn settled(host: &Host) -> Result<u64, IdleError> {
    let (mut last, mut same) = (0, 0);
    let end = Instant::now() + SETTLED_WITHIN;
    while same < SETTLED_LOOKS {
        if Instant::now() >= end {
            return Err(IdleError::Restless);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let bytes = host.rss_bytes().ok_or(IdleError::NoMemory)?;
        same = if bytes.abs_diff(last) <= SETTLED_BYTES { same + 1 } else { 0 };
        last = bytes;
    }
    Ok(last)
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: u64| format!("{}.{} KiB", bytes / 1024, bytes % 1024 * 10 / 1024);
        writeln!(f, "{:<34} {}", "the server alone", kib(self.server_bytes))?;
        writeln!(f, "each of {} connections more", self.connections)?;
        writeln!(f, "{:<34} {}", "  connected", kib(self.connected_bytes))?;
        writeln!(f, "{:<34} {}", "  authenticated", kib(self.authenticated_bytes))?;
        let name = format!("  … with {} conversations", self.conversations);
        writeln!(f, "{name:<34} {}", kib(self.with_conversations_bytes))
    }
}
