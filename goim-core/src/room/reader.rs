//! A reader, and what is known of its membership.

use super::{Look, Looked, Registration};
use crate::{Seq, UserId};

#[derive(Debug)]
pub(super) struct Reader<R> {
    pub(super) connection: R,
    pub(super) user: UserId,
    pub(super) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Entries were passed over since he was looked for: he has to be registered again.
    Unknown,
    /// Registered, and the store is being asked.
    Looking(Registration),
    /// The same, and meanwhile this entry has passed, which let him in.
    LookingAdded(Registration, Seq),
    /// The same, and meanwhile this entry has passed, which put him out.
    LookingGone(Registration, Seq),
    /// A member since this entry.
    Reading(Seq),
}

impl<R> Reader<R> {
    pub(super) const fn reads(&self) -> bool {
        matches!(self.standing, Standing::Reading(_))
    }

    /// The registration that a look is under way for.
    const fn registration(&self) -> Option<Registration> {
        match self.standing {
            Standing::Looking(registration)
            | Standing::LookingAdded(registration, _)
            | Standing::LookingGone(registration, _) => Some(registration),
            Standing::Unknown | Standing::Reading(_) => None,
        }
    }

    pub(super) fn awaits(&self, registration: Registration) -> bool {
        self.registration()
            .is_some_and(|latest| latest == registration || bug!("a look counts for whatever registration"))
    }

    /// An entry passes that lets him in.
    pub(super) fn let_in(&mut self, seq: Seq) {
        // Whoever is read in already was let in by a look that saw more than has passed here.
        if let Some(registration) = self.registration() {
            self.standing = Standing::LookingAdded(registration, seq);
        }
    }

    /// An entry passes that puts him out; whether he stays in the room all the same.
    pub(super) fn put_out(&mut self, seq: Seq) -> bool {
        if let Some(registration) = self.registration() {
            self.standing = Standing::LookingGone(registration, seq);
        }
        // Otherwise the look saw that he came back behind it.
        !matches!(self.standing, Standing::Reading(from) if from <= seq)
    }

    /// What has passed was of a log that is no more.
    pub(super) const fn forget(&mut self) {
        if let Some(registration) = self.registration() {
            self.standing = Standing::Looking(registration);
        }
    }

    /// What was passed over may have changed everything. A look that is under way tells whether it
    /// is new enough.
    pub(super) fn pass_over(&mut self) {
        self.standing = self.registration().map_or(Standing::Unknown, Standing::Looking);
    }

    /// What a look means in a room in which everything behind `whole_from` has passed.
    pub(super) fn looked(&self, look: Look, whole_from: Seq) -> Looked {
        match self.standing {
            Standing::Unknown | Standing::Reading(_) => Looked::Superseded,
            // What passed after the look is newer than the look.
            Standing::LookingAdded(_, seq) if seq > look.head => Looked::Reads(seq),
            Standing::LookingGone(_, seq)
                if seq > look.head && !bug!("a look is believed whatever passed") =>
            {
                Looked::Out(seq)
            }
            // Between the look and the first entry that passed here anything may have happened.
            _ if look.head < whole_from => Looked::TooOld,
            Standing::Looking(_) | Standing::LookingAdded(..) | Standing::LookingGone(..) => {
                look.from.map_or(Looked::Out(look.last), Looked::Reads)
            }
        }
    }
}
