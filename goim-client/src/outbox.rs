//! Messages on their way to the server, in the order of the calls, through retries, reconnects and
//! changes of node (G4).
//!
//! Sends are pipelined: each names the send before it to the same conversation while that one is
//! unanswered, so the server can tell when one of them went missing. What may still succeed keeps
//! its place; what was refused for good leaves it, alone.

use std::collections::{HashMap, VecDeque};
use std::mem;

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Duration, Time};
use goim_proto::{Error, ErrorCode, Send, Sent};
use tokio::sync::oneshot;

use crate::{OutgoingMessage, SendError};

/// What the sender of a message waits for.
pub(crate) type Fate = oneshot::Sender<Result<Sent, SendError>>;

/// Bytes that a waiting message holds besides its body.
const MESSAGE_BYTES: usize = 128;

/// Before messages that may still succeed are sent again, unless the server says when.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Outbox {
    queues: HashMap<ConversationId, Queue>,
    /// Conversations that may have something to send, each once.
    ready: VecDeque<ConversationId>,
    /// Bytes that are kept.
    bytes: usize,
    /// Bytes that are sent and unanswered.
    in_flight: usize,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Waiting>,
    /// How many from the front are sent and unanswered.
    sent: usize,
    is_ready: bool,
    /// Raised whenever unanswered sends go again.
    round: u32,
    /// Failures in a row, and until when to wait for that.
    failures: u32,
    not_before: Option<Time>,
}

struct Waiting {
    client_msg_id: ClientMsgId,
    body: Bytes,
    retry: bool,
    /// The queue's when it was sent last: a failure of an older copy says nothing new.
    round: u32,
    fate: Option<Fate>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        MESSAGE_BYTES + self.body.len()
    }
}

/// What an answer did.
pub(crate) enum Answered {
    /// The message is out of the outbox, with this body if it is stored.
    Done { body: Option<Bytes> },
    /// It stays and is sent again.
    Again,
    /// It was answered before.
    Stale,
}

impl Outbox {
    /// Puts a message behind what waits for its conversation.
    pub(crate) fn push(&mut self, message: OutgoingMessage, retry: bool, fate: Option<Fate>) {
        let OutgoingMessage { conversation, client_msg_id, body } = message;
        let waiting = Waiting { client_msg_id, body, retry, round: 0, fate };
        self.bytes += waiting.bytes();
        self.queues.entry(conversation).or_default().messages.push_back(waiting);
        self.queue_ready(conversation);
    }

    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The next message to send, while fewer than `in_flight_max` bytes are unanswered, and its
    /// round, which its answer has to name.
    pub(crate) fn poll_send(&mut self, now: Time, in_flight_max: usize) -> Option<(Send, u32)> {
        let mut later = Vec::new();
        let mut next = None;
        while next.is_none()
            && self.in_flight < in_flight_max
            && let Some(conversation) = self.ready.pop_front()
        {
            let Some(queue) = self.queues.get_mut(&conversation) else { continue };
            queue.is_ready = false;
            if queue.not_before.is_some_and(|at| now < at) {
                later.push(conversation);
                continue;
            }
            queue.not_before = None;
            let after = queue.sent.checked_sub(1).and_then(|before| queue.messages.get(before));
            let after = after.map(|before| before.client_msg_id);
            let Some(message) = queue.messages.get_mut(queue.sent) else { continue };
            message.round = queue.round;
            queue.sent += 1;
            self.in_flight += message.bytes();
            let (client_msg_id, retry, body) = (message.client_msg_id, message.retry, message.body.clone());
            next = Some((Send { conversation, client_msg_id, after, retry, body }, queue.round));
            self.queue_ready(conversation);
        }
        for conversation in later {
            self.queue_ready(conversation);
        }
        next
    }

