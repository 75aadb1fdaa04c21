//! One client's connection, as everyone but its own tasks sees it, whichever door it came through.

mod ephemeral;
mod shared;

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::BytesMut;
use goim_core::notifier::Announce;
use goim_core::{ConversationId, Epoch, Seq, Time};
use goim_proto::{Ack, SessionInfo};
use tokio::sync::{Notify, Semaphore};

use self::shared::{Shared, Subscribed};
use super::budget::Budget;
use super::outgoing::{Ending, Outgoing};
use crate::config::Limits;
use crate::telemetry::Open;

/// Bytes of answers that may wait to be written before the connection is read further: at about
/// 32 bytes for a send's, 8,000 of them.
const REPLY_BYTES_WAITING_MAX: usize = 256 << 10;
/// What a send on its way holds beside its body, in the lane and in its ticket.
const SEND_OVERHEAD_BYTES: usize = 400;

/// Answers with entries in them that one connection gets at once; 256 KiB each.
const LARGE_REPLIES_MAX: usize = 4;

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The store's, of which all is that this connection is told. It ends with that epoch.
    epoch: Epoch,
    session: OnceLock<SessionInfo>,
    /// When the session ends, in milliseconds since the Unix epoch.
    expires_ms: AtomicU64,
    shared: Mutex<Shared>,
    pub(crate) large_replies: Semaphore,
    /// Something waits for the writer.
    for_writer: Notify,
    /// Something was answered or written: the reader may go on.
    for_reader: Notify,
    send_bytes: AtomicUsize,
    reply_bytes: AtomicUsize,
    /// Tokens owed for repeated sends that were not marked.
    debt: AtomicU32,
    _open: Open,
}

