//! Who is connected, and who reads what: entries in, marks out.
//!
//! Register, then look: a connection is registered for a conversation first, then the store is
//! asked for its head and the user's membership, and what passes in between is not missed.
//!
//! Locks are taken in this order: a shard of rooms, a shard of users, a connection.

mod readers;

use std::mem;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use goim_core::hash::{IdMap, spread};
use goim_core::msg_box::MsgBox;
use goim_core::room::{Change, Step};
use goim_core::{ConversationId, Duration, Entry, Epoch, Msg as _, Seq, SeqRange, Time, UserId};
use goim_proto::EncodedEntry;
use tokio::sync::Notify;

use super::change;
use super::connection::Connection;
use super::kept::Kept;
use crate::bus::Published;
use crate::store::Head;
use crate::telemetry::Metrics;

/// Locks over which conversations and users are spread; a power of two, well over the cores.
const SHARDS: u64 = 64;

type Room = goim_core::Room<Arc<Connection>, Published>;
type Rooms = IdMap<ConversationId, Room>;
type Users = IdMap<UserId, Vec<Arc<Connection>>>;

/// The readers of one access node.
#[derive(Debug)]
pub(crate) struct Hub {
    /// The store's, of which everything here is: what was looked up, fetched or committed in another
    /// one is not taken.
    epoch: AtomicU64,
    rooms: Box<[Mutex<Rooms>]>,
    users: Box<[Mutex<Users>]>,
    msg_box: MsgBox<Kept>,
    registrations: AtomicU32,
    gaps: Mutex<Vec<(Time, ConversationId)>>,
    invitations: Mutex<Vec<Invitation>>,
    invited: Notify,
    left: Notify,
    metrics: Arc<Metrics>,
}

/// The store has to be asked where those connections of a user stand that do not read a
/// conversation yet from this seq on or from one behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invitation {
    pub(crate) user: UserId,
    pub(crate) conversation: ConversationId,
    /// The entry that let him in; zero to ask only for those that are not known to read.
    pub(crate) from: Seq,
}

/// What a batch of entries leaves to do when all of them have passed.
#[derive(Debug, Default)]
struct Touched {
    conversations: Vec<ConversationId>,
    steps: Vec<Step<Arc<Connection>, Published>>,
    wake: Vec<Arc<Connection>>,
}

impl Hub {
    pub(crate) fn new(epoch: Epoch, msg_box: MsgBox<Kept>, metrics: Arc<Metrics>) -> Self {
        Self {
            epoch: AtomicU64::new(epoch.as_u64()),
            rooms: (0..SHARDS).map(|_| Mutex::default()).collect(),
            users: (0..SHARDS).map(|_| Mutex::default()).collect(),
            msg_box,
            registrations: AtomicU32::new(0),
            gaps: Mutex::default(),
            invitations: Mutex::default(),
            invited: Notify::new(),
            left: Notify::new(),
            metrics,
        }
    }

