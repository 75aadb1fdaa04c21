//! A device's messages on their way to the server, in the order of the calls, through retries,
//! reconnects and changes of node.
//!
//! ```
//! use goim_core::outbox::{Answered, Outbox, OutboxConfig, SendAnswer};
//! use goim_core::{ClientMsgId, ConversationId, Time};
//!
//! let (friends, now) = (ConversationId::new(7), Time::ZERO);
//! let [first, second] = [1, 2].map(|n| ClientMsgId::mint(1_700_000_000_000, &[n; 10]));
//! let mut outbox = Outbox::new(OutboxConfig::default());
//! outbox.push(friends, first, "is anybody there?", false, "first");
//! outbox.push(friends, second, "hello?", false, "second");
//!
//! // Both go at once, and the second says what it comes after.
//! let one = outbox.poll_send(now, 64 << 10).unwrap();
//! let two = outbox.poll_send(now, 64 << 10).unwrap();
//! assert_eq!((one.after, two.after), (None, Some(first)));
//!
//! let stored = outbox.handle_answer(now, friends, first, one.round, SendAnswer::Stored);
//! assert_eq!(stored, Answered::Done { body: "is anybody there?", ticket: "first" });
//!
//! // The connection is lost: nobody knows what became of the second, so it goes again.
//! outbox.handle_reset();
//! let again = outbox.poll_send(now, 64 << 10).unwrap();
//! assert_eq!((again.client_msg_id, again.after, again.retry), (second, None, true));
//! outbox.handle_answer(now, friends, second, again.round, SendAnswer::Stored);
//! assert!(outbox.is_empty());
//! ```
//!
//! # Its runner
//!
//! 1. [`Outbox::push`] what is to be sent; [`Outbox::bytes`] says when to wait with more.
//! 2. While the connection has room, write what [`Outbox::poll_send`] gives; do so after every
//!    push, answer and reset, and at [`Outbox::poll_timeout`].
//! 3. [`Outbox::handle_answer`] each answer, with the round of the send that it answers.
//! 4. When a connection is lost, and before anything is sent on the next, [`Outbox::handle_reset`].
//!
//! # Why nothing overtakes
//!
//! Sends are pipelined: each names the one before it to the same conversation while that one is
//! unanswered, and a server refuses as out of order what names a message that it has not stored. So
//! when one of them goes missing or is put off, all behind it are refused, and the outbox sends it
//! and everything behind it again, in their order. What may still be stored keeps its place; what
//! was refused for good leaves it, alone, and the next goes without it.
//!
//! A message may therefore be under way several times; a server stores it once, by its id. Each time
//! that a conversation's unanswered messages go again is a *round*. That a copy of an earlier round
//! was put off says nothing new, and that it was refused is not the end, for a later copy is under way
//! and may be stored; so of an earlier round only a success counts.

mod queue;
mod types;

use core::fmt;
use core::mem;
use std::collections::{BTreeSet, VecDeque};

use crate::hash::IdMap;
use crate::{ClientMsgId, ConversationId, Time};

use queue::Queue;
pub use types::{Answered, OutboxConfig, OutboxSend, SendAnswer};

/// Messages that wait to be sent or for their answer. See the [module](self).
///
/// `B` is a message's body, cheap to clone; `T` is a ticket, which comes back with its fate.
///
/// It holds what it was given and takes no less: whoever pushes bounds it by [`Outbox::bytes`].
/// A push, a send and an answer are O(log n) in the conversations that wait for their time, plus, for
/// an answer, the conversation's unanswered messages before the one that it answers, usually none.
/// Nothing here panics on input; an answer that fits nothing is stale.
pub struct Outbox<B, T> {
    config: OutboxConfig,
    /// None is empty.
    queues: IdMap<ConversationId, Queue<B, T>>,
    /// Conversations that may have something to send, each once.
    ready: VecDeque<ConversationId>,
    /// Conversations whose failed messages wait for their time, each once.
    waiting: BTreeSet<(Time, ConversationId)>,
    bytes: usize,
    /// Bytes that are sent and unanswered.
    in_flight: usize,
}

impl<B: AsRef<[u8]> + Clone, T> Outbox<B, T> {
    /// An empty outbox.
    #[must_use]
    pub fn new(config: OutboxConfig) -> Self {
        Self {
            config,
            queues: IdMap::default(),
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
            bytes: 0,
            in_flight: 0,
        }
    }

