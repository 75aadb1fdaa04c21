//! A reader, and what is known of its membership.

use super::{Look, Looked};
use crate::{Seq, UserId};

#[derive(Debug)]
pub(super) struct Reader<R> {
    pub(super) connection: R,
    pub(super) user: UserId,
    pub(super) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Registered, and the store is being asked.
    Looking,
    /// The same, and meanwhile this entry has passed, which let him in.
    LookingAdded(Seq),
    /// The same, and meanwhile this entry has passed, which put him out.
    LookingGone(Seq),
    /// A member since this entry.
    Reading(Seq),
}

impl<R> Reader<R> {
    pub(super) const fn reads(&self) -> bool {
        matches!(self.standing, Standing::Reading(_))
    }

    /// An entry passes that lets him in.
    pub(super) fn let_in(&mut self, seq: Seq) {
        match self.standing {
            Standing::Looking | Standing::LookingAdded(_) | Standing::LookingGone(_) => {
                self.standing = Standing::LookingAdded(seq);
            }
            // Whoever is read in already was let in by a look that saw more than has passed here.
            Standing::Reading(_) => {}
        }
    }

    /// An entry passes that puts him out; whether he stays in the room all the same.
    pub(super) fn put_out(&mut self, seq: Seq) -> bool {
        match self.standing {
            Standing::Looking | Standing::LookingAdded(_) | Standing::LookingGone(_) => {
                self.standing = Standing::LookingGone(seq);
                true
            }
            // The look saw that he came back behind it.
            Standing::Reading(from) => from > seq,
        }
    }

    /// What has passed was of a log that is no more.
    pub(super) const fn forget(&mut self) {
        if !self.reads() {
            self.standing = Standing::Looking;
        }
    }

    /// What was passed over may have changed everything.
    pub(super) const fn look_again(&mut self) {
        self.standing = Standing::Looking;
    }

    /// What a look means in a room in which everything behind `whole_from` has passed.
    pub(super) fn looked(&self, look: Look, whole_from: Seq) -> Looked {
        match self.standing {
            Standing::Reading(from) => Looked::Reads(look.from.map_or(from, |looked| looked.max(from))),
            // What passed after the look is newer than the look.
            Standing::LookingAdded(seq) if seq > look.head => Looked::Reads(seq),
            Standing::LookingGone(seq) if seq > look.head && !bug!("a look is believed whatever passed") => {
                Looked::Out(seq)
            }
            // Between the look and the first entry that passed here anything may have happened.
            _ if look.head < whole_from => Looked::TooOld,
            Standing::Looking | Standing::LookingAdded(_) | Standing::LookingGone(_) => {
                look.from.map_or(Looked::Out(look.last), Looked::Reads)
            }
        }
    }
}