    fn rooms(&self, conversation: ConversationId) -> MutexGuard<'_, Rooms> {
        lock(&self.rooms[shard_of(conversation.as_u64())])
    }

    /// The rooms as long as they are of this epoch, which does not end while they are locked.
    fn rooms_in(&self, epoch: Epoch, conversation: ConversationId) -> Option<MutexGuard<'_, Rooms>> {
        let rooms = self.rooms(conversation);
        (self.epoch() == epoch).then_some(rooms)
    }

    fn users(&self, user: UserId) -> MutexGuard<'_, Users> {
        lock(&self.users[shard_of(user.as_u64())])
    }

    /// The epoch that everything here is of.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.epoch.load(Ordering::Acquire))
    }

    /// Takes entries that were committed in an epoch: keeps those with a local reader, and marks their
    /// readers.
    pub(crate) fn publish(&self, now: Time, epoch: Epoch, entries: Vec<Published>) {
        self.metrics.entries_published_total.add(entries.len());
        let mut touched = Touched::default();
        for published in entries {
            self.publish_one(now, epoch, published, &mut touched);
        }
        self.tell(&mut touched);
    }

    fn publish_one(&self, now: Time, epoch: Epoch, published: Published, touched: &mut Touched) {
        let conversation = published.conversation;
        let Some(mut rooms) = self.rooms_in(epoch, conversation) else { return };
        let room = match rooms.get_mut(&conversation) {
            Some(room) => room,
            None if self.lets_somebody_in(&published) => {
                self.begin_behind(conversation, published.entry.seq.prev());
                rooms.entry(conversation).or_insert_with(|| Room::at(published.entry.seq.prev()))
            }
            None => return,
        };
        let was_dirty = room.is_dirty();
        let next = room.offer(published);
        self.pass(conversation, room, next, touched);
        if room.is_dirty() && !was_dirty {
            touched.conversations.push(conversation);
        }
        self.watch_gap(now, conversation, room);
        if room.is_empty() {
            rooms.remove(&conversation);
        }
    }

    /// Takes the first of what the store has from a gap on, in order and without anything left out; it
    /// was asked when [`Hub::epoch`] was this one.
    pub(crate) fn fetched(
        &self,
        now: Time,
        epoch: Epoch,
        conversation: ConversationId,
        gap: SeqRange,
        entries: Vec<Published>,
    ) {
        let mut touched = Touched::default();
        let Some(mut rooms) = self.rooms_in(epoch, conversation) else { return };
        let Some(room) = rooms.get_mut(&conversation) else { return };
        // Otherwise something passed meanwhile, and these are only late.
        let in_order = room.head() == Some(gap.first.prev());
        if in_order && entries.is_empty() {
            self.skip_to(conversation, room, gap.last, &mut touched);
        }
        for published in entries {
            if in_order {
                self.skip_to(conversation, room, published.entry.seq.prev(), &mut touched);
            }
            let next = room.offer(published);
            self.pass(conversation, room, next, &mut touched);
        }
        touched.conversations.push(conversation);
        self.watch_gap(now, conversation, room);
        if room.is_empty() {
            rooms.remove(&conversation);
        }
        drop(rooms);
        self.tell(&mut touched);
    }

    /// Whether a conversation that nobody here reads has a reader here from this entry on.
    fn lets_somebody_in(&self, published: &Published) -> bool {
        match change::of(&published.entry) {
            Some(Change::Added(users)) => users.iter().any(|user| self.users(*user).contains_key(user)),
            Some(Change::Gone(_) | Change::InvitedTo(..)) | None => false,
        }
    }

    /// Passes over what the store lacks, and lets pass what waited behind it.
    fn skip_to(&self, conversation: ConversationId, room: &mut Room, seq: Seq, touched: &mut Touched) {
        room.skip_to(seq, &mut touched.steps);
        self.take_steps(conversation, room, touched);
        self.pass(conversation, room, None, touched);
    }

    /// Lets pass what is in order, one entry after the other.
    fn pass(
        &self,
        conversation: ConversationId,
        room: &mut Room,
        mut next: Option<Published>,
        touched: &mut Touched,
    ) {
        while let Some(published) = next.or_else(|| room.take_waiting()) {
            let change = change::of(&published.entry);
            room.pass(published, change, &mut touched.steps);
            self.take_steps(conversation, room, touched);
            next = None;
        }
    }

    fn take_steps(&self, conversation: ConversationId, room: &mut Room, touched: &mut Touched) {
        let Touched { steps, wake, .. } = touched;
        for step in steps.drain(..) {
            match step {
                Step::Keep(published) => {
                    self.keep(conversation, &published.entry);
                    if let Some(list) = change::deleted(&published.entry) {
                        let last = list.seqs.iter().copied().max().unwrap_or_default();
                        room.each_reader(|connection| connection.note_deletion(list.conversation, last));
                    }
                }
                Step::LetIn(users, seq) => {
                    for user in users {
                        for connection in self.connections_of(user) {
                            if connection.subscribe(conversation, seq) {
                                room.let_in(connection, user, seq);
                            }
                        }
                    }
                }
                Step::Skip(seq) => self.begin_behind(conversation, seq),
                Step::Look(connection, user) => {
                    connection.stands_unknown(conversation);
                    self.invite([Invitation { user, conversation, from: Seq::ZERO }]);
                }
                Step::Stop(connection, seq) => {
                    if connection.stop_reading(conversation, seq) {
                        wake.push(connection);
                    }
                }
                Step::Invite(user, conversation, from) => {
                    self.invite([Invitation { user, conversation, from }]);
                }
            }
        }
    }

    /// Keeps an entry for readers. A recall blanks what is kept of its message and of the edits of it:
    /// they have passed, for entries pass in order.
    fn keep(&self, conversation: ConversationId, entry: &Entry<Bytes>) {
        let _ = self.msg_box.insert(conversation, Kept::new(entry));
        let Some(target) = change::recalled(entry) else { return };
        let mut kept = Vec::new();
        self.msg_box.newest(conversation, usize::MAX, &mut kept);
        for stub in kept.iter().filter_map(|kept| kept.blanked(target)) {
            self.msg_box.blank(conversation, stub);
        }
    }

    /// Marks the readers of what was touched, and wakes each writer once.
    fn tell(&self, touched: &mut Touched) {
        for conversation in touched.conversations.drain(..) {
            let mut rooms = self.rooms(conversation);
            let Some(room) = rooms.get_mut(&conversation) else { continue };
            room.take_dirty();
            let Some(head) = room.head() else { continue };
            room.each_reader(|connection| {
                if connection.mark(conversation, head, Seq::ZERO) {
                    touched.wake.push(Arc::clone(connection));
                }
            });
        }
        for connection in touched.wake.drain(..) {
            connection.wake();
        }
    }

    fn watch_gap(&self, now: Time, conversation: ConversationId, room: &mut Room) {
        if room.watch_gap() {
            lock(&self.gaps).push((now, conversation));
        }
    }

    /// Conversations of which something has been missing for `age`, each with its gap.
    /// They are watched no longer; see [`Hub::watch`].
    pub(crate) fn take_gaps(&self, now: Time, age: Duration) -> Vec<(ConversationId, SeqRange)> {
        let mut gaps = lock(&self.gaps);
        let due = gaps.partition_point(|(since, _)| now >= *since + age);
        let due: Vec<_> = gaps.drain(..due).collect();
        drop(gaps);
        let mut open = Vec::new();
        for (_, conversation) in due {
            if let Some(room) = self.rooms(conversation).get_mut(&conversation) {
                room.unwatch_gap();
                open.extend(room.gap().map(|gap| (conversation, gap)));
            }
        }
        open
    }

    /// Watches over a conversation's gap, if it has one.
    pub(crate) fn watch(&self, now: Time, conversation: ConversationId) {
        if let Some(room) = self.rooms(conversation).get_mut(&conversation) {
            self.watch_gap(now, conversation, room);
        }
    }

    /// Somebody saw these heads in the store, which was asked when [`Hub::epoch`] was this one.
    /// Returns the conversations that lack something here of which nobody knew, each with its gap.
    pub(crate) fn saw(&self, epoch: Epoch, heads: &[Head]) -> Vec<(ConversationId, SeqRange)> {
        let mut behind = Vec::new();
        for Head { conversation, head } in heads {
            let Some(mut rooms) = self.rooms_in(epoch, *conversation) else { return Vec::new() };
            if let Some(room) = rooms.get_mut(conversation) {
                room.saw(*head);
                behind.extend(room.unwatched_gap().map(|gap| (*conversation, gap)));
            }
        }
        behind
    }

    /// Kept entries behind a seq and up to another one, if they reach back so far. What is kept may
    /// reach beyond the head, from before the room opened, and those who were let in since may not
    /// see all of that.
    pub(crate) fn kept(
        &self,
        conversation: ConversationId,
        after: Seq,
        through: Seq,
        limit: usize,
    ) -> Option<Vec<EncodedEntry>> {
        self.msg_box.look_after(conversation, after, limit, |entries| {
            entries.iter().take_while(|entry| entry.seq() <= through).map(Kept::encoded).collect()
        })
    }

    /// What is kept and ends before `seq` is not whole: entries from there on stand alone.
    fn begin_behind(&self, conversation: ConversationId, seq: Seq) {
        if self.msg_box.head(conversation).is_some_and(|head| head < seq) {
            self.msg_box.drop_through(conversation, seq);
        }
    }

    /// Every conversation with a local reader.
    pub(crate) fn conversations(&self) -> Vec<ConversationId> {
        self.rooms.iter().flat_map(|shard| lock(shard).keys().copied().collect::<Vec<_>>()).collect()
    }

    /// Bytes of entries that are kept for readers.
    pub(crate) fn entry_bytes(&self) -> usize {
        self.msg_box.bytes_held()
    }

    /// Forgets every entry, for a store that went back to this epoch: what is kept here may not be
    /// there any more, and other entries may come in its place.
    pub(crate) fn forget_all(&self, epoch: Epoch) {
        // First: whoever locks rooms before they have forgotten may still take what is forgotten then.
        self.epoch.store(epoch.as_u64(), Ordering::Release);
        for shard in &self.rooms {
            let mut rooms = lock(shard);
            rooms.values_mut().for_each(Room::forget);
        }
        self.msg_box.clear();
    }

    /// Has invitations followed up.
    pub(crate) fn invite(&self, invitations: impl IntoIterator<Item = Invitation>) {
        lock(&self.invitations).extend(invitations);
        self.invited.notify_one();
    }

    /// The next invitations to follow up; waits until there are some.
    pub(crate) async fn invitations(&self) -> Vec<Invitation> {
        loop {
            let waiting = mem::take(&mut *lock(&self.invitations));
            if !waiting.is_empty() {
                return waiting;
            }
            self.invited.notified().await;
        }
    }

    /// The head of a conversation with local readers: everything up to it has passed.
    pub(crate) fn head(&self, conversation: ConversationId) -> Option<Seq> {
        self.rooms(conversation).get(&conversation).and_then(Room::head)
    }
}

fn shard_of(number: u64) -> usize {
    // Below SHARDS, so it fits.
    usize::try_from(spread(number) % SHARDS).unwrap_or(0)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is consistent between any two statements that can panic: none can.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