impl Connection {
    pub(crate) fn new(epoch: Epoch, open: Open) -> Self {
        Self {
            epoch,
            session: OnceLock::new(),
            expires_ms: AtomicU64::new(0),
            shared: Mutex::default(),
            large_replies: Semaphore::new(LARGE_REPLIES_MAX),
            for_writer: Notify::new(),
            for_reader: Notify::new(),
            send_bytes: AtomicUsize::new(0),
            reply_bytes: AtomicUsize::new(0),
            debt: AtomicU32::new(0),
            _open: open,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch that the connection lives in: that of its `Welcome`.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The session, once there is one; its user and device never change.
    pub(crate) fn session(&self) -> Option<&SessionInfo> {
        self.session.get()
    }

    /// When the session ends, in milliseconds since the Unix epoch.
    pub(crate) fn expires_ms(&self) -> u64 {
        self.expires_ms.load(Ordering::Relaxed)
    }

    /// Opens or renews the session.
    pub(crate) fn authenticate(&self, session: &SessionInfo, expires_ms: u64) -> Opened {
        let opened = match self.session.set(session.clone()) {
            Ok(()) => Opened::New,
            Err(_) if self.session.get() == Some(session) => Opened::Renewed,
            Err(_) => return Opened::OtherDevice,
        };
        self.expires_ms.store(expires_ms, Ordering::Relaxed);
        opened
    }

    /// Ends the session; the client is still to be told.
    pub(crate) fn expire(&self) {
        self.expires_ms.store(0, Ordering::Relaxed);
    }

    /// The client wants to hear of what comes; said before the store is looked at.
    pub(crate) fn listen(&self) {
        self.shared().listens = true;
    }

    /// So many conversations are about to be registered.
    pub(crate) fn expect_subscriptions(&self, count: usize) {
        self.shared().subscriptions.reserve(count);
    }

    /// Subscribes to a conversation that may be read from here on; false if that is done or under
    /// way already, the connection has ended, or its client only sends.
    pub(super) fn subscribe(&self, conversation: ConversationId, from: Seq) -> bool {
        let mut shared = self.shared();
        if shared.closed || !shared.listens || shared.subscriptions.contains_key(&conversation) {
            return false;
        }
        shared.subscriptions.insert(conversation, Subscribed { from, sent: Seq::ZERO });
        shared.sent_through(conversation, from.prev());
        true
    }

    /// Subscribes to a conversation of which the store is yet to tell whether it may be read, and
    /// serves nothing of it from memory until then; false if the connection has ended, or its client
    /// only sends.
    pub(super) fn subscribe_unknown(&self, conversation: ConversationId) -> bool {
        let mut shared = self.shared();
        if shared.closed || !shared.listens {
            return false;
        }
        let unknown = Subscribed { from: Seq::MAX, sent: Seq::ZERO };
        shared.subscriptions.entry(conversation).or_insert(unknown).from = Seq::MAX;
        true
    }

    /// It is known from where on the conversation may be read, and up to where the client knows
    /// that there is something.
    pub(super) fn reads_from(&self, conversation: ConversationId, from: Seq, told: Seq) {
        let mut shared = self.shared();
        if let Some(known) = shared.subscriptions.get_mut(&conversation) {
            known.from = from;
            shared.sent_through(conversation, told.max(from.prev()));
        }
    }

    /// It is not known any more whether the conversation may be read: the store is asked again, and
    /// until then nothing is served from memory.
    pub(super) fn stands_unknown(&self, conversation: ConversationId) {
        if let Some(known) = self.shared().subscriptions.get_mut(&conversation) {
            known.from = Seq::MAX;
        }
    }

    /// Whether announcements go in datagrams; said before there are any.
    pub(super) fn set_datagrams(&self, datagrams: bool) {
        self.shared().datagrams = datagrams;
    }

    /// Forgets a conversation.
    pub(super) fn unsubscribe(&self, conversation: ConversationId) {
        let mut shared = self.shared();
        shared.subscriptions.remove(&conversation);
        if let Some(notifier) = &mut shared.notifier {
            notifier.unsubscribe(conversation);
        }
    }

    /// Stops at the entry that removed the user, of which he is still told; whether the writer
    /// has to be woken.
    pub(super) fn stop_reading(&self, conversation: ConversationId, last: Seq) -> bool {
        let mut shared = self.shared();
        shared.mark(conversation, last, Seq::ZERO);
        shared.subscriptions.remove(&conversation);
        !std::mem::replace(&mut shared.told, true)
    }

    /// Tells the user of a conversation that he was in and left unheard: up to `last` there is
    /// something for him, though not all of what this connection has not sent yet. Whether the
    /// writer has to be woken.
    pub(super) fn tell_of_last(&self, conversation: ConversationId, last: Seq) -> bool {
        // Nothing before it goes inline: he pulls what is his.
        self.shared().sent_through(conversation, last.prev());
        self.stop_reading(conversation, last)
    }

    /// Ends all subscriptions for good, and says which there were.
    pub(super) fn close_subscriptions(&self) -> Vec<ConversationId> {
        let mut shared = self.shared();
        shared.closed = true;
        shared.out = BytesMut::new();
        std::mem::take(&mut shared.subscriptions).into_keys().collect()
    }

    /// The first seq of the range that the user reads now, if the conversation is registered.
    pub(crate) fn reading_from(&self, conversation: ConversationId) -> Option<Seq> {
        self.shared().subscriptions.get(&conversation).map(|subscribed| subscribed.from)
    }

    /// The user has deleted messages for himself up to `last`: the store knows which.
    pub(crate) fn note_deletion(&self, conversation: ConversationId, last: Seq) {
        let mut shared = self.shared();
        let known = shared.deleted.entry(conversation).or_default();
        *known = (*known).max(last);
    }

    /// The last message that the user has deleted for himself, or a later one.
    pub(crate) fn deleted_through(&self, conversation: ConversationId) -> Seq {
        self.shared().deleted.get(&conversation).copied().unwrap_or_default()
    }

    /// Notes a newer head; whether the writer has to be woken.
    pub(super) fn mark(&self, conversation: ConversationId, head: Seq, marker: Seq) -> bool {
        let mut shared = self.shared();
        shared.mark(conversation, head, marker) && !std::mem::replace(&mut shared.told, true)
    }

    /// An answer brought the client everything up to `seq`.
    pub(crate) fn sent_through(&self, conversation: ConversationId, seq: Seq) {
        self.shared().sent_through(conversation, seq);
    }

    /// The answer to a send told the client of that entry, which it has: nothing to announce if it
    /// had everything before.
    pub(crate) fn own_sent(&self, conversation: ConversationId, seq: Seq) {
        let mut shared = self.shared();
        if let Some(notifier) = shared.knows(conversation) {
            notifier.sent_one(conversation, seq);
        } else if let Some(subscribed) = shared.subscriptions.get_mut(&conversation)
            && subscribed.sent.next() == seq
        {
            subscribed.sent = seq;
        }
    }

    /// The client has heard of this head.
    pub(crate) fn handle_ack(&self, now: Time, ack: &Ack) {
        let mut shared = self.shared();
        let Some(notifier) = &mut shared.notifier else { return };
        notifier.handle_ack(now, ack.conversation, ack.head);
        // Something may have waited for room in the window.
        let wake = notifier.has_news() && !std::mem::replace(&mut shared.told, true);
        drop(shared);
        if wake {
            self.wake();
        }
    }

    /// Queues an answer, unless the last words were said; whether the writer has to be woken.
    pub(crate) fn queue(&self, outgoing: Outgoing) -> bool {
        let shared = &mut *self.shared();
        if shared.closed || shared.ended {
            return false;
        }
        shared.push(outgoing);
        self.reply_bytes.store(shared.out.len(), Ordering::SeqCst);
        !std::mem::replace(&mut shared.told, true)
    }

    /// Queues an answer and wakes the writer.
    pub(crate) fn answer(&self, outgoing: Outgoing) {
        if self.queue(outgoing) {
            self.wake();
        }
    }

    /// Wakes the writer.
    pub(crate) fn wake(&self) {
        self.for_writer.notify_one();
    }

    /// Waits until something waits for the writer.
    pub(crate) async fn woken(&self) {
        self.for_writer.notified().await;
    }

    /// Takes the answers that wait to be written, and whether the connection ends behind them. An
    /// idle connection is left without a buffer.
    pub(crate) fn take_out(&self) -> (BytesMut, Option<Ending>) {
        let mut shared = self.shared();
        shared.told = false;
        let taken = (std::mem::take(&mut shared.out), shared.ending.take());
        self.reply_bytes.store(0, Ordering::SeqCst);
        drop(shared);
        if !taken.0.is_empty() {
            self.for_reader.notify_one();
        }
        taken
    }

    /// Whether the last words were said, behind which nothing is told.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared().ended
    }

    /// What to announce next, as of `now`.
    pub(crate) fn poll_announce(&self, now: Time) -> Option<Announce> {
        let mut shared = self.shared();
        if shared.ended {
            return None;
        }
        shared.notifier.as_mut()?.poll_announce(now)
    }

    /// An announcement carried entries up to `inlined`.
    pub(crate) fn announced(&self, announce: &Announce, inlined: Seq) {
        if let Some(notifier) = &mut self.shared().notifier {
            notifier.announced(announce.id, inlined);
        }
    }

    /// When something is to be announced again.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.shared().notifier.as_ref()?.poll_timeout()
    }

