//! What every call works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goim_core::{ConversationId, DeviceId, Epoch, UserId};
use goim_proto::{Error, ErrorCode, PROTOCOL_VERSION, SessionInfo, Welcome};

use tokio::sync::Notify;

use super::logins::Logins;
use super::offsets::Offsets;
use super::once::Pace;
use super::presence::Attendance;
use super::profile_news::ProfileNews;
use super::search::Searches;
use super::sequences::Sequences;
use super::{News, Offers, Passwords, Ticket, Tokens, refuse};
use crate::access::{Allowance, Buckets, Budget, Connection, Ending, Hub, Outgoing};
use crate::clock::{Clock, unix_ms};
use crate::commit::Committer;
use crate::config::{Config, Limits};
use crate::external::Issuer;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::uploads::{Slots, Storage};

/// When clients come back after the store went back, in milliseconds.
const EPOCH_RETRY_MS: u64 = 100;

/// The rules of one node over its store, its lanes and its hub.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: Committer<Ticket>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) offsets: Arc<Offsets>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) budget: Arc<Budget>,
    pub(super) passwords: Passwords,
    pub(super) tokens: Tokens,
    pub(super) logins: Logins,
    /// Whose word is taken for who somebody is.
    pub(super) issuer: Option<Issuer>,
    pub(super) pace: Pace,
    /// Devices that told of their typing, each with where.
    pub(super) typists: Buckets<(DeviceId, ConversationId)>,
    pub(super) attendance: Attendance,
    pub(super) profile_news: ProfileNews,
    pub(super) sequences: Arc<Sequences>,
    pub(super) searches: Searches,
    pub(super) news: Arc<News>,
    pub(super) storage: Storage,
    pub(super) slots: Arc<Slots>,
    /// Something was committed that owes an entry to inboxes.
    pub(super) due_now: Notify,
    stopping: AtomicBool,
}

/// What a [`Service`] is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) storage: Storage,
    pub(crate) committer: Committer<Ticket>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) news: Arc<News>,
    pub(crate) tokens: Tokens,
    pub(crate) issuer: Option<Issuer>,
}

impl Service {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, clock, store, storage, committer, hub, metrics, news, tokens, issuer } = parts;
        let limits = config.limits.clone();
        let slots = Slots::new(config.uploads.at_once_max, config.uploads.user_at_once_max);
        let passwords = Passwords::new(limits.password_hashes_max);
        let budget = Arc::new(Budget::new(limits.node_send_bytes_in_flight_max));
        let logins = Logins::new(&limits);
        let pace = Pace::new(&limits);
        let typists = Buckets::new(Allowance::TYPING);
        let searches = Searches::new(&limits);
        let offsets = Arc::default();
        let sequences = Arc::new(Sequences::new(Arc::clone(&store), &limits));
        Self {
            config,
            limits,
            clock,
            store,
            committer,
            hub,
            offsets,
            metrics,
            budget,
            passwords,
            tokens,
            logins,
            issuer,
            pace,
            typists,
            attendance: Attendance::default(),
            profile_news: ProfileNews::default(),
            sequences,
            searches,
            news,
            storage,
            slots,
            stopping: AtomicBool::new(false),
            due_now: Notify::new(),
        }
    }

    /// The epoch that new connections live in.
    pub(crate) fn epoch(&self) -> Epoch {
        self.hub.epoch()
    }

    /// The answer to a connection's `Hello` without a session.
    pub(crate) fn welcome(&self, connection: &Connection) -> Welcome {
        Welcome {
            version: PROTOCOL_VERSION,
            server_time_ms: unix_ms(),
            epoch: connection.epoch(),
            in_flight_bytes_max: self.limits.send_bytes_in_flight_max as u64,
            session: None,
            refused: None,
        }
    }

    /// Who a connection speaks for.
    pub(crate) fn session_of(&self, connection: &Connection) -> Result<SessionInfo, Error> {
        match connection.session() {
            Some(session) if connection.expires_ms() > unix_ms() => Ok(session.clone()),
            Some(_) => refuse(ErrorCode::BadToken, "the session has ended; authenticate again"),
            None => refuse(ErrorCode::Unauthenticated, "authenticate first"),
        }
    }

    /// Measures what is held for clients now.
    pub(crate) fn measure(&self) {
        let answers = self.hub.sessions().iter().map(|connection| connection.answer_bytes()).sum();
        self.metrics.answer_bytes_held.set(answers);
        self.metrics.send_bytes_held.set(self.budget.bytes());
        self.metrics.entry_bytes_held.set(self.hub.entry_bytes());
    }

    /// Takes no sends any more: the lanes are about to end.
    pub(crate) fn stop_sends(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Refuses a send for now if the server is stopping.
    pub(crate) fn check_takes_sends(&self) -> Result<(), Error> {
        if self.stopping.load(Ordering::Acquire) {
            return refuse(ErrorCode::Unavailable, "the server is stopping; send again to another, or later");
        }
        Ok(())
    }

    /// Hands entries to their lanes; those that a full lane does not take are left.
    pub(crate) fn offer(&self, offers: &mut Offers) {
        if !offers.is_empty() {
            self.committer.offer(offers);
        }
    }

    /// Ends the sessions of those of a user's devices that were revoked.
    pub(super) fn end_sessions(&self, user: UserId, revoked: impl Fn(DeviceId) -> bool) {
        for connection in self.hub.connections_of(user) {
            if connection.session().is_some_and(|session| revoked(session.device)) {
                end_session(&connection, "the device or the token was revoked");
            }
        }
    }
}

/// Ends a connection of an epoch that is over.
pub(super) fn send_away(connection: &Connection) {
    let ending = Ending::shutdown(EPOCH_RETRY_MS, "the store went back; connect again");
    connection.answer(Outgoing::End(ending));
}

/// Ends a connection's session and tells its client why.
pub(crate) fn end_session(connection: &Connection, message: &'static str) {
    connection.expire();
    connection.answer(Outgoing::End(Ending::session_ended(message)));
}
