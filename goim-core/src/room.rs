//! One conversation with readers on an access node: which entries have passed, and who gets to hear
//! of them.
//!
//! Entries pass in the order of their seqs, whatever order they come in, because some of them say
//! who reads: a reader is let in, and stopped, exactly at the entry that says so.
//!
//! ```
//! use goim_core::room::{Change, Look, Looked, Registration, Room, Step};
//! use goim_core::{Msg, Seq, SeqRange, UserId};
//!
//! #[derive(Debug, PartialEq)]
//! struct Line(u64);
//! impl Msg for Line {
//!     fn seq(&self) -> Seq { Seq::new(self.0) }
//!     fn bytes(&self) -> usize { 0 }
//! }
//!
//! let (alice, bob) = (UserId::new(1), UserId::new(2));
//! let (mut room, mut steps) = (Room::default(), Vec::new());
//!
//! // Register, then look: what comes meanwhile is not missed.
//! let first = Registration::new(1);
//! room.register("alice's phone", alice, first);
//! assert_eq!(room.offer(Line(8)), None, "nobody knows yet what comes before it");
//! let look = Look { head: Seq::new(6), from: Some(Seq::FIRST), last: Seq::ZERO };
//! room.begin_at(look.head);
//! assert_eq!(room.take_waiting(), None, "it waits for line 7");
//! assert_eq!(room.look(&"alice's phone", first, look), Looked::Reads(Seq::FIRST));
//! assert_eq!(room.gap(), Some(SeqRange { first: Seq::new(7), last: Seq::new(8) }));
//!
//! // Line 7 adds Bob, so he is let in before line 8 passes.
//! let next = room.offer(Line(7)).unwrap();
//! room.pass(next, Some(Change::Added(vec![bob])), &mut steps);
//! assert_eq!(steps, [Step::Keep(Line(7)), Step::LetIn(vec![bob], Seq::new(7))]);
//! room.let_in("bob's laptop", bob, Seq::new(7));
//!
//! // Line 8 says that Bob left: he hears of it, and of nothing behind it.
//! let next = room.take_waiting().unwrap();
//! room.pass(next, Some(Change::Gone(bob)), &mut steps);
//! assert_eq!(steps.last(), Some(&Step::Stop("bob's laptop", Seq::new(8))));
//!
//! assert!(room.take_dirty());
//! let mut told = Vec::new();
//! room.each_reader(|connection| told.push(*connection));
//! assert_eq!((room.head(), room.gap(), told), (Some(Seq::new(8)), None, vec!["alice's phone"]));
//! ```
//!
//! # Entries
//!
//! [`Room::offer`] takes an entry, and gives it back if it is the next; [`Room::take_waiting`] then
//! gives what waited for that. Each is [passed](Room::pass), and what is to be done because of it has
//! to be done before the one after it passes: whom an entry lets in, a later one may put out, and
//! both may come in one batch.
//!
//! Nothing depends on every entry coming. [`Room::saw`] says how far the store reaches, and
//! [`Room::gap`] what to fetch because it has not passed; offer what the store has there, and
//! [skip](Room::skip_to) what it lacks.
//!
//! # Readers: register, then look
//!
//! A reader's membership is in the store, which takes a while to ask. So he is
//! [registered](Room::register) first and then looked for, and the look says which head it saw. What
//! passes in between and changes his membership is remembered: it counts if it lies behind that
//! head, for then it is newer than the look; at the head or before it the look knew of it already.
//! A look at an older head than the room began with is [too old](Looked::TooOld) to tell: what lies
//! between them has not passed here. For the same reason whoever reads is looked for
//! [again](Step::Look) when entries are passed over.
//!
//! A look counts for the [registration](Registration) that it was begun for and for no other. A
//! connection may be registered again while a look for it is under way, and the room may have
//! closed and opened in between: what passed before, which the older look needs beside it, nobody
//! remembers then. So whoever learns from outside that a reader may have been let in anew, by an
//! entry that has not passed here, registers him again and looks.
//!
//! The order of calls, when a look is there, is [`Room::begin_at`], then pass what
//! [`Room::take_waiting`] gives, then [`Room::look`].
//!
//! # Bounds and panics
//!
//! [`WAITING_MAX`] entries or [`WAITING_BYTES_MAX`] bytes wait; a reader costs its `size_of` and 24
//! bytes. Passing an entry is O(1) if it changes nothing and O(readers) otherwise. Nothing here
//! panics.

mod reader;
mod types;

use std::collections::BTreeMap;

use crate::{Msg, Seq, SeqRange, UserId};

use reader::{Reader, Standing};
pub use types::{Change, Look, Looked, Registration, Step};

/// Entries that wait for one before them; more are left to be fetched from the store.
pub const WAITING_MAX: usize = 256;

