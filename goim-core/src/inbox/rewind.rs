//! What goes back to where it was: a lost connection, a store that went back, another who takes over.

use super::Inbox;
use super::commits::VOID;
use super::reader::{Pulling, entry_bytes};
use crate::{ConversationId, Seq};

impl<B: AsRef<[u8]>> Inbox<B> {
    /// The connection was lost: pulls and commits that were under way go again.
    pub fn handle_reset(&mut self) {
        self.pulls = 0;
        self.retries.clear();
        self.asked.clear();
        self.unknown.clear();
        let conversations: Vec<_> = self.readers.keys().copied().collect();
        for conversation in conversations {
            if let Some(reader) = self.readers.get_mut(&conversation) {
                reader.pulling = Pulling::No;
            }
            self.queue_pull(conversation);
        }
        self.handle_commit_failed();
    }

    /// The store went back to an earlier state, in which everything up to `head` is as this reader
    /// knows it, whatever was written behind that since: drops what lies beyond it and moves the
    /// offset back. Returns whether anything was. [`Inbox::subscribe`] then tells what was written.
    ///
    /// It is the one thing that moves an offset back. Answers to a pull or a commit that is under way
    /// do not count any more for this conversation; and which offset the store still has is not
    /// known, so what was handled is committed once more.
    pub fn handle_store_went_back(&mut self, conversation: ConversationId, head: Seq) -> bool {
        if let Some(asked) = self.asked.get_mut(&conversation) {
            *asked = head.min(*asked);
        }
        let Some(reader) = self.readers.get_mut(&conversation) else { return false };
        let changed = reader.received > head || reader.committed > head;
        while reader.entries.back().is_some_and(|entry| entry.seq > head) {
            if let Some(entry) = reader.entries.pop_back() {
                let bytes = entry_bytes(&entry);
                reader.bytes -= bytes;
                self.bytes -= bytes;
            }
        }
        let most = if bug!("positions stay when the store went back") { Seq::MAX } else { head };
        for position in [&mut reader.received, &mut reader.taken, &mut reader.handled] {
            *position = most.min(*position);
        }
        (reader.committed, reader.head) = (Seq::ZERO, head);
        if reader.pulling == Pulling::UnderWay {
            reader.pulling = Pulling::Void;
        }
        for to in self.committing.iter_mut().filter(|to| to.conversation == conversation) {
            to.offset = VOID;
        }
        self.queue_pull(conversation);
        self.queue_commit(conversation);
        changed
    }

    /// Somebody else takes this conversation's entries from now on: those that were taken and not
    /// handled come again.
    pub fn rewind(&mut self, conversation: ConversationId) {
        let Some(reader) = self.readers.get_mut(&conversation) else { return };
        if reader.taken <= reader.handled {
            return;
        }
        reader.entries.clear();
        self.bytes -= core::mem::take(&mut reader.bytes);
        (reader.received, reader.taken) = (reader.handled, reader.handled);
        // Its answer begins behind what has to come again.
        if reader.pulling == Pulling::UnderWay {
            reader.pulling = Pulling::Void;
        }
        self.queue_pull(conversation);
    }
}
