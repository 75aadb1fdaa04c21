//! Where a reader stands: the list after (re)connecting, heads, read markers.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use goim_core::hash::IdMap;
use goim_core::room::{Look, Registration};
use goim_core::{ConversationId, Epoch, Seq, UserId};
use goim_proto::limits::{POSITIONS_MAX, SYNC_LIMIT_MAX};
use goim_proto::{Error, ErrorCode, HeadList, Heads, Position, Reply, SessionInfo, Sync, Synced};

use super::{Answered, Service, failed, refuse};
use crate::access::{Connection, Invitation};
use crate::store::{Head, Membership, ReadMarker, ReaderState, Which};

/// How often the list of memberships is read again because it grew meanwhile, and a conversation is
/// looked at again because more had passed here than the look knew. What is not registered then is followed
/// up like an invitation.
const LOOKS_MAX: usize = 3;

/// Conversations that are looked at for both, what a connection has to know and what its first page lists:
/// most users' all. At 64 bytes each, 256 KiB for as long as that takes.
const LOOKED_AT: u32 = 4_096;

/// Where some of a user's conversations stand, in the order of their ids.
#[derive(Debug)]
pub(crate) struct Stretch {
    states: Vec<ReaderState>,
    /// Behind which there may be more.
    next: Option<ConversationId>,
}

impl Service {
    /// Registers a connection for all conversations of the user, before the first page lists them; where they
    /// stood then, unless they are too many.
    pub(crate) async fn listen(
        &self,
        connection: &Arc<Connection>,
        session: &SessionInfo,
        arguments: &Sync,
    ) -> Result<Option<Stretch>, Error> {
        if self.begin(session, arguments).await? {
            return self.subscribe_all(connection, session, &arguments.offsets).await;
        }
        Ok(None)
    }

    /// Before a page is listed; whether it is the first, with which a device starts.
    async fn begin(&self, session: &SessionInfo, arguments: &Sync) -> Result<bool, Error> {
        if arguments.offsets.len() > POSITIONS_MAX {
            return refuse(ErrorCode::TooLarge, "at most 1,000 offsets in one sync");
        }
        let is_first = arguments.after == ConversationId::default();
        if is_first {
            let start = self.store.start_device(session.user, session.device, arguments.start);
            start.await.map_err(failed)?;
        }
        Ok(is_first)
    }

    /// Lists the conversations past the device's offset to somebody who does not listen.
    pub(super) async fn sync(&self, session: &SessionInfo, epoch: Epoch, arguments: Sync) -> Answered {
        self.begin(session, &arguments).await?;
        self.sync_page(session, epoch, arguments, None).await
    }

    /// Lists the conversations past the offset of a device that has started, from where they stood if that
    /// is known.
    pub(crate) async fn sync_page(
        &self,
        session: &SessionInfo,
        epoch: Epoch,
        arguments: Sync,
        known: Option<Stretch>,
    ) -> Answered {
        let known = match known {
            Some(known) => known,
            None => {
                let Sync { offsets, after, .. } = &arguments;
                // One more, to know whether there are more.
                let limit = limit_of(&arguments) + 1;
                self.look_through(session, offsets, *after, Which::PastOffset, limit).await?
            }
        };
        Ok(Reply::Synced(page(known, &arguments, epoch)))
    }

    async fn look_through(
        &self,
        session: &SessionInfo,
        own: &[Position],
        after: ConversationId,
        which: Which,
        limit: u32,
    ) -> Result<Stretch, Error> {
        let (user, device) = (session.user, session.device);
        let states =
            self.store.reader_states(user, device, own, after, which, limit).await.map_err(failed)?;
        let next = states.get(limit as usize - 1).map(|state| state.item.conversation);
        Ok(Stretch { states, next })
    }

