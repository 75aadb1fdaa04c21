//! What holds of readers: G5, G6, and the second half of G9.

use goim_core::hash::IdSet;
use goim_core::{ConversationId, DeviceId, Entry, Epoch, Seq, UserId};

use super::{Checked, Checker, fail};
use crate::entry::{Body, Content};
use crate::store::{Row, State};

/// How far one device is in one conversation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Track {
    /// The epoch in which this counts.
    epoch: Epoch,
    /// Everything up to here was handled, in this life or an earlier one.
    handled: Seq,
    /// The last one handed out in this life, if any was.
    last: Option<Seq>,
    /// The offset whose commit was acknowledged.
    committed: Seq,
    /// The device came back with an old copy of its state, and is not where it was yet: it may start
    /// further back.
    is_old: bool,
}

impl Track {
    pub(super) fn end(&mut self, is_old: bool) {
        self.last = None;
        self.is_old |= is_old;
    }
}

impl Checker {
    fn track(&mut self, device: DeviceId, conversation: ConversationId, epoch: Epoch) -> &mut Track {
        let begun = &self.begun;
        let first = Track { epoch, ..Track::default() };
        let track = self.tracks.entry((device, conversation)).or_insert(first);
        while track.epoch < epoch {
            // It goes on from the offset that the store had when it went back.
            track.epoch = Epoch::new(track.epoch.as_u64() + 1);
            let state = begun.iter().find(|state| state.epoch == track.epoch);
            let offset = state.map_or(Seq::ZERO, |state| state.offset(device, conversation));
            track.handled = track.handled.min(offset);
            track.committed = track.committed.min(offset);
            track.last = None;
        }
        track
    }

    pub(super) fn handed(
        &mut self,
        state: &State,
        (device, user): (DeviceId, UserId),
        conversation: ConversationId,
        entry: &Entry<Body>,
        epoch: Epoch,
    ) -> Checked {
        let seq = entry.seq;
        let who = format!("device {} in {conversation}", device.as_u64());
        let track = *self.track(device, conversation, epoch);
        let is_present = epoch == state.epoch;
        let Some(state) = self.of_epoch(state, epoch) else {
            return fail("g5_complete", format!("{who} believes in {epoch:?}, which never was"));
        };
        let log = state.log(conversation);
        if log.rows.get(&seq).map(Row::entry).as_ref() != Some(entry) {
            let what = format!("{who} was handed {entry:?}, the log has {:?}", log.rows.get(&seq));
            return fail("g5_complete", what);
        }
        let ranges = if is_present { self.ranges(conversation, user) } else { log.ranges_of(user) };
        if !ranges.iter().any(|range| range.has(seq)) {
            return fail("g9_authorised", format!("{who} was handed {seq}, outside of {ranges:?}"));
        }
        if track.last.is_some_and(|last| seq <= last) {
            return fail("g5_complete", format!("{who} was handed {seq} behind {:?}", track.last));
        }
        if track.last.is_none() && seq <= track.committed && !track.is_old {
            let what = format!("{who} was handed {seq} again; {} was committed", track.committed);
            return fail("g6_monotone", what);
        }
        let behind = track.last.unwrap_or(track.handled);
        let missed = ranges.iter().find_map(|range| {
            let first = range.from.max(behind.next()).max(log.taken_through.next());
            let last = range.until.unwrap_or(seq).min(seq.prev());
            (first <= last).then_some(first)
        });
        if let Some(missed) = missed {
            let what = format!("{who} was handed {seq}, and never {missed}; it had {behind}");
            return fail("g5_complete", what);
        }
        let is_returned = !ranges[0].has(seq);
        self.handed_again += u64::from(seq <= track.handled);
        self.handed_to_returned += u64::from(is_returned);
        let track = self.track(device, conversation, epoch);
        track.last = Some(seq);
        Ok(())
    }

