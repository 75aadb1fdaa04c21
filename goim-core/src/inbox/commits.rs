//! How far a reader is, and what of that is committed.

use super::reader::Reader;
use super::{Inbox, OffsetMove};
use crate::{ConversationId, Seq};

/// The offset of a move that is being committed and does not count any more.
pub(super) const VOID: Seq = Seq::ZERO;

impl<B: AsRef<[u8]>> Inbox<B> {
    /// Everything of a conversation up to `seq` has been handled.
    pub fn handled(&mut self, conversation: ConversationId, seq: Seq) {
        if let Some(reader) = self.readers.get_mut(&conversation) {
            reader.handled = reader.handled.max(seq.min(reader.taken));
        }
        self.queue_commit(conversation);
    }

    /// The offsets to commit now, or `None` while a commit is under way or there is nothing to
    /// commit. At most `max`.
    pub fn poll_commit(&mut self, max: usize) -> Option<Vec<OffsetMove>> {
        if !self.committing.is_empty() {
            return None;
        }
        while self.committing.len() < max
            && let Some(conversation) = self.to_commit.pop_front()
        {
            let Some(reader) = self.readers.get_mut(&conversation) else { continue };
            reader.commit_queued = false;
            let offset = reader.offset();
            if offset > reader.committed {
                self.committing.push(OffsetMove { conversation, offset });
            }
        }
        (!self.committing.is_empty()).then(|| self.committing.clone())
    }

    /// The commit that was under way is durable. What was refused of it is not asked again, which
    /// would not help, and counts as well. Returns what is committed.
    pub fn handle_committed(&mut self) -> Vec<OffsetMove> {
        let mut moves = core::mem::take(&mut self.committing);
        moves.retain(|to| to.offset != VOID);
        for OffsetMove { conversation, offset } in &moves {
            if let Some(reader) = self.readers.get_mut(conversation) {
                reader.committed = reader.committed.max(*offset);
            }
            self.queue_commit(*conversation);
        }
        moves
    }

    /// The commit that was under way failed, or its answer was lost: it goes again.
    pub fn handle_commit_failed(&mut self) {
        for OffsetMove { conversation, .. } in core::mem::take(&mut self.committing) {
            self.queue_commit(conversation);
        }
    }

    /// The offset of a conversation as far as it was handled here.
    #[must_use]
    pub fn offset(&self, conversation: ConversationId) -> Option<Seq> {
        self.readers.get(&conversation).map(Reader::offset)
    }

    /// The offset of a conversation that is known to be committed.
    #[must_use]
    pub fn committed(&self, conversation: ConversationId) -> Option<Seq> {
        self.readers.get(&conversation).map(|reader| reader.committed)
    }

    /// The offsets of all conversations that are read.
    pub fn offsets(&self) -> impl Iterator<Item = OffsetMove> {
        let offset = |(conversation, reader): (&ConversationId, &Reader<B>)| OffsetMove {
            conversation: *conversation,
            offset: reader.offset(),
        };
        self.readers.iter().map(offset)
    }

    /// Whether everything that was handled is committed.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.committing.is_empty() && self.to_commit.is_empty()
    }

    pub(super) fn queue_commit(&mut self, conversation: ConversationId) {
        if let Some(reader) = self.readers.get_mut(&conversation)
            && !reader.commit_queued
            && reader.offset() > reader.committed
        {
            reader.commit_queued = true;
            self.to_commit.push_back(conversation);
        }
    }
}
