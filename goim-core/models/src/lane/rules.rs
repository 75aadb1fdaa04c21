//! Rules as simple as they can be and still have effects.

use goim_core::lane::{Fold, Rules};
use goim_core::{Seq, UserId};

/// What the tests append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A message.
    Say,
    /// A message that the store cannot take.
    Poison,
    /// Lets somebody in.
    Add(UserId),
    /// Puts somebody out.
    Remove(UserId),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Only members write.
    NotMember,
    /// Nobody writes.
    Blocked,
}

/// Members write; whoever is a member may add and remove.
#[derive(Debug, Default)]
pub struct TestRules;

/// What holds in a conversation besides its members; changed behind the log's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Nobody writes.
    pub blocked: bool,
}

impl Rules for TestRules {
    type Entry = Entry;
    type Settings = Settings;
    type Member = ();
    type Refusal = Refusal;

    fn involved(&self, entry: &Entry, users: &mut Vec<UserId>) {
        match entry {
            Entry::Say | Entry::Poison => {}
            Entry::Add(user) | Entry::Remove(user) => users.push(*user),
        }
    }

    fn judge(&self, fold: &Fold<Settings, ()>, sender: UserId, _: &Entry) -> Result<(), Refusal> {
        if fold.settings.blocked {
            return Err(Refusal::Blocked);
        }
        fold.member(sender).copied().ok_or(Refusal::NotMember)
    }

    fn has_effects(&self, entry: &Entry) -> bool {
        matches!(entry, Entry::Add(_) | Entry::Remove(_))
    }

    fn apply(&self, fold: &mut Fold<Settings, ()>, _: Seq, _: UserId, entry: &Entry) {
        match entry {
            Entry::Say | Entry::Poison => {}
            Entry::Add(user) => fold.set_member(*user, Some(())),
            Entry::Remove(user) => fold.set_member(*user, None),
        }
    }

    fn counts(&self, entry: &Entry) -> bool {
        matches!(entry, Entry::Say | Entry::Poison)
    }

    fn bytes(&self, _: &Entry) -> usize {
        100
    }
}
