//! What must hold, judged by the history and the tables alone. Each check says of which guarantee
//! it is.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use goim_core::{ConversationId, Seq};
use goim_proto::ConversationKind;
use goim_server::store::StoredEntry;

use crate::checker::{is_answered, is_dense, is_once, is_ordered};
use crate::fixtures::is_message;
use crate::fold::Replay;
use crate::history::{History, Seen};
use crate::ledger::Outcome;
use crate::tables::Tables;
use crate::{delivery, positions};

/// A check that failed, and what it says.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) message: String,
}

/// What checks look at.
pub(crate) struct Case<'a> {
    pub(crate) history: &'a History,
    pub(crate) tables: &'a Tables,
    /// The logs, with what was removed from them.
    pub(crate) logs: BTreeMap<ConversationId, Vec<StoredEntry>>,
    /// Those of groups and direct chats, replayed.
    pub(crate) replays: BTreeMap<ConversationId, Replay>,
}

type Check = fn(&Case<'_>);

const CHECKS: &[(&str, Check)] = &[
    ("g1_what_is_acknowledged_is_stored_as_said", g1_what_is_acknowledged_is_stored_as_said),
    ("g1_whoever_looks_sees_what_was_acknowledged", g1_whoever_looks_sees_what_was_acknowledged),
    ("g1_what_is_published_is_stored", g1_what_is_published_is_stored),
    ("g2_logs_are_dense", g2_logs_are_dense),
    ("g2_every_moment_shows_a_prefix", g2_every_moment_shows_a_prefix),
    ("g2_every_read_brings_a_prefix", g2_every_read_brings_a_prefix),
    ("g3_nothing_is_stored_twice", g3_nothing_is_stored_twice),
    ("g3_what_is_called_a_duplicate_is_one", g3_what_is_called_a_duplicate_is_one),
    ("g4_devices_keep_their_order", g4_devices_keep_their_order),
    ("g5_pullers_get_each_entry_once_in_order", delivery::g5_pullers_get_each_entry_once_in_order),
    ("g5_inboxes_get_what_they_are_owed_once", delivery::g5_inboxes_get_what_they_are_owed_once),
    ("g6_offsets_never_move_back", positions::g6_offsets_never_move_back),
    ("g6_offsets_are_what_was_committed", positions::g6_offsets_are_what_was_committed),
    ("g6_read_markers_never_move_back", positions::g6_read_markers_never_move_back),
    ("g6_lists_show_positions_and_counts", positions::g6_lists_show_positions_and_counts),
    ("g6_epochs_only_grow", positions::g6_epochs_only_grow),
    ("g9_entries_were_allowed_by_the_state_before", g9_entries_were_allowed_by_the_state_before),
    ("g9_refusals_were_right", g9_refusals_were_right),
    ("g9_tables_are_the_fold", g9_tables_are_the_fold),
    ("g9_nobody_is_given_what_is_not_his", delivery::g9_nobody_is_given_what_is_not_his),
    ("things_are_made_once", delivery::things_are_made_once),
    ("everybody_comes_to_an_end", everybody_comes_to_an_end),
    ("nothing_fails_that_no_fault_struck", nothing_fails_that_no_fault_struck),
];

/// Whether a check has this name.
pub(crate) fn exists(name: &str) -> bool {
    CHECKS.iter().any(|(check, _)| *check == name)
}

/// Runs all checks.
pub(crate) fn all(history: &History, tables: &Tables) -> Vec<Finding> {
    let mut logs = history.erased.clone();
    for log in logs.values_mut() {
        log.dedup_by_key(|entry| entry.seq);
    }
    for (conversation, entries) in &tables.logs {
        logs.entry(*conversation).or_default().extend(entries.iter().cloned());
    }
    let talks = history.conversations.iter().filter(|(_, (kind, _))| *kind != ConversationKind::Inbox);
    let replay = |(id, _): (&ConversationId, _)| (*id, Replay::of(history, *id, &logs[id]));
    let replays = talks.map(replay).collect();
    let case = Case { history, tables, logs, replays };
    let run = |(check, run): &(&'static str, Check)| {
        let panic = catch_unwind(AssertUnwindSafe(|| run(&case))).err()?;
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let message = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?").to_owned();
        Some(Finding { check, message })
    };
    CHECKS.iter().filter_map(run).collect()
}

fn g1_what_is_acknowledged_is_stored_as_said(case: &Case<'_>) {
    for (conversation, log) in &case.logs {
        case.history.ledger.look(|books| is_answered(*conversation, log, books));
    }
}

/// Whoever begins to look after an answer finds what it says, over whichever connection.
fn g1_whoever_looks_sees_what_was_acknowledged(case: &Case<'_>) {
    let history = case.history;
    for snapshot in &history.snapshots {
        for (conversation, log) in &snapshot.logs {
            let told = history.told(*conversation, snapshot.step);
            assert!(
                log.head >= told,
                "{conversation} stood at {}, not {told}, at {}",
                log.head,
                snapshot.step
            );
        }
    }
    for (span, seen) in &history.reads {
        match seen {
            Seen::Heads(heads) => {
                for head in heads {
                    let told = history.told(head.conversation, span.started);
                    assert!(head.head >= told, "{head:?} instead of {told}, at {span:?}");
                }
            }
            Seen::Entries { conversation, after, limit, entries } => {
                let told = history.told(*conversation, span.started);
                let last = entries.last().map_or(*after, |entry| entry.seq);
                let erased = history.erased_through(*conversation);
                let there = last >= told || entries.len() >= *limit || erased >= told;
                assert!(there, "{conversation} up to {last} instead of {told}, at {span:?}");
            }
            Seen::States { states, .. } => {
                for state in states.iter().filter(|state| state.from.is_some()) {
                    let told = history.told(state.item.conversation, span.started);
                    assert!(state.item.head >= told, "{state:?} instead of {told}, at {span:?}");
                }
            }
            Seen::Page { .. } => {}
        }
    }
}

fn g1_what_is_published_is_stored(case: &Case<'_>) {
    let mut last = BTreeMap::new();
    for (node, entry) in &case.history.published {
        let before = last.insert((*node, entry.conversation), entry.seq);
        assert!(before.is_none_or(|before| before < entry.seq), "published out of order: {entry:?}");
        let row = case.logs[&entry.conversation].iter().find(|row| row.seq == entry.seq);
        let row = row.unwrap_or_else(|| panic!("published and not stored: {entry:?}"));
        assert_eq!((row.sender, row.client_msg_id), (entry.sender, entry.client_msg_id), "published");
        assert_eq!(
            (row.count, row.at_ms, &row.body),
            (entry.count, entry.at_ms, &entry.entry.body),
            "published"
        );
    }
}

fn g2_logs_are_dense(case: &Case<'_>) {
    for (conversation, log) in &case.logs {
        is_dense(*conversation, log, case.tables.heads[conversation]);
    }
}

/// What one statement sees, whenever: rows without a gap, up to the head, which never moves back.
fn g2_every_moment_shows_a_prefix(case: &Case<'_>) {
    let mut heads = BTreeMap::new();
    for snapshot in case.history.snapshots.iter().chain([&case.tables.last]) {
        for (conversation, log) in &snapshot.logs {
            let erased = case.history.erased_through(*conversation);
            let at = snapshot.step;
            if log.rows == 0 {
                assert!(log.head <= erased, "{conversation} is empty below its head at {at}: {log:?}");
            } else {
                let whole = log.highest == log.head && log.lowest.plus(log.rows - 1) == log.highest;
                assert!(whole, "{conversation} is no prefix at {at}: {log:?}");
                assert!(
                    log.lowest.prev() <= erased,
                    "the beginning of {conversation} is gone at {at}: {log:?}"
                );
            }
            let before = heads.insert(*conversation, log.head).unwrap_or_default();
            assert!(before <= log.head, "the head of {conversation} moved back at {at}: {log:?}");
        }
    }
}

/// Reads bring what stands in the log for ever, without a gap, and never less than one before.
fn g2_every_read_brings_a_prefix(case: &Case<'_>) {
    let mut known: Vec<(u64, ConversationId, Seq)> = Vec::new();
    let mut reads: Vec<_> = case.history.reads.iter().collect();
    reads.sort_by_key(|(span, _)| span.started);
    for (span, seen) in reads {
        let mut see = |conversation: ConversationId, head: Seq| {
            for (finished, of, before) in &known {
                let earlier = *finished < span.started && *of == conversation;
                assert!(!earlier || *before <= head, "{conversation} at {head} after {before}, at {span:?}");
            }
            known.push((span.finished, conversation, head));
        };
        match seen {
            Seen::Heads(heads) => heads.iter().for_each(|head| see(head.conversation, head.head)),
            Seen::Entries { conversation, after, limit, entries } => {
                let erased = case.history.erased_through(*conversation);
                let mut last = *after;
                for entry in entries {
                    let next = entry.seq == last.next() || (entry.seq > last && entry.seq.prev() <= erased);
                    assert!(next, "{} behind {last} in {conversation}, at {span:?}", entry.seq);
                    last = entry.seq;
                }
                stand_in_the_log(case, *conversation, entries);
                if entries.len() < *limit && last > erased && last > *after {
                    see(*conversation, last);
                }
            }
            Seen::Page { puller, page, .. } => {
                let conversation = case.history.pullers[*puller].conversation;
                stand_in_the_log(case, conversation, &page.entries);
            }
            Seen::States { states, .. } => {
                let open = states.iter().filter(|state| state.from.is_some());
                open.for_each(|state| see(state.item.conversation, state.item.head));
            }
        }
    }
}

fn stand_in_the_log(case: &Case<'_>, conversation: ConversationId, entries: &[StoredEntry]) {
    for entry in entries {
        let stored = case.logs[&conversation].iter().find(|stored| stored.seq == entry.seq);
        assert_eq!(stored, Some(entry), "what was read in {conversation}");
    }
}

fn g3_nothing_is_stored_twice(case: &Case<'_>) {
    for (conversation, log) in &case.logs {
        case.history.ledger.look(|books| is_once(*conversation, log, books));
    }
}

/// What was offered once is never refused as stored already, whatever its batch was in the way of.
fn g3_what_is_called_a_duplicate_is_one(case: &Case<'_>) {
    for batch in &case.history.duplicates {
        assert!(
            batch.iter().any(|key| case.history.copies[key] > 1),
            "none of these is a duplicate: {batch:?}"
        );
    }
}

fn g4_devices_keep_their_order(case: &Case<'_>) {
    for (conversation, log) in &case.logs {
        case.history.ledger.look(|books| is_ordered(*conversation, log, books));
    }
}

fn g9_entries_were_allowed_by_the_state_before(case: &Case<'_>) {
    for (conversation, replay) in &case.replays {
        let forbidden = &replay.forbidden;
        assert!(forbidden.is_empty(), "{conversation} has what was not allowed, at {forbidden:?}");
    }
}

/// Who was refused had asked for what was not allowed at some moment between his call and its
/// answer.
fn g9_refusals_were_right(case: &Case<'_>) {
    for answer in &case.history.answers {
        match answer.outcome {
            Outcome::Refused(_) => {}
            Outcome::NoSuchConversation | Outcome::Rejected => panic!("nobody deserves {answer:?}"),
            _ => continue,
        }
        let (conversation, sender, _) = answer.key;
        let told = case.history.told(conversation, answer.span.started);
        let draft = &case.history.drafts[&answer.key];
        // The state that held when he asked is the last one of its seq.
        let states = &case.replays[&conversation].states;
        let mut held = states.iter().filter(|(seq, _)| *seq >= told);
        assert!(held.any(|(_, state)| !state.allows(sender, draft)), "refused behind {told}: {answer:?}");
    }
}

/// Members and roles are what the log adds up to.
fn g9_tables_are_the_fold(case: &Case<'_>) {
    for (conversation, replay) in &case.replays {
        let rows = case.tables.members.get(conversation).cloned().unwrap_or_default();
        assert_eq!(rows, replay.members, "the members of {conversation}");
        for (user, role) in replay.roles() {
            assert_eq!(
                case.tables.roles[&(*conversation, *user)],
                *role,
                "the role of {user} in {conversation}"
            );
        }
    }
}

fn everybody_comes_to_an_end(case: &Case<'_>) {
    assert!(case.history.is_over, "after {} moves not all is done", case.history.step);
}

fn nothing_fails_that_no_fault_struck(case: &Case<'_>) {
    let surprises = &case.history.surprises;
    assert!(surprises.is_empty(), "{surprises:#?}");
}

/// The messages of a log up to a seq.
pub(crate) fn messages(log: &[StoredEntry], through: Seq) -> u64 {
    let messages = log.iter().filter(|entry| entry.seq <= through && is_message(&entry.body));
    u64::try_from(messages.count()).expect("few")
}