    /// Looks at all conversations that the user is in, from one moment: what lets him in later comes behind
    /// what was seen of his inbox. Likewise where they stand, for a page; none if they are too many: the page is
    /// read behind the look then, for of what is seen here the client will be told by nobody else.
    async fn look_at_all(
        &self,
        session: &SessionInfo,
        own: &[Position],
    ) -> Result<(Option<Stretch>, Vec<(ConversationId, Look)>), Error> {
        let (after, last) = (ConversationId::default(), Seq::ZERO);
        let all = self.look_through(session, own, after, Which::All, LOOKED_AT).await?;
        if all.next.is_none() {
            let open = all.states.iter().filter(|state| state.from.is_some());
            let look = |ReaderState { item, from }: &ReaderState| {
                (item.conversation, Look { head: item.head, from: *from, last })
            };
            let looks = open.map(look).collect();
            return Ok((Some(all), looks));
        }
        let all = self.store.memberships(session.user).await.map_err(failed)?;
        let look = |one: Membership| (one.conversation, Look { head: one.head, from: Some(one.from), last });
        Ok((None, all.into_iter().map(look).collect()))
    }

    /// Registers, then looks.
    async fn subscribe_all(
        &self,
        connection: &Arc<Connection>,
        session: &SessionInfo,
        own: &[Position],
    ) -> Result<Option<Stretch>, Error> {
        connection.listen();
        let mut registered: IdMap<ConversationId, Registration> = IdMap::default();
        let mut ids = self.store.member_of(session.user).await.map_err(failed)?;
        connection.expect_subscriptions(ids.len());
        let mut rounds = 0;
        let (stretch, looks) = loop {
            for conversation in ids {
                if let Entry::Vacant(fresh) = registered.entry(conversation) {
                    let Some(registration) = self.hub.register(connection, conversation) else {
                        return refuse(ErrorCode::Unavailable, "the connection has ended");
                    };
                    fresh.insert(registration);
                }
            }
            let (stretch, looks) = self.look_at_all(session, own).await?;
            rounds += 1;
            if rounds == LOOKS_MAX || looks.iter().all(|(id, _)| registered.contains_key(id)) {
                break (stretch, looks);
            }
            ids = looks.into_iter().map(|(conversation, _)| conversation).collect();
        };
        // Before he is served anything from memory, and after his inbox was registered, which tells of
        // later ones.
        for (conversation, last) in self.store.last_deletions(session.user).await.map_err(failed)? {
            connection.note_deletion(conversation, last);
        }
        let now = self.clock.now();
        let user = session.user;
        for (conversation, look) in looks {
            if let Some(registration) = registered.remove(&conversation) {
                self.hub.look(now, connection, conversation, registration, look);
            } else {
                // His inbox may have been looked at behind what tells of it.
                self.hub.invite([Invitation { user, conversation, from: Seq::ZERO }]);
            }
        }
        // Those that he has left meanwhile.
        let gone: Vec<_> = registered.keys().copied().collect();
        if !gone.is_empty() {
            for Head { conversation, head } in self.store.heads(&gone).await.map_err(failed)? {
                if let Some(registration) = registered.remove(&conversation) {
                    let look = Look { head, from: None, last: Seq::ZERO };
                    self.hub.look(now, connection, conversation, registration, look);
                }
            }
        }
        Ok(stretch)
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
        if arguments.conversations.len() > POSITIONS_MAX {
            return refuse(ErrorCode::TooLarge, "at most 1,000 conversations in one call");
        }
        let (user, device) = (session.user, session.device);
        let states = self.store.reader_states_of(user, device, &arguments.conversations).await;
        let items = states.map_err(failed)?.into_iter().map(|state| state.item).collect();
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

fn limit_of(asked: &Sync) -> u32 {
    if asked.limit == 0 { SYNC_LIMIT_MAX } else { asked.limit.min(SYNC_LIMIT_MAX) }
}

/// What a page lists of where conversations stand.
fn page(known: Stretch, asked: &Sync, epoch: Epoch) -> Synced {
    let limit = limit_of(asked) as usize;
    let mut next = known.next;
    let items = known.states.into_iter().map(|state| state.item);
    let mut items: Vec<_> = items.filter(|item| item.head > item.offset).take(limit + 1).collect();
    if items.len() > limit {
        items.truncate(limit);
        next = items.last().map(|item| item.conversation);
    }
    // A client that has more offsets than it can send at once sends those of the first conversations: what
    // lies behind them is judged with the next ones.
    if asked.offsets.len() >= limit.min(POSITIONS_MAX)
        && let Some(told) = asked.offsets.iter().map(|own| own.conversation).max()
        && told > asked.after
        && next.is_none_or(|next| next > told)
    {
        items.retain(|item| item.conversation <= told);
        next = Some(told);
    }
    let last = next.or(items.last().map(|item| item.conversation));
    Synced { items, more: next.is_some(), next: last.unwrap_or(asked.after), epoch }
}

#[cfg(test)]
mod tests {
    use goim_proto::{ConversationKind, SyncItem};

    use super::*;

    fn state(id: u64, head: u64) -> ReaderState {
        let item = SyncItem {
            conversation: ConversationId::new(id),
            kind: ConversationKind::Group,
            head: Seq::new(head),
            count: 0,
            offset: Seq::new(5),
            read_marker: Seq::ZERO,
        };
        ReaderState { item, from: Some(Seq::FIRST) }
    }

    /// The ids and the end of a page, and whether more follow.
    fn listed(next: Option<u64>, asked: &Sync) -> (Vec<u64>, u64, bool) {
        let states = vec![state(2, 6), state(3, 5), state(4, 9), state(6, 7), state(8, 5)];
        let known = Stretch { states, next: next.map(ConversationId::new) };
        let Synced { items, more, next, .. } = page(known, asked, Epoch::default());
        (items.iter().map(|item| item.conversation.as_u64()).collect(), next.as_u64(), more)
    }

    fn own(ids: &[u64]) -> Vec<Position> {
        let own = |id: &u64| Position { conversation: ConversationId::new(*id), seq: Seq::new(5) };
        ids.iter().map(own).collect()
    }

    #[test]
    fn a_page_lists_what_has_moved() {
        let limited = |limit| Sync { limit, ..Sync::default() };
        assert_eq!(listed(None, &limited(0)), (vec![2, 4, 6], 6, false));
        assert_eq!(listed(None, &limited(3)), (vec![2, 4, 6], 6, false));
        assert_eq!(listed(None, &limited(2)), (vec![2, 4], 4, true), "cut by its limit");
        assert_eq!(listed(Some(8), &limited(3)), (vec![2, 4, 6], 8, true), "not all was looked through");
        let none = Stretch { states: Vec::new(), next: None };
        let after = Sync { after: ConversationId::new(9), ..Sync::default() };
        let empty = page(none, &after, Epoch::default());
        assert_eq!((empty.next, empty.more), (ConversationId::new(9), false));
    }

    #[test]
    fn a_page_ends_where_a_client_s_own_offsets_do() {
        let limited = |limit, ids: &[u64]| Sync { limit, offsets: own(ids), ..Sync::default() };
        assert_eq!(listed(None, &limited(2, &[2, 3])), (vec![2], 3, true), "there may be more offsets");
        assert_eq!(listed(None, &limited(3, &[3, 5])), (vec![2, 4, 6], 6, false), "these are all");
        assert_eq!(listed(None, &limited(2, &[6, 8])), (vec![2, 4], 4, true), "the limit comes first");
        assert_eq!(
            listed(None, &limited(3, &[2, 6, 8])),
            (vec![2, 4, 6], 8, true),
            "what is behind was not judged"
        );
        assert_eq!(listed(Some(8), &limited(3, &[2, 6, 8])), (vec![2, 4, 6], 8, true));
        let of_before = Sync { after: ConversationId::new(7), ..limited(2, &[3, 5]) };
        assert_eq!(listed(None, &of_before), (vec![2, 4], 4, true), "offsets of earlier pages end none");
    }
}
