use goim_core::lane::{Fold, Rules};
use goim_core::{Seq, UserId};

/// What the tests append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Say,
    /// A message that the store cannot take.
    Poison,
    Add(UserId),
    Remove(UserId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotMember,
    Blocked,
}

/// Members write; whoever is a member may add and remove.
#[derive(Debug, Default)]
pub(crate) struct TestRules;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) blocked: bool,
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
