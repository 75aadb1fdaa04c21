//! Where a reader stands: the list after (re)connecting, heads, read markers.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use goim_core::hash::IdMap;
use goim_core::room::{Look, Registration};
use goim_core::{ConversationId, Epoch, Seq, UserId};
use goim_proto::limits::{POSITIONS_MAX, SYNC_LIMIT_MAX};
use goim_proto::{
    Error, ErrorCode, HeadList, Heads, Position, Reply, SessionInfo, Start, Sync, SyncItem, Synced,
};

use super::{Answered, Service, failed, refuse};
use crate::access::{Connection, Invitation};
use crate::store::{Head, Membership, ReadMarker, ReaderState};

/// How often the list of memberships is read again because it grew meanwhile, and a conversation is
/// looked at again because more had passed here than the look knew. What the list still lacks then
/// comes through the inbox.
const LOOKS_MAX: usize = 3;

impl Service {
    /// Registers a connection for all conversations of the user, before the first page lists them.
    pub(crate) async fn listen(
        &self,
        connection: &Arc<Connection>,
        session: &SessionInfo,
        arguments: &Sync,
    ) -> Result<(), Error> {
        if arguments.after != ConversationId::default() {
            return Ok(());
        }
        self.start_device(session, arguments.start).await?;
        self.subscribe_all(connection, session).await
    }

    async fn start_device(&self, session: &SessionInfo, start: Start) -> Result<(), Error> {
        self.store.start_device(session.user, session.device, start).await.map_err(failed)
    }

    /// Lists the conversations past the device's offset.
    pub(crate) async fn sync(&self, session: &SessionInfo, epoch: Epoch, arguments: Sync) -> Answered {
        if arguments.offsets.len() > POSITIONS_MAX {
            return refuse(ErrorCode::TooLarge, "at most 1,000 offsets in one sync");
        }
        if arguments.after == ConversationId::default() {
            self.start_device(session, arguments.start).await?;
        }
        let limit = if arguments.limit == 0 { SYNC_LIMIT_MAX } else { arguments.limit.min(SYNC_LIMIT_MAX) };
        let (user, device) = (session.user, session.device);
        let states = self.store.reader_states(user, device, &arguments.offsets, arguments.after, limit).await;
        let mut states = states.map_err(failed)?;
        let full = states.len() >= limit as usize;
        let last = states.last().map(|state| state.conversation);
        // A client that has more offsets than it can send at once sends those of the first conversations:
        // what lies behind them is judged with the next ones.
        let given = arguments.offsets.iter().map(|own| own.conversation).filter(|own| *own > arguments.after);
        let told = given.max().filter(|_| arguments.offsets.len() >= limit as usize);
        let end = match told {
            Some(told) if !full || last > Some(told) => Some(told),
            Some(_) | None => last.filter(|_| full),
        };
        states.retain(|state| end.is_none_or(|end| state.conversation <= end));
        let (more, next) = (end.is_some(), end.or(last).unwrap_or(arguments.after));
        let items = states.iter().map(item).collect();
        Ok(Reply::Synced(Synced { items, more, next, epoch }))
    }

    /// Registers, then looks.
    async fn subscribe_all(&self, connection: &Arc<Connection>, session: &SessionInfo) -> Result<(), Error> {
        connection.listen();
        let mut registered: IdMap<ConversationId, Registration> = IdMap::default();
        let mut ids = self.store.member_of(session.user).await.map_err(failed)?;
        connection.expect_subscriptions(ids.len());
        let mut list = Vec::new();
        for _ in 0..LOOKS_MAX {
            for conversation in ids {
                if let Entry::Vacant(fresh) = registered.entry(conversation)
                    && let Some(registration) = self.hub.register(connection, conversation)
                {
                    fresh.insert(registration);
                }
            }
            list = self.store.memberships(session.user).await.map_err(failed)?;
            ids = list.iter().map(|membership| membership.conversation).collect();
            if ids.iter().all(|conversation| registered.contains_key(conversation)) {
                break;
            }
        }
        // Before he is served anything from memory, and after his inbox was registered, which tells of
        // later ones.
        for (conversation, last) in self.store.last_deletions(session.user).await.map_err(failed)? {
            connection.note_deletion(conversation, last);
        }
        let now = self.clock.now();
        for Membership { conversation, from, head } in list {
            if let Some(registration) = registered.remove(&conversation) {
                let look = Look { head, from: Some(from), last: Seq::ZERO };
                self.hub.look(now, connection, conversation, registration, look);
            }
        }
        // Those that he has left meanwhile.
        let gone: Vec<_> = registered.keys().copied().collect();
        if gone.is_empty() {
            return Ok(());
        }
        for Head { conversation, head } in self.store.heads(&gone).await.map_err(failed)? {
            if let Some(registration) = registered.remove(&conversation) {
                let look = Look { head, from: None, last: Seq::ZERO };
                self.hub.look(now, connection, conversation, registration, look);
            }
        }
        Ok(())
    }

    /// Lets a user's connection into a conversation that his inbox told of, or looks again whether
    /// he reads there still: registers, looks, and tells it of the head.
    pub(super) async fn follow_invitation(
        &self,
        connection: &Arc<Connection>,
        invitation: Invitation,
    ) -> Result<(), Error> {
        let Invitation { user, conversation, .. } = invitation;
        let Some(registration) = self.hub.register_invited(connection, invitation) else { return Ok(()) };
        for _ in 0..LOOKS_MAX {
            let look = self.look_at(user, conversation).await?;
            let now = self.clock.now();
            if self.hub.look_and_announce(now, connection, conversation, registration, look) {
                return Ok(());
            }
        }
        refuse(ErrorCode::Unavailable, "the store is behind what this server knows of it")
    }

    async fn look_at(&self, user: UserId, conversation: ConversationId) -> Result<Look, Error> {
        // The head first: what passes after it is newer than what is read second.
        let heads = self.store.heads(&[conversation]).await;
        let ranges = self.store.ranges(user, conversation).await;
        let head = heads.map_err(failed)?.first().map_or(Seq::ZERO, |head| head.head);
        let newest = ranges.map_err(failed)?.last().copied();
        let from = newest.filter(|range| range.until.is_none()).map(|range| range.from);
        let last = newest.and_then(|range| range.until).unwrap_or(Seq::ZERO);
        Ok(Look { head, from, last })
    }

    /// Where the conversations asked for stand.
    pub(super) async fn heads(&self, session: &SessionInfo, epoch: Epoch, arguments: Heads) -> Answered {
        if arguments.conversations.len() > SYNC_LIMIT_MAX as usize {
            return refuse(ErrorCode::TooLarge, "at most 1,000 conversations in one call");
        }
        let (user, device) = (session.user, session.device);
        let states = self.store.reader_states_of(user, device, &arguments.conversations).await;
        let items = states.map_err(failed)?.iter().map(item).collect();
        Ok(Reply::Heads(HeadList { items, epoch }))
    }

    /// Moves the user's read marker, and tells his other connections.
    pub(super) async fn mark_read(&self, session: &SessionInfo, position: Position) -> Answered {
        let Position { conversation, seq } = position;
        let epoch = self.epoch();
        let moved = self.store.mark_read(session.user, conversation, seq).await.map_err(failed)?;
        if let Some(seq) = moved {
            self.hub.read_marker(epoch, &ReadMarker { user: session.user, conversation, seq }, None);
        }
        Ok(Reply::Done)
    }
}

fn item(state: &ReaderState) -> SyncItem {
    let ReaderState { conversation, kind, head, count, offset, read_marker } = *state;
    SyncItem { conversation, kind, head, count, offset, read_marker }
}
