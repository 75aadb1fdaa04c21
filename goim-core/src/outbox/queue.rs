//! The messages to one conversation.

use std::collections::VecDeque;

use super::OutboxSend;
use crate::{ClientMsgId, ConversationId, Time};

#[derive(Debug)]
pub(super) struct Queue<B, T> {
    messages: VecDeque<Waiting<B, T>>,
    /// How many from the front are sent and unanswered.
    sent: usize,
    /// Raised whenever unanswered messages go again.
    round: u32,
    /// It is among those that may have something to send.
    pub(super) is_ready: bool,
    /// In a row.
    pub(super) failures: u32,
    /// Until when to wait for the last failure.
    pub(super) not_before: Option<Time>,
}

#[derive(Debug)]
struct Waiting<B, T> {
    client_msg_id: ClientMsgId,
    body: B,
    retry: bool,
    /// The queue's when it was sent last.
    round: u32,
    ticket: T,
}

impl<B, T> Default for Queue<B, T> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), sent: 0, round: 0, is_ready: false, failures: 0, not_before: None }
    }
}

impl<B: Clone, T> Queue<B, T> {
    pub(super) fn push(&mut self, client_msg_id: ClientMsgId, body: B, retry: bool, ticket: T) {
        self.messages.push_back(Waiting { client_msg_id, body, retry, round: self.round, ticket });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.messages.len()
    }

    pub(super) fn send_next(&mut self, conversation: ConversationId) -> Option<OutboxSend<B>> {
        let before = self.sent.checked_sub(1).and_then(|before| self.messages.get(before));
        let after = before.map(|before| before.client_msg_id);
        let after = after.filter(|_| !bug!("no send names the one before it"));
        let message = self.messages.get_mut(self.sent)?;
        message.round = self.round;
        self.sent += 1;
        let Waiting { client_msg_id, retry, round, .. } = *message;
        Some(OutboxSend { conversation, client_msg_id, after, retry, round, body: message.body.clone() })
    }

    /// The place of a message that is sent and unanswered, and the round that it was sent in last.
    pub(super) fn find_sent(&self, client_msg_id: ClientMsgId) -> Option<(usize, u32)> {
        let mut sent = self.messages.iter().take(self.sent).enumerate();
        let (place, message) = sent.find(|(_, message)| message.client_msg_id == client_msg_id)?;
        Some((place, message.round))
    }

    pub(super) fn remove_sent(&mut self, place: usize) -> Option<(B, T)> {
        let Waiting { body, ticket, .. } = self.messages.remove(place)?;
        self.sent -= 1;
        Some((body, ticket))
    }

    /// Takes the message at `place` and all behind it for not sent; the bodies of those that were.
    pub(super) fn rewind(&mut self, place: usize) -> impl Iterator<Item = &B> {
        let place = place.min(self.sent);
        let sent = core::mem::replace(&mut self.sent, place);
        self.round = self.round.wrapping_add(1);
        self.messages.range_mut(place..sent).map(|message| {
            message.retry = true;
            &message.body
        })
    }

    pub(super) fn into_tickets(self) -> impl Iterator<Item = T> {
        self.messages.into_iter().map(|message| message.ticket)
    }
}
