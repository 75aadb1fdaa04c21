//! Limits that a store holds by counting in the transaction that adds: those who add at once would each
//! be the last that there is room for otherwise.

use goim_core::UserId;

/// Whose bot is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BotOwner {
    /// The person.
    pub user: UserId,
    /// How many he may ever make, revoked ones included.
    pub bots_max: u64,
}

/// How much of a user's may wait for an answer: requests to be friends, and likewise applications to
/// groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLimit {
    /// So many.
    pub most: u64,
    /// What was sent up to this time, in milliseconds since the Unix epoch, does not count.
    pub after_ms: u64,
}
