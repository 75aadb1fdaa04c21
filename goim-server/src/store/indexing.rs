//! What goes into the index of messages: what is read at once, and its words.

use std::collections::HashSet;

use goim_core::{ConversationId, Seq};
use goim_proto::Content;

use super::EntryKind;
use super::words::words_of;

/// Entries taken at once, and bytes of what is read of them, and as many of the messages that they edit: a
/// few milliseconds, for which a recall in one of their conversations waits, and on SQLite every append.
const ENTRIES_MAX: i64 = 64;
pub(super) const BYTES_MAX: i64 = 64 << 10;

/// Entries that are read: messages of which people read something, and edits.
pub(super) const READ: [EntryKind; 4] =
    [EntryKind::TEXT, EntryKind::IMAGE, EntryKind::FILE, EntryKind::EDITED];

/// A part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) conversation: i64,
    pub(super) behind: i64,
    pub(super) until: i64,
}

/// What is taken at once of conversations that are so far, and have such heads. What one does not need of
/// its share is left to those behind it.
pub(super) fn parts(behind: &[(i64, i64, i64)]) -> Vec<Part> {
    let (mut left, mut waiting) = (ENTRIES_MAX, i64::try_from(behind.len()).unwrap_or(i64::MAX));
    let parts = behind.iter().map_while(|(conversation, behind, head)| {
        let share = (left / waiting).max(1).min(left);
        let until = (*head).min(behind.saturating_add(share));
        (left, waiting) = (left - (until - behind), waiting - 1);
        (until > *behind).then_some(Part { conversation: *conversation, behind: *behind, until })
    });
    parts.collect()
}

/// Those of these conversations that are not done: somebody else has claimed them, or not all of what
/// they have was taken.
pub(super) fn left(
    asked: &[ConversationId],
    claimed: &[i64],
    behind: &[(i64, i64, i64)],
    taken: &[Part],
) -> Vec<ConversationId> {
    let is_done = |id: i64| {
        let head = behind.iter().find(|(conversation, ..)| *conversation == id).map(|(_, _, head)| *head);
        let until = taken.iter().find(|part| part.conversation == id).map(|part| part.until);
        claimed.contains(&id) && (head.is_none() || head == until)
    };
    asked.iter().copied().filter(|id| !is_done(id.as_i64())).collect()
}

/// What is read: conversation, seq, at, kind, and body if there is room for it.
pub(super) type ReadableColumns = (i64, i64, i64, i16, Option<Vec<u8>>);

/// An entry that edited a message which is read for its sake.
#[derive(Debug, Clone, Copy)]
struct EditOf {
    conversation: i64,
    target: i64,
    seq: i64,
}

/// What was read of some parts, in their order.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Messages that are, or will be, read as they are now.
    read: HashSet<(i64, i64)>,
    edits: Vec<EditOf>,
    /// The first entry for which there was no room.
    over: Option<(i64, i64)>,
    pub(super) indexed: Vec<Indexed>,
}

impl Reading {
    /// Takes entries, as far as there was room.
    pub(super) fn take(&mut self, rows: Vec<ReadableColumns>) {
        for (conversation, seq, at, kind, body) in rows {
            let Some(body) = body else {
                self.over = Some((conversation, seq));
                return;
            };
            if EntryKind(kind) != EntryKind::EDITED {
                self.read.insert((conversation, seq));
                self.indexed.extend(Indexed::new(conversation, seq, at, &body));
            } else if let Ok(Content::Edited(edited)) = Content::decode(&body) {
                let target = edited.seq.as_i64();
                if self.read.insert((conversation, target)) {
                    self.edits.push(EditOf { conversation, target, seq });
                }
            }
        }
    }

    /// The messages that were edited, and were not among what was taken.
    pub(super) fn edited(&self) -> Vec<Part> {
        let part = |edit: &EditOf| Part {
            conversation: edit.conversation,
            behind: Seq::from_i64(edit.target).prev().as_i64(),
            until: edit.target,
        };
        self.edits.iter().map(part).collect()
    }

    /// Takes those. Where there was no room for one, all ends before the entry that edited it; what was
    /// taken of later ones is as they are, and there already when their turn comes.
    pub(super) fn take_edited(&mut self, rows: Vec<ReadableColumns>) {
        for (conversation, seq, at, _, body) in rows {
            let Some(body) = body else {
                let edit =
                    self.edits.iter().find(|edit| (edit.conversation, edit.target) == (conversation, seq));
                self.over = edit.map(|edit| (conversation, edit.seq));
                return;
            };
            self.indexed.extend(Indexed::new(conversation, seq, at, &body));
        }
    }

    /// Cuts the parts down to what was taken.
    pub(super) fn cut(&self, parts: &mut Vec<Part>) {
        let Some((conversation, seq)) = self.over else { return };
        let Some(at) = parts.iter().position(|part| part.conversation == conversation) else { return };
        parts.truncate(at + 1);
        parts[at].until = Seq::from_i64(seq).prev().as_i64();
        parts.retain(|part| part.until > part.behind);
    }
}

