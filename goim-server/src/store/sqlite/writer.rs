use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::open::epoch_of;
use crate::store::{EpochGate, StoreResult};

/// The one writing connection.
///
/// SQLite has one writer at a time. Its own way to wait for it is to sleep and try again, so
/// everybody here who writes takes turns on one connection instead.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    slot: Arc<Mutex<Slot>>,
    gate: Arc<EpochGate>,
}

#[derive(Debug)]
pub(super) struct Slot {
    connection: SqliteConnection,
    options: SqliteConnectOptions,
    /// Its last statement may or may not have been carried out.
    in_doubt: bool,
}

/// A turn; it ends when this is dropped.
pub(super) type Turn = OwnedMappedMutexGuard<Slot, SqliteConnection>;

impl Writer {
    pub(super) fn new(
        connection: SqliteConnection,
        options: SqliteConnectOptions,
        gate: Arc<EpochGate>,
    ) -> Self {
        Self { slot: Arc::new(Mutex::new(Slot { connection, options, in_doubt: false })), gate }
    }

    /// Waits for a turn. A connection that is not sound any longer is replaced.
    pub(super) async fn turn(&self) -> StoreResult<Turn> {
        let mut slot = Arc::clone(&self.slot).lock_owned().await;
        slot.make_sound(&self.gate).await?;
        self.gate.check()?;
        Ok(OwnedMutexGuard::map(slot, |slot| &mut slot.connection))
    }

    /// Has the connection replaced before the next turn.
    pub(super) async fn doubt(&self) {
        self.slot.lock().await.in_doubt = true;
    }
}

impl Slot {
    async fn make_sound(&mut self, gate: &EpochGate) -> StoreResult<()> {
        if !self.in_doubt && !self.connection.is_in_transaction() {
            return Ok(());
        }
        // Whoever dropped a transaction has only asked for its rollback; a ping comes behind that.
        let answers = self.connection.ping().await.is_ok();
        if answers && !self.in_doubt && !self.connection.is_in_transaction() {
            return Ok(());
        }
        // SQLite rolls back by itself when it runs out of room or fails to read or write, and then
        // refuses the rollback that follows: the connection counts a transaction that is none.
        let mut connection = self.options.connect().await?;
        gate.saw(epoch_of(&mut connection).await?)?;
        self.connection = connection;
        self.in_doubt = false;
        Ok(())
    }
}
