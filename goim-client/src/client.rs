use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{Stream, StreamExt};
use goim_core::{ClientMsgId, ConversationId, Seq};
use goim_proto::{Call, Content, Reply, Sent, SessionInfo};
use rand::RngExt;
use tokio::sync::{broadcast, oneshot};

use crate::driver;
use crate::options::ClientBuilder;
use crate::shared::{Shared, Tokens};
use crate::transport::Transport;
use crate::{CallError, ConnectError, Event, Message, OutgoingMessage, SendError, Subscription};

/// A connection to a goim server that looks after itself. Clones share it; it ends when it is
/// [closed](Client::close) or the last clone is dropped.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    /// Where files go, if that was said.
    #[cfg(feature = "files")]
    pub(crate) door: Option<Arc<crate::files::Door>>,
    _guard: Arc<Guard>,
}

/// Ends the client's task with the last handle.
struct Guard {
    shared: Arc<Shared>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.wake.notify_one();
    }
}

impl Client {
    /// Settings for a client of the server at `HOST:PORT`.
    pub fn builder(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(address.into())
    }

    pub(crate) async fn connect(options: ClientBuilder) -> Result<Self, ConnectError> {
        let transport = match (&options.transport, options.trust) {
            (Some(transport), _) => transport.clone(),
            (None, Some(trust)) => Transport::new(trust)?,
            (None, None) => return Err(ConnectError::NoTrust),
        };
        #[cfg(feature = "files")]
        let door = crate::files::Door::new(&options, Arc::clone(&transport.http))?.map(Arc::new);
        let access = options.token.clone();
        let tokens = access.map(|access| Tokens { access, expires_ms: None, refresh: None });
        let store = options.local_store.clone();
        let shared = Arc::new(Shared::new(options, tokens));
        if let Some(store) = store {
            for OutgoingMessage { conversation, client_msg_id, body } in store.outbox().await? {
                shared.state().outbox.push(conversation, client_msg_id, body, true, None);
            }
            for offset in store.offsets().await? {
                shared.state().subscribe(offset.conversation, offset.seq, offset.seq);
            }
            shared.state().epoch = store.epoch().await?;
        }
        driver::start(Arc::clone(&shared), transport).await?;
        let guard = Arc::new(Guard { shared: Arc::clone(&shared) });
        Ok(Self {
            shared,
            #[cfg(feature = "files")]
            door,
            _guard: guard,
        })
    }

    /// Sends a message: keeps it in the outbox and returns; the [`Sending`] is ready when the
    /// server has it on disk. Waits while the outbox is full.
    ///
    /// Messages to one conversation keep the order of the calls. Dropping the [`Sending`] does not
    /// withdraw the message.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the content cannot be sent, or the client is closed.
    pub async fn send(&self, conversation: ConversationId, content: Content) -> Result<Sending, SendError> {
        let id = self.mint();
        self.send_as(conversation, id, content).await
    }

