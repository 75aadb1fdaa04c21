use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use goim_core::lane::{AppendResult, LoadFailed, Offer};
use goim_core::{Epoch, Lane, Time};
use tokio::task::JoinSet;

use super::committer::{Mailbox, Sink};
use crate::clock::{Clock, unix_ms};
use crate::service::rules::ChatRules;
use crate::store::{
    EntryBatch, EntryDraft, LaneConnection, LaneStore, Load, LoadedState, OwnRead, StoreError,
};

/// Between tries to reach the store, growing from the first to the second.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

type Boxed<V> = Pin<Box<dyn Future<Output = V> + Send>>;
type Connected = Box<dyn LaneConnection>;
type LoadEnd = (Load, Result<Option<LoadedState>, LoadFailed>);

/// The lane's one connection: at most one statement in flight.
enum Link {
    Free(Connected),
    /// In a task of its own, so that the store works while the batch before it is answered and
    /// published.
    Appending(JoinSet<(Connected, AppendResult)>),
    Connecting(Boxed<Result<Connected, StoreError>>),
}

enum Event {
    Woken,
    Loaded(Box<LoadEnd>),
    Appended(Connected, AppendResult),
    /// The append's task is gone, and nobody knows how far it came.
    AppendLost,
    Connected(Result<Connected, StoreError>),
    TimedOut,
}

struct Runner<T> {
    mailbox: Arc<Mailbox<T>>,
    store: Arc<dyn LaneStore>,
    sink: Arc<dyn Sink<T>>,
    clock: Clock,
    lane: Lane<ChatRules, T>,
    /// What the lane had no room for, by bytes, and when it arrived; bounded by the mailbox, by number.
    overflow: VecDeque<(Time, Offer<EntryDraft, T>)>,
    loads: FuturesUnordered<Boxed<LoadEnd>>,
    /// Read markers that moved with entries that are not published yet.
    read: Vec<OwnRead>,
    reconnect_after: Duration,
    /// The store's, when the last connection was opened.
    epoch: Epoch,
    /// The one that was heard of last. If it is another one, then the connection is replaced before it
    /// is used again.
    latest: Epoch,
}

/// Runs one lane until its mailbox is closed and empty.
pub(super) async fn run<T: Send + Sync + 'static>(
    mailbox: Arc<Mailbox<T>>,
    store: Arc<dyn LaneStore>,
    lane: Lane<ChatRules, T>,
    sink: Arc<dyn Sink<T>>,
) {
    let mut link = Link::Connecting(connect(&store, Duration::ZERO));
    let mut runner = Runner {
        lane,
        overflow: VecDeque::new(),
        loads: FuturesUnordered::new(),
        read: Vec::new(),
        clock: Clock::start(),
        reconnect_after: RECONNECT_MIN,
        epoch: Epoch::default(),
        latest: Epoch::default(),
        mailbox,
        store,
        sink,
    };
    loop {
        runner.take_offers();
        link = runner.renew(link);
        link = runner.start_append(link);
        // Behind the append: drafting a batch may find that something has to be loaded first, and
        // the store need not wait until what it wrote before is answered.
        runner.start_loads();
        let answered = runner.deliver();
        if answered && !runner.overflow.is_empty() {
            // There may be room now, and with nothing in flight no event would say so.
            continue;
        }
        // Behind the answers: the last of them may be what makes it finished.
        if runner.mailbox.is_finished() {
            return;
        }
        let event = runner.next_event(&mut link).await;
        link = runner.handle(event, link);
    }
}

