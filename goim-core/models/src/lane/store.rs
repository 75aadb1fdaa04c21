//! The model of a store, which is the law that a lane has to obey.

use std::collections::{BTreeMap, BTreeSet};

use goim_core::lane::{AppendResult, Batch, Expect, Found, LoadRequest, Loaded, Row};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Seq, UserId};

use super::rules::{Entry, Settings};

/// A committed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Who appended it.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The sender's id for it.
    pub client_msg_id: ClientMsgId,
    /// What it says.
    pub entry: Entry,
    /// The messages up to and including it.
    pub count: u64,
    /// When, as the batch said.
    pub at_ms: u64,
}

/// A conversation: its entries, and what they add up to.
#[derive(Debug, Default)]
pub struct Log {
    /// Entry n has index n - 1.
    pub rows: Vec<Stored>,
    /// Raised by what changes the fold without an entry.
    pub rev: u64,
    /// Nobody writes.
    pub blocked: bool,
    /// Since which step of the simulation each member has been one.
    members: BTreeMap<UserId, u64>,
    unblocked_since: u64,
}

/// The law: compare-and-append with a unique index, as the stores do it.
#[derive(Debug, Default)]
pub struct Store {
    /// Every conversation.
    pub logs: BTreeMap<ConversationId, Log>,
    /// The simulation's step, for [`Log::allowed_since`].
    pub step: u64,
}

impl Log {
    fn count(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.count)
    }

    /// Where somebody's id is stored, if it is.
    #[must_use]
    pub fn place(&self, sender: UserId, id: ClientMsgId) -> Option<(u64, &Stored)> {
        let index = self.rows.iter().position(|row| (row.sender, row.client_msg_id) == (sender, id))?;
        Some((index as u64 + 1, &self.rows[index]))
    }

    /// Whether this user could write at every moment from `since` on.
    #[must_use]
    pub fn allowed_since(&self, user: UserId, since: u64) -> bool {
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
    /// Makes an empty conversation.
    pub fn create(&mut self, id: ConversationId, members: &[UserId]) {
        let log = Log { members: members.iter().map(|user| (*user, 0)).collect(), ..Log::default() };
        self.logs.insert(id, log);
    }

    /// Blocks a conversation or lifts that, without an entry.
    ///
    /// # Panics
    ///
    /// If there is no such conversation.
    pub fn set_blocked(&mut self, id: ConversationId, blocked: bool) {
        let log = self.logs.get_mut(&id).unwrap();
        log.rev += 1;
        log.blocked = blocked;
        log.unblocked_since = self.step;
    }

    /// What a lane asks for.
    #[must_use]
    pub fn load(&self, request: &LoadRequest) -> Option<Loaded<Settings, ()>> {
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

    /// Compares and appends.
    ///
    /// # Panics
    ///
    /// If the batch is one that no lane should make.
    pub fn append(&mut self, batch: &Batch<Entry>) -> AppendResult {
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
