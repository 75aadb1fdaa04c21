//! A data set as a server has it after a while.
//!
//! It is written by the store's own code, in the statements that a server sends: so heads, counts,
//! ranges, markers and what else depends on one another are right by the same means. The server then
//! delivers itself what it finds due to inboxes.

mod chats;
mod people;
mod stream;

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream as futures};
use goim_client::UserId;
use goim_core::lane::AppendResult;
use goim_server::store::{self, OpenLimit, Store, StoreError, StoreResult};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

pub(super) use chats::{Chat, Stay};
pub(super) use people::People;

/// Writes at once: the connections that a server has for them.
const AT_ONCE: usize = 8;
/// Conversations that are indexed at once.
const INDEXED_AT_ONCE: usize = 64;
/// From the data set's first entry to now.
const PAST_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// Requests and applications are as many as the data set shall have.
const ANY_NUMBER: OpenLimit = OpenLimit { most: u64::MAX, after_ms: 0 };

/// How much.
#[derive(Debug, Clone, Copy, Serialize, clap::Args)]
pub(crate) struct Size {
    /// Messages of all conversations together.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    pub(crate) messages: u32,
    /// Users.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) users: u32,
    /// Conversations of one of them; the others have as many among themselves.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(50..=9_000))]
    pub(crate) conversations: u32,
}

/// What can go wrong while it is written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeedError {
    #[error("the store refused something")]
    Store(#[from] StoreError),
    #[error("the store did not append: {0:?}")]
    NotAppended(AppendResult),
    #[error("the store refused a statement")]
    Statement(#[from] sqlx::Error),
    #[error("the account of the one who has it all is not there")]
    NoHeavy,
}

/// Who and what is there.
pub(crate) struct DataSet {
    pub(crate) people: People,
    /// Conversations of the heavy user, his inbox not among them.
    pub(crate) mine: Vec<Chat>,
    /// Groups of his peer that are open, or let in who applies. He is in none of them.
    pub(crate) clubs: Vec<Chat>,
}

/// Writes it into an empty store, in which the heavy user and his peer have registered.
pub(super) async fn write(url: &str, size: Size, seed: u64) -> Result<DataSet, SeedError> {
    let url = unflushed(url);
    let store =
        store::open(&url, store::Options { unsafe_allowed: true, ..store::Options::default() }).await?;
    let mut random = StdRng::seed_from_u64(seed);
    let now_ms = now_ms();
    let people = people::write(&store, size, &mut random, now_ms - PAST_MS).await?;
    let all = chats::plan(size, &people, &mut random);
    let all = chats::open(&store, all, now_ms - PAST_MS).await?;
    let mut all = stream::write(&store, size, &people, all, &mut random, now_ms).await?;
    chats::afterwards(&store, &people, &mut all, &mut random, now_ms).await?;
    index(&store, &all).await?;
    store.close().await;
    let (mut mine, rest): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|chat| chat.place == chats::Place::Mine);
    mine.sort_unstable_by_key(|chat| chat.id);
    let clubs = rest.into_iter().filter(|chat| chat.place == chats::Place::Club).collect();
    Ok(DataSet { people, mine, clubs })
}

/// Has all messages indexed, as they are a second after they came.
async fn index(store: &Shared, all: &[Chat]) -> StoreResult<()> {
    let ids: Vec<_> = all.iter().map(|chat| chat.id).collect();
    for some in ids.chunks(INDEXED_AT_ONCE) {
        let mut left = some.to_vec();
        while !left.is_empty() {
            left = store.index(&left).await?;
        }
    }
    Ok(())
}

/// Tells Postgres what it will find out by itself within a minute or so: sizes, distributions, and which
/// pages everybody sees. SQLite finds out nothing, as under a server.
pub(super) async fn analyse(url: &str) -> Result<(), SeedError> {
    use sqlx::Connection;
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let tables: Vec<(String,)> =
        sqlx::query_as("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
            .fetch_all(&mut connection)
            .await?;
    for (table,) in tables {
        // A name of the server's own schema.
        let sql = sqlx::AssertSqlSafe(format!("VACUUM ANALYZE {table}"));
        sqlx::raw_sql(sql).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Postgres flushes what is written here with everything else, not commit by commit.
fn unflushed(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options[synchronous_commit]=off")
}

pub(super) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}

/// Does the same to each, some of them at once.
async fn each<I, T, F: Future<Output = StoreResult<T>>>(
    items: impl IntoIterator<Item = I>,
    write: impl Fn(I) -> F,
) -> StoreResult<Vec<T>> {
    futures::iter(items).map(write).buffered(AT_ONCE).try_collect().await
}

/// Whoever opens a store has it shared.
type Shared = Arc<dyn Store>;

/// One of them.
pub(super) fn any<T: Copy>(random: &mut StdRng, of: &[T]) -> T {
    use rand::RngExt;
    of[random.random_range(0..of.len())]
}

/// Some of them, each once, in any order.
pub(super) fn some(random: &mut StdRng, of: &[UserId], count: usize) -> Vec<UserId> {
    rand::seq::index::sample(random, of.len(), count.min(of.len())).into_iter().map(|at| of[at]).collect()
}
