use goim_core::lane::AppendResult;
use sqlx::error::ErrorKind;

/// What a store can answer with instead of what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The caller is not, and never was, a member of the conversation.
    #[error("not a member of this conversation")]
    NotMember,
    /// The user would have more of this than he may; nothing was done.
    #[error("there would be more of this than a user may have")]
    TooMany,
    /// The store is set not to flush, so an acknowledged message could be lost.
    #[error(
        "the store has {setting} off, so acknowledged messages could be lost; turn it on, or set unsafe_store_allowed"
    )]
    NotDurable {
        /// Which setting.
        setting: &'static str,
    },
    /// The path names what SQLite keeps in memory, or drops with the connection.
    #[error("an SQLite store is a file; give its path as sqlite:PATH")]
    NoFile,
    /// The URL names no store that this server knows.
    #[error("the store {0:?} is not understood; give sqlite:PATH or postgres://USER@HOST/DATABASE")]
    BadUrl(String),
    /// The schema could not be brought up to date.
    #[error("the store's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The store has no room.
    #[error("the store has no room left; free disk space or raise its limit")]
    Full(#[source] sqlx::Error),
    /// The store went back, and this node has not started anew yet.
    #[error("the store went back; this node starts anew")]
    WentBack,
    /// The store cannot be reached, or did not answer in time.
    #[error("the store did not answer; is it running and reachable?")]
    Unavailable(#[source] sqlx::Error),
    /// What was asked for takes too long, and would again.
    #[error("the store was asked for too much at once")]
    TookTooLong(#[source] sqlx::Error),
    /// The store refused a statement.
    #[error("the store refused a statement")]
    Query(#[source] sqlx::Error),
}

/// The result of asking a store.
pub type StoreResult<T> = Result<T, StoreError>;

/// What a failed statement means, by class, never by the words of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A unique index holds the row already.
    Duplicate,
    /// The data cannot be stored.
    Data,
    /// Nothing was written; it may go through if repeated.
    Conflict,
    /// No room.
    Full,
    /// The connection is gone, or may be.
    Lost,
    /// Nobody was asked.
    Down,
    /// Anything else: a mistake of ours.
    Other,
}

pub(super) fn classify(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(database) => {
            let kind = database.kind();
            let code = database.code();
            match (kind, code.as_deref().unwrap_or_default()) {
                (ErrorKind::UniqueViolation, _) => Fault::Duplicate,
                (
                    ErrorKind::CheckViolation | ErrorKind::NotNullViolation | ErrorKind::ForeignKeyViolation,
                    _,
                ) => Fault::Data,
                (_, code) if code.len() == 5 => sqlstate(code),
                (_, code) => sqlite_code(code),
            }
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Fault::Down,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            Fault::Lost
        }
        _ => Fault::Other,
    }
}

/// PostgreSQL's error classes (Appendix A of its manual).
fn sqlstate(code: &str) -> Fault {
    match code {
        // Deadlock, serialisation failure, lock not available, statement cancelled by timeout.
        "40P01" | "40001" | "55P03" | "57014" => Fault::Conflict,
        "53100" => Fault::Full,
        _ => match &code[..2] {
            "22" | "23" | "54" => Fault::Data,
            "53" => Fault::Down,
            // Operator intervention, system error, internal error, connection exception: the
            // backend may have died on either side of its commit.
            "57" | "58" | "XX" | "08" => Fault::Lost,
            _ => Fault::Other,
        },
    }
}

/// SQLite's primary result codes, the low byte of the extended ones.
fn sqlite_code(code: &str) -> Fault {
    match code.parse::<u32>().unwrap_or(0) & 0xff {
        5 | 6 => Fault::Conflict,
        13 => Fault::Full,
        18..=20 => Fault::Data,
        8 => Fault::Down,
        7 | 10 | 11 | 14 | 26 => Fault::Lost,
        _ => Fault::Other,
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match classify(&error) {
            Fault::Full => Self::Full(error),
            Fault::Lost | Fault::Down | Fault::Conflict => Self::Unavailable(error),
            Fault::Duplicate | Fault::Data | Fault::Other => Self::Query(error),
        }
    }
}

impl StoreError {
    /// What a failed search means: its time has a bound of its own.
    pub(super) fn of_search(self) -> Self {
        match self {
            Self::Unavailable(error) | Self::Query(error) if ran_out(&error) => Self::TookTooLong(error),
            other => other,
        }
    }
}

/// Whether a statement was ended for its time.
fn ran_out(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // PostgreSQL's "statement cancelled", and SQLite's "interrupted".
    matches!(code.as_deref(), Some("57014" | "9"))
}

/// What a failed append means to the lane.
pub(super) fn append_fault(error: &sqlx::Error) -> AppendResult {
    match classify(error) {
        Fault::Duplicate => AppendResult::Duplicate,
        Fault::Data => AppendResult::Data,
        Fault::Conflict => AppendResult::Conflict,
        Fault::Full => AppendResult::Full,
        Fault::Down => AppendResult::Down,
        // In doubt is always safe: everything is looked up again.
        Fault::Lost | Fault::Other => AppendResult::InDoubt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_died_leaves_the_append_in_doubt() {
        for code in ["57P01", "57P02", "08006", "XX000", "58030"] {
            assert_eq!(sqlstate(code), Fault::Lost, "{code}");
        }
        assert_eq!(sqlstate("40P01"), Fault::Conflict);
        assert_eq!(sqlstate("53100"), Fault::Full);
        assert_eq!(sqlstate("22021"), Fault::Data);
    }

    #[test]
    fn extended_codes_of_sqlite_fall_into_their_class() {
        assert_eq!(sqlite_code("13"), Fault::Full);
        assert_eq!(sqlite_code("517"), Fault::Conflict);
        assert_eq!(sqlite_code("778"), Fault::Lost);
    }
}
