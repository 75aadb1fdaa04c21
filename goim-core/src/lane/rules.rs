use std::collections::VecDeque;

use crate::hash::IdMap;
use crate::{Seq, UserId};

/// What a log's entries mean: who may append what, and what it changes.
///
/// The rules of a server live in the server; a lane only asks them at the right moment, with the
/// state as of the entry before.
pub trait Rules {
    /// What is appended. Cloned only if a batch fails while its runner still holds it.
    type Entry: Clone;
    /// The fold apart from its members: kind, name, who may do what.
    type Settings;
    /// One user's row in the fold.
    type Member;
    /// Why an entry was refused.
    type Refusal: Clone;

    /// Adds the users whose rows judging `entry` needs besides its sender's.
    fn involved(&self, entry: &Self::Entry, users: &mut Vec<UserId>);

    /// Whether `sender` may append `entry` to a conversation in this state.
    ///
    /// # Errors
    ///
    /// The refusal that the sender is told.
    fn judge(
        &self,
        fold: &Fold<Self::Settings, Self::Member>,
        sender: UserId,
        entry: &Self::Entry,
    ) -> Result<(), Self::Refusal>;

    /// Whether `entry` changes the fold.
    fn has_effects(&self, entry: &Self::Entry) -> bool;

    /// Changes the fold by an entry that has effects and was judged to be allowed.
    fn apply(
        &self,
        fold: &mut Fold<Self::Settings, Self::Member>,
        seq: Seq,
        sender: UserId,
        entry: &Self::Entry,
    );

    /// Whether people read `entry` and count it as a message.
    fn counts(&self, entry: &Self::Entry) -> bool;

    /// The bytes that `entry` holds in memory.
    fn bytes(&self, entry: &Self::Entry) -> usize;
}

/// The state that a log adds up to, as far as a lane knows it: the settings, and the rows of those
/// users who were asked about, never the whole member list.
#[derive(Debug)]
pub struct Fold<S, M> {
    /// The fold apart from its members.
    pub settings: S,
    members: IdMap<UserId, Option<M>>,
    /// In the order in which they came, for eviction.
    order: VecDeque<UserId>,
}

impl<S, M> Fold<S, M> {
    /// A fold of which only the settings are known.
    #[must_use]
    pub fn new(settings: S) -> Self {
        Self { settings, members: IdMap::default(), order: VecDeque::new() }
    }

    /// The row of a member, or `None` for somebody who is not one, or of whom nothing is known.
    ///
    /// Rules are asked to judge only when everybody involved is known.
    #[must_use]
    pub fn member(&self, user: UserId) -> Option<&M> {
        self.members.get(&user)?.as_ref()
    }

    /// Sets a user's row; `None` says that the user is not a member.
    pub fn set_member(&mut self, user: UserId, row: Option<M>) {
        if self.members.insert(user, row).is_none() {
            self.order.push_back(user);
        }
    }

    /// Whether it is known if this user is a member.
    #[must_use]
    pub fn knows(&self, user: UserId) -> bool {
        self.members.contains_key(&user)
    }

    pub(super) fn trim(&mut self, members_max: usize) {
        while self.order.len() > members_max {
            if let Some(user) = self.order.pop_front() {
                self.members.remove(&user);
            }
        }
    }
}
