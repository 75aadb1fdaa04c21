use crate::{ClientMsgId, ConversationId, Duration};

/// The shape of an [`Outbox`](super::Outbox).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxConfig {
    /// Bytes that a message holds beside its body.
    pub message_bytes: usize,
    /// How long to wait before what was put off is sent again, unless the server says; doubled with
    /// each further failure in a row of the same conversation.
    pub retry_min: Duration,
    /// The longest such wait.
    pub retry_max: Duration,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        // A message's record is half of that; the buffer that it stands in may be half empty.
        Self { message_bytes: 128, retry_min: Duration::from_millis(50), retry_max: Duration::from_secs(5) }
    }
}

impl OutboxConfig {
    pub(super) fn bytes_of(&self, body: &impl AsRef<[u8]>) -> usize {
        self.message_bytes + body.as_ref().len()
    }

    /// How long to wait before a message that was answered so is sent again, after so many failures
    /// in a row; `None` if it is not.
    pub(super) fn wait_after(&self, answer: SendAnswer, failures: u32) -> Option<Duration> {
        let retry_after = match answer {
            SendAnswer::Stored | SendAnswer::Refused => return None,
            // What it names was refused or lost; that is known by now, and nobody is spared by waiting.
            SendAnswer::OutOfOrder { .. } if failures == 0 => return Some(Duration::ZERO),
            SendAnswer::OutOfOrder { retry_after } | SendAnswer::NotNow { retry_after } => retry_after,
        };
        let own = self.retry_min.saturating_mul(2_u32.saturating_pow(failures)).min(self.retry_max);
        Some(retry_after.unwrap_or(own))
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxSend<B> {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The message's id.
    pub client_msg_id: ClientMsgId,
    /// The message before it to that conversation, if that one is unanswered: without it, this one
    /// must not be stored.
    pub after: Option<ClientMsgId>,
    /// It may have been sent before.
    pub retry: bool,
    /// What its answer has to name.
    pub round: u32,
    /// What it says.
    pub body: B,
}

/// What a server answered to a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendAnswer {
    /// It is stored, by this send or an earlier one.
    Stored,
    /// It is refused for good.
    Refused,
    /// What it comes after is not stored.
    OutOfOrder {
        /// When to send it again; at once if it is the first failure in a row.
        retry_after: Option<Duration>,
    },
    /// It may be stored another time.
    NotNow {
        /// When to send it again.
        retry_after: Option<Duration>,
    },
}

/// What an answer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered<B, T> {
    /// The message has met its fate and is out of the outbox.
    Done {
        /// What it said.
        body: B,
        /// Its ticket.
        ticket: T,
    },
    /// It stays and is sent again.
    Again,
    /// It was answered before, or it was this copy's answer and a later one is under way.
    Stale,
}
