//! The search for messages: an index behind the log, with an offset of its own.

use core::fmt;
use std::collections::HashMap;

use async_trait::async_trait;
use goim_core::{ConversationId, Seq, UserId};
use goim_proto::{FoundMessage, MessagePage};

use super::shared::rows::{self, LastColumns};
use super::{Query, StoreResult};

/// Where a page of found messages ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchPlace {
    /// When its last message was sent, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Where that one is.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
}

impl SearchPlace {
    /// Behind all messages there can be.
    pub const NEWEST: Self =
        Self { at_ms: u64::MAX, conversation: ConversationId::new(u64::MAX), seq: Seq::MAX };

    /// Reads what [`fmt::Display`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, ':').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        let (at_ms, conversation, seq) = (next()?, next()?, next()?);
        Some(Self { at_ms, conversation: ConversationId::new(conversation), seq: Seq::new(seq) })
    }
}

impl fmt::Display for SearchPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.at_ms, self.conversation, self.seq)
    }
}

/// What messages are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Who asks.
    pub user: UserId,
    /// What for.
    pub query: &'a Query,
    /// Where: nowhere else than here, if it is given.
    pub conversation: Option<ConversationId>,
    /// Older ones than this.
    pub before: SearchPlace,
    /// At most so many.
    pub limit: u32,
    /// As far as their bodies have no more than so many bytes together.
    pub bytes_max: usize,
}

/// Some conversations' heads, compared with how far they are indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Those of which something is not indexed.
    pub behind: Vec<ConversationId>,
    /// The last one that was compared; none if there was none.
    pub last: Option<ConversationId>,
}

/// The index of messages by their words.
#[async_trait]
pub trait MessageSearch: Send + Sync {
    /// Indexes what is new in conversations, some of it at least: it begins with the first of them, and
    /// the last ones may have to wait. Returns those of which something is left, or which somebody else is
    /// working on.
    ///
    /// What is in the index is as messages are: an edit or a recall takes its message out in its own
    /// transaction, and an edited one is put in again when the edit's entry is read here.
    async fn index(&self, conversations: &[ConversationId]) -> StoreResult<Vec<ConversationId>>;

    /// Compares up to `limit` conversations with greater ids than `after` with the index.
    async fn compare_index(&self, after: ConversationId, limit: u32) -> StoreResult<Compared>;

    /// Finds messages that a user may read, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotMember`](super::StoreError::NotMember) if he never was a member of the
    /// conversation that he named, and [`StoreError::TookTooLong`](super::StoreError::TookTooLong).
    async fn search(&self, search: &Search<'_>) -> StoreResult<MessagePage>;
}

/// Messages that are looked through one by one before all others are looked up: a word that is in many
/// is found in these, and none of the many is read but these.
const RECENT: u32 = 4_096;

/// The statements of a search. All take the place before which to look (`$1` to `$3`), and but for the
/// first the user (`$4`), how many to find (`$5`), and the query in the engine's words (`$6`).
#[derive(Debug)]
pub(super) struct Statements {
    /// The oldest of the recent messages, if there are more than those.
    pub(super) floor: String,
    /// The recent messages.
    pub(super) recent: String,
    /// All.
    pub(super) all: String,
}

impl Statements {
    /// For all conversations of a user, or for `one`, from what an engine says its own way: whether the
    /// row `m` has the words of the query, and where the rows with such words of his conversations are
    /// found, `{of}` those.
    pub(super) fn new(one: bool, has_words: &str, with_words: &str) -> Self {
        let (before, order, of) = match one {
            // (A time is never negative, and here it does not matter.)
            true => {
                ("w.conversation = $2 AND w.seq < $3 AND w.at >= $1", "w.seq DESC", "AND conversation = $2")
            }
            false => (
                "(w.at, w.conversation, w.seq) < ($1, $2, $3)",
                "w.at DESC, w.conversation DESC, w.seq DESC",
                "",
            ),
        };
        let with_words = with_words.replace("{of}", of);
        let place = "w.at, w.conversation, w.seq";
        let visible = "EXISTS (SELECT 1 FROM members b WHERE b.conversation = w.conversation AND b.user_id = $4 \
                 AND COALESCE(b.visible_from, b.from_seq) <= w.seq \
                 AND (b.until_seq IS NULL OR b.until_seq >= w.seq)) \
             AND NOT EXISTS (SELECT 1 FROM deletions d \
                 WHERE d.user_id = $4 AND d.conversation = w.conversation AND d.seq = w.seq)";
        let floor = format!(
            "SELECT {place} FROM message_words w WHERE {before} ORDER BY {order} LIMIT 1 OFFSET {RECENT}"
        );
        // In this order: words are long, and not read of what he may not read, nor behind the last one found.
        let recent = format!(
            "SELECT {place} FROM (SELECT {place} FROM message_words w WHERE {before} \
                 ORDER BY {order} LIMIT {RECENT}) w \
             WHERE CASE WHEN {visible} THEN (SELECT {has_words} FROM message_words m \
                 WHERE m.conversation = w.conversation AND m.seq = w.seq) END ORDER BY {order} LIMIT $5"
        );
        let all = format!(
            "WITH w AS MATERIALIZED ({with_words}) \
             SELECT {place} FROM w WHERE {before} AND {visible} ORDER BY {order} LIMIT $5"
        );
        Self { floor, recent, all }
    }
}

/// The columns of a place: at, conversation, seq.
pub(super) type PlaceColumns = (i64, i64, i64);

/// Before which place to look. Within one conversation the seq alone counts.
pub(super) fn before(search: &Search<'_>) -> PlaceColumns {
    let SearchPlace { at_ms, conversation, seq } = search.before;
    match search.conversation {
        Some(conversation) => (0, conversation.as_i64(), seq.as_i64()),
        None => (rows::column(at_ms), conversation.as_i64(), seq.as_i64()),
    }
}

/// The page of what was found, one more than was asked for if there are more.
pub(super) fn page(search: &Search<'_>, found: &[PlaceColumns], rows: Vec<LastColumns>) -> MessagePage {
    let mut entries: HashMap<_, _> =
        rows.into_iter().map(rows::last).map(|one| ((one.0, one.1.seq), one.1)).collect();
    let (mut page, mut bytes) = (MessagePage::default(), 0);
    for (_, conversation, seq) in found {
        let (conversation, seq) = (ConversationId::from_i64(*conversation), Seq::from_i64(*seq));
        let entry = entries.remove(&(conversation, seq));
        bytes += entry.as_ref().map_or(0, |entry| entry.body.len());
        match entry {
            Some(entry) if bytes <= search.bytes_max || page.messages.is_empty() => {
                page.messages.push(FoundMessage { conversation, entry });
            }
            _ => break,
        }
    }
    if page.messages.len() < found.len()
        && let Some(FoundMessage { conversation, entry }) = page.messages.last()
    {
        let place = SearchPlace { at_ms: entry.at_ms, conversation: *conversation, seq: entry.seq };
        page.next = place.to_string();
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = SearchPlace { at_ms: 7, conversation: ConversationId::new(8), seq: Seq::new(9) };
        assert_eq!(place.to_string(), "7:8:9");
        assert_eq!(SearchPlace::parse("7:8:9"), Some(place));
        for bad in ["", "7", "7:8", "7:8:", "7:8:9:1", "-7:8:9", "7:8:x"] {
            assert_eq!(SearchPlace::parse(bad), None, "{bad:?}");
        }
    }
}
