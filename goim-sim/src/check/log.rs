//! What holds of logs: G1 to G4, and the first half of G9.

use std::collections::BTreeMap;

use goim_core::hash::{IdMap, IdSet};
use goim_core::{ClientMsgId, ConversationId, Epoch, Seq, UserId};

use super::{Checked, Checker, Key, fail};
use crate::entry::{Content, judge};
use crate::store::{Log, Range, State, index};

/// A log as it was read, entry by entry.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    head: Seq,
    count: u64,
    members: IdMap<UserId, Vec<Range>>,
    ids: IdSet<(UserId, ClientMsgId)>,
    said: IdSet<u64>,
    /// When those who came back did so, by the checker's count.
    returned_at: IdMap<UserId, u64>,
    /// When a block was lifted last.
    pub(super) unblocked_at: u64,
}

impl Fold {
    /// The fold as of a log's first entry, which the world made.
    pub(super) fn new(log: &Log) -> Self {
        let founders = log.ranges.iter().filter_map(|(user, ranges)| {
            let first = ranges.first().filter(|range| range.from == Seq::FIRST)?;
            Some((*user, vec![Range { from: first.from, until: None }]))
        });
        Self {
            head: Seq::FIRST,
            count: 0,
            members: founders.collect(),
            ids: IdSet::default(),
            said: IdSet::default(),
            returned_at: IdMap::default(),
            unblocked_at: 0,
        }
    }

    fn is_member(&self, user: UserId) -> bool {
        self.members.get(&user).and_then(|ranges| ranges.last()).is_some_and(|range| range.until.is_none())
    }

    fn put_out(&mut self, user: UserId, seq: Seq) {
        if let Some(range) = self.members.get_mut(&user).and_then(|ranges| ranges.last_mut()) {
            range.until.get_or_insert(seq);
        }
    }
}

impl Checker {
    /// Reads what is new in a log. What is `just` written has to be allowed by what holds now.
    pub(super) fn absorb(&mut self, state: &State, conversation: ConversationId, just: bool) -> Checked {
        let log = state.log(conversation);
        let fold = &mut self.folds[index(conversation)];
        for (seq, row) in log.rows.range(fold.head.next()..) {
            if *seq != fold.head.next() {
                let what = format!("{conversation} has {seq} behind {}", fold.head);
                return fail("g2_dense", what);
            }
            if !fold.ids.insert((row.sender, row.client_msg_id)) {
                let what = format!("{conversation}/{seq}: {:?} is stored twice", row.client_msg_id);
                return fail("g3_once", what);
            }
            let said = match row.content {
                Content::Say { device, n } | Content::Poison { device, n } => {
                    Some(u64::from(device) << 32 | u64::from(n))
                }
                Content::Note(note) => Some(note),
                _ => None,
            };
            if said.is_some_and(|said| !fold.said.insert(said)) {
                return fail("g3_once", format!("{conversation}/{seq} says {:?} a second time", row.content));
            }
            let allowed = judge(log.settings, |user| fold.is_member(user), row.sender, row.content);
            if just && allowed.is_err() {
                return fail("g9_authorised", format!("{conversation}/{seq} was not allowed: {row:?}"));
            }
            fold.head = *seq;
            fold.count += u64::from(row.content.is_message());
            if fold.count != row.count {
                let what = format!("{conversation}/{seq} counts {} messages, not {}", row.count, fold.count);
                return fail("g2_dense", what);
            }
            match row.content {
                Content::Add(user) => {
                    let range = Range { from: *seq, until: None };
                    fold.members.entry(user).or_default().push(range);
                    fold.returned_at.insert(user, self.clock);
                }
                Content::Remove(user) => fold.put_out(user, *seq),
                Content::Leave => fold.put_out(row.sender, *seq),
                _ => {}
            }
        }
        if fold.head != log.head {
            return fail(
                "g2_dense",
                format!("{conversation} ends at {}, its head is {}", fold.head, log.head),
            );
        }
        Ok(())
    }

