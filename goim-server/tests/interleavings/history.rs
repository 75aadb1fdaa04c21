//! What was asked and answered, in order: all that the checks know besides the tables.

use std::collections::{BTreeMap, BTreeSet};

use goim_core::lane::Committed;
use goim_core::{ConversationId, DeviceId, Epoch, Seq, UserId};
use goim_proto::ConversationKind;
use goim_server::store::{EntryDraft, Head, OffsetCommit, OffsetRefusal, Page, ReaderState, StoredEntry};

use crate::ledger::{Key, Ledger, Outcome, place};
use crate::tables::Snapshot;

/// From the step in which a call began to the one in which it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) started: u64,
    pub(crate) finished: u64,
}

/// An answer to an offer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) span: Span,
    pub(crate) key: Key,
    pub(crate) outcome: Outcome,
}

/// What a read brought.
#[derive(Debug)]
pub(crate) enum Seen {
    Entries { conversation: ConversationId, after: Seq, limit: usize, entries: Vec<StoredEntry> },
    Page { puller: usize, after: Seq, page: Page },
    Heads(Vec<Head>),
    States { user: UserId, device: DeviceId, states: Vec<ReaderState> },
}

/// Somebody who reads one conversation by his offset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Puller {
    pub(crate) user: UserId,
    pub(crate) conversation: ConversationId,
    pub(crate) offset: Seq,
}

/// An admin who became a member, or the other way round, without an entry that tells of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rerole {
    pub(crate) conversation: ConversationId,
    /// It holds from the entry after this one on.
    pub(crate) at: Seq,
    pub(crate) user: UserId,
}

/// A read marker that was asked to move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) user: UserId,
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    /// Whether it is known to have been carried out; if not, it may have been.
    pub(crate) done: bool,
}

/// Offsets that were to be committed, and the verdict if it came.
pub(crate) type Commits = (Span, Vec<OffsetCommit>, Option<Vec<OffsetRefusal>>);

#[derive(Default)]
pub(crate) struct History {
    pub(crate) step: u64,
    pub(crate) ledger: Ledger,
    pub(crate) drafts: BTreeMap<Key, EntryDraft>,
    /// Conversations that are checked, with their kinds and makers.
    pub(crate) conversations: BTreeMap<ConversationId, (ConversationKind, UserId)>,
    pub(crate) inboxes: BTreeMap<UserId, ConversationId>,
    pub(crate) answers: Vec<Answered>,
    /// By node.
    pub(crate) published: Vec<(usize, Committed<EntryDraft>)>,
    pub(crate) pullers: Vec<Puller>,
    pub(crate) reads: Vec<(Span, Seen)>,
    pub(crate) commits: Vec<Commits>,
    pub(crate) marks: Vec<(Span, Mark)>,
    /// New epochs, and those that may have begun.
    pub(crate) epochs: Vec<(Span, Option<Epoch>)>,
    pub(crate) reroles: Vec<Rerole>,
    pub(crate) erased: BTreeMap<ConversationId, Vec<StoredEntry>>,
    /// What each thing that was to be made once was answered to be.
    pub(crate) made: BTreeMap<String, BTreeSet<ConversationId>>,
    /// How often each thing was offered.
    pub(crate) copies: BTreeMap<Key, u32>,
    /// Batches of which the store said that something is stored already.
    pub(crate) duplicates: Vec<Vec<Key>>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// Errors that nobody caused.
    pub(crate) surprises: Vec<String>,
    /// Whether everybody came to an end.
    pub(crate) is_over: bool,
    pub(crate) trace: Vec<String>,
    /// How often what happened, so that nobody takes silence for a pass.
    pub(crate) tally: BTreeMap<&'static str, u64>,
}

impl History {
    pub(crate) fn now_ms(&self) -> u64 {
        // Any time will do, as long as a seed has the same one each time.
        1_700_000_000_000 + self.step
    }

    pub(crate) fn note(&mut self, what: &str) {
        self.trace.push(format!("{:5} {what}", self.step));
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(crate) fn offered(&mut self, key: Key, device: DeviceId, draft: &EntryDraft) {
        self.ledger.offered(key, device, &draft.body);
        self.drafts.entry(key).or_insert_with(|| draft.clone());
    }

    pub(crate) fn answered(&mut self, started: u64, key: Key, outcome: Outcome) {
        self.note(&format!("    {}/{} {outcome:?}", key.0, key.2));
        self.count(match &outcome {
            Outcome::Committed { .. } => "committed",
            Outcome::Duplicate { .. } => "duplicates",
            Outcome::Refused(_) => "refused",
            Outcome::OutOfOrder => "out of order",
            Outcome::Unavailable(_) => "unavailable",
            Outcome::NoSuchConversation | Outcome::Rejected => "rejected",
        });
        self.ledger.answered(key, outcome.clone());
        let span = Span { started, finished: self.step };
        self.answers.push(Answered { span, key, outcome });
    }

    /// The highest seq of a conversation that somebody had been told of before a step.
    pub(crate) fn told(&self, conversation: ConversationId, before: u64) -> Seq {
        let told = self.answers.iter().filter(|answer| answer.key.0 == conversation);
        let told = told.filter(|answer| answer.span.finished < before);
        told.filter_map(|answer| place(&answer.outcome)).map(|place| place.0).max().unwrap_or(Seq::ZERO)
    }

    /// Up to where entries of a conversation may have been removed.
    pub(crate) fn erased_through(&self, conversation: ConversationId) -> Seq {
        let erased = self.erased.get(&conversation).and_then(|entries| entries.last());
        erased.map_or(Seq::ZERO, |entry| entry.seq)
    }
}
