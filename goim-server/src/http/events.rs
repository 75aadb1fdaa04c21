//! Server-sent events: which conversations have something new, and what passes, as it happens.
//!
//! A stream is a connection of the hub like any other, so what it costs is bounded as theirs is: one mark
//! for each conversation, of which the newest wins. The next one is taken when the client's socket has
//! taken the last; whoever reads slowly is told less often, and nobody waits for him.
//!
//! There is no cursor but the device's offsets: a stream that is opened begins with every conversation that
//! is past them, so nothing that happened between two streams is missed, and a client that commits hears of
//! it no more.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use goim_core::{ConversationId, Seq};
use goim_proto::{Content, Encode, Ephemeral, Notification, Reply, Start, Sync, SyncItem};

use super::answer::json;
use super::problem::Problem;
use crate::access::{Connection, Ending, Leave, Outgoing};
use crate::service::{Caller, Service, Stretch};
use crate::telemetry::Open;

/// When to come again if the store does not answer, in milliseconds.
const LOOK_AGAIN_MS: u64 = 1_000;
/// The name of an event that says a head.
pub(super) const HEAD: &str = "head";
/// The name of an event that says who is typing.
const TYPING: &str = "typing";
/// The name of an event that says who has another profile.
const PROFILE: &str = "profile";
/// The name of the last event of a stream that ends for a reason.
pub(super) const END: &str = "end";
/// How often a silent stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Opens the stream of whom a token speaks for.
pub(super) async fn stream(service: &Arc<Service>, caller: &Caller) -> Result<Response, Problem> {
    let open = Open::connection(&service.metrics);
    let connection = Arc::new(Connection::new(service.epoch(), open));
    // Before it enters: from then on it leaves, whatever happens.
    let leave = Leave::new(service, &connection);
    let session = service.open_stream(&connection, caller).await?;
    // Registered, then looked at: what comes in between is heard twice and not missed.
    let sync = Sync { start: Start::Now, ..Sync::default() };
    let known = service.listen(&connection, &session, &sync).await?;
    let events = Events {
        service: Arc::clone(service),
        connection,
        page: Some((sync, known)),
        opened: false,
        items: Vec::new(),
        said: None,
        _leave: leave,
    };
    let events = stream::unfold(events, |mut events| async {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([(header::CACHE_CONTROL, "no-store")], sse).into_response())
}

struct Events {
    service: Arc<Service>,
    connection: Arc<Connection>,
    /// What to ask the store for next, while there is more of the list.
    page: Option<(Sync, Option<Stretch>)>,
    /// The client has heard that the stream is open.
    opened: bool,
    /// What is left of the list's last page.
    items: Vec<SyncItem>,
    /// What the client was told and has taken when it is told the next.
    said: Option<(ConversationId, Seq)>,
    _leave: Leave,
}

impl Events {
    /// The next event; none if the connection has ended.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::replace(&mut self.opened, true) {
            // Otherwise a quiet stream has not even a head until it says that it lives.
            return Some(Event::default().comment("open"));
        }
        if let Some((conversation, head)) = self.said.take() {
            let ack = goim_proto::Ack { conversation, head };
            self.connection.handle_ack(self.service.clock.now(), &ack);
        }
        loop {
            let (_, ending) = self.connection.take_out();
            if let Some(ending) = ending {
                return event(END, &ending.error());
            }
            if self.connection.has_ended() {
                return None;
            }
            if let Some(item) = self.listed().await {
                return self.say(item.conversation, item.head, item.read_marker);
            }
            if let Some(announce) = self.connection.poll_announce(self.service.clock.now()) {
                self.connection.announced(&announce, announce.inline_after);
                self.service.metrics.notifications_total.add(1);
                self.said = Some((announce.conversation, announce.head));
                return self.say(announce.conversation, announce.head, announce.read_marker);
            }
            if let Some(ephemeral) = self.connection.take_ephemeral() {
                return passing(&ephemeral);
            }
            self.connection.woken().await;
        }
    }

    /// The next conversation of the list that the stream begins with.
    async fn listed(&mut self) -> Option<SyncItem> {
        while self.items.is_empty() {
            let (page, known) = self.page.take()?;
            let session = self.connection.session()?;
            match self.service.sync_page(session, self.connection.epoch(), page.clone(), known).await {
                Ok(Reply::Synced(synced)) => {
                    self.page = synced.more.then_some((Sync { after: synced.next, ..page }, None));
                    self.items = synced.items;
                    self.items.reverse();
                }
                // The client cannot be told what it has to know: it comes again.
                Ok(_) | Err(_) => {
                    let ending =
                        Ending::shutdown(LOOK_AGAIN_MS, "the server's store does not answer; come again");
                    self.connection.answer(Outgoing::End(ending));
                }
            }
        }
        self.items.pop()
    }

    fn say(&self, conversation: ConversationId, head: Seq, read_marker: Seq) -> Option<Event> {
        let epoch = self.connection.epoch();
        let entries = Vec::new();
        event(HEAD, &Notification::<Content> { conversation, head, epoch, read_marker, entries })
    }
}

fn passing(ephemeral: &Ephemeral) -> Option<Event> {
    match ephemeral {
        Ephemeral::Typing(typing) => event(TYPING, typing),
        Ephemeral::ProfileChanged(changed) => event(PROFILE, changed),
        // Nothing of this server's own making is unknown to it.
        Ephemeral::Unknown(_) | _ => None,
    }
}

fn event(name: &str, data: &impl Encode) -> Option<Event> {
    Some(Event::default().event(name).data(json(data).ok()?.to_string()))
}