    /// When something that waits for its time may be sent.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.queues.values().filter_map(|queue| queue.not_before).min()
    }

    /// A send was answered.
    pub(crate) fn handle_answer(
        &mut self,
        now: Time,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
        round: u32,
        answer: Result<Sent, Error>,
    ) -> Answered {
        let Some(queue) = self.queues.get_mut(&conversation) else { return Answered::Stale };
        let sent = queue.messages.iter().take(queue.sent);
        let Some(place) = sent.into_iter().position(|message| message.client_msg_id == client_msg_id) else {
            return Answered::Stale;
        };
        if let Err(error) = &answer
            && may_succeed(error.code)
        {
            if queue.messages.get(place).is_none_or(|message| message.round != round) {
                return Answered::Stale;
            }
            let wait = retry_after(error, queue.failures);
            queue.failures += 1;
            queue.not_before = Some(now + wait);
            self.rewind(conversation, place);
            return Answered::Again;
        }
        queue.failures = 0;
        let Some(message) = queue.messages.remove(place) else { return Answered::Stale };
        queue.sent -= 1;
        self.in_flight -= message.bytes();
        self.bytes -= message.bytes();
        let stored = answer.is_ok();
        if let Some(fate) = message.fate {
            // Whoever sent it need not wait for it.
            let _ = fate.send(answer.map_err(SendError::Refused));
        }
        if queue.messages.is_empty() {
            self.queues.remove(&conversation);
        }
        Answered::Done { body: stored.then_some(message.body) }
    }

    /// The connection was lost: what is unanswered goes again, in its order.
    pub(crate) fn handle_reset(&mut self) {
        let conversations: Vec<_> = self.queues.keys().copied().collect();
        for conversation in conversations {
            if let Some(queue) = self.queues.get_mut(&conversation) {
                queue.not_before = None;
            }
            self.rewind(conversation, 0);
        }
        self.in_flight = 0;
    }

    /// Tells everybody who waits that nothing more will be sent.
    pub(crate) fn close(&mut self) {
        for queue in mem::take(&mut self.queues).into_values() {
            for fate in queue.messages.into_iter().filter_map(|message| message.fate) {
                let _ = fate.send(Err(SendError::Closed));
            }
        }
        (self.bytes, self.in_flight) = (0, 0);
    }

    /// Sends the message at `place` and all behind it again: they name each other as "before".
    fn rewind(&mut self, conversation: ConversationId, place: usize) {
        let Some(queue) = self.queues.get_mut(&conversation) else { return };
        queue.round += 1;
        let again = queue.sent.saturating_sub(place);
        for message in queue.messages.iter_mut().skip(place).take(again) {
            message.retry = true;
            self.in_flight = self.in_flight.saturating_sub(message.bytes());
        }
        queue.sent = queue.sent.min(place);
        self.queue_ready(conversation);
    }

    fn queue_ready(&mut self, conversation: ConversationId) {
        if let Some(queue) = self.queues.get_mut(&conversation)
            && !queue.is_ready
            && queue.sent < queue.messages.len()
        {
            queue.is_ready = true;
            self.ready.push_back(conversation);
        }
    }
}

/// Whether a message may be stored yet. A token that has ended is renewed; if it cannot be, the
/// client ends, and the outbox with it.
fn may_succeed(code: ErrorCode) -> bool {
    code.is_retryable() || matches!(code, ErrorCode::BadToken | ErrorCode::Unauthenticated)
}

