//! G6: offsets, read markers and epochs only grow, and are what they were made to be.

use std::collections::BTreeMap;

use goim_core::{ConversationId, DeviceId, Epoch, Seq, UserId};
use goim_proto::ErrorCode;
use goim_server::store::OffsetCommit;

use crate::checks::{Case, messages};
use crate::fixtures::is_message;
use crate::history::{Seen, Span};

pub(crate) fn g6_offsets_never_move_back(case: &Case<'_>) {
    let mut last = BTreeMap::new();
    for snapshot in case.history.snapshots.iter().chain([&case.tables.last]) {
        for (key, seq) in &snapshot.offsets {
            let before = last.insert(*key, *seq).unwrap_or_default();
            assert!(before <= *seq, "{key:?} moved back from {before} to {seq}, at {}", snapshot.step);
        }
    }
}

pub(crate) fn g6_read_markers_never_move_back(case: &Case<'_>) {
    let mut last = BTreeMap::new();
    for snapshot in case.history.snapshots.iter().chain([&case.tables.last]) {
        for (key, seq) in &snapshot.markers {
            let before = last.insert(*key, *seq).unwrap_or_default();
            assert!(before <= *seq, "{key:?} moved back from {before} to {seq}, at {}", snapshot.step);
            let asked = case.history.marks.iter().filter(|(_, mark)| (mark.user, mark.conversation) == *key);
            let highest = asked.map(|(_, mark)| mark.seq).max().unwrap_or_default();
            let head = case.tables.heads[&key.1];
            let asked = highest.min(head);
            let own = || wrote_all(case, *key, asked, *seq);
            assert!(*seq <= asked || own(), "{key:?} at {seq}, which nobody asked for");
        }
        for (span, mark) in case.history.marks.iter().filter(|(_, mark)| mark.done) {
            let least = mark.seq.min(reach(case, mark.user, mark.conversation, span.started));
            let now = snapshot.markers.get(&(mark.user, mark.conversation)).copied().unwrap_or_default();
            let later = span.finished <= snapshot.step;
            assert!(
                !later || now >= least,
                "{mark:?} was carried out and stands at {now}, at {}",
                snapshot.step
            );
        }
    }
}

/// Whether a marker may have come from one seq to another by what its user sent: the last message is his
/// own, and so are all in between that he had not behind him when he came in.
fn wrote_all(case: &Case<'_>, (user, conversation): (UserId, ConversationId), from: Seq, to: Seq) -> bool {
    let stays = case.replays.get(&conversation).into_iter().flat_map(|replay| &replay.members);
    let came = stays.filter(|row| row.user == user && row.from <= to).map(|row| row.from).max();
    let behind = from.max(came.unwrap_or_default());
    let messages = case.logs[&conversation].iter().filter(|entry| is_message(&entry.body));
    let mut unread = messages.filter(|entry| entry.seq > behind && entry.seq <= to);
    unread.clone().last().is_some_and(|last| last.seq == to) && unread.all(|entry| entry.sender == user)
}

/// How far a user's positions could move, at least: to the head that somebody had been told of, or only
/// to the end of his first stay, if it has one.
fn reach(case: &Case<'_>, user: UserId, conversation: ConversationId, step: u64) -> Seq {
    let told = case.history.told(conversation, step);
    let stays = case.replays.get(&conversation).into_iter().flat_map(|replay| &replay.members);
    let ends = stays.filter(|row| row.user == user).filter_map(|row| row.until);
    ends.min().map_or(told, |end| end.min(told))
}

/// Offsets that were accepted: when, and what.
fn accepted<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (Span, &'a OffsetCommit)> {
    case.history.commits.iter().flat_map(|(span, offsets, verdict)| {
        let taken = offsets.iter().enumerate().filter(move |(at, _)| {
            verdict.as_ref().is_some_and(|refused| !refused.iter().any(|(place, _)| place == at))
        });
        taken.map(|(_, offset)| (*span, offset))
    })
}

