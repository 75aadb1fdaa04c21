//! What goes into the index of messages: what is read at once, and its words.

use goim_core::{ConversationId, Seq};
use goim_proto::Content;

use super::EntryKind;
use super::words::words_of;

/// Entries taken at once, and bytes of what is read of them: a few milliseconds, for which a recall in
/// one of their conversations waits, and on SQLite every append.
const ENTRIES_MAX: i64 = 512;
const BYTES_MAX: usize = 64 << 10;

/// An entry that edits a message.
const EDITED: EntryKind = EntryKind(44);

/// A part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) conversation: i64,
    pub(super) behind: i64,
    pub(super) until: i64,
}

/// What is taken at once of conversations that are so far, and have such heads.
pub(super) fn parts(behind: &[(i64, i64, i64)]) -> Vec<Part> {
    let mut left = ENTRIES_MAX;
    let parts = behind.iter().map_while(|(conversation, behind, head)| {
        let until = (*head).min(behind.saturating_add(left));
        left -= until - behind;
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

/// What is read: conversation, seq, at, kind, body.
pub(super) type ReadableColumns = (i64, i64, i64, i16, Vec<u8>);

/// What was read of some parts, in their order.
#[derive(Debug, Default)]
pub(super) struct Reading {
    bytes: usize,
    /// What was too much, if anything was.
    over: Option<(i64, i64)>,
    pub(super) indexed: Vec<Indexed>,
    /// Messages that were edited, which are read again.
    pub(super) edited: Vec<(i64, i64)>,
}

impl Reading {
    /// Whether there is room for more.
    pub(super) fn take(&mut self, row: ReadableColumns) -> bool {
        self.bytes += row.4.len();
        if self.bytes > BYTES_MAX && self.bytes > row.4.len() {
            self.over = Some((row.0, row.1));
            return false;
        }
        if EntryKind(row.3) == EDITED {
            if let Ok(Content::Edited(edited)) = Content::decode(&row.4) {
                self.edited.push((row.0, edited.seq.as_i64()));
            }
        } else {
            self.add(row);
        }
        true
    }

    /// Adds a message, if it has words.
    pub(super) fn add(&mut self, (conversation, seq, at, _, body): ReadableColumns) {
        self.indexed.extend(Indexed::new(conversation, seq, at, &body));
    }

    /// Cuts the parts down to what was taken.
    pub(super) fn cut(&self, parts: &mut Vec<Part>) {
        let Some((conversation, seq)) = self.over else { return };
        parts.retain(|part| part.conversation <= conversation);
        for part in parts.iter_mut().filter(|part| part.conversation == conversation) {
            part.until = Seq::from_i64(seq).prev().as_i64();
        }
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

/// What of a content people read.
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
    use super::*;

    fn part(conversation: i64, behind: i64, until: i64) -> Part {
        Part { conversation, behind, until }
    }

    #[test]
    fn so_many_entries_are_taken_at_once() {
        let behind = [(1, 0, 500), (2, 7, 30), (3, 0, 9)];
        let taken = parts(&behind);
        assert_eq!(taken, [part(1, 0, 500), part(2, 7, 19)]);
        let asked = [1, 2, 3, 4, 5].map(ConversationId::new);
        let left = left(&asked, &[1, 2, 3, 4], &behind, &taken);
        assert_eq!(left, [2, 3, 5].map(ConversationId::new), "cut, not begun, and not claimed");
    }

    #[test]
    fn parts_end_before_what_is_too_long_and_one_goes_in_any_case() {
        let row = |conversation, seq, bytes| (conversation, seq, 0, 1, vec![0; bytes]);
        let mut reading = Reading::default();
        assert!(reading.take(row(1, 2, BYTES_MAX + 1)));
        assert!(!reading.take(row(2, 9, 1)));
        let mut parts = vec![part(1, 0, 5), part(2, 7, 12), part(3, 0, 4)];
        reading.cut(&mut parts);
        assert_eq!(parts, [part(1, 0, 5), part(2, 7, 8)]);
        let mut parts = vec![part(1, 0, 5), part(2, 8, 12)];
        reading.cut(&mut parts);
        assert_eq!(parts, [part(1, 0, 5)]);
    }
}
