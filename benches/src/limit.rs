//! The honest limit of a store: a bare loop that does nothing but write rows.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use goim_client::ClientMsgId;
use goim_server::store;
use rand::RngExt;
use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use crate::host::{HostError, Place, StoreKind, until_interrupted};
use crate::latency::{Latencies, Percentiles, per_s};

/// Conversations that they are spread over, as those of 200 users in pairs.
const CONVERSATIONS: usize = 100;
const BODY_BYTES: usize = 100;
/// The batches before the clock is started.
const WARM_UP: Duration = Duration::from_millis(500);

/// Measures a bare loop of prepared inserts: one connection, flushed, the server's own schema with its
/// indexes and partitions, 100-byte bodies, UUIDv7 ids. What it takes to make the rows is not measured.
#[derive(Debug, clap::Args)]
pub(crate) struct LimitOptions {
    /// Which store.
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    store: StoreKind,
    /// How long to measure.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Rows in one commit. A lane of the server, with more to do than it can, commits 2,048; SQLite takes a
    /// statement of 4,095 at most.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=4_095))]
    rows: u32,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the store cannot be opened")]
    Open(#[from] store::StoreError),
    #[error("the store refused a statement")]
    Statement(#[from] sqlx::Error),
    #[error("no commit ended within the measured time")]
    Nothing,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Limit {
    rows_per_s: f64,
    commit_ms: Percentiles,
    rows: u64,
    rows_a_commit: u32,
    /// Of commits alone.
    seconds: f64,
    statement: String,
}

/// One commit's rows, column by column.
struct Rows {
    conversation: Vec<i64>,
    seq: Vec<i64>,
    sender: Vec<i64>,
    client_msg_id: Vec<Uuid>,
    kind: Vec<i16>,
    count: Vec<i64>,
    at: Vec<i64>,
    body: Vec<Vec<u8>>,
}

/// Runs the loop on an empty store, which is removed afterwards.
pub(crate) async fn run(options: &LimitOptions) -> Result<Limit, LimitError> {
    Place::with(options.store, async |place| {
        until_interrupted(async {
            // Makes the schema.
            store::open(&place.url, store::Options::default()).await?.close().await;
            let mut writer = Writer::connect(options, &place.url).await?;
            let measured = measure(&mut writer, options).await;
            let closed = writer.close().await;
            let measured = measured?;
            closed?;
            Ok(measured)
        })
        .await
    })
    .await
}

async fn measure(writer: &mut Writer, options: &LimitOptions) -> Result<Limit, LimitError> {
    let body: Vec<u8> = rand::rng().random_iter().take(BODY_BYTES).collect();
    let mut heads = vec![0; CONVERSATIONS];
    let (mut commits, mut rows, mut took) = (Latencies::default(), 0, Duration::ZERO);
    let start = Instant::now();
    let end = start + WARM_UP + Duration::from_secs(options.seconds);
    while Instant::now() < end {
        let batch = Rows::next(&mut heads, &body, options.rows as usize);
        let before = Instant::now();
        writer.commit(batch).await?;
        if before >= start + WARM_UP {
            let commit = before.elapsed();
            commits.record(u64::try_from(commit.as_micros()).unwrap_or(u64::MAX));
            rows += u64::from(options.rows);
            took += commit;
        }
    }
    let commit_ms = commits.percentiles().ok_or(LimitError::Nothing)?;
    let (seconds, statement) = (took.as_secs_f64(), writer.statement());
    let rows_a_commit = options.rows;
    Ok(Limit { rows_per_s: per_s(rows, seconds), commit_ms, rows, rows_a_commit, seconds, statement })
}

impl Rows {
    /// As many rows as a commit has, in turn for each conversation.
    fn next(heads: &mut [i64], body: &[u8], rows: usize) -> Self {
        let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now_ms.as_millis()).unwrap_or(0);
        let mut rng = rand::rng();
        let places: Vec<usize> = (0..rows).map(|row| row % heads.len()).collect();
        let number = |place: &usize| i64::try_from(*place).unwrap_or(0) + 1;
        let next = |place: &usize| {
            heads[*place] += 1;
            heads[*place]
        };
        let seq: Vec<i64> = places.iter().map(next).collect();
        Self {
            conversation: places.iter().map(number).collect(),
            sender: places.iter().map(number).collect(),
            client_msg_id: places
                .iter()
                .map(|_| *ClientMsgId::mint(now_ms, &rng.random()).as_uuid())
                .collect(),
            kind: vec![1; rows],
            count: seq.clone(),
            at: vec![i64::try_from(now_ms).unwrap_or(0); rows],
            body: vec![body.to_vec(); rows],
            seq,
        }
    }
}

/// The one connection.
enum Writer {
    Sqlite(SqliteConnection, String),
    Postgres(PgConnection),
}

/// What both statements begin with.
macro_rules! insert {
    ($rows:literal) => {
        concat!(
            "INSERT INTO messages (conversation, seq, sender, client_msg_id, kind, count, at, body) ",
            $rows
        )
    };
}

const UNNEST: &str = insert!(
    "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::smallint[], \
     $6::bigint[], $7::bigint[], $8::bytea[])"
);
/// With one row; there are as many as a commit has.
const VALUES: &str = insert!("VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
const ANOTHER_ROW: &str = ", (?, ?, ?, ?, ?, ?, ?, ?)";

impl Writer {
    async fn connect(options: &LimitOptions, url: &str) -> Result<Self, LimitError> {
        match options.store {
            StoreKind::Postgres => Ok(Self::Postgres(PgConnectOptions::from_str(url)?.connect().await?)),
            StoreKind::Sqlite => {
                let path = url.strip_prefix("sqlite:").unwrap_or(url);
                Ok(Self::Sqlite(
                    store::sqlite_options(path).connect().await?,
                    format!("{VALUES}{}", ANOTHER_ROW.repeat(options.rows as usize - 1)),
                ))
            }
        }
    }

    fn statement(&self) -> String {
        match self {
            Self::Sqlite(..) => format!("{VALUES}, …"),
            Self::Postgres(_) => UNNEST.to_owned(),
        }
    }

    async fn commit(&mut self, rows: Rows) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(connection) => {
                sqlx::query(UNNEST)
                    .bind(rows.conversation)
                    .bind(rows.seq)
                    .bind(rows.sender)
                    .bind(rows.client_msg_id)
                    .bind(rows.kind)
                    .bind(rows.count)
                    .bind(rows.at)
                    .bind(rows.body)
                    .execute(connection)
                    .await?;
            }
            Self::Sqlite(connection, sql) => {
                // Made here, of constants.
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
                for (row, body) in rows.body.into_iter().enumerate() {
                    query = query
                        .bind(rows.conversation[row])
                        .bind(rows.seq[row])
                        .bind(rows.sender[row])
                        .bind(rows.client_msg_id[row])
                        .bind(rows.kind[row])
                        .bind(rows.count[row])
                        .bind(rows.at[row])
                        .bind(body);
                }
                query.execute(connection).await?;
            }
        }
        Ok(())
    }

    async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection, _) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; {} rows a commit", self.statement, self.rows_a_commit)?;
        writeln!(f, "{:<22} {} in {:.2} s ({:.0}/s)", "rows", self.rows, self.seconds, self.rows_per_s)?;
        writeln!(f, "{:<22} {}", "", Percentiles::header())?;
        writeln!(f, "{:<22} {}", "commit ms", self.commit_ms.row())
    }
}
