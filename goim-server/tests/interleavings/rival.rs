//! A connection that knows nothing of the store's rules for connections: it locks, writes, and
//! makes up its mind late.

use goim_core::{ClientMsgId, ConversationId, Seq, UserId};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::backend::Backend;

/// A rival's own connection.
pub(crate) enum RivalConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// What a rival does under the lock of a conversation.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// Holds it, and that is all.
    Hold,
    /// Makes an admin a member, or a member an admin, of which no entry says anything: that is what
    /// `rev` is for.
    Rerole { user: UserId },
    /// Appends a message, as a committer of another make would.
    Append { sender: UserId, client_msg_id: ClientMsgId, at_ms: u64, body: Vec<u8> },
    /// Removes old entries, as retention does.
    Erase { through: Seq },
}

impl RivalConnection {
    pub(crate) async fn connect(backend: &Backend, url: &str) -> Self {
        if backend.is_postgres() {
            Self::Postgres(PgConnection::connect(url).await.expect("PostgreSQL answers"))
        } else {
            Self::Sqlite(SqliteConnection::connect(url).await.expect("the file opens"))
        }
    }

    async fn execute(&mut self, sql: String) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(|_| ()),
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(|_| ()),
        }
    }

    /// Head and count, locked.
    async fn lock(&mut self, conversation: ConversationId) -> Result<(Seq, u64), sqlx::Error> {
        let sql = format!("SELECT head, count FROM conversations WHERE id = {conversation}");
        let (head, count): (i64, i64) = match self {
            Self::Postgres(connection) => {
                sqlx::query_as(AssertSqlSafe(sql + " FOR UPDATE")).fetch_one(connection).await?
            }
            Self::Sqlite(connection) => sqlx::query_as(AssertSqlSafe(sql)).fetch_one(connection).await?,
        };
        Ok((Seq::from_i64(head), count.unsigned_abs()))
    }

    /// Locks a conversation, does the deed, and commits it or takes it back. Returns the head and
    /// the count that it saw under the lock.
    pub(crate) async fn act(
        &mut self,
        conversation: ConversationId,
        deed: &Deed,
        commit: bool,
    ) -> Result<(Seq, u64), sqlx::Error> {
        let begin = if matches!(self, Self::Postgres(_)) { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.execute(begin.to_owned()).await?;
        let under_lock = self.lock(conversation).await?;
        match deed {
            Deed::Hold => {}
            Deed::Rerole { user } => {
                self.execute(format!(
                    "UPDATE members SET role = 5 - role \
                     WHERE conversation = {conversation} AND user_id = {user} AND until_seq IS NULL"
                ))
                .await?;
                self.execute(format!("UPDATE conversations SET rev = rev + 1 WHERE id = {conversation}"))
                    .await?;
            }
            Deed::Append { sender, client_msg_id, at_ms, body } => {
                let (id, body) = self.literals(*client_msg_id, body);
                self.execute(format!(
                    "INSERT INTO messages (conversation, seq, sender, client_msg_id, kind, count, at, body) \
                     SELECT id, head + 1, {sender}, {id}, 1, count + 1, {at_ms}, {body} FROM conversations \
                     WHERE id = {conversation}"
                ))
                .await?;
                self.execute(format!(
                    "UPDATE conversations SET head = head + 1, count = count + 1, last_at = {at_ms} \
                     WHERE id = {conversation}"
                ))
                .await?;
            }
            Deed::Erase { through } => {
                self.execute(format!(
                    "DELETE FROM messages WHERE conversation = {conversation} AND seq <= {through}"
                ))
                .await?;
            }
        }
        self.execute(if commit { "COMMIT" } else { "ROLLBACK" }.to_owned()).await?;
        Ok(under_lock)
    }

    fn literals(&self, id: ClientMsgId, body: &[u8]) -> (String, String) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Postgres(_) => (format!("'{}'", id.as_uuid()), format!("'\\x{}'::bytea", hex(body))),
            Self::Sqlite(_) => (format!("x'{}'", hex(id.as_uuid().as_bytes())), format!("x'{}'", hex(body))),
        }
    }
}