    /// Puts a message behind what waits for its conversation. `retry` says that it may have been sent
    /// before, as one that an outbox of an earlier process left.
    pub fn push(
        &mut self,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
        body: B,
        retry: bool,
        ticket: T,
    ) {
        self.bytes += self.config.bytes_of(&body);
        self.queues.entry(conversation).or_default().push(client_msg_id, body, retry, ticket);
        self.queue_ready(conversation);
    }

    /// Bytes that are kept: the bodies, and [`OutboxConfig::message_bytes`] for each.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether every message has met its fate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The next message to send, while fewer than `in_flight_max` bytes are unanswered: one message
    /// may exceed it. Conversations take turns. A runner without room may ask with 0, so that what has
    /// waited enough wants no timer any more.
    pub fn poll_send(&mut self, now: Time, in_flight_max: usize) -> Option<OutboxSend<B>> {
        self.wake(now);
        while self.in_flight < in_flight_max {
            let conversation = self.ready.pop_front()?;
            let Some(queue) = self.queues.get_mut(&conversation) else { continue };
            queue.is_ready = false;
            if queue.not_before.is_some() {
                continue;
            }
            let Some(send) = queue.send_next(conversation) else { continue };
            self.in_flight += self.config.bytes_of(&send.body);
            self.queue_ready(conversation);
            return Some(send);
        }
        None
    }

    /// When something that waits for its time may be sent.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// A send of this round was answered.
    pub fn handle_answer(
        &mut self,
        now: Time,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
        round: u32,
        answer: SendAnswer,
    ) -> Answered<B, T> {
        let Some(queue) = self.queues.get_mut(&conversation) else { return Answered::Stale };
        let Some((place, last_round)) = queue.find_sent(client_msg_id) else { return Answered::Stale };
        if round != last_round && answer != SendAnswer::Stored {
            return Answered::Stale;
        }
        if let Some(wait) = self.config.wait_after(answer, queue.failures) {
            queue.failures = queue.failures.saturating_add(1);
            self.put_off(conversation, now + wait);
            self.rewind(conversation, place);
            return Answered::Again;
        }
        queue.failures = 0;
        let Some((body, ticket)) = queue.remove_sent(place) else { return Answered::Stale };
        if queue.is_empty() {
            self.queues.remove(&conversation);
        }
        let bytes = self.config.bytes_of(&body);
        self.in_flight -= bytes;
        self.bytes -= bytes;
        Answered::Done { body, ticket }
    }

    /// The connection was lost: what is unanswered goes again, in its order, and nothing waits.
    pub fn handle_reset(&mut self) {
        self.waiting.clear();
        let conversations: Vec<_> = self.queues.keys().copied().collect();
        for conversation in conversations {
            if let Some(queue) = self.queues.get_mut(&conversation) {
                queue.not_before = None;
            }
            self.rewind(conversation, 0);
        }
    }

    /// Empties the outbox, as nothing more will be sent: the tickets of all that had not met its
    /// fate, those of one conversation in order.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + use<B, T> {
        self.ready.clear();
        self.waiting.clear();
        (self.bytes, self.in_flight) = (0, 0);
        mem::take(&mut self.queues).into_values().flat_map(Queue::into_tickets)
    }

    /// Sends the message at `place` and all behind it again: they name each other as "before".
    fn rewind(&mut self, conversation: ConversationId, place: usize) {
        let Some(queue) = self.queues.get_mut(&conversation) else { return };
        for body in queue.rewind(place) {
            self.in_flight -= self.config.bytes_of(body);
        }
        self.queue_ready(conversation);
    }

    /// Keeps a conversation from being sent to before its time.
    fn put_off(&mut self, conversation: ConversationId, at: Time) {
        let Some(queue) = self.queues.get_mut(&conversation) else { return };
        if let Some(before) = queue.not_before.replace(at) {
            self.waiting.remove(&(before, conversation));
        }
        self.waiting.insert((at, conversation));
    }

    /// Lets go what has waited for its time.
    fn wake(&mut self, now: Time) {
        while let Some(&(at, conversation)) = self.waiting.first()
            && at <= now
        {
            self.waiting.pop_first();
            if let Some(queue) = self.queues.get_mut(&conversation) {
                queue.not_before = None;
            }
            self.queue_ready(conversation);
        }
    }

    fn queue_ready(&mut self, conversation: ConversationId) {
        if let Some(queue) = self.queues.get_mut(&conversation)
            && !queue.is_ready
            && queue.has_unsent()
        {
            queue.is_ready = true;
            self.ready.push_back(conversation);
        }
    }
}

impl<B, T> fmt::Debug for Outbox<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("conversations", &self.queues.len())
            .field("bytes", &self.bytes)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
