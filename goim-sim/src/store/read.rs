//! Statements that only read; each sees one snapshot.

use goim_core::hash::IdMap;
use goim_core::lane::{Found, LoadRequest, Loaded};
use goim_core::room::Look;
use goim_core::{ConversationId, DeviceId, OffsetMove, Seq, UserId};

use super::calls::{Page, Position};
use super::state::{Log, Range, Row, State};
use crate::entry::Settings;

/// Entries that a node fetches at once to fill a gap.
const ENTRIES_AT_ONCE: usize = 64;

impl State {
    /// `members` is where the member rows are read: in the same snapshot.
    pub(crate) fn load(&self, request: &LoadRequest, members: &Self) -> Loaded<Settings, ()> {
        let log = self.log(request.conversation);
        let members = members.log(request.conversation);
        let found = request.ids.iter().filter_map(|(sender, id)| {
            let row = log.row(*log.ids.get(&(*sender, *id))?)?;
            let (seq, count, at_ms) = (row.seq, row.count, row.at_ms);
            Some(Found { sender: *sender, client_msg_id: *id, seq, count, at_ms })
        });
        Loaded {
            head: log.head_as_told(),
            count: log.count,
            rev: log.rev,
            settings: log.settings,
            members: request
                .members
                .iter()
                .map(|user| (*user, members.is_member(*user).then_some(())))
                .collect(),
            found: found.collect(),
        }
    }

    pub(crate) fn memberships(&self, user: UserId) -> Vec<(ConversationId, Look)> {
        let looks = self.conversations().map(|conversation| (conversation, self.look(user, conversation)));
        looks.filter(|(_, look)| look.from.is_some()).collect()
    }

    /// `listed` is where memberships are listed: in the same snapshot.
    pub(crate) fn positions(
        &self,
        user: UserId,
        device: DeviceId,
        own: &[OffsetMove],
        listed: &Self,
    ) -> Vec<Position> {
        let own: IdMap<_, _> = own.iter().map(|own| (own.conversation, own.offset)).collect();
        let all = self.conversations().filter_map(|conversation| {
            let mut position = self.position(user, device, conversation)?;
            position.offset = own.get(&conversation).copied().unwrap_or(position.offset);
            position.from = position.from.filter(|_| listed.log(conversation).is_member(user));
            Some(position)
        });
        all.collect()
    }

    pub(crate) fn position(
        &self,
        user: UserId,
        device: DeviceId,
        conversation: ConversationId,
    ) -> Option<Position> {
        let log = self.log(conversation);
        (!log.ranges_of(user).is_empty()).then(|| Position {
            conversation,
            head: log.readable_head(user),
            offset: self.offset(device, conversation),
            marker: self.marker(user, conversation),
            from: self.look(user, conversation).from,
        })
    }

    /// A conversation's head, and a user's newest range there.
    pub(crate) fn look(&self, user: UserId, conversation: ConversationId) -> Look {
        let log = self.log(conversation);
        let newest = log.ranges_of(user).last();
        let from = newest.filter(|range| range.until.is_none()).map(|range| range.from);
        let last = newest.and_then(|range| range.until).unwrap_or(Seq::ZERO);
        Look { head: log.head, from, last }
    }

    /// `None` for who never was a member.
    pub(crate) fn pull(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Option<Page> {
        let log = self.log(conversation);
        let ranges = log.ranges_of(user);
        if ranges.is_empty() {
            return None;
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        let windows = if bug!("a pull forgets the ranges") {
            vec![Range { from: Seq::FIRST, until: None }]
        } else {
            ranges.to_vec()
        };
        let readable = windows.iter().flat_map(|range| log.between(*range, after));
        let rows: Vec<Row> = readable.take(limit).copied().collect();
        let whole = rows.len() < limit;
        let last = rows.last().map(|row| row.seq);
        let head = log.readable_head(user);
        let through = if whole { head.max(after) } else { last.unwrap_or(after) };
        Some(Page { rows, through, head })
    }

    pub(crate) fn entries(&self, conversation: ConversationId, after: Seq) -> Vec<Row> {
        let everything = Range { from: Seq::FIRST, until: None };
        self.log(conversation).between(everything, after).take(ENTRIES_AT_ONCE).copied().collect()
    }

    pub(crate) fn heads(&self, conversations: &[ConversationId]) -> Vec<(ConversationId, Seq)> {
        conversations.iter().map(|conversation| (*conversation, self.log(*conversation).head)).collect()
    }
}

impl Log {
    /// What retention left of a range behind a seq, up to the head.
    fn between(&self, range: Range, after: Seq) -> impl Iterator<Item = &Row> {
        let first = range.from.max(after.next()).max(self.taken_through.next());
        let last = range.until.unwrap_or(self.head).min(self.head);
        let some = first <= last;
        some.then(|| self.rows.range(first..=last)).into_iter().flatten().map(|(_, row)| row)
    }

    fn head_as_told(&self) -> Seq {
        if bug!("head from max(seq)") {
            let newest = self.rows.last_key_value().map(|(seq, _)| *seq);
            return newest.filter(|seq| *seq > self.taken_through).unwrap_or(Seq::ZERO);
        }
        self.head
    }
}
