use std::collections::{BTreeMap, BTreeSet};

use goim_core::lane::{AppendResult, Batch, Expect, Found, LoadRequest, Loaded, Row};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Seq, UserId};

use crate::rules::{Entry, Settings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) sender: UserId,
    pub(crate) device: DeviceId,
    pub(crate) client_msg_id: ClientMsgId,
    pub(crate) entry: Entry,
    pub(crate) count: u64,
    pub(crate) at_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) rows: Vec<Stored>,
    pub(crate) rev: u64,
    pub(crate) blocked: bool,
    /// Since which step of the simulation each member has been one.
    members: BTreeMap<UserId, u64>,
    unblocked_since: u64,
}

/// The law: compare-and-append with a unique index, as the stores do it.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) logs: BTreeMap<ConversationId, Log>,
    pub(crate) step: u64,
}

impl Log {
    fn count(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.count)
    }

    pub(crate) fn place(&self, sender: UserId, id: ClientMsgId) -> Option<(u64, &Stored)> {
        let index = self.rows.iter().position(|row| (row.sender, row.client_msg_id) == (sender, id))?;
        Some((index as u64 + 1, &self.rows[index]))
    }

    /// Whether this user could write at every moment from `since` on.
    pub(crate) fn allowed_since(&self, user: UserId, since: u64) -> bool {
        let member = self.members.get(&user).is_some_and(|step| *step <= since);
        member && !self.blocked && self.unblocked_since <= since
    }

    fn put(&mut self, step: u64, row: &Row<Entry>) {
        // G9, by the state as of the entry before.
        assert!(self.members.contains_key(&row.sender) && !self.blocked, "not allowed: {row:?}");
        assert_eq!(row.seq.as_u64(), self.rows.len() as u64 + 1, "not dense: {row:?}");
        let counts = matches!(row.entry, Entry::Say | Entry::Poison);
        assert_eq!(row.count, self.count() + u64::from(counts), "miscounted: {row:?}");
        match row.entry {
            Entry::Say | Entry::Poison => {}
            Entry::Add(user) => {
                self.members.entry(user).or_insert(step);
            }
            Entry::Remove(user) => {
                self.members.remove(&user);
            }
        }
        let Row { sender, device, client_msg_id, entry, count, at_ms, .. } = *row;
        self.rows.push(Stored { sender, device, client_msg_id, entry, count, at_ms });
    }
}

impl Store {
    pub(crate) fn create(&mut self, id: ConversationId, members: &[UserId]) {
        let log = Log { members: members.iter().map(|user| (*user, 0)).collect(), ..Log::default() };
        self.logs.insert(id, log);
    }

    pub(crate) fn set_blocked(&mut self, id: ConversationId, blocked: bool) {
        let log = self.logs.get_mut(&id).unwrap();
        log.rev += 1;
        log.blocked = blocked;
        log.unblocked_since = self.step;
    }

    pub(crate) fn load(&self, request: &LoadRequest) -> Option<Loaded<Settings, ()>> {
        let log = self.logs.get(&request.conversation)?;
        let found = request.ids.iter().filter_map(|(sender, id)| {
            let (seq, row) = log.place(*sender, *id)?;
            let (count, at_ms) = (row.count, row.at_ms);
            Some(Found { sender: *sender, client_msg_id: *id, seq: Seq::new(seq), count, at_ms })
        });
        Some(Loaded {
            head: Seq::new(log.rows.len() as u64),
            count: log.count(),
            rev: log.rev,
            settings: Settings { blocked: log.blocked },
            members: request.members.iter().map(|u| (*u, log.members.get(u).map(|_| ()))).collect(),
            found: found.collect(),
        })
    }

    pub(crate) fn append(&mut self, batch: &Batch<Entry>) -> AppendResult {
        assert!(batch.expects.is_sorted_by(|a, b| a.conversation < b.conversation), "locks out of order");
        let (fresh, stale): (Vec<&Expect>, Vec<&Expect>) = batch.expects.iter().partition(|expect| {
            self.logs
                .get(&expect.conversation)
                .is_some_and(|log| log.rows.len() as u64 == expect.base.as_u64() && log.rev == expect.rev)
        });
        let fresh: BTreeSet<_> = fresh.iter().map(|expect| expect.conversation).collect();
        let rows = || batch.rows.iter().filter(|row| fresh.contains(&row.conversation));
        if rows().any(|row| row.entry == Entry::Poison) {
            return AppendResult::Data;
        }
        let mut seen = BTreeSet::new();
        let is_twin = |row: &Row<Entry>| {
            let stored = self.logs[&row.conversation].place(row.sender, row.client_msg_id).is_some();
            stored || !seen.insert((row.conversation, row.sender, row.client_msg_id))
        };
        if rows().any(is_twin) {
            return AppendResult::Duplicate;
        }
        for row in rows() {
            self.logs.get_mut(&row.conversation).unwrap().put(self.step, row);
        }
        for expect in batch.expects.iter().filter(|expect| fresh.contains(&expect.conversation)) {
            let log = &self.logs[&expect.conversation];
            assert_eq!(log.rows.len() as u64, expect.base.as_u64() + expect.n, "{expect:?}");
            assert_eq!(log.count(), expect.count, "{expect:?}");
        }
        AppendResult::Written { stale: stale.iter().map(|expect| expect.conversation).collect() }
    }
}
