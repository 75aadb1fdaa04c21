//! Who enters and leaves, and who is let into which conversation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use goim_core::room::{Look, Looked, Registration};
use goim_core::{ConversationId, DeviceId, Epoch, Seq, Time, UserId};
use goim_proto::Ephemeral;

use super::{Hub, Invitation, Touched, lock};
use crate::access::connection::Connection;
use crate::store::ReadMarker;

/// Connections that are told of what passes in one conversation. In a larger crowd somebody always types,
/// and each event would cost them all.
const HEARERS_MAX: usize = 500;

impl Hub {
    /// Adds a session's connection to its user's.
    pub(crate) fn enter(&self, user: UserId, connection: &Arc<Connection>) {
        self.users(user).entry(user).or_default().push(Arc::clone(connection));
    }

    /// Every connection that has a session.
    pub(crate) fn sessions(&self) -> Vec<Arc<Connection>> {
        self.users
            .iter()
            .flat_map(|shard| lock(shard).values().flatten().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// The connections of a user.
    pub(crate) fn connections_of(&self, user: UserId) -> Vec<Arc<Connection>> {
        self.users(user).get(&user).cloned().unwrap_or_default()
    }

    /// Takes a connection that ends out of everything.
    pub(crate) fn leave(&self, connection: &Arc<Connection>) {
        if let Some(session) = connection.session() {
            let mut users = self.users(session.user);
            if let Some(connections) = users.get_mut(&session.user) {
                connections.retain(|other| other != connection);
                if connections.is_empty() {
                    users.remove(&session.user);
                }
            }
        }
        self.left.notify_one();
        for conversation in connection.close_subscriptions() {
            let mut rooms = self.rooms(conversation);
            if let Some(room) = rooms.get_mut(&conversation) {
                room.leave(connection);
                if room.is_empty() {
                    rooms.remove(&conversation);
                }
            }
        }
    }

    /// Waits until a connection has left.
    pub(crate) async fn left(&self) {
        self.left.notified().await;
    }

    /// Registers a connection for a conversation, before the store is looked at; `None` if it has
    /// ended, or does not want to hear of what comes.
    pub(crate) fn register(
        &self,
        connection: &Arc<Connection>,
        conversation: ConversationId,
    ) -> Option<Registration> {
        let session = connection.session()?;
        let mut rooms = self.rooms(conversation);
        // Under the room's lock: a connection that ends meanwhile finds both or neither.
        connection.subscribe_unknown(conversation).then(|| {
            let registration = Registration::new(self.registrations.fetch_add(1, Ordering::Relaxed));
            let room = rooms.entry(conversation).or_default();
            room.register(Arc::clone(connection), session.user, registration);
            registration
        })
    }

    /// Registers a connection of whoever is invited; `None` if that changes nothing.
    pub(crate) fn register_invited(
        &self,
        connection: &Arc<Connection>,
        invitation: Invitation,
    ) -> Option<Registration> {
        let Invitation { conversation, from, .. } = invitation;
        match connection.reading_from(conversation) {
            // The entry that let him in has passed here: he was let in and told then.
            Some(reads) if reads != Seq::MAX && reads >= from => None,
            // Also if it reads from before: the entry that put him out in between may pass late, and
            // nobody would know any more then that he is in again.
            Some(_) | None => self.register(connection, conversation),
        }
    }

    /// Takes what looking in the store in the connection's epoch brought for a registered connection,
    /// of which the client will be told beside. If the look is too old to tell, there will be another one.
    pub(crate) fn look(
        &self,
        now: Time,
        connection: &Arc<Connection>,
        conversation: ConversationId,
        registration: Registration,
        look: Look,
    ) {
        let told = self.look_and_tell(now, connection, conversation, registration, look, look.head);
        if !told && let Some(session) = connection.session() {
            self.invite([Invitation { user: session.user, conversation, from: Seq::ZERO }]);
        }
    }

    /// The same, of which the client knows nothing: it gets an announcement. False if the look is
    /// too old to tell: look again.
    #[must_use]
    pub(crate) fn look_and_announce(
        &self,
        now: Time,
        connection: &Arc<Connection>,
        conversation: ConversationId,
        registration: Registration,
        look: Look,
    ) -> bool {
        self.look_and_tell(now, connection, conversation, registration, look, Seq::ZERO)
    }

    fn look_and_tell(
        &self,
        now: Time,
        connection: &Arc<Connection>,
        conversation: ConversationId,
        registration: Registration,
        look: Look,
        told: Seq,
    ) -> bool {
        let mut touched = Touched::default();
        // One of another epoch is being ended, and so is what it looked for.
        let Some(mut rooms) = self.rooms_in(connection.epoch(), conversation) else { return true };
        let Some(room) = rooms.get_mut(&conversation) else { return true };
        if room.head().is_none() {
            self.begin_behind(conversation, look.head);
        }
        room.begin_at(look.head);
        self.pass(conversation, room, None, &mut touched);
        let looked = room.look(connection, registration, look);
        match looked {
            Looked::Reads(from) => {
                connection.reads_from(conversation, from, told);
                let head = room.head().unwrap_or(look.head);
                if head > told && connection.mark(conversation, head, Seq::ZERO) {
                    touched.wake.push(Arc::clone(connection));
                }
            }
            Looked::Out(Seq::ZERO) => connection.unsubscribe(conversation),
            // He may have been in and out again before anybody told him: he has still to hear of
            // what he may see.
            Looked::Out(last) => {
                if connection.tell_of_last(conversation, last) {
                    touched.wake.push(Arc::clone(connection));
                }
            }
            Looked::TooOld | Looked::Superseded => {}
        }
        if room.take_dirty() {
            touched.conversations.push(conversation);
        }
        self.watch_gap(now, conversation, room);
        if room.is_empty() {
            rooms.remove(&conversation);
        }
        drop(rooms);
        self.tell(&mut touched);
        looked != Looked::TooOld
    }

    /// Tells those who read a conversation here what passes there, but for one user's connections.
    pub(crate) fn whisper(
        &self,
        epoch: Epoch,
        conversation: ConversationId,
        but_for: UserId,
        ephemeral: &Ephemeral,
    ) {
        let mut hearers = Vec::new();
        if let Some(rooms) = self.rooms_in(epoch, conversation)
            && let Some(room) = rooms.get(&conversation)
        {
            room.each_reader(|connection| {
                let other = connection.session().is_some_and(|session| session.user != but_for);
                if other && hearers.len() <= HEARERS_MAX {
                    hearers.push(Arc::clone(connection));
                }
            });
        }
        if hearers.len() <= HEARERS_MAX {
            hearers.iter().filter(|connection| connection.whisper(ephemeral)).for_each(|one| one.wake());
        }
    }

    /// Tells users' connections of an epoch, whatever they read, what passes.
    pub(crate) fn whisper_to(&self, epoch: Epoch, users: &[UserId], ephemeral: &Ephemeral) {
        for user in users {
            let hearers = self.connections_of(*user);
            let of_epoch = hearers.iter().filter(|connection| connection.epoch() == epoch);
            of_epoch.filter(|connection| connection.whisper(ephemeral)).for_each(|one| one.wake());
        }
    }

    /// Tells a user's connections, but for those of a device, that his read marker has moved in an epoch.
    pub(crate) fn read_marker(&self, epoch: Epoch, marker: &ReadMarker, but_for: Option<DeviceId>) {
        let ReadMarker { user, conversation, seq } = *marker;
        let mut wake = Vec::new();
        if let Some(rooms) = self.rooms_in(epoch, conversation)
            && let Some(room) = rooms.get(&conversation)
            && let Some(head) = room.head()
        {
            room.each_reader_of(user, |connection| {
                let told = connection.session().is_none_or(|session| Some(session.device) != but_for);
                if told && connection.mark(conversation, head, seq) {
                    wake.push(Arc::clone(connection));
                }
            });
        }
        for connection in wake {
            connection.wake();
        }
    }
}
