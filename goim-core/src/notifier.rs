//! The server's end of delivery on one connection: which heads to announce, and when again.
//!
//! A [`Notifier`] holds one mark for each conversation with something to tell: its newest head and
//! the reader's own read marker. A newer mark replaces the older one, so a reader that is slow or
//! gone costs memory per conversation, never per message. Marks are hints: they may be lost,
//! doubled or reordered, and nothing goes wrong; the notifier's work is that a reader learns of the
//! newest head soon all the same.
//!
//! Its runner goes round this loop:
//!
//! 1. [`Notifier::mark`] what was committed, [`Notifier::sent_through`] what a pull's answer
//!    brought, [`Notifier::handle_ack`] what the reader acknowledged.
//! 2. While the connection has room, [`Notifier::poll_announce`] and send that, as a datagram or,
//!    where it says `reliable`, as a frame on the ordered stream. Entries that were put inline:
//!    [`Notifier::announced`].
//! 3. Sleep until [`Notifier::poll_timeout`], then go to 2.
//!
//! # Over datagrams
//!
//! A mark goes out at once, whether or not the one before it was acknowledged. A conversation's
//! clock runs from the first unacknowledged announcement and starts anew with each ack that is
//! news; so neither a stream of newer marks nor a stream of older acks keeps a lost one from being
//! sent again. What is sent again is the newest head of that moment. An ack of an older head
//! measures the round trip and proves the path, and never clears a newer mark. After the last try
//! the mark goes on the ordered stream, and for a while so does everything else, because a path
//! that swallowed all tries will likely swallow the next.
//!
//! # On an ordered stream
//!
//! The stream itself sends again, so no timer runs; an announcement still holds its place in the
//! window until it is acknowledged, and a few announcements of one conversation may be out at once.
//! This bounds what is buffered for a reader that does not read.
//!
//! # A store that went back
//!
//! Heads only grow here. When the store's epoch changes, start a new notifier.

mod machine;
mod table;

use crate::ack_queue::AckId;
use crate::rtt::RttConfig;
use crate::{ConversationId, Duration, Seq, limits};

pub use machine::Notifier;

/// The bounds of a [`Notifier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifierConfig {
    /// Conversations that may have an unacknowledged announcement.
    pub window: usize,
    /// Retransmissions over datagrams before a mark goes on the ordered stream.
    pub retries_max: u32,
    /// Whether the peer takes datagrams.
    pub datagrams: bool,
    /// How long the ordered stream is used after a mark was given up over datagrams.
    pub datagram_rest: Duration,
    /// Announcements of one conversation that may be out on the ordered stream.
    pub stream_depth: u8,
    /// The retransmission timeout's bounds.
    pub rtt: RttConfig,
    /// Conversations remembered. Where there is no room for one more, the longest idle one is
    /// forgotten; where none is idle, a mark is dropped and [`Notifier::marks_dropped`] says so.
    pub conversations_max: usize,
}

impl Default for NotifierConfig {
    fn default() -> Self {
        Self {
            window: limits::NOTIFIER_WINDOW,
            retries_max: limits::NOTIFIER_RETRIES_MAX,
            datagrams: true,
            datagram_rest: limits::NOTIFIER_DATAGRAM_REST,
            stream_depth: limits::NOTIFIER_STREAM_DEPTH,
            rtt: RttConfig::default(),
            conversations_max: limits::NOTIFIER_CONVERSATIONS_MAX,
        }
    }
}

/// What to send: conversation so-and-so has reached this head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// For [`Notifier::announced`].
    pub id: AckId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Its newest head.
    pub head: Seq,
    /// The reader's own read marker.
    pub read_marker: Seq,
    /// Entries in `(inline_after, head]` are new to this connection; put them inline if they are
    /// few and small.
    pub inline_after: Seq,
    /// Send it on the ordered stream, not as a datagram.
    pub reliable: bool,
}

#[cfg(test)]
mod tests;