    pub(super) fn handled(
        &mut self,
        device: DeviceId,
        conversation: ConversationId,
        seq: Seq,
        epoch: Epoch,
    ) -> Checked {
        let track = self.track(device, conversation, epoch);
        // What was handed out before the store went back says nothing of what is there now.
        if track.epoch != epoch {
            return Ok(());
        }
        if track.last.is_none_or(|last| seq > last) {
            let what = format!("{device} in {conversation} handled {seq}, was handed {:?}", track.last);
            return fail("g5_complete", what);
        }
        track.handled = track.handled.max(seq);
        Ok(())
    }

    /// What is acknowledged as committed is what the store has, or less.
    pub(super) fn g6_offset(
        &mut self,
        state: &State,
        (device, user): (DeviceId, UserId),
        conversation: ConversationId,
        offset: Seq,
        epoch: Epoch,
    ) -> Checked {
        if epoch != state.epoch {
            return Ok(());
        }
        let stored = state.offset(device, conversation);
        let handled = self.track(device, conversation, epoch).handled;
        let (ranges, taken_through) =
            (self.ranges(conversation, user), state.log(conversation).taken_through);
        let skipped = ranges.iter().find_map(|range| {
            let first = range.from.max(handled.next()).max(taken_through.next());
            (first <= range.until.unwrap_or(offset).min(offset)).then_some(first)
        });
        if let Some(skipped) = skipped {
            let what = format!("{device} in {conversation} committed {offset}, and {skipped} is not handled");
            return fail("g5_complete", what);
        }
        let track = self.track(device, conversation, epoch);
        track.is_old &= offset < track.committed;
        track.committed = track.committed.max(offset);
        if stored < track.committed {
            let what = format!(
                "device {} in {conversation}: {} was committed, the store has {stored}",
                device.as_u64(),
                track.committed
            );
            return fail("g6_monotone", what);
        }
        Ok(())
    }

    /// After all has become well, everybody has handled everything that he may see.
    pub(crate) fn g5_complete(&mut self, state: &State, device: DeviceId, user: UserId) -> Checked {
        for conversation in state.conversations() {
            let log = state.log(conversation);
            let head = log.head;
            let handled = self.track(device, conversation, state.epoch).handled;
            let missing = self.ranges(conversation, user).iter().find_map(|range| {
                let first = range.from.max(handled.next()).max(log.taken_through.next());
                (first <= range.until.unwrap_or(head)).then_some(first)
            });
            if let Some(missing) = missing {
                let what = format!(
                    "device {} has not got {conversation}/{missing}; the head is {head}",
                    device.as_u64()
                );
                return fail("g5_complete", what);
            }
        }
        Ok(())
    }

    /// Whoever was added to a conversation is told so in his inbox.
    pub(crate) fn g5_told(&self, state: &State, inbox: impl Fn(UserId) -> ConversationId) -> Checked {
        let mut told = IdSet::default();
        for at in state.conversations() {
            for row in state.log(at).rows.values() {
                if let Content::Invited { conversation, seq } = row.content {
                    told.insert((at, conversation, seq));
                }
            }
        }
        for conversation in state.conversations() {
            for (seq, row) in &state.log(conversation).rows {
                let Content::Add(user) = row.content else { continue };
                if !told.contains(&(inbox(user), conversation, *seq)) {
                    let what = format!("{user} was added by {conversation}/{seq}, his inbox does not say so");
                    return fail("g5_complete", what);
                }
            }
        }
        Ok(())
    }

    /// Markers and offsets at the end: where they were told to be, or further.
    pub(crate) fn g6_monotone(&self, state: &State) -> Checked {
        for ((user, conversation), marker) in &self.markers {
            let stored = state.marker(*user, *conversation);
            if stored < *marker {
                let what = format!("{user} read {conversation} up to {marker}, the store has {stored}");
                return fail("g6_monotone", what);
            }
        }
        for ((device, conversation), track) in &self.tracks {
            let stored = state.offset(*device, *conversation);
            if track.epoch == state.epoch && stored < track.committed {
                let what = format!("the offset of {device} in {conversation} moved back to {stored}");
                return fail("g6_monotone", what);
            }
        }
        Ok(())
    }
}