pub(crate) fn g6_offsets_are_what_was_committed(case: &Case<'_>) {
    let history = case.history;
    for (span, offset) in accepted(case) {
        let later = history.snapshots.iter().find(|snapshot| snapshot.step >= span.finished);
        let head = later.unwrap_or(&case.tables.last).logs[&offset.conversation].head;
        assert!(offset.seq <= head, "{offset:?} lies beyond {head} and was taken, at {span:?}");
        assert!(
            may_be_present(case, span, offset.epoch),
            "{offset:?} of another epoch was taken, at {span:?}"
        );
        for snapshot in history.snapshots.iter().chain([&case.tables.last]) {
            let now =
                snapshot.offsets.get(&(offset.device, offset.conversation)).copied().unwrap_or_default();
            let later = span.finished <= snapshot.step;
            assert!(
                !later || now >= offset.seq,
                "{offset:?} was taken and is at {now}, at {}",
                snapshot.step
            );
        }
    }
    for ((device, conversation), seq) in &case.tables.last.offsets {
        let mut all = history.commits.iter().flat_map(|(_, offsets, _)| offsets);
        let asked = all.any(|o| (o.device, o.conversation, o.seq) == (*device, *conversation, *seq));
        assert!(asked, "{device} is at {seq} in {conversation}, which nobody asked for");
    }
    for (span, offsets, verdict) in &history.commits {
        for (at, code) in verdict.iter().flatten() {
            let offset = &offsets[*at];
            let right = match code {
                ErrorCode::OffsetBeyondHead => {
                    offset.seq > reach(case, offset.user, offset.conversation, span.started)
                }
                ErrorCode::OtherEpoch => may_be_past(case, *span, offset.epoch),
                _ => false,
            };
            assert!(right, "{offset:?} was refused as {code:?}, at {span:?}");
        }
    }
}

/// Whether an epoch may be the present one at some moment of a call.
fn may_be_present(case: &Case<'_>, span: Span, epoch: Epoch) -> bool {
    let past = |(began, new): &(Span, Option<Epoch>)| {
        began.finished < span.started && new.is_some_and(|new| new > epoch)
    };
    epoch == Epoch::default() || !case.history.epochs.iter().any(past)
}

/// Whether an epoch may be past at some moment of a call.
fn may_be_past(case: &Case<'_>, span: Span, epoch: Epoch) -> bool {
    let past = |(began, new): &(Span, Option<Epoch>)| {
        began.started <= span.finished && new.is_none_or(|new| new > epoch)
    };
    epoch != Epoch::default() && case.history.epochs.iter().any(past)
}

pub(crate) fn g6_lists_show_positions_and_counts(case: &Case<'_>) {
    for (span, seen) in &case.history.reads {
        let Seen::States { user, device, states } = seen else { continue };
        let items = states.iter().map(|state| &state.item);
        for item in items.filter(|item| case.logs.contains_key(&item.conversation)) {
            let log = &case.logs[&item.conversation];
            assert_eq!(item.count, messages(log, item.head), "the count in {item:?}, at {span:?}");
            let least = least_offset(case, *span, *device, item.conversation);
            assert!(item.offset >= least, "{item:?} of {user} below {least}, at {span:?}");
        }
    }
}

fn least_offset(case: &Case<'_>, span: Span, device: DeviceId, conversation: ConversationId) -> Seq {
    let before = accepted(case).filter(|(committed, _)| committed.finished < span.started);
    let own = before.filter(|(_, offset)| (offset.device, offset.conversation) == (device, conversation));
    own.map(|(_, offset)| offset.seq).max().unwrap_or_default()
}

pub(crate) fn g6_epochs_only_grow(case: &Case<'_>) {
    let begun = |span: &Span| {
        let before = case.history.epochs.iter().filter(move |(began, _)| began.finished < span.started);
        before.filter_map(|(_, epoch)| *epoch).max().unwrap_or_default()
    };
    for (span, epoch) in &case.history.epochs {
        let before = begun(span);
        assert!(epoch.is_none_or(|epoch| epoch > before), "{epoch:?} after {before:?}, at {span:?}");
    }
}
