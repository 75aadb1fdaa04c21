//! What a connection waits for, and how it ends.

use std::time::Duration;

use goim_core::{ClientMsgId, ConversationId};

use crate::link::Reason;
use crate::shared::{CallFate, Tokens};

/// Why a connection is over.
pub(crate) enum Ended {
    /// The application closed the client.
    Closed,
    /// The server does not take the token any longer.
    Refused(Reason),
    /// Anything else: try again, not before this time has passed.
    Lost(Reason, Duration),
}

impl Ended {
    /// Lost without a word of the server's: try again as soon as one's own back-off allows.
    pub(crate) fn lost(reason: impl Into<Reason>) -> Self {
        Self::Lost(reason.into(), Duration::ZERO)
    }
}

/// What waits for an answer.
pub(crate) enum Pending {
    Send {
        conversation: ConversationId,
        id: ClientMsgId,
        round: u32,
    },
    Call(CallFate),
    /// A pull of the application's own.
    Read(ConversationId, CallFate),
    Pull(ConversationId),
    Commit,
    Sync,
    /// Offsets of conversations that were announced.
    Unknown(Vec<ConversationId>),
    /// Heads after the store went back.
    WentBack(Vec<ConversationId>),
    Refresh,
    Renew(Tokens),
}
