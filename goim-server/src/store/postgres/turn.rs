use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{Connection, Transaction};

/// A connection of the pool, for somebody who writes.
///
/// Whoever calls may go away at any moment, with the future of his call. If that is while `BEGIN`
/// is on its way, sqlx does not know yet that there is a transaction and rolls nothing back: the
/// pool would hand the connection to the next one, whose writes would never be committed. Such a
/// connection is closed instead.
pub(super) struct Turn {
    connection: PoolConnection<Postgres>,
    in_doubt: bool,
}

impl Turn {
    pub(super) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self { connection, in_doubt: false }
    }

    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
        self.begin_with("BEGIN").await
    }

    pub(super) async fn begin_with(
        &mut self,
        begin: &'static str,
    ) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
        let Self { connection, in_doubt } = self;
        *in_doubt = true;
        let begun = connection.begin_with(begin).await?;
        *in_doubt = false;
        Ok(begun)
    }
}

impl Deref for Turn {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.in_doubt {
            self.connection.close_on_drop();
        }
    }
}