    pub(super) fn ranges(&self, conversation: ConversationId, user: UserId) -> &[Range] {
        let fold = &self.folds[index(conversation)];
        fold.members.get(&user).map_or(&[], Vec::as_slice)
    }

    /// What is acknowledged is stored by then, and in the same place each time.
    pub(super) fn g1_acked(&mut self, state: &State, key: Key, seq: Seq, epoch: Option<Epoch>) -> Checked {
        let stands_in = |state: &State| {
            let row = state.log(key.0).rows.get(&seq);
            row.is_some_and(|row| (row.sender, row.client_msg_id) == (key.1, key.2))
        };
        if !stands_in(state) {
            // Its answer was under way when the store went back and lost it, and its device does not
            // know of that yet.
            let is_lost = epoch != Some(state.epoch) && self.left.iter().any(stands_in);
            let what = || format!("{key:?} was acknowledged as {seq} and is not stored there");
            return if is_lost { Ok(()) } else { fail("g1_durable", what()) };
        }
        match self.acked.insert(key, seq) {
            Some(before) if before != seq => {
                fail("g3_once", format!("{key:?} was acknowledged as {before} and as {seq}"))
            }
            _ => Ok(()),
        }
    }

    /// What was acknowledged is stored where it was said to be.
    pub(super) fn g1_durable(&self, state: &State) -> Checked {
        for ((conversation, user, id), seq) in &self.acked {
            let row = state.log(*conversation).rows.get(seq);
            if row.is_none_or(|row| (row.sender, row.client_msg_id) != (*user, *id)) {
                let what = format!("{id:?} was acknowledged as {conversation}/{seq}, where {row:?} is");
                return fail("g1_durable", what);
            }
        }
        Ok(())
    }

    /// The head is the number of entries ever appended.
    pub(super) fn g2_dense(&self, state: &State) -> Checked {
        for conversation in state.conversations() {
            let log = state.log(conversation);
            if log.rows.len() as u64 != log.head.as_u64() {
                let what = format!("{conversation} has {} entries and head {}", log.rows.len(), log.head);
                return fail("g2_dense", what);
            }
        }
        Ok(())
    }

    /// A message is refused for good only if at some time since it was called its sender was out, or a
    /// block stood.
    pub(super) fn g4_refused(&self, state: &State, key: &Key) -> Checked {
        let (conversation, user, id) = *key;
        let Some(call) = self.calls.get(key) else { return Ok(()) };
        let fold = &self.folds[index(conversation)];
        let returned_at = fold.returned_at.get(&user).copied().unwrap_or(0);
        let reason = !matches!(call.content, Content::Say { .. })
            || self.ids_grow_old
            || !fold.is_member(user)
            || state.log(conversation).settings.blocked
            || call.at <= returned_at.max(fold.unblocked_at).max(self.went_back_at);
        if reason {
            return Ok(());
        }
        fail(
            "g4_order",
            format!("{id:?} of {user} in {conversation} was refused, and nothing spoke against it"),
        )
    }

    /// What one outbox sent to one conversation stands in the order of the calls.
    pub(super) fn g4_order(&self, state: &State) -> Checked {
        for conversation in state.conversations() {
            let mut last: BTreeMap<(u64, u32), (u64, Seq)> = BTreeMap::new();
            for (seq, row) in &state.log(conversation).rows {
                let key = (conversation, row.sender, row.client_msg_id);
                let Some(call) = self.calls.get(&key) else { continue };
                // One that its device was told is refused is out of its outbox's order.
                let disordered = self.disordered.get(&call.device).is_some_and(|last| call.n <= *last);
                if self.refused.contains(&key) || disordered {
                    continue;
                }
                if call.content != row.content {
                    return fail("g3_once", format!("{conversation}/{seq} is not what was called: {row:?}"));
                }
                let before = last.insert((call.device.as_u64(), call.life), (call.n, *seq));
                if let Some((n, at)) = before.filter(|(n, _)| *n > call.n) {
                    let what = format!("{conversation}: call {} is {seq}, call {n} is {at}", call.n);
                    return fail("g4_order", what);
                }
            }
        }
        Ok(())
    }
}
