use crate::{ConversationId, Duration, Seq};

/// The bounds of an [`Inbox`](super::Inbox).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxLimits {
    /// Bytes of entries that wait to be taken in one conversation. Reached, nothing more is
    /// pulled for it, and entries that ride along are left to a later pull.
    pub conversation_bytes_max: usize,
    /// The same for all conversations together: 32 busy ones at their own bound.
    pub bytes_max: usize,
    /// Entries to ask for in one pull.
    pub pull_limit: u32,
    /// Pulls under way at once.
    pub pulls_max: usize,
    /// How long to wait before a pull whose answer was below an announced head is repeated;
    /// doubled with each further one.
    pub retry_min: Duration,
    /// The longest such wait.
    pub retry_max: Duration,
}

impl Default for InboxLimits {
    fn default() -> Self {
        Self {
            conversation_bytes_max: 1024 * 1024,
            bytes_max: 32 * 1024 * 1024,
            pull_limit: 500,
            pulls_max: 32,
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_secs(2),
        }
    }
}

/// Entries of one conversation to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullRequest {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Entries behind this one.
    pub after: Seq,
    /// At most so many.
    pub limit: u32,
}

/// An offset to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetMove {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Everything up to here has been handled.
    pub offset: Seq,
}