    /// Answers a message. The answer's id follows from the message, so that a program which
    /// handles the same message twice, as after a crash, answers once.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn reply(&self, message: &Message, content: Content) -> Result<Sending, SendError> {
        let user = self.session().map(|session| session.user).unwrap_or_default();
        self.send_as(message.conversation, message.reply_id(user), content).await
    }

    /// Sends a message under an id of the application's: a repetition under the same id is stored
    /// once.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn send_as(
        &self,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
        content: Content,
    ) -> Result<Sending, SendError> {
        let body = content.encode();
        Content::check(&body)?;
        self.outbox_room().await?;
        if let Some(store) = &self.shared.options.local_store {
            let body = body.clone();
            store.push(&OutgoingMessage { conversation, client_msg_id, body }).await?;
        }
        let (fate, receiver) = oneshot::channel();
        {
            let mut state = self.shared.state();
            // The client may have ended meanwhile, and nobody would tell the fate any more.
            if state.closed || state.ended {
                return Err(SendError::Closed);
            }
            state.outbox.push(conversation, client_msg_id, body, false, Some(fate));
        }
        self.shared.wake.notify_one();
        Ok(Sending { client_msg_id, receiver })
    }

    async fn outbox_room(&self) -> Result<(), SendError> {
        loop {
            let progress = self.shared.progress.notified();
            {
                let state = self.shared.state();
                if state.closed || state.ended {
                    return Err(SendError::Closed);
                }
                if state.outbox.bytes() < self.shared.options.outbox_bytes_max {
                    return Ok(());
                }
            }
            progress.await;
        }
    }

    /// A new message id on the server's time.
    #[must_use]
    pub fn mint(&self) -> ClientMsgId {
        let now_ms = self.shared.server_ms(&self.shared.state());
        ClientMsgId::mint(now_ms, &rand::rng().random())
    }

    /// The entries of one conversation, from the device's offset on.
    #[must_use]
    pub fn subscribe(&self, conversation: ConversationId) -> Subscription {
        Subscription::new(Arc::clone(&self.shared), Some(conversation))
    }

    /// The entries of all conversations of the user, from the device's offsets on, but for those
    /// with a [subscription](Client::subscribe) of their own, while it lives.
    #[must_use]
    pub fn messages(&self) -> Subscription {
        Subscription::new(Arc::clone(&self.shared), None)
    }

    /// Says that everything of a conversation up to `seq` has been handled. The offset is committed
    /// with the next ones; it never moves back.
    pub fn commit(&self, conversation: ConversationId, seq: Seq) {
        {
            let mut state = self.shared.state();
            state.inbox.handled(conversation, seq);
            state.commit_due = true;
        }
        self.shared.wake.notify_one();
    }

    /// The offset of a conversation that the server has on disk for this device, as far as this
    /// client knows; `None` of a conversation that it has not heard of.
    #[must_use]
    pub fn committed_offset(&self, conversation: ConversationId) -> Option<Seq> {
        self.shared.state().inbox.committed(conversation)
    }

    /// Waits until every offset that was handled so far is committed, durably.
    ///
    /// # Errors
    ///
    /// [`CallError::Closed`] if the client ends before.
    pub async fn committed(&self) -> Result<(), CallError> {
        loop {
            let progress = self.shared.progress.notified();
            {
                let state = self.shared.state();
                if state.inbox.is_committed() {
                    return Ok(());
                }
                if state.closed || state.ended {
                    return Err(CallError::Closed);
                }
            }
            progress.await;
        }
    }

    /// Who the client speaks for, once it is authenticated.
    #[must_use]
    pub fn session(&self) -> Option<SessionInfo> {
        self.shared.state().session.clone()
    }

    /// The refresh token by which [`Client::resume`] opens this device's session again. It changes
    /// with each use, by the client itself too: keep the newest, and keep it secret.
    #[must_use]
    pub fn refresh_token(&self) -> Option<String> {
        self.shared.state().tokens.as_ref().and_then(|tokens| tokens.refresh.clone())
    }

    /// What happens to the client from now on. A listener that lags by more than 1,024 events
    /// misses the oldest.
    pub fn events(&self) -> impl Stream<Item = Event> + Send + Unpin + use<> {
        let events = self.shared.events.subscribe();
        let next = |mut events: broadcast::Receiver<Event>| async move {
            loop {
                match events.recv().await {
                    Ok(event) => return Some((event, events)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        futures_util::stream::unfold(events, next).boxed()
    }

    /// Sends what the outbox holds, commits what was handled, and ends the client. Gives up waiting
    /// when the connection is lost.
    pub async fn close(self) {
        loop {
            let progress = self.shared.progress.notified();
            {
                let state = self.shared.state();
                let done = state.outbox.is_empty() && state.inbox.is_committed();
                if done || state.ended || state.closed || state.session.is_none() {
                    break;
                }
            }
            self.shared.wake.notify_one();
            progress.await;
        }
        self.shared.state().closed = true;
        self.shared.wake.notify_one();
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Reply, CallError> {
        let (fate, answered) = oneshot::channel();
        {
            let mut state = self.shared.state();
            if state.closed || state.ended {
                return Err(CallError::Closed);
            }
            state.calls.push((call, fate));
        }
        self.shared.wake.notify_one();
        match answered.await {
            Ok(Ok(Reply::Error(error))) => Err(CallError::Refused(error)),
            Ok(reply) => reply,
            Err(_) => Err(CallError::Closed),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("session", &self.session()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A message on its way. Ready when the server has it on disk, or has refused it for good.
#[derive(Debug)]
#[must_use = "the message is on its way; await this to know that it is stored"]
pub struct Sending {
    client_msg_id: ClientMsgId,
    receiver: oneshot::Receiver<Result<Sent, SendError>>,
}

impl Sending {
    /// The message's id.
    #[must_use]
    pub fn client_msg_id(&self) -> ClientMsgId {
        self.client_msg_id
    }
}

impl Future for Sending {
    type Output = Result<Sent, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.receiver).poll(context)).unwrap_or(Err(SendError::Closed)))
    }
}
