//! The search for messages: a `tsvector` for each, and a GIN index over them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sqlx::Transaction;
use sqlx::postgres::{PgConnection, Postgres};

use super::PostgresStore;
use super::turn::Turn;
use crate::store::StoreResult;
use crate::store::indexing::Indexed;
use crate::store::search::Statements;
use crate::store::words::Query;

/// Whether a row has the words.
const HAS_WORDS: &str = "m.words @@ replace($6, '@', to_hex(m.conversation))::tsquery";
/// All rows that have them. Nothing but the index can find these, and nothing shall be tried but that.
const WITH_WORDS: &str = "SELECT m.at, m.conversation, m.seq FROM message_words m WHERE m.words @@ ANY (ARRAY( \
     SELECT replace($6, '@', to_hex(conversation))::tsquery FROM ( \
         SELECT DISTINCT conversation FROM members WHERE user_id = $4 {of}) c))";

static ALL: LazyLock<Statements> = LazyLock::new(|| Statements::new(false, HAS_WORDS, WITH_WORDS));
static ONE: LazyLock<Statements> = LazyLock::new(|| Statements::new(true, HAS_WORDS, WITH_WORDS));

impl PostgresStore {
    pub(super) fn statements(one: bool) -> &'static Statements {
        if one { &ONE } else { &ALL }
    }

    /// The query for rows one by one, and for all; `@` stands for a conversation.
    pub(super) fn in_words(query: &Query) -> (String, String) {
        let mut text = String::new();
        for term in query.terms() {
            let and = if text.is_empty() { "" } else { " & " };
            let goes_on = if term.prefix { ":*" } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{and}'@/{}'{goes_on}", term.word);
        }
        (text.clone(), text)
    }

    pub(super) async fn searching(&self) -> StoreResult<Turn> {
        self.write().await
    }

    pub(super) async fn begin_search<'c>(
        &self,
        turn: &'c mut Turn,
    ) -> Result<Transaction<'c, Postgres>, sqlx::Error> {
        let mut transaction = turn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        // What the planner expects of 2,000 conversations would have it compile the statement, which
        // takes longer than to carry it out, or read the table from end to end.
        sqlx::query(
            "SELECT set_config('statement_timeout', $1, true), set_config('jit', 'off', true), \
             set_config('enable_seqscan', 'off', true)",
        )
        .bind(self.search_timeout.as_millis().to_string())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction)
    }

    /// Claims conversations for this transaction, those that nobody else has claimed.
    pub(super) async fn claim_words(
        connection: &mut PgConnection,
        conversations: &[i64],
    ) -> Result<Vec<i64>, sqlx::Error> {
        // Nobody waits for a flush of what can be made again: it and its offset are lost together.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *connection).await?;
        let claimed: Vec<(i64,)> =
            sqlx::query_as("SELECT id FROM unnest($1::bigint[]) t(id) WHERE pg_try_advisory_xact_lock(id)")
                .bind(conversations)
                .fetch_all(connection)
                .await?;
        Ok(claimed.into_iter().map(|(id,)| id).collect())
    }

    /// A row that is there is as its message is: what changes that takes the row away.
    pub(super) async fn put_words(
        connection: &mut PgConnection,
        indexed: &[Indexed],
    ) -> Result<(), sqlx::Error> {
        if indexed.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Indexed) -> i64| indexed.iter().map(of).collect::<Vec<_>>();
        sqlx::query(
            "INSERT INTO message_words (conversation, seq, at, words) \
             SELECT conversation, seq, at, array_to_tsvector(string_to_array(words, ' ')) \
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) t(conversation, seq, at, words) \
             ON CONFLICT (conversation, seq) DO NOTHING",
        )
        .bind(column(|one| one.conversation))
        .bind(column(|one| one.seq))
        .bind(column(|one| one.at))
        .bind(indexed.iter().map(|one| one.words.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Waits for whoever is indexing the conversation, and lets nobody until this transaction has ended: he
/// then either has put in what is taken out behind this, or reads what this transaction made of it.
pub(super) async fn hold_index(connection: &mut PgConnection, conversation: i64) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(conversation).execute(connection).await?;
    Ok(())
}
