//! Loading beside the lane: what is asked, and which answers may be believed.

use super::conversation::{Held, Known, LookedUp, Pending, Place};
use super::recent::Stored;
use super::{Fold, Lane, LoadFailed, LoadRequest, Loaded, Outcome, Rules, Unavailable};
use crate::hash::{IdMap, IdSet};
use crate::{ClientMsgId, ConversationId, Time, UserId};

impl<R: Rules, T> Lane<R, T> {
    /// The next thing to load. Loads run beside the lane, at most
    /// [`LaneLimits::loads_max`](super::LaneLimits::loads_max) at once; each has to come back
    /// through [`Lane::handle_loaded`].
    pub fn poll_load(&mut self) -> Option<LoadRequest> {
        while self.loads < self.limits.loads_max {
            let id = self.to_load.pop_front()?;
            let Some(conversation) = self.conversations.get_mut(&id) else { continue };
            conversation.place = Place::Idle;
            if conversation.queue.is_empty() || conversation.in_flight > 0 {
                continue;
            }
            let request = self.request(id)?;
            self.loads += 1;
            return Some(request);
        }
        None
    }

    fn request(&mut self, id: ConversationId) -> Option<LoadRequest> {
        let conversation = self.conversations.get_mut(&id)?;
        conversation.place = Place::Loading;
        // Now, because what is asked for here has to be there all at once when it has come.
        conversation.trim(self.limits.members_max, self.limits.devices_max);
        let mut request = LoadRequest {
            conversation: id,
            members: Vec::new(),
            ids: Vec::new(),
            generation: conversation.generation,
            stamp: self.stamp,
            covers: 0,
        };
        let mut users = IdSet::default();
        let mut ids: IdSet<(UserId, ClientMsgId)> = IdSet::default();
        // What waits ahead of a send need not be looked up as its `after`.
        let mut ahead: IdSet<(UserId, ClientMsgId)> = IdSet::default();
        let mut involved = Vec::new();
        for pending in conversation.queue.iter().take(self.limits.load_entries_max) {
            request.covers = pending.held.stamp;
            involved.push(pending.sender);
            self.rules.involved(&pending.entry, &mut involved);
            let fold = conversation.known.as_ref().map(|known| &known.fold);
            for user in involved.drain(..) {
                if !fold.is_some_and(|fold| fold.knows(user)) && users.insert(user) {
                    request.members.push(user);
                }
            }
            let own = (pending.sender, pending.client_msg_id);
            let after = pending.held.after.map(|after| (pending.sender, after));
            let look_up = [pending.held.look_up.then_some(own), after.filter(|after| !ahead.contains(after))];
            // Whether it is among the recent ids or not: it need not be when the answer has come.
            for asked in look_up.into_iter().flatten() {
                if ids.insert(asked) {
                    request.ids.push(asked);
                }
            }
            ahead.insert(own);
        }
        Some(request)
    }

    /// Takes what a load brought: the conversation, `None` if there is no such conversation, or a
    /// failure, which refuses what waited for it.
    pub fn handle_loaded(
        &mut self,
        now: Time,
        request: &LoadRequest,
        result: LoadResult<R::Settings, R::Member>,
    ) {
        self.loads = self.loads.saturating_sub(1);
        let id = request.conversation;
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if conversation.place == Place::Loading {
            conversation.place = Place::Idle;
        }
        if conversation.generation != request.generation {
            self.schedule(id);
            return;
        }
        // Who came after it was asked for is asked for anew.
        let was_there = |held: &Held<T>| held.stamp <= request.stamp;
        match result {
            Ok(Some(loaded)) => self.merge(request, loaded),
            Ok(None) => {
                conversation.forget();
                self.refuse_waiting(id, was_there, &Outcome::NoSuchConversation);
            }
            Err(LoadFailed) => {
                self.refuse_waiting(id, was_there, &Outcome::Unavailable(Unavailable::StoreDown));
            }
        }
        self.schedule(id);
        self.handle_timeout(now);
    }

    fn merge(&mut self, request: &LoadRequest, loaded: Loaded<R::Settings, R::Member>) {
        let id = request.conversation;
        let mut stored = IdMap::default();
        for found in &loaded.found {
            let place = Stored { seq: found.seq, count: found.count, at_ms: found.at_ms };
            self.recent.insert((id, found.sender, found.client_msg_id), place);
            stored.insert((found.sender, found.client_msg_id), place);
        }
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match &mut conversation.known {
            // It lacks an effect that is known here: ask again.
            Some(known) if loaded.head < known.fold_seq || loaded.rev < known.rev => return,
            Some(known) if loaded.head <= known.head && loaded.rev == known.rev => {
                // Nobody else committed here until after it was asked for.
                known.stamp = known.stamp.max(request.stamp);
            }
            // New here, or somebody else commits here and nothing of the old belief holds for sure.
            _ => {
                conversation.forget();
                conversation.known = Some(Known {
                    head: loaded.head,
                    count: loaded.count,
                    rev: loaded.rev,
                    fold: Fold::new(loaded.settings),
                    fold_seq: loaded.head,
                    stamp: request.stamp,
                });
            }
        }
        if let Some(known) = &mut conversation.known {
            for (user, row) in loaded.members {
                known.fold.set_member(user, row);
            }
            for user in request.members.iter().copied() {
                if !known.fold.knows(user) {
                    known.fold.set_member(user, None);
                }
            }
        }
        for pending in &mut conversation.queue {
            if pending.held.stamp > request.covers {
                break;
            }
            let find = |client_msg_id| stored.get(&(pending.sender, client_msg_id)).copied();
            let after = pending.held.after.is_some_and(|after| find(after).is_some());
            pending.looked_up = Some(LookedUp { own: find(pending.client_msg_id), after });
        }
    }
}

/// What a load brought.
pub type LoadResult<S, M> = Result<Option<Loaded<S, M>>, LoadFailed>;

/// Whether everything that judging this entry needs is in memory.
pub(super) fn is_judgeable<R: Rules, T>(
    rules: &R,
    fold: &Fold<R::Settings, R::Member>,
    pending: &Pending<R::Entry, T>,
    scratch: &mut Vec<UserId>,
) -> bool {
    if pending.held.look_up && pending.looked_up.is_none() {
        return false;
    }
    scratch.clear();
    scratch.push(pending.sender);
    rules.involved(&pending.entry, scratch);
    scratch.iter().all(|user| fold.knows(*user))
}