/// Bytes of entries that wait, besides 8 bytes and an entry's `size_of` for each: with all of them
/// of 4 KiB, [`WAITING_MAX`] is reached first.
pub const WAITING_BYTES_MAX: usize = 1 << 20;

/// A conversation with readers. See the [module](self).
///
/// `R` is a reader's connection, compared to find it again; `M` is an entry.
#[derive(Debug)]
pub struct Room<R, M> {
    /// Everything up to here has passed; `None` until somebody has looked.
    head: Option<Seq>,
    /// The store is known to have this much.
    known: Seq,
    /// Everything behind this, up to the head, has passed here; of what lies before nothing is known.
    whole_from: Seq,
    waiting: BTreeMap<Seq, M>,
    waiting_bytes: usize,
    readers: Vec<Reader<R>>,
    dirty: bool,
    gap_watched: bool,
}

/// A room that nobody has looked at yet: entries wait.
impl<R, M> Default for Room<R, M> {
    fn default() -> Self {
        Self {
            head: None,
            known: Seq::ZERO,
            whole_from: Seq::ZERO,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            readers: Vec::new(),
            dirty: false,
            gap_watched: false,
        }
    }
}

impl<R: Clone + PartialEq, M: Msg> Room<R, M> {
    /// A room whose first entry to pass is the one after `head`.
    #[must_use]
    pub fn at(head: Seq) -> Self {
        Self { head: Some(head), known: head, whole_from: head, ..Self::default() }
    }

    /// Everything up to here has passed; `None` until somebody has looked.
    #[must_use]
    pub const fn head(&self) -> Option<Seq> {
        self.head
    }

    /// Whether nobody reads here, or is about to.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// What the store is known to have and has not passed.
    #[must_use]
    pub fn gap(&self) -> Option<SeqRange> {
        let head = self.head.filter(|head| *head < self.known)?;
        Some(SeqRange { first: head.next(), last: self.known })
    }

    /// The gap, if nobody watches over it.
    #[must_use]
    pub fn unwatched_gap(&self) -> Option<SeqRange> {
        self.gap().filter(|_| !self.gap_watched)
    }

    /// Whether there is a gap that nobody watches over; whoever asked does from now on.
    pub fn watch_gap(&mut self) -> bool {
        // Not one bool for both: rustc 1.95 forgets it when it compares and uses it in one go
        // (rust-lang/rust#158206), and then nobody ever watches.
        if self.unwatched_gap().is_none() {
            return false;
        }
        self.gap_watched = true;
        true
    }

    /// Nobody watches over the gap any longer.
    pub const fn unwatch_gap(&mut self) {
        self.gap_watched = false;
    }

    /// Whether the head moved since the readers were told.
    #[must_use]
    pub const fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether the head moved since the readers were told; they are, by whoever asked.
    pub const fn take_dirty(&mut self) -> bool {
        core::mem::replace(&mut self.dirty, false)
    }

    /// Somebody saw this head in the store.
    pub fn saw(&mut self, head: Seq) {
        self.known = self.known.max(head);
    }

    /// Takes an entry in whatever order, and gives it back if it is the next one to
    /// [pass](Room::pass). One that has passed before is dropped.
    pub fn offer(&mut self, entry: M) -> Option<M> {
        let seq = entry.seq();
        self.saw(seq);
        match self.head {
            Some(head) if seq <= head => {}
            Some(head) if seq == head.next() || bug!("entries pass in any order") => return Some(entry),
            Some(_) | None => self.wait(seq, entry),
        }
        None
    }

    fn wait(&mut self, seq: Seq, entry: M) {
        let bytes = self.waiting_bytes.saturating_add(entry.bytes());
        if self.waiting.len() < WAITING_MAX && bytes <= WAITING_BYTES_MAX && !self.waiting.contains_key(&seq)
        {
            self.waiting_bytes = bytes;
            self.waiting.insert(seq, entry);
        }
    }

    /// The next entry to [pass](Room::pass), if it has been waiting.
    pub fn take_waiting(&mut self) -> Option<M> {
        let head = self.head?;
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= head.next()
        {
            let (seq, entry) = first.remove_entry();
            self.waiting_bytes -= entry.bytes();
            if seq > head {
                return Some(entry);
            }
        }
        None
    }

    /// Everything up to `seq` counts as passed: what the store lacks there, retention took. It will
    /// never come, and nobody waits for it. What did come and waits passes itself, so nothing is
    /// skipped from there on: [take](Room::take_waiting) it.
    pub fn skip_to(&mut self, seq: Seq, steps: &mut Vec<Step<R, M>>) {
        let Some(head) = self.head else { return };
        let first = self.waiting.range(head.next()..).next();
        let seq = first.map_or(seq, |(first, _)| seq.min(first.prev()));
        if head < seq {
            (self.head, self.whole_from) = (Some(seq), seq);
            self.dirty = true;
            steps.push(Step::Skip(seq));
            for reader in self.readers.iter_mut().filter(|reader| reader.reads()) {
                steps.push(Step::Look(reader.connection.clone(), reader.user));
            }
            self.readers.iter_mut().for_each(Reader::pass_over);
        }
    }

