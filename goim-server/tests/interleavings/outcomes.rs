//! What came of what was begun.

use goim_core::lane::{AppendResult, Offer};
use goim_core::{ConversationId, DeviceId, Epoch, Seq, UserId};
use goim_proto::content::Place;
use goim_proto::{Content, ConversationKind};
use goim_server::store::{DueRow, Effect, EntryDraft, StoreError, StoredEntry, derived_id};
use rand::RngExt as _;

use crate::fixtures::text;
use crate::gate::SeatId;
use crate::hands::Doing;
use crate::history::{Mark, Rerole, Seen, Span};
use crate::ledger::{Key, Outcome};
use crate::node::{Ticket, Whose};
use crate::ops::Output;
use crate::rival::Deed;
use crate::run::{DUE, LOADS, NODES, Run};

/// No seat was told beforehand of the epoch that another one begins.
const fn is_surprise(error: &StoreError) -> bool {
    !matches!(error, StoreError::WentBack)
}

impl Run<'_> {
    /// Takes what came of a call.
    pub(crate) fn finished(&mut self, seat: SeatId, output: Output) {
        let Some((started, doing)) = self.doing[seat].take() else { panic!("seat {seat} did nothing") };
        let span = Span { started, finished: self.history.step };
        if !self.struck[seat]
            && let Some(error) = output.error().filter(|error| is_surprise(error))
        {
            self.history.surprises.push(format!("seat {seat}, from {started}: {error:?}"));
        }
        let now = self.now();
        match (doing, output) {
            (Doing::Connect, output) => {
                let connection =
                    if let Output::Connected(Ok(connection)) = output { Some(connection) } else { None };
                self.nodes[seat].connected(now, self.history.now_ms(), connection);
            }
            (Doing::Append(keys), Output::Appended(connection, result)) => {
                let fair = matches!(
                    result,
                    AppendResult::Written { .. } | AppendResult::Duplicate | AppendResult::Conflict
                );
                if !fair && !self.struck[seat] {
                    self.history.surprises.push(format!("node {seat}, from {started}: {result:?}"));
                }
                self.history.note(&format!("    node {seat} got {result:?}"));
                self.history.count(match &result {
                    AppendResult::Written { stale } if !stale.is_empty() => "stale batches",
                    AppendResult::Written { .. } => "batches",
                    AppendResult::Duplicate => "batches with a duplicate",
                    AppendResult::Conflict => "conflicts",
                    AppendResult::InDoubt => "batches in doubt",
                    AppendResult::Data | AppendResult::Down | AppendResult::Full => "failures",
                });
                if result == AppendResult::Duplicate {
                    self.history.duplicates.push(keys);
                }
                self.nodes[seat].appended(now, Some(connection), result);
            }
            (Doing::Append(_), _) => self.nodes[seat].appended(now, None, AppendResult::InDoubt),
            (Doing::Load(_), Output::Loaded(load, result)) => {
                self.nodes[seat - LOADS].loaded(now, &load, result);
            }
            (Doing::Load(load), _) => self.nodes[seat - LOADS].failed_to_load(now, &load),
            (Doing::Offsets(offsets), output) => {
                let verdict = if let Output::Offsets(Ok(refused)) = output { Some(refused) } else { None };
                self.history.commits.push((span, offsets, verdict));
            }
            (Doing::Mark { user, conversation, seq }, output) => {
                let done = matches!(output, Output::Marked(Ok(_)));
                self.history.marks.push((span, Mark { user, conversation, seq, done }));
            }
            (Doing::Make { what }, Output::Made(Ok(conversation))) => self.made(what, conversation),
            (Doing::Due, Output::Due(Ok(rows))) => self.deliver_due(seat, &rows),
            (Doing::Epoch, output) => {
                let epoch = if let Output::Epoch(Ok(epoch)) = output { Some(epoch) } else { None };
                self.cast.epochs.extend(epoch);
                self.history.epochs.push((span, epoch));
            }
            (Doing::Rival { conversation, deed, commit, entries }, Output::Rival(connection, result)) => {
                self.rival = Some(connection);
                match result {
                    Ok(under_lock) if commit => {
                        self.rival_acted(started, conversation, &deed, entries, under_lock);
                    }
                    Ok(_) => {}
                    Err(error) => {
                        self.history.surprises.push(format!("the rival, from {started}: {error:?}"));
                    }
                }
            }
            (doing, output) => self.seen(span, doing, output),
        }
    }

    fn seen(&mut self, span: Span, doing: Doing, output: Output) {
        let seen = match (doing, output) {
            (Doing::Pull { puller, after }, Output::Page(Ok(page))) => {
                self.history.pullers[puller].offset = page.through;
                Seen::Page { puller, after, page }
            }
            (Doing::Entries { conversation, after, limit }, Output::Entries(Ok(entries))) => {
                Seen::Entries { conversation, after, limit, entries }
            }
            (Doing::Heads, Output::Heads(Ok(heads))) => Seen::Heads(heads),
            (Doing::States { user, device }, Output::States(Ok(states))) => {
                Seen::States { user, device, states }
            }
            _ => return,
        };
        self.history.count("reads");
        self.history.reads.push((span, seen));
    }

    fn made(&mut self, what: String, conversation: ConversationId) {
        let (owner, member) = (self.cast.owner, self.cast.member);
        if what == chat_of(owner, member) {
            self.history.conversations.insert(conversation, (ConversationKind::Direct, owner));
            for sender in self.cast.senders.iter_mut().filter(|sender| sender.conversation.is_none()) {
                sender.conversation = Some(conversation);
            }
        }
        self.history.made.entry(what).or_default().insert(conversation);
    }

    /// Offers what is due, as `service/due.rs` does.
    fn deliver_due(&mut self, seat: SeatId, rows: &[DueRow]) {
        let worker = DUE.iter().position(|due| *due == seat).expect("a worker");
        self.due[worker].found_nothing = rows.is_empty();
        self.due[worker].waiting = rows.len();
        let node = self.rng.random_range(0..NODES);
        for row in rows {
            let (key, entry) = owed(row);
            let ticket =
                Ticket { key, offered: self.history.step, whose: Whose::Due { worker, row: row.id } };
            let (conversation, sender, client_msg_id) = key;
            // The server itself has no device whose order would have to be kept.
            let nobody = DeviceId::new(1_000_000 + self.history.step * 100 + row.id.unsigned_abs() % 100);
            self.history.offered(key, nobody, &entry);
            let (device, after, retry, epoch) = (DeviceId::default(), None, false, Epoch::default());
            self.offer(
                node,
                Offer { ticket, conversation, sender, device, client_msg_id, after, retry, epoch, entry },
            );
        }
    }

    fn rival_acted(
        &mut self,
        started: u64,
        conversation: ConversationId,
        deed: &Deed,
        entries: Vec<StoredEntry>,
        (head, count): (Seq, u64),
    ) {
        self.history.count(match deed {
            Deed::Hold => "locks held by the rival",
            Deed::Rerole { .. } => "changes without an entry",
            Deed::Append { .. } => "entries of the rival",
            Deed::Erase { .. } if entries.is_empty() => "erased nothing",
            Deed::Erase { .. } => "erasures",
        });
        match deed {
            Deed::Hold => {}
            Deed::Rerole { user } => {
                self.history.reroles.push(Rerole { conversation, at: head, user: *user });
            }
            Deed::Append { sender, client_msg_id, at_ms, .. } => {
                let key = (conversation, *sender, *client_msg_id);
                self.history.offered(key, DeviceId::new(2_000_000 + started), &text("from elsewhere"));
                *self.history.copies.entry(key).or_default() += 1;
                let (seq, count, at_ms) = (head.next(), count + 1, *at_ms);
                self.history.answered(started, key, Outcome::Committed { seq, count, at_ms });
            }
            Deed::Erase { .. } => self.history.erased.entry(conversation).or_default().extend(entries),
        }
    }
}

pub(crate) fn chat_of(user: UserId, other: UserId) -> String {
    format!("the chat of {user} and {other}")
}

/// The entry that a row owes.
pub(crate) fn owed(row: &DueRow) -> (Key, EntryDraft) {
    let place = Place { conversation: row.conversation, seq: row.seq };
    let content = if row.kind.0 == 65 { Content::RemovedFrom(place) } else { Content::AddedTo(place) };
    let kind = u64::from(row.kind.0.unsigned_abs());
    let parts = [row.user.as_u64(), row.conversation.as_u64(), row.seq.as_u64(), kind];
    let entry = EntryDraft { kind: row.kind, body: content.encode(), effect: Effect::None };
    ((row.inbox, row.sender, derived_id(row.at_ms, &parts)), entry)
}
