//! What a store holds: a primary's committed state, and a replica's.

use std::collections::BTreeMap;

use goim_core::hash::IdMap;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, Seq, Time, UserId};

use crate::entry::{Content, Kind, Settings};

/// An entry as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) seq: Seq,
    pub(crate) sender: UserId,
    pub(crate) device: DeviceId,
    pub(crate) client_msg_id: ClientMsgId,
    pub(crate) content: Content,
    pub(crate) count: u64,
    pub(crate) at_ms: u64,
    /// When it was written, by the store's clock.
    pub(crate) written_at: Time,
}

impl Row {
    pub(crate) fn entry(&self) -> Entry<crate::entry::Body> {
        Entry {
            seq: self.seq,
            sender: self.sender,
            client_msg_id: self.client_msg_id,
            at_ms: self.at_ms,
            count: self.count,
            body: self.content.encode(),
        }
    }
}

/// Seqs that a member may see, both ends included; an open end is the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Seq,
    pub(crate) until: Option<Seq>,
}

impl Range {
    pub(crate) fn has(self, seq: Seq) -> bool {
        self.from <= seq && self.until.is_none_or(|until| seq <= until)
    }
}

/// One conversation.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) settings: Settings,
    pub(crate) head: Seq,
    pub(crate) count: u64,
    pub(crate) rev: u64,
    /// All that ever was; what retention took is passed over by readers.
    pub(crate) rows: BTreeMap<Seq, Row>,
    /// Retention took everything up to here.
    pub(crate) taken_through: Seq,
    pub(crate) ranges: IdMap<UserId, Vec<Range>>,
    /// The unique index; retention takes entries out of it, too.
    pub(crate) ids: IdMap<(UserId, ClientMsgId), Seq>,
}

impl Log {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            settings: Settings { kind, blocked: false },
            head: Seq::ZERO,
            count: 0,
            rev: 0,
            rows: BTreeMap::new(),
            taken_through: Seq::ZERO,
            ranges: IdMap::default(),
            ids: IdMap::default(),
        }
    }

    pub(crate) fn is_member(&self, user: UserId) -> bool {
        self.ranges_of(user).last().is_some_and(|range| range.until.is_none())
    }

    pub(crate) fn ranges_of(&self, user: UserId) -> &[Range] {
        self.ranges.get(&user).map_or(&[], Vec::as_slice)
    }

    /// The highest seq that a user may see.
    pub(crate) fn readable_head(&self, user: UserId) -> Seq {
        self.ranges_of(user).last().map_or(Seq::ZERO, |range| range.until.unwrap_or(self.head))
    }

    /// The row under a seq, if retention left it.
    pub(crate) fn row(&self, seq: Seq) -> Option<&Row> {
        self.rows.get(&seq).filter(|_| seq > self.taken_through)
    }

    fn put(&mut self, row: Row) {
        self.rows.insert(row.seq, row);
        self.ids.insert((row.sender, row.client_msg_id), row.seq);
        match row.content {
            Content::Add(user) if !self.is_member(user) => self.let_in(user, row.seq),
            Content::Remove(user) => self.put_out(user, row.seq),
            Content::Leave => self.put_out(row.sender, row.seq),
            Content::Created
            | Content::Say { .. }
            | Content::Poison { .. }
            | Content::Add(_)
            | Content::Invited { .. }
            | Content::Note(_) => {}
        }
    }

    pub(crate) fn let_in(&mut self, user: UserId, from: Seq) {
        self.ranges.entry(user).or_default().push(Range { from, until: None });
    }

    fn put_out(&mut self, user: UserId, seq: Seq) {
        if let Some(range) = self.ranges.get_mut(&user).and_then(|ranges| ranges.last_mut()) {
            range.until.get_or_insert(seq);
        }
    }
}

/// An entry that is owed to an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) user: UserId,
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) at_ms: u64,
}