    /// Lets the next entry pass, the one that [`Room::offer`] or [`Room::take_waiting`] gave, with
    /// what it changes. The steps have to be taken before the one after it passes.
    pub fn pass(&mut self, entry: M, change: Option<Change>, steps: &mut Vec<Step<R, M>>) {
        let seq = entry.seq();
        self.head = Some(seq);
        self.dirty = true;
        steps.push(Step::Keep(entry));
        match change {
            Some(Change::Added(users)) => {
                for reader in self.readers.iter_mut().filter(|reader| users.contains(&reader.user)) {
                    reader.let_in(seq);
                }
                steps.push(Step::LetIn(users, seq));
            }
            Some(Change::Gone(user)) => self.stop(user, seq, steps),
            Some(Change::InvitedTo(conversation, from)) => {
                let owner = self.readers.first().map(|reader| reader.user);
                steps.extend(owner.map(|owner| Step::Invite(owner, conversation, from)));
            }
            None => {}
        }
    }

    /// Stops a user's readers at the entry that removed him; he is still told of that one.
    fn stop(&mut self, user: UserId, seq: Seq, steps: &mut Vec<Step<R, M>>) {
        self.readers.retain_mut(|reader| {
            let stays = reader.user != user || reader.put_out(seq);
            if !stays {
                steps.push(Step::Stop(reader.connection.clone(), seq));
            }
            stays
        });
    }

    /// Registers a user's connection before the store is looked at. One that is here already reads
    /// no more until it was looked for.
    pub fn register(&mut self, connection: R, user: UserId, registration: Registration) {
        let standing = Standing::Looking(registration);
        match self.readers.iter_mut().find(|reader| reader.connection == connection) {
            Some(reader) if reader.reads() && bug!("who reads is not registered anew") => {}
            Some(reader) => reader.standing = standing,
            None => self.readers.push(Reader { connection, user, standing }),
        }
    }

    /// Lets a user's connection in at an entry that has just passed. One that is here already stays
    /// as it is: it was let in when the entry passed.
    pub fn let_in(&mut self, connection: R, user: UserId, seq: Seq) {
        if !self.readers.iter().any(|reader| reader.connection == connection) {
            self.readers.push(Reader { connection, user, standing: Standing::Reading(seq) });
        }
    }

    /// Somebody looked, and the store had this head. What is behind it passes here, if nothing
    /// passed before.
    pub fn begin_at(&mut self, head: Seq) {
        self.saw(head);
        if self.head.is_none() {
            (self.head, self.whole_from) = (Some(head), head);
        }
    }

    /// Takes what looking brought for a registered connection, which is gone from here if its user is
    /// out. What waited behind the head that was seen has passed by then.
    pub fn look(&mut self, connection: &R, registration: Registration, look: Look) -> Looked {
        let awaits = |reader: &Reader<R>| reader.connection == *connection && reader.awaits(registration);
        let Some(at) = self.readers.iter().position(awaits) else { return Looked::Superseded };
        let looked = self.readers[at].looked(look, self.whole_from);
        match looked {
            Looked::Reads(from) => self.readers[at].standing = Standing::Reading(from),
            Looked::Out(_) => drop(self.readers.swap_remove(at)),
            Looked::TooOld | Looked::Superseded => {}
        }
        looked
    }

    /// Forgets the log, for a store that went back: whoever comes next looks anew. Looks that began
    /// before must not be handed in any more.
    pub fn forget(&mut self) {
        (self.head, self.known, self.dirty) = (None, Seq::ZERO, false);
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.readers.iter_mut().for_each(Reader::forget);
    }

    /// Takes a connection out.
    pub fn leave(&mut self, connection: &R) {
        self.readers.retain(|reader| reader.connection != *connection);
    }

    /// Calls `tell` for each connection that reads.
    pub fn each_reader(&self, tell: impl FnMut(&R)) {
        // One who still looks may have left: what he may be told of is not known yet.
        self.readers.iter().filter(|reader| reader.reads()).map(|reader| &reader.connection).for_each(tell);
    }

    /// Calls `tell` for each reading connection of one user.
    pub fn each_reader_of(&self, user: UserId, tell: impl FnMut(&R)) {
        let his = self.readers.iter().filter(|reader| reader.user == user && reader.reads());
        his.map(|reader| &reader.connection).for_each(tell);
    }
}

#[cfg(test)]
mod tests;