/// The words of one message.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) conversation: i64,
    pub(super) seq: i64,
    pub(super) at: i64,
    /// Each behind the conversation's id, with a blank between two.
    pub(super) words: String,
}

impl Indexed {
    /// None of a message without words.
    fn new(conversation: i64, seq: i64, at: i64, body: &[u8]) -> Option<Self> {
        let content = Content::decode(body).ok()?;
        let words = words_of(text_of(&content)?);
        let words: Vec<_> = words.iter().map(|word| format!("{conversation:x}/{word}")).collect();
        (!words.is_empty()).then(|| Self { conversation, seq, at, words: words.join(" ") })
    }
}

/// What of a content people read. Kinds that have something are in [`READ`].
#[allow(clippy::wildcard_enum_match_arm, reason = "all others are for programs, or say what happened")]
fn text_of(content: &Content) -> Option<&str> {
    match content {
        Content::Text(text) => Some(&text.text),
        Content::Image(image) => Some(&image.name),
        Content::File(file) => Some(&file.name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use goim_proto::content::{Edited, EncodedContent, FileContent, ImageContent};

    use super::*;

    fn part(conversation: i64, behind: i64, until: i64) -> Part {
        Part { conversation, behind, until }
    }

    #[test]
    fn so_many_entries_are_taken_at_once() {
        let behind = [(4, 0, 500), (2, 7, 15), (3, 0, 900), (1, 0, 900)];
        let taken = parts(&behind);
        assert_eq!(taken, [part(4, 0, 16), part(2, 7, 15), part(3, 0, 20), part(1, 0, 20)], "each its share");
        let asked = [1, 2, 3, 4, 5, 6].map(ConversationId::new);
        let left = left(&asked, &[1, 2, 3, 4, 5], &behind, &taken);
        assert_eq!(left, [1, 3, 4, 6].map(ConversationId::new), "cut, and not claimed");
        let many: Vec<_> = (0..600).map(|id| (id, 0, 9)).collect();
        assert_eq!(parts(&many), (0..64).map(|id| part(id, 0, 1)).collect::<Vec<_>>());
    }

    #[test]
    fn all_is_read_of_which_people_read_something() {
        let read = [
            Content::text("tea"),
            Content::Image(ImageContent { name: "tea.png".to_owned(), ..ImageContent::default() }),
            Content::File(FileContent { name: "tea.txt".to_owned(), ..FileContent::default() }),
        ];
        for content in &read {
            assert!(text_of(content).is_some() && READ.contains(&EntryKind::of(content)), "{content:?}");
        }
        assert_eq!(EntryKind::of(&edit(1)), EntryKind::EDITED);
    }

    fn row(conversation: i64, seq: i64, kind: i16, body: Option<Content>) -> ReadableColumns {
        (conversation, seq, 0, kind, body.map(|body| body.encode().to_vec()))
    }

    fn edit(seq: u64) -> Content {
        let body = EncodedContent(Content::text("so").encode());
        Content::Edited(Edited { seq: Seq::new(seq), body })
    }

    #[test]
    fn parts_end_before_what_there_is_no_room_for() {
        let mut reading = Reading::default();
        let tea = Content::text("tea");
        reading.take(vec![row(8, 2, 1, Some(tea)), row(2, 9, 1, None), row(2, 10, 1, None)]);
        let mut parts = vec![part(8, 0, 5), part(2, 7, 12), part(9, 0, 4)];
        reading.cut(&mut parts);
        assert_eq!(parts, [part(8, 0, 5), part(2, 7, 8)]);
        let mut parts = vec![part(8, 0, 5), part(2, 8, 12)];
        reading.cut(&mut parts);
        assert_eq!(parts, [part(8, 0, 5)]);
    }

    #[test]
    fn parts_end_before_an_edit_of_what_there_is_no_room_for() {
        let mut reading = Reading::default();
        let new = row(8, 20, 1, Some(Content::text("tea")));
        let edits = [(21, 20), (22, 3), (23, 4), (24, 3), (25, 4), (26, 5)];
        let edits = edits.map(|(seq, of)| row(8, seq, EntryKind::EDITED.0, Some(edit(of))));
        reading.take([new].into_iter().chain(edits).collect());
        assert_eq!(
            reading.edited(),
            [part(8, 2, 3), part(8, 3, 4), part(8, 4, 5)],
            "each once, and no new one"
        );
        reading.take_edited(vec![
            row(8, 3, 1, Some(Content::text("so"))),
            row(8, 4, 1, None),
            row(8, 5, 1, None),
        ]);
        let mut parts = vec![part(8, 19, 30), part(2, 7, 12)];
        reading.cut(&mut parts);
        assert_eq!(parts, [part(8, 19, 22)]);
        assert_eq!(reading.indexed.iter().map(|one| one.seq).collect::<Vec<_>>(), [20, 3]);
    }
}