    /// Bytes of answers that wait to be written.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.reply_bytes.load(Ordering::SeqCst)
    }

    /// Whether the connection may be read further.
    pub(super) fn may_read(&self, limits: &Limits) -> bool {
        self.reply_bytes.load(Ordering::SeqCst) < REPLY_BYTES_WAITING_MAX
            && self.send_bytes.load(Ordering::SeqCst) < limits.send_bytes_in_flight_max
    }

    /// Waits until something was answered or written. There may be no room yet: look.
    pub(super) async fn room(&self) {
        self.for_reader.notified().await;
    }

    /// Makes the user pay for a repeated send that he did not mark.
    pub(crate) fn owe(&self, cost: u32) {
        self.debt.fetch_add(cost, Ordering::Relaxed);
    }

    /// What is to be paid before the next send.
    pub(super) fn take_debt(&self) -> u32 {
        match self.debt.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.debt.swap(0, Ordering::Relaxed),
        }
    }
}

/// A connection is itself and no other.
impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// What became of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The connection has a session now.
    New,
    /// Its session lasts longer.
    Renewed,
    /// It speaks for another user or device.
    OtherDevice,
}

/// Bytes of one send on its way to the store; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct SendBytes {
    connection: Arc<Connection>,
    budget: Arc<Budget>,
    bytes: usize,
}

impl SendBytes {
    pub(super) fn hold(connection: &Arc<Connection>, budget: &Arc<Budget>, body_bytes: usize) -> Self {
        let bytes = body_bytes + SEND_OVERHEAD_BYTES;
        connection.send_bytes.fetch_add(bytes, Ordering::SeqCst);
        budget.take(bytes);
        Self { connection: Arc::clone(connection), budget: Arc::clone(budget), bytes }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for SendBytes {
    fn drop(&mut self) {
        self.connection.send_bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        self.connection.for_reader.notify_one();
        self.budget.give(self.bytes);
    }
}
