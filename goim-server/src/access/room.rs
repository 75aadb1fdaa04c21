//! One conversation with local readers: which entries have passed, and who gets to hear of them.
//!
//! Entries pass in order of their seqs, whatever order they come in, because some of them say who
//! reads: a reader is added, and stopped, exactly at the entry that says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use goim_core::{ConversationId, Seq, UserId};

use super::change::Change;
use super::connection::Connection;
use crate::bus::Published;

/// Entries that wait for one before them; more are left to be fetched from the store.
const WAITING_MAX: usize = 256;

/// A conversation with local readers.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Everything up to here has passed; `None` until somebody has looked.
    head: Option<Seq>,
    /// The store is known to have this much.
    known: Seq,
    waiting: BTreeMap<Seq, Published>,
    readers: Vec<Reader>,
    /// Readers have to be told of the head.
    pub(super) dirty: bool,
    /// Somebody watches over the gap.
    pub(super) gap_watched: bool,
}

#[derive(Debug)]
struct Reader {
    /// It has a session, and so a user.
    connection: Arc<Connection>,
    standing: Standing,
}

/// What is known of a reader's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Registered, and the store is being asked.
    Looking,
    /// The same, and meanwhile this entry has passed, which let him in.
    LookingAdded(Seq),
    /// The same, and meanwhile this entry has passed, which put him out.
    LookingGone(Seq),
    /// A member since this entry.
    Reading(Seq),
}

/// What looking in the store brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// The conversation's head when it was looked at.
    pub(crate) head: Seq,
    /// The entry that the user is a member since, if he is one.
    pub(crate) from: Option<Seq>,
    /// The last entry that the user may see, if he was a member and is none.
    pub(crate) last: Seq,
}

/// What a look means for who looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// He reads, from this entry on.
    Reads(Seq),
    /// He is out, and may see no more than up to this entry; zero for who never was in.
    Out(Seq),
}

/// An entry that passed, and what is to be done with it outside the room.
#[derive(Debug)]
pub(super) enum Step {
    /// Keep it for readers.
    Keep(Published),
    /// These users' connections have to be let in.
    LetIn(Vec<UserId>, Seq),
    /// This connection reads no further than this entry.
    Stop(Arc<Connection>, Seq),
    /// Entries were passed over: what is kept is no longer whole.
    Skip(Seq),
    /// The reader of this inbox was added to another conversation.
    Invite(UserId, ConversationId),
}

impl Room {
    /// A room whose first entry to pass is the one after `head`.
    pub(super) fn at(head: Seq) -> Self {
        Self { head: Some(head), known: head, ..Self::default() }
    }

    pub(super) fn head(&self) -> Option<Seq> {
        self.head
    }

    pub(super) fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// What is known to be in the store and has not passed.
    pub(super) fn gap(&self) -> Option<Seq> {
        self.head.filter(|head| *head < self.known)
    }

    /// Somebody saw this head in the store.
    pub(super) fn saw(&mut self, head: Seq) {
        self.known = self.known.max(head);
    }

    /// Takes an entry in whatever order, and gives it back if it is the next one to
    /// [pass](Room::pass).
    pub(super) fn offer(&mut self, published: Published) -> Option<Published> {
        let seq = published.entry.seq;
        self.known = self.known.max(seq);
        match self.head {
            Some(head) if seq == head.next() => return Some(published),
            Some(head) if seq <= head => {}
            Some(_) | None => {
                if self.waiting.len() < WAITING_MAX {
                    self.waiting.insert(seq, published);
                }
            }
        }
        None
    }

    /// The next entry to [pass](Room::pass), if it has been waiting.
    pub(super) fn take_waiting(&mut self) -> Option<Published> {
        let head = self.head?;
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= head.next()
        {
            let published = first.remove();
            if published.entry.seq > head {
                return Some(published);
            }
        }
        None
    }

    /// Everything up to `seq` counts as passed: what the store lacks there, retention took. It will
    /// never come, and nobody waits for it.
    pub(super) fn skip_to(&mut self, seq: Seq, steps: &mut Vec<Step>) {
        if self.head.is_some_and(|head| head < seq) {
            self.head = Some(seq);
            self.dirty = true;
            steps.push(Step::Skip(seq));
        }
    }

    /// The same as far as the store is known to reach.
    pub(super) fn skip_to_known(&mut self, steps: &mut Vec<Step>) {
        self.skip_to(self.known, steps);
    }

    /// Lets the next entry pass. What is to be done because of it has to be done before the one
    /// after it passes: whom an entry lets in, a later one may put out.
    pub(super) fn pass(&mut self, published: Published, steps: &mut Vec<Step>) {
        let seq = published.entry.seq;
        self.head = Some(seq);
        self.dirty = true;
        let change = Change::of(&published.entry);
        steps.push(Step::Keep(published));
        match change {
            Some(Change::Added(users)) => {
                for reader in self.readers.iter_mut().filter(|reader| reader.is_one_of(&users)) {
                    reader.let_in(seq);
                }
                steps.push(Step::LetIn(users, seq));
            }
            Some(Change::Gone(user)) => self.stop(user, seq, steps),
            Some(Change::InvitedTo(conversation)) => {
                let owner = self.readers.first().and_then(|reader| reader.connection.session());
                steps.extend(owner.map(|owner| Step::Invite(owner.user, conversation)));
            }
            None => {}
        }
    }

