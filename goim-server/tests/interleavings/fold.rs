//! What a log adds up to, in the plainest words: whom entry n may come from, by entries 1 to n-1.

use std::collections::BTreeMap;

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::{ConversationKind, Role};
use goim_server::store::{Effect, EntryDraft, EntryKind, StoredEntry};

use crate::history::History;
use crate::tables::MemberRow;

/// The state between two entries.
#[derive(Debug, Clone)]
pub(crate) struct State {
    kind: ConversationKind,
    creator: UserId,
    opened: bool,
    pub(crate) roles: BTreeMap<UserId, Role>,
}

impl State {
    /// Whether somebody may append this now.
    pub(crate) fn allows(&self, sender: UserId, draft: &EntryDraft) -> bool {
        if matches!(draft.kind, EntryKind::GROUP_CREATED | EntryKind::DIRECT_OPENED) {
            return !self.opened && (self.kind == ConversationKind::Direct || sender == self.creator);
        }
        let Some(role) = self.roles.get(&sender) else { return false };
        let manages = self.kind == ConversationKind::Group && matches!(role, Role::Owner | Role::Admin);
        match &draft.effect {
            Effect::None | Effect::Mention { .. } => true,
            Effect::Retitle { .. } => manages,
            Effect::Join { users } => manages && users.iter().all(|(user, _)| !self.roles.contains_key(user)),
            Effect::Part { user } if *user == sender => *role != Role::Owner,
            Effect::Part { user } => match self.roles.get(user) {
                Some(removed) => manages && (*role == Role::Owner || *removed == Role::Member),
                None => false,
            },
            // Nobody in the cast does any of these.
            Effect::Admit { .. }
            | Effect::SetRole { .. }
            | Effect::SetMuted { .. }
            | Effect::Transfer { .. }
            | Effect::Change(_)
            | Effect::Dismiss
            | Effect::OnMessage { .. } => false,
        }
    }
}

/// A log, replayed.
pub(crate) struct Replay {
    /// The states in the order in which they held, each with the seq that it holds behind. Where a
    /// role changed without an entry there are several for one seq.
    pub(crate) states: Vec<(Seq, State)>,
    /// The memberships that came of it, as their table should have them.
    pub(crate) members: Vec<MemberRow>,
    /// Entries that were not allowed.
    pub(crate) forbidden: Vec<Seq>,
}

impl Replay {
    pub(crate) fn of(history: &History, conversation: ConversationId, log: &[StoredEntry]) -> Self {
        let (kind, creator) = history.conversations[&conversation];
        let mut state = State { kind, creator, opened: false, roles: BTreeMap::new() };
        let mut replay =
            Self { states: vec![(Seq::ZERO, state.clone())], members: Vec::new(), forbidden: Vec::new() };
        for entry in log {
            let draft = history.drafts.get(&(conversation, entry.sender, entry.client_msg_id));
            if draft.is_none_or(|draft| !state.allows(entry.sender, draft)) {
                replay.forbidden.push(entry.seq);
            }
            if let Some(draft) = draft {
                replay.apply(&mut state, entry.seq, &draft.effect);
            }
            replay.states.push((entry.seq, state.clone()));
            for change in
                history.reroles.iter().filter(|r| (r.conversation, r.at) == (conversation, entry.seq))
            {
                state.roles.entry(change.user).and_modify(|role| {
                    *role = if *role == Role::Admin { Role::Member } else { Role::Admin };
                });
                replay.states.push((entry.seq, state.clone()));
            }
        }
        replay.members.sort_unstable();
        replay
    }

    fn apply(&mut self, state: &mut State, seq: Seq, effect: &Effect) {
        match effect {
            Effect::None
            | Effect::Mention { .. }
            | Effect::Retitle { .. }
            | Effect::Admit { .. }
            | Effect::SetRole { .. }
            | Effect::SetMuted { .. }
            | Effect::Transfer { .. }
            | Effect::Change(_)
            | Effect::Dismiss
            | Effect::OnMessage { .. } => {}
            Effect::Join { users } => {
                state.opened = true;
                for (user, role) in users {
                    state.roles.insert(*user, *role);
                    self.members.push(MemberRow { user: *user, from: seq, until: None });
                }
            }
            Effect::Part { user } => {
                state.roles.remove(user);
                for row in self.members.iter_mut().filter(|row| row.user == *user && row.until.is_none()) {
                    row.until = Some(seq);
                }
            }
        }
    }

    /// The roles of those who are in at the end.
    pub(crate) fn roles(&self) -> &BTreeMap<UserId, Role> {
        &self.states.last().expect("at least the first").1.roles
    }

    /// Whether somebody may see an entry.
    pub(crate) fn is_readable(&self, user: UserId, seq: Seq) -> bool {
        let mut rows = self.members.iter().filter(|row| row.user == user);
        rows.any(|row| row.from <= seq && row.until.is_none_or(|until| seq <= until))
    }
}