impl<T: Send + Sync + 'static> Runner<T> {
    fn take_offers(&mut self) {
        if let Some(epoch) = self.mailbox.take_new_epoch() {
            self.lane.handle_new_epoch(epoch);
            self.latest = epoch;
        }
        let now = self.clock.now();
        self.overflow.extend(self.mailbox.take().into_iter().map(|offer| (now, offer)));
        while let Some((arrived, offer)) = self.overflow.pop_front() {
            if let Err(offer) = self.lane.offer(arrived, offer) {
                self.overflow.push_front((arrived, offer));
                return;
            }
        }
    }

    /// Lets go of a connection of another epoch.
    fn renew(&mut self, link: Link) -> Link {
        if matches!(link, Link::Free(_)) && self.epoch != self.latest {
            return Link::Connecting(connect(&self.store, Duration::ZERO));
        }
        link
    }

    fn start_loads(&mut self) {
        while let Some(load) = self.lane.poll_load() {
            let store = Arc::clone(&self.store);
            self.loads.push(Box::pin(async move {
                let loaded = store.load(&load).await.map_err(|error| {
                    tracing::warn!(%error, conversation = %load.conversation, "load failed");
                    LoadFailed
                });
                (load, loaded)
            }));
        }
    }

    fn start_append(&mut self, link: Link) -> Link {
        match link {
            Link::Free(connection) => match self.lane.poll_append(self.clock.now(), unix_ms()) {
                Some(batch) => {
                    let mut appending = JoinSet::new();
                    appending.spawn(append(connection, batch));
                    Link::Appending(appending)
                }
                None => Link::Free(connection),
            },
            other @ (Link::Appending(_) | Link::Connecting(_)) => other,
        }
    }

    /// Hands on what the lane decided; whether it answered something.
    fn deliver(&mut self) -> bool {
        let answers: Vec<_> = std::iter::from_fn(|| self.lane.poll_answer()).collect();
        let answered = answers.len();
        if answered > 0 {
            self.sink.answers(answers);
            self.mailbox.answered(answered);
        }
        let committed: Vec<_> = std::iter::from_fn(|| self.lane.poll_committed()).collect();
        if !committed.is_empty() {
            self.sink.committed(self.epoch, committed);
        }
        if !self.read.is_empty() {
            self.sink.read(self.epoch, std::mem::take(&mut self.read));
        }
        answered > 0
    }

    async fn next_event(&mut self, link: &mut Link) -> Event {
        let timeout = self.lane.poll_timeout().map(|at| at.since(self.clock.now()));
        let link = async {
            match link {
                Link::Free(_) => pending().await,
                Link::Appending(append) => match append.join_next().await {
                    Some(Ok((connection, result))) => Event::Appended(connection, result),
                    Some(Err(_)) | None => Event::AppendLost,
                },
                Link::Connecting(connect) => Event::Connected(connect.await),
            }
        };
        let timed_out = async {
            match timeout {
                Some(after) => tokio::time::sleep(after).await,
                None => pending().await,
            }
        };
        tokio::select! {
            event = link => event,
            Some(end) = self.loads.next() => Event::Loaded(Box::new(end)),
            () = self.mailbox.woken() => Event::Woken,
            () = timed_out => Event::TimedOut,
        }
    }

    fn handle(&mut self, event: Event, link: Link) -> Link {
        let now = self.clock.now();
        match event {
            Event::Woken => {}
            Event::TimedOut => self.lane.handle_timeout(now),
            Event::Loaded(end) => self.lane.handle_loaded(now, &end.0, end.1),
            Event::Appended(mut connection, result) => {
                self.read.extend(connection.take_read());
                let lost = matches!(result, AppendResult::InDoubt | AppendResult::Down);
                self.lane.handle_appended(now, result);
                if lost {
                    return Link::Connecting(connect(&self.store, Duration::ZERO));
                }
                return Link::Free(connection);
            }
            Event::AppendLost => {
                self.lane.handle_appended(now, AppendResult::InDoubt);
                return Link::Connecting(connect(&self.store, Duration::ZERO));
            }
            Event::Connected(Ok(connection)) => {
                self.reconnect_after = RECONNECT_MIN;
                (self.epoch, self.latest) = (connection.epoch(), connection.epoch());
                self.lane.handle_new_epoch(self.epoch);
                return Link::Free(connection);
            }
            Event::Connected(Err(error)) => {
                tracing::warn!(%error, retry_ms = self.reconnect_after.as_millis(), "no store connection");
                self.refuse_ready();
                let after = self.reconnect_after;
                self.reconnect_after = (after * 2).min(RECONNECT_MAX);
                return Link::Connecting(connect(&self.store, after));
            }
        }
        link
    }

    /// Answers what could be written if there were a connection, so that senders keep it and try
    /// again instead of waiting here.
    fn refuse_ready(&mut self) {
        while self.lane.poll_append(self.clock.now(), unix_ms()).is_some() {
            self.lane.handle_appended(self.clock.now(), AppendResult::Down);
        }
    }
}

async fn append(mut connection: Connected, batch: Arc<EntryBatch>) -> (Connected, AppendResult) {
    let result = connection.append(&batch).await;
    // Let go of before the lane hears of it, so that the lane need not clone the entries.
    drop(batch);
    (connection, result)
}

fn connect(store: &Arc<dyn LaneStore>, after: Duration) -> Boxed<Result<Connected, StoreError>> {
    let store = Arc::clone(store);
    Box::pin(async move {
        tokio::time::sleep(after).await;
        store.lane_connection().await
    })
}
