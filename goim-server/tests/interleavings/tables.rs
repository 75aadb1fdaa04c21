//! A way into the tables: where a database is, what it holds at one moment, what it holds at last.

use std::collections::BTreeMap;

use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_proto::Role;
use goim_server::store::StoredEntry;
use sqlx::{AssertSqlSafe, Row as _};

use crate::backend::{Backend, Raw};

impl Backend {
    /// Where PostgreSQL listens, if that is the store.
    pub(crate) fn address(&self) -> Option<(String, u16)> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Postgres { server, .. } => Some((server.get_host().to_owned(), server.get_port())),
        }
    }

    /// The URL by which the same database is reached through a port of this machine.
    pub(crate) fn url_through(&self, port: u16) -> String {
        let url = self.url();
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (authority, path) = rest.split_once('/').expect("a database in the URL");
        let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{scheme}://{user}127.0.0.1:{port}/{path}")
    }
}

impl Raw {
    /// The rows that a statement selects, of columns that are all big integers.
    pub(crate) async fn numbers(&self, sql: &str) -> Vec<Vec<i64>> {
        let sql = AssertSqlSafe(sql.to_owned());
        macro_rules! rows {
            ($pool:expr) => {
                sqlx::query(sql)
                    .fetch_all($pool)
                    .await
                    .expect("rows of numbers")
                    .into_iter()
                    .map(|row| (0..row.len()).map(|column| row.get(column)).collect())
                    .collect()
            };
        }
        match self {
            Self::Sqlite(pool) => rows!(pool),
            Self::Postgres(pool) => rows!(pool),
        }
    }
}

/// Empties the tables, so that what a seed does depends on no seed before it.
pub(crate) async fn clear(backend: &Backend, raw: &Raw) {
    const TABLES: [&str; 11] = [
        "due",
        "read_markers",
        "offsets",
        "members",
        "messages",
        "direct_chats",
        "conversations",
        "bot_tokens",
        "refresh_tokens",
        "devices",
        "users",
    ];
    let delete = TABLES.map(|table| format!("DELETE FROM {table};")).concat();
    // (To truncate would make new files, which takes a hundred times as long.)
    let restart = if backend.is_postgres() {
        const IDS: [&str; 4] = ["users", "devices", "conversations", "due"];
        IDS.map(|table| format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false);")).concat()
    } else {
        String::from("DELETE FROM sqlite_sequence;")
    };
    raw.execute(&format!("BEGIN; {delete} {restart} COMMIT")).await;
}

/// A log at one moment, as one statement saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glimpse {
    pub(crate) head: Seq,
    /// Of the rows that are there: the lowest and the highest seq, and how many. 0 for none.
    pub(crate) lowest: Seq,
    pub(crate) highest: Seq,
    pub(crate) rows: u64,
}

/// What one statement saw of everything.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) step: u64,
    pub(crate) logs: BTreeMap<ConversationId, Glimpse>,
    pub(crate) offsets: BTreeMap<(DeviceId, ConversationId), Seq>,
    pub(crate) markers: BTreeMap<(UserId, ConversationId), Seq>,
}

fn list<T: ToString>(ids: &[T]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn seq(column: i64) -> Seq {
    Seq::from_i64(column)
}

/// Looks at logs, and at the positions of readers in them, in one statement.
pub(crate) async fn snapshot(raw: &Raw, step: u64, conversations: &[ConversationId]) -> Snapshot {
    let ids = list(conversations);
    let sql = format!(
        "SELECT CAST(0 AS bigint), c.id, c.head, COALESCE(min(m.seq), 0), COALESCE(max(m.seq), 0), count(m.seq) \
         FROM conversations c LEFT JOIN messages m ON m.conversation = c.id WHERE c.id IN ({ids}) \
         GROUP BY c.id, c.head \
         UNION ALL SELECT 1, device, conversation, seq, 0, 0 FROM offsets WHERE conversation IN ({ids}) \
         UNION ALL SELECT 2, user_id, conversation, seq, 0, 0 FROM read_markers WHERE conversation IN ({ids})"
    );
    let mut snapshot = Snapshot { step, ..Snapshot::default() };
    for row in raw.numbers(&sql).await {
        let [what, a, b, c, d, e] = row[..] else { panic!("six columns") };
        let of = ConversationId::from_i64(b);
        match what {
            0 => {
                let (head, lowest, highest) = (seq(b), seq(c), seq(d));
                let glimpse = Glimpse { head, lowest, highest, rows: e.unsigned_abs() };
                snapshot.logs.insert(ConversationId::from_i64(a), glimpse);
            }
            1 => drop(snapshot.offsets.insert((DeviceId::from_i64(a), of), seq(c))),
            _ => drop(snapshot.markers.insert((UserId::from_i64(a), of), seq(c))),
        }
    }
    snapshot
}

/// A membership, as its table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemberRow {
    pub(crate) user: UserId,
    pub(crate) from: Seq,
    pub(crate) until: Option<Seq>,
}

/// What the tables hold when all is over.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) logs: BTreeMap<ConversationId, Vec<StoredEntry>>,
    pub(crate) heads: BTreeMap<ConversationId, Seq>,
    pub(crate) members: BTreeMap<ConversationId, Vec<MemberRow>>,
    /// The roles of those who are in.
    pub(crate) roles: BTreeMap<(ConversationId, UserId), Role>,
    pub(crate) last: Snapshot,
    /// Entries that inboxes are still owed.
    pub(crate) due: i64,
    /// Direct chats that no pair has.
    pub(crate) stray_chats: i64,
}

pub(crate) async fn tables(raw: &Raw, conversations: &[ConversationId]) -> Tables {
    let mut tables = Tables { last: snapshot(raw, u64::MAX, conversations).await, ..Tables::default() };
    for conversation in conversations {
        tables.logs.insert(*conversation, raw.entries(*conversation).await);
        tables.heads.insert(*conversation, raw.head(*conversation).await);
    }
    let sql = format!(
        "SELECT conversation, user_id, from_seq, COALESCE(until_seq, -1), CAST(role AS bigint) FROM members \
         WHERE conversation IN ({}) ORDER BY conversation, user_id, from_seq",
        list(conversations)
    );
    for row in raw.numbers(&sql).await {
        let [conversation, user, from, until, role] = row[..] else { panic!("five columns") };
        let (conversation, user) = (ConversationId::from_i64(conversation), UserId::from_i64(user));
        let until = (until >= 0).then(|| seq(until));
        tables.members.entry(conversation).or_default().push(MemberRow { user, from: seq(from), until });
        if until.is_none() {
            tables.roles.insert((conversation, user), Role::from_code(role.unsigned_abs()));
        }
    }
    tables.due = raw.number("SELECT count(*) FROM due").await;
    tables.stray_chats = raw
        .number(
            "SELECT count(*) FROM conversations WHERE kind = 1 \
             AND id NOT IN (SELECT conversation FROM direct_chats)",
        )
        .await;
    tables
}
