//! What happens to a client besides messages.

use goim_core::{ConversationId, Epoch, Seq, UserId};

/// Something that happened to the client. See [`Client::events`](crate::Client::events).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection is up and, if the client has a token, authenticated and in sync.
    Connected,
    /// The connection is gone; the client tries again by itself.
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// The server does not take the token any longer, and the client has ended: its streams end, and
    /// its calls and sends answer `Closed`. Log in with a new [`Client`](crate::Client).
    SessionEnded {
        /// Why, for people.
        reason: String,
    },
    /// The session was renewed: keep [`Client::refresh_token`](crate::Client::refresh_token) anew.
    TokensRenewed,
    /// The server's store went back to an earlier state, as after a restored backup. Offsets were
    /// moved back to those that it has now: what comes behind them is handed out, though this reader
    /// may have had some of it, and what the application remembers beyond them may be gone.
    EpochChanged {
        /// The store's new epoch.
        epoch: Epoch,
        /// Conversations whose offset was moved back, with where it is now.
        moved_back: Vec<(ConversationId, Seq)>,
    },
    /// The server refused an offset; the application may have committed in a conversation that it
    /// never could read.
    OffsetRefused {
        /// In which conversation.
        conversation: ConversationId,
    },
    /// Somebody is typing; show it for some 5 s, or until a message of his comes. Best effort: some of
    /// these are lost, and those of users on other nodes of the server never come.
    Typing {
        /// In which conversation.
        conversation: ConversationId,
        /// Who.
        user: UserId,
    },
    /// A friend has changed his profile, or may have: ask for it if the one at hand is older. Best effort, as
    /// [`Event::Typing`]: of those who were missed tells the version in [`Client::friends`](crate::Client::friends).
    ProfileChanged {
        /// Who.
        user: UserId,
        /// The version of his profile now.
        version: u64,
    },
}
