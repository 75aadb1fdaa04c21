//! What the handles of a client and its one task share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use goim_core::{ConversationId, Entry, Epoch, Inbox, InboxLimits, OutboxConfig, Seq, Time};
use goim_proto::{Call, Reply, SessionInfo, Welcome};
use tokio::sync::{Notify, broadcast, oneshot};

use crate::options::ClientBuilder;
use crate::outbox::Outbox;
use crate::{CallError, CommitPolicy, Event};

/// Events that a slow listener may lag behind.
const EVENTS_MAX: usize = 1_024;

pub(crate) type CallFate = oneshot::Sender<Result<Reply, CallError>>;

/// Tokens of a session.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    /// When the access token ends, by the server's clock; `None` for a bot's.
    pub(crate) expires_ms: Option<u64>,
    pub(crate) refresh: Option<String>,
}

/// The place of the one subscription to a conversation, or to all.
pub(crate) struct Slot {
    /// Which subscription has it.
    pub(crate) number: u64,
    pub(crate) waker: Option<Waker>,
}

pub(crate) struct State {
    pub(crate) inbox: Inbox<Bytes>,
    pub(crate) outbox: Outbox,
    /// Calls that wait to be written.
    pub(crate) calls: Vec<(Call, CallFate)>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) session: Option<SessionInfo>,
    /// The client has just been authenticated: it has to sync before anything else.
    pub(crate) wants_sync: bool,
    /// The epoch that the offsets here belong to.
    pub(crate) epoch: Option<Epoch>,
    /// Something was handled: the task has to commit before long.
    pub(crate) commit_due: bool,
    /// Server time minus our monotonic clock, in milliseconds.
    pub(crate) server_ms_at_zero: u64,
    /// Everybody who reads, by conversation or all of them.
    pub(crate) readers: HashMap<ConversationId, Slot>,
    pub(crate) reader_of_all: Option<Slot>,
    /// Subscriptions made so far.
    pub(crate) subscriptions: u64,
    pub(crate) closed: bool,
    /// Nothing will be tried any more; why.
    pub(crate) ended: bool,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) options: ClientBuilder,
    /// There is something to do for the task.
    pub(crate) wake: Notify,
    /// Room in the outbox, or a commit that went through, or the end.
    pub(crate) progress: Notify,
    pub(crate) events: broadcast::Sender<Event>,
    start: Instant,
}

impl Shared {
    pub(crate) fn new(options: ClientBuilder, tokens: Option<Tokens>) -> Self {
        let state = State {
            inbox: Inbox::new(InboxLimits::default()),
            outbox: Outbox::new(OutboxConfig::default()),
            calls: Vec::new(),
            tokens,
            session: None,
            wants_sync: false,
            epoch: None,
            commit_due: false,
            server_ms_at_zero: 0,
            readers: HashMap::new(),
            reader_of_all: None,
            subscriptions: 0,
            closed: false,
            ended: false,
        };
        Self {
            state: Mutex::new(state),
            options,
            wake: Notify::new(),
            progress: Notify::new(),
            events: broadcast::channel(EVENTS_MAX).0,
            start: Instant::now(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of ours panics under this lock; if it did, the client would end in errors.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Takes over what a server says of itself and of who we are to it, before anybody else hears
    /// that there is a connection.
    pub(crate) fn welcomed(&self, welcome: &Welcome) {
        let now = self.now();
        let mut state = self.state();
        state.server_ms_at_zero = welcome.server_time_ms.saturating_sub(now.as_micros() / 1_000);
        state.session.clone_from(&welcome.session);
    }

    /// The server's time, in milliseconds since the Unix epoch.
    pub(crate) fn server_ms(&self, state: &State) -> u64 {
        state.server_ms_at_zero + self.now().as_micros() / 1_000
    }

    pub(crate) fn event(&self, event: Event) {
        // Nobody has to listen.
        let _ = self.events.send(event);
    }
}

impl State {
    /// Starts or goes on reading a conversation, for whoever reads it here.
    pub(crate) fn subscribe(&mut self, conversation: ConversationId, offset: Seq, head: Seq) {
        self.inbox.subscribe(conversation, offset, head);
        let apart = self.readers.contains_key(&conversation);
        self.inbox.set_apart(conversation, apart);
        self.inbox.set_active(conversation, apart || self.reader_of_all.is_some());
    }

    /// The next entry for a subscription.
    pub(crate) fn take(&mut self, of: Option<ConversationId>) -> Option<(ConversationId, Entry<Bytes>)> {
        match of {
            Some(conversation) => self.inbox.take_from(conversation).map(|entry| (conversation, entry)),
            None => self.inbox.take(),
        }
    }

    /// Wakes who reads this conversation.
    pub(crate) fn wake_reader(&mut self, conversation: ConversationId) {
        let own = self.readers.get_mut(&conversation).and_then(|slot| slot.waker.take());
        let of_all = self.reader_of_all.as_mut().and_then(|slot| slot.waker.take());
        own.into_iter().chain(of_all).for_each(Waker::wake);
    }

    /// Wakes everybody who reads.
    pub(crate) fn wake_readers(&mut self) {
        let of_all = self.reader_of_all.as_mut().and_then(|slot| slot.waker.take());
        let wakers = self.readers.values_mut().filter_map(|slot| slot.waker.take()).chain(of_all);
        wakers.for_each(Waker::wake);
    }
}

impl CommitPolicy {
    pub(crate) fn on_next(self) -> bool {
        matches!(self, Self::OnNext)
    }
}