    /// Stops a user's readers at the entry that removed him; he is still told of that one.
    fn stop(&mut self, user: UserId, seq: Seq, steps: &mut Vec<Step>) {
        self.readers.retain_mut(|reader| {
            if !reader.is_one_of(&[user]) {
                return true;
            }
            match reader.standing {
                Standing::Looking | Standing::LookingAdded(_) | Standing::LookingGone(_) => {
                    reader.standing = Standing::LookingGone(seq);
                    true
                }
                Standing::Reading(from) if from > seq => true,
                Standing::Reading(_) => {
                    steps.push(Step::Stop(Arc::clone(&reader.connection), seq));
                    false
                }
            }
        });
    }

    /// Registers a connection before the store is looked at.
    pub(super) fn register(&mut self, connection: &Arc<Connection>) {
        self.add(connection, Standing::Looking);
    }

    /// Lets a connection in at an entry that has just passed.
    pub(super) fn let_in(&mut self, connection: &Arc<Connection>, seq: Seq) {
        self.add(connection, Standing::Reading(seq));
    }

    fn add(&mut self, connection: &Arc<Connection>, standing: Standing) {
        if !self.readers.iter().any(|reader| reader.is(connection)) {
            self.readers.push(Reader { connection: Arc::clone(connection), standing });
        }
    }

    /// Somebody looked, and the store had this head. What is behind it passes here, if nothing
    /// passed before.
    pub(super) fn begin_at(&mut self, head: Seq) {
        self.saw(head);
        self.head.get_or_insert(head);
    }

    /// Takes what looking brought for a registered connection: its first seq if it reads. What
    /// waited behind the head that was seen has passed by then.
    pub(super) fn look(&mut self, connection: &Arc<Connection>, look: Look) -> Looked {
        let Some(at) = self.readers.iter().position(|reader| reader.is(connection)) else {
            return Looked::Out(look.last);
        };
        let looked = self.readers[at].looked(look);
        match looked {
            Looked::Reads(from) => self.readers[at].standing = Standing::Reading(from),
            Looked::Out(_) => drop(self.readers.swap_remove(at)),
        }
        looked
    }

    /// Forgets the log, for a store that went back: whoever comes next looks anew.
    pub(super) fn forget(&mut self) {
        (self.head, self.known, self.dirty) = (None, Seq::ZERO, false);
        self.waiting.clear();
    }

    pub(super) fn leave(&mut self, connection: &Arc<Connection>) {
        self.readers.retain(|reader| !reader.is(connection));
    }

    /// Calls `tell` for each connection that reads.
    pub(super) fn each_reader(&self, mut tell: impl FnMut(&Arc<Connection>)) {
        for reader in &self.readers {
            if matches!(reader.standing, Standing::Reading(_)) {
                tell(&reader.connection);
            }
        }
    }

    /// Calls `tell` for each reading connection of one user.
    pub(super) fn each_reader_of(&self, user: UserId, mut tell: impl FnMut(&Arc<Connection>)) {
        for reader in self.readers.iter().filter(|reader| reader.is_one_of(&[user])) {
            // One who still looks may have left: what he may be told of is not known yet.
            if matches!(reader.standing, Standing::Reading(_)) {
                tell(&reader.connection);
            }
        }
    }
}

impl Reader {
    fn is(&self, connection: &Arc<Connection>) -> bool {
        Arc::ptr_eq(&self.connection, connection)
    }

    fn is_one_of(&self, users: &[UserId]) -> bool {
        self.connection.session().is_some_and(|session| users.contains(&session.user))
    }

    fn let_in(&mut self, seq: Seq) {
        match self.standing {
            Standing::Looking | Standing::LookingAdded(_) | Standing::LookingGone(_) => {
                self.standing = Standing::LookingAdded(seq);
            }
            // Whoever is read in already was let in by a look that saw more than has passed here.
            Standing::Reading(_) => {}
        }
    }

    /// The first seq of the range that this reader reads now.
    fn looked(&self, look: Look) -> Looked {
        match self.standing {
            Standing::Reading(from) => Looked::Reads(look.from.map_or(from, |looked| looked.max(from))),
            // What passed after the look is newer than the look.
            Standing::LookingAdded(seq) if seq > look.head => Looked::Reads(seq),
            Standing::LookingGone(seq) if seq > look.head => Looked::Out(seq),
            Standing::Looking | Standing::LookingAdded(_) | Standing::LookingGone(_) => {
                look.from.map_or(Looked::Out(look.last), Looked::Reads)
            }
        }
    }
}