/// What a transaction changes when it commits.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Heads with their counts, and the rows that lead to them.
    Append { heads: Vec<(ConversationId, Seq, u64)>, rows: Vec<(ConversationId, Row)> },
    /// A device's offsets.
    Offsets { device: DeviceId, moves: Vec<(ConversationId, Seq)> },
    /// A user's read marker.
    Marker { user: UserId, conversation: ConversationId, seq: Seq },
    /// A block in a direct chat, or its lifting: a change of the fold without an entry.
    Block { conversation: ConversationId, blocked: bool },
    /// Inboxes have what was owed to them.
    DueDone(Vec<u64>),
    /// Retention takes the oldest entries.
    Retain { conversation: ConversationId, through: Seq },
}

/// A store's committed state.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) epoch: Epoch,
    pub(crate) logs: Vec<Log>,
    pub(crate) offsets: IdMap<(DeviceId, ConversationId), Seq>,
    pub(crate) markers: IdMap<(UserId, ConversationId), Seq>,
    pub(crate) due: BTreeMap<u64, Due>,
    due_last: u64,
}

impl State {
    pub(crate) fn new(logs: Vec<Log>) -> Self {
        Self {
            epoch: Epoch::new(1),
            logs,
            offsets: IdMap::default(),
            markers: IdMap::default(),
            due: BTreeMap::new(),
            due_last: 0,
        }
    }

    /// A conversation; all that are ever named exist.
    pub(crate) fn log(&self, conversation: ConversationId) -> &Log {
        &self.logs[index(conversation)]
    }

    pub(crate) fn log_mut(&mut self, conversation: ConversationId) -> &mut Log {
        &mut self.logs[index(conversation)]
    }

    pub(crate) fn conversations(&self) -> impl Iterator<Item = ConversationId> + use<> {
        (1..=self.logs.len() as u64).map(ConversationId::new)
    }

    pub(crate) fn offset(&self, device: DeviceId, conversation: ConversationId) -> Seq {
        self.offsets.get(&(device, conversation)).copied().unwrap_or(Seq::ZERO)
    }

    pub(crate) fn marker(&self, user: UserId, conversation: ConversationId) -> Seq {
        self.markers.get(&(user, conversation)).copied().unwrap_or(Seq::ZERO)
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Append { heads, rows } => {
                for (conversation, row) in rows {
                    self.log_mut(*conversation).put(*row);
                    if let Content::Add(user) = row.content {
                        self.due_last += 1;
                        let due = Due { user, conversation: *conversation, seq: row.seq, at_ms: row.at_ms };
                        self.due.insert(self.due_last, due);
                    }
                }
                for (conversation, head, count) in heads {
                    let log = self.log_mut(*conversation);
                    (log.head, log.count) = (*head, *count);
                }
            }
            Change::Offsets { device, moves } => {
                for (conversation, seq) in moves {
                    let offset = self.offsets.entry((*device, *conversation)).or_default();
                    *offset = if bug!("offsets go back") { *seq } else { (*offset).max(*seq) };
                }
            }
            Change::Marker { user, conversation, seq } => {
                let marker = self.markers.entry((*user, *conversation)).or_default();
                *marker = if bug!("markers go back") { *seq } else { (*marker).max(*seq) };
            }
            Change::Block { conversation, blocked } => {
                let log = self.log_mut(*conversation);
                log.settings.blocked = *blocked;
                log.rev += u64::from(!bug!("a block raises no revision"));
            }
            Change::DueDone(ids) => self.due.retain(|id, _| !ids.contains(id)),
            Change::Retain { conversation, through } => {
                let log = self.log_mut(*conversation);
                log.taken_through = log.taken_through.max(*through);
                let taken = log.taken_through;
                log.ids.retain(|_, seq| *seq > taken);
            }
        }
    }
}

pub(crate) fn index(conversation: ConversationId) -> usize {
    usize::try_from(conversation.as_u64()).map_or(0, |id| id.saturating_sub(1))
}