fn retry_after(error: &Error, failures: u32) -> Duration {
    if error.code == ErrorCode::OutOfOrder && failures == 0 {
        return Duration::ZERO;
    }
    let own = (RETRY_MIN * 2_u32.saturating_pow(failures.min(16))).min(RETRY_MAX);
    error.retry_after_ms.map_or(own, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use goim_core::Seq;

    use super::*;

    const C: ConversationId = ConversationId::new(1);
    const MAX: usize = 1 << 20;

    fn id(n: u8) -> ClientMsgId {
        ClientMsgId::mint(1_700_000_000_000, &[n; 10])
    }

    fn outbox(messages: u8) -> Outbox {
        let mut outbox = Outbox::default();
        for n in 1..=messages {
            let message =
                OutgoingMessage { conversation: C, client_msg_id: id(n), body: Bytes::from(vec![n]) };
            outbox.push(message, false, None);
        }
        outbox
    }

    /// (id, after, retry) of all that can be sent now.
    fn sends(outbox: &mut Outbox, now: Time) -> Vec<(ClientMsgId, Option<ClientMsgId>, bool)> {
        let send = |(send, _): (Send, u32)| (send.client_msg_id, send.after, send.retry);
        core::iter::from_fn(|| outbox.poll_send(now, MAX)).map(send).collect()
    }

    fn sent(seq: u64) -> Result<Sent, Error> {
        Ok(Sent { seq: Seq::new(seq), duplicate: false, at_ms: 0, count: seq })
    }

    fn refused(code: ErrorCode) -> Result<Sent, Error> {
        Err(Error::new(code, "no"))
    }

    #[test]
    fn each_send_names_the_unanswered_one_before_it() {
        let mut outbox = outbox(3);
        let all = sends(&mut outbox, Time::ZERO);
        assert_eq!(all, [(id(1), None, false), (id(2), Some(id(1)), false), (id(3), Some(id(2)), false)]);
        for n in 1..=3 {
            outbox.handle_answer(Time::ZERO, C, id(n), 0, sent(n.into()));
        }
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }

    #[test]
    fn a_lost_connection_sends_the_unanswered_again_in_order() {
        let mut outbox = outbox(3);
        sends(&mut outbox, Time::ZERO);
        outbox.handle_answer(Time::ZERO, C, id(1), 0, sent(1));
        outbox.handle_reset();
        assert_eq!(sends(&mut outbox, Time::ZERO), [(id(2), None, true), (id(3), Some(id(2)), true)]);
    }

    #[test]
    fn what_may_still_succeed_is_not_overtaken() {
        let mut outbox = outbox(3);
        sends(&mut outbox, Time::ZERO);
        outbox.handle_answer(Time::ZERO, C, id(1), 0, refused(ErrorCode::Unavailable));
        assert_eq!(sends(&mut outbox, Time::ZERO), []);
        outbox.handle_answer(Time::ZERO, C, id(2), 0, refused(ErrorCode::OutOfOrder));
        let at = outbox.poll_timeout().unwrap();
        let again = sends(&mut outbox, at);
        assert_eq!(again, [(id(1), None, true), (id(2), Some(id(1)), true), (id(3), Some(id(2)), true)]);
    }

    #[test]
    fn what_was_refused_for_good_fails_alone() {
        let mut outbox = outbox(3);
        sends(&mut outbox, Time::ZERO);
        let answer = outbox.handle_answer(Time::ZERO, C, id(1), 0, refused(ErrorCode::TextTooLong));
        assert!(matches!(answer, Answered::Done { body: None }));
        outbox.handle_answer(Time::ZERO, C, id(2), 0, refused(ErrorCode::OutOfOrder));
        assert_eq!(sends(&mut outbox, Time::ZERO), [(id(2), None, true), (id(3), Some(id(2)), true)]);
        // The first copy's answer comes late: the second one is on its way already.
        outbox.handle_answer(Time::ZERO, C, id(3), 0, refused(ErrorCode::OutOfOrder));
        assert_eq!(outbox.poll_timeout(), None);
        assert_eq!(sends(&mut outbox, Time::ZERO), []);
    }

    #[test]
    fn a_token_that_ended_costs_no_message() {
        for code in [ErrorCode::BadToken, ErrorCode::Unauthenticated] {
            let mut outbox = outbox(1);
            sends(&mut outbox, Time::ZERO);
            let answer = outbox.handle_answer(Time::ZERO, C, id(1), 0, refused(code));
            assert!(matches!(answer, Answered::Again));
            let at = outbox.poll_timeout().unwrap();
            assert_eq!(sends(&mut outbox, at), [(id(1), None, true)]);
        }
    }

    #[test]
    fn a_failure_counts_though_one_behind_it_failed_first() {
        let mut outbox = outbox(3);
        sends(&mut outbox, Time::ZERO);
        // The lane judged them again for one that a rival was faster than.
        outbox.handle_answer(Time::ZERO, C, id(2), 0, refused(ErrorCode::OutOfOrder));
        assert_eq!(sends(&mut outbox, Time::ZERO), [(id(2), Some(id(1)), true), (id(3), Some(id(2)), true)]);
        outbox.handle_answer(Time::ZERO, C, id(1), 0, refused(ErrorCode::OutOfOrder));
        let again = [(id(1), None, true), (id(2), Some(id(1)), true), (id(3), Some(id(2)), true)];
        let at = outbox.poll_timeout().unwrap();
        assert_eq!(sends(&mut outbox, at), again);
    }

    #[test]
    fn bytes_in_flight_are_bounded() {
        let mut outbox = outbox(3);
        assert!(outbox.poll_send(Time::ZERO, 100).is_some());
        assert!(outbox.poll_send(Time::ZERO, 100).is_none());
        outbox.handle_answer(Time::ZERO, C, id(1), 0, sent(1));
        assert!(outbox.poll_send(Time::ZERO, 100).is_some());
    }
}
