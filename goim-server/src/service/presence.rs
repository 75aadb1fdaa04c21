//! Who is there: which devices are connected, written in bulk, and who may know.
//!
//! The truth is in the store, for a user's devices may be connected to any node. A node notes its devices
//! as they come and go and once a minute, all of them together, so that what costs a write is the minute
//! and not the device; whoever is not noted for a while is gone, and so is a node that died.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goim_core::{DeviceId, UserId};
use goim_proto::{
    ErrorCode, Presence, PresenceList, PresenceState, Reply, SessionInfo, UserList, limits::PAGE_LIMIT_MAX,
};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{Answered, Service, failed, refuse};
use crate::access::Connection;
use crate::clock::unix_ms;
use crate::store::{Seen, StoreResult};

/// How often all devices of a node are noted.
const NOTED_EVERY: Duration = Duration::from_secs(60);
/// A device that was not noted for so long is gone: a minute, and half of one for a write that is late.
const STALE_AFTER_MS: u64 = 90_000;
/// From one write of those that came and went to the next.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Devices noted in one statement.
const DEVICES_AT_ONCE: usize = 4_096;

/// The devices of a node that came or went and are to be noted.
#[derive(Debug)]
pub(super) struct Attendance {
    /// This process, to the others.
    node: u64,
    moved: Mutex<HashMap<DeviceId, UserId>>,
    /// Held from the look at who is connected until that is written: a later look is written later.
    turn: tokio::sync::Mutex<()>,
    something: Notify,
}

impl Default for Attendance {
    fn default() -> Self {
        let node = rand::random::<u64>() >> 1;
        Self { node, moved: Mutex::default(), turn: tokio::sync::Mutex::default(), something: Notify::new() }
    }
}

impl Attendance {
    fn take_moved(&self) -> HashMap<DeviceId, UserId> {
        std::mem::take(&mut *self.moved.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// A connection of a device came or went.
    pub(crate) fn device_moved(&self, session: &SessionInfo) {
        let mut moved = self.attendance.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.insert(session.device, session.user);
        drop(moved);
        self.attendance.something.notify_one();
    }

    /// Notes who is connected, for ever.
    pub(crate) async fn note_presence(&self) {
        let mut ticks = interval(NOTED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let all = tokio::select! {
                _ = ticks.tick() => true,
                () = self.attendance.something.notified() => false,
            };
            let next = Instant::now() + WRITE_EVERY;
            complain(if all { self.note_all().await } else { self.note_moved().await });
            sleep_until(next).await;
        }
    }

    async fn note_all(&self) -> StoreResult<()> {
        let _turn = self.attendance.turn.lock().await;
        let sessions = self.hub.sessions();
        let mut devices: Vec<_> = sessions.iter().filter_map(|one| Some(one.session()?.device)).collect();
        devices.sort_unstable();
        devices.dedup();
        self.note(&devices, true).await
    }

    /// Notes those that came or went since the last time: as it is now, in whatever order that was.
    async fn note_moved(&self) -> StoreResult<()> {
        let _turn = self.attendance.turn.lock().await;
        let (mut here, mut gone) = (Vec::new(), Vec::new());
        for (device, user) in self.attendance.take_moved() {
            let side = if self.is_connected(device, user) { &mut here } else { &mut gone };
            side.push(device);
        }
        self.note(&here, true).await?;
        self.note(&gone, false).await
    }

    /// Notes that the sessions of a node that stops have ended; otherwise their users are taken to be here
    /// until that is stale.
    pub(crate) async fn note_gone(&self, ended: &[Arc<Connection>]) {
        ended.iter().filter_map(|one| one.session()).for_each(|session| self.device_moved(session));
        complain(self.note_moved().await);
    }

    fn is_connected(&self, device: DeviceId, user: UserId) -> bool {
        let connections = self.hub.connections_of(user);
        connections.iter().any(|one| one.session().is_some_and(|session| session.device == device))
    }

    async fn note(&self, devices: &[DeviceId], here: bool) -> StoreResult<()> {
        for chunk in devices.chunks(DEVICES_AT_ONCE) {
            let (now_ms, node) = (unix_ms(), self.attendance.node);
            self.store.note_devices(chunk, here, node, now_ms, now_ms.saturating_sub(STALE_AFTER_MS)).await?;
        }
        Ok(())
    }

    /// The user is away from the calling device, or back.
    pub(super) async fn set_presence(&self, session: &SessionInfo, away: bool) -> Answered {
        let turn = self.attendance.turn.lock().await;
        if self.is_connected(session.device, session.user) {
            // There may be no row of it yet.
            self.note(&[session.device], true).await.map_err(failed)?;
        }
        drop(turn);
        self.store.set_away(session.device, away).await.map_err(failed)?;
        Ok(Reply::Done)
    }

    /// Whether users are there, as far as the caller may know.
    pub(super) async fn presences(&self, session: &SessionInfo, list: UserList) -> Answered {
        if list.users.len() > PAGE_LIMIT_MAX as usize {
            return refuse(ErrorCode::TooLarge, "at most 100 users in one call");
        }
        let stale_ms = unix_ms().saturating_sub(STALE_AFTER_MS);
        let seen = self.store.seen(session.user, &list.users, stale_ms).await.map_err(failed)?;
        let seen: HashMap<_, _> = seen.into_iter().map(|seen| (seen.user, seen)).collect();
        let presence = |user: UserId| match seen.get(&user) {
            Some(seen) => Presence { user, state: state(seen), last_seen_ms: seen.last_ms },
            None => Presence { user, ..Presence::default() },
        };
        Ok(Reply::Presences(PresenceList { presences: list.users.into_iter().map(presence).collect() }))
    }
}

fn complain(noted: StoreResult<()>) {
    if let Err(error) = noted {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot note who is there");
    }
}

fn state(seen: &Seen) -> PresenceState {
    match (seen.here, seen.away) {
        (true, false) => PresenceState::Online,
        (true, true) => PresenceState::Away,
        (false, _) => PresenceState::Offline,
    }
}
