//! What a sender has read because he wrote it himself.

use std::collections::HashSet;

use goim_core::hash::IdMap;
use goim_core::lane::Row;
use goim_core::{ConversationId, DeviceId, Seq, UserId};

use super::types::EntryBatch;

/// Where a user's read marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadMarker {
    /// Whose.
    pub user: UserId,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Up to where he has read.
    pub seq: Seq,
}

/// A read marker that moved because its user sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnRead {
    /// Where it is.
    pub marker: ReadMarker,
    /// What he sent with.
    pub device: DeviceId,
}

/// What came of a batch.
pub(super) struct Written {
    /// The conversations of which nothing was written.
    pub(super) stale: Vec<ConversationId>,
    /// The read markers that moved.
    pub(super) read: Vec<OwnRead>,
}

/// The messages that a batch begins with in a conversation, as far as one user sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) conversation: ConversationId,
    pub(super) sender: UserId,
    /// The messages before them: if he has all of those behind him, then these too.
    pub(super) before: u64,
    /// The last of them, and the messages up to it.
    pub(super) seq: Seq,
    pub(super) count: u64,
    pub(super) device: DeviceId,
}

/// One for each conversation of a batch in which there is a message. Later ones of a batch need no
/// look: nobody can have read what comes before them in it.
pub(super) fn openings(batch: &EntryBatch) -> Vec<Opening> {
    let mut openings: Vec<Opening> = Vec::with_capacity(batch.expects.len());
    let mut places = IdMap::default();
    for row in batch.rows.iter().filter(|row| row.entry.kind.is_message()) {
        let Row { conversation, sender, device, seq, count, .. } = *row;
        let before = count.saturating_sub(1);
        let place = *places.entry(conversation).or_insert(openings.len());
        match openings.get_mut(place) {
            None => openings.push(Opening { conversation, sender, before, seq, count, device }),
            Some(first) if first.sender == sender && first.count == before => {
                (first.seq, first.count, first.device) = (seq, count, device);
            }
            Some(_) => {}
        }
    }
    openings
}

/// Those of them by which a marker moved, as it did in these conversations.
pub(super) fn read(openings: &[Opening], moved: &HashSet<ConversationId>) -> Vec<OwnRead> {
    let moved = openings.iter().filter(|opening| moved.contains(&opening.conversation));
    let read = |&Opening { conversation, sender, device, seq, .. }: &Opening| OwnRead {
        marker: ReadMarker { user: sender, conversation, seq },
        device,
    };
    moved.map(read).collect()
}

#[cfg(test)]
mod tests {
    use goim_core::ClientMsgId;
    use goim_proto::Content;

    use super::*;
    use crate::store::{Effect, EntryDraft, EntryKind};

    #[test]
    fn a_conversation_s_first_messages_count_wherever_their_rows_lie() {
        let content = Content::text("hello");
        let row = |conversation, seq, sender, count| Row {
            conversation: ConversationId::new(conversation),
            seq: Seq::new(seq),
            sender: UserId::new(sender),
            device: DeviceId::new(seq),
            client_msg_id: ClientMsgId::mint(0, &[0; 10]),
            count,
            at_ms: 0,
            entry: EntryDraft { kind: EntryKind::of(&content), body: content.encode(), effect: Effect::None },
        };
        let rows = vec![row(1, 5, 7, 4), row(2, 9, 8, 9), row(1, 6, 7, 5), row(1, 7, 8, 6), row(1, 8, 7, 7)];
        let openings = openings(&EntryBatch { expects: Vec::new(), rows, effects: false });
        let seen: Vec<_> =
            openings.iter().map(|o| (o.conversation.as_u64(), o.before, o.seq.as_u64(), o.count)).collect();
        assert_eq!(seen, [(1, 3, 6, 5), (2, 8, 9, 9)]);
        let moved = HashSet::from([ConversationId::new(1)]);
        let read = read(&openings, &moved);
        let marker =
            ReadMarker { user: UserId::new(7), conversation: ConversationId::new(1), seq: Seq::new(6) };
        assert_eq!(read, [OwnRead { marker, device: DeviceId::new(6) }]);
    }
}
