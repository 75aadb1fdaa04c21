//! The reader's end of delivery: offsets, dedupe, gaps turned into pulls, commits.

mod commits;
mod reader;
mod rewind;
mod types;

use core::fmt;
use std::collections::VecDeque;

use crate::hash::IdMap;
use crate::{ConversationId, Entry, Seq, Time};

use reader::{Pulling, Reader, entry_bytes};
pub use types::{InboxLimits, OffsetMove, PullRequest};

/// How much longer than for a pull to wait before asking again for an offset: the server failed,
/// where a pull's answer only lagged.
const UNKNOWN_RETRY_FACTOR: u32 = 8;

/// What one reader knows and still has to do: a state machine over all of its conversations.
///
/// Notifications, pull answers and the reader's own sends go in; entries come out once and in
/// order, for as long as the value lives, whatever was lost, doubled or reordered on the way. Tell
/// it what was [handled](Inbox::handled), and it says which offsets to commit.
///
/// Drain [`Inbox::poll_pull`], [`Inbox::poll_unknown`] and [`Inbox::poll_commit`] after every
/// change; call [`Inbox::handle_timeout`] at [`Inbox::poll_timeout`]. Every operation is O(1) for
/// each entry or conversation that it touches. Nothing here panics on input.
pub struct Inbox<B> {
    limits: InboxLimits,
    readers: IdMap<ConversationId, Reader<B>>,
    /// Conversations that may want a pull.
    to_pull: VecDeque<ConversationId>,
    /// Conversations with entries to take, each once.
    ready: VecDeque<ConversationId>,
    /// Conversations whose committed offset lies behind what was handled, each once.
    to_commit: VecDeque<ConversationId>,
    /// Conversations that were announced and whose offset is not known, each once.
    unknown: VecDeque<ConversationId>,
    asked: IdMap<ConversationId, Seq>,
    pulls: usize,
    bytes: usize,
    retries: Vec<(Time, ConversationId)>,
    committing: Vec<OffsetMove>,
}

impl<B: AsRef<[u8]>> Inbox<B> {
    /// A reader that knows no conversation yet.
    #[must_use]
    pub fn new(limits: InboxLimits) -> Self {
        Self {
            limits,
            readers: IdMap::default(),
            to_pull: VecDeque::new(),
            ready: VecDeque::new(),
            to_commit: VecDeque::new(),
            unknown: VecDeque::new(),
            asked: IdMap::default(),
            pulls: 0,
            bytes: 0,
            retries: Vec::new(),
            committing: Vec::new(),
        }
    }

    /// Starts to read a conversation behind a committed offset, or learns of its head if it is
    /// read already. Entries come out only of those that are [active](Inbox::set_active).
    pub fn subscribe(&mut self, conversation: ConversationId, offset: Seq, head: Seq) {
        let announced = self.asked.remove(&conversation).unwrap_or(Seq::ZERO);
        let reader = self.readers.entry(conversation).or_insert_with(|| Reader::new(offset));
        reader.head = reader.head.max(head).max(announced);
        self.queue_pull(conversation);
    }

    /// Whether the conversation is read.
    #[must_use]
    pub fn knows(&self, conversation: ConversationId) -> bool {
        self.readers.contains_key(&conversation)
    }

    /// Says whether somebody takes this conversation's entries; of others, only heads are kept.
    pub fn set_active(&mut self, conversation: ConversationId, active: bool) {
        if let Some(reader) = self.readers.get_mut(&conversation) {
            reader.active = active;
        }
        self.queue_pull(conversation);
    }

    /// Says whether this conversation's entries are taken only by [`Inbox::take_from`], because
    /// somebody reads it apart from the others.
    pub fn set_apart(&mut self, conversation: ConversationId, apart: bool) {
        if let Some(reader) = self.readers.get_mut(&conversation) {
            reader.apart = apart;
        }
        self.queue_ready(conversation);
    }

    /// A conversation has reached a head, and some of its entries may ride along.
    pub fn handle_notification(
        &mut self,
        conversation: ConversationId,
        head: Seq,
        entries: impl IntoIterator<Item = Entry<B>>,
    ) {
        let Some(reader) = self.readers.get_mut(&conversation) else {
            let asked = self.asked.entry(conversation).or_insert_with(|| {
                self.unknown.push_back(conversation);
                Seq::ZERO
            });
            *asked = head.max(*asked);
            return;
        };
        if !bug!("an announced head is forgotten") {
            reader.head = reader.head.max(head);
        }
        for entry in entries {
            self.accept(conversation, entry);
        }
        self.queue_pull(conversation);
    }

    /// The reader's own send was committed as this entry, says its answer.
    ///
    /// What others wrote before it is likely on its way, and a pull would only bring it twice: one
    /// goes after [`InboxLimits::retry_min`].
    pub fn handle_own(&mut self, now: Time, conversation: ConversationId, entry: Entry<B>) {
        match self.readers.get_mut(&conversation) {
            Some(reader)
                if entry.seq > reader.received.next()
                    && reader.pulling == Pulling::No
                    && !reader.pull_queued =>
            {
                reader.head = reader.head.max(entry.seq);
                reader.pulling = Pulling::Waiting;
                self.retries.push((now + self.limits.retry_min, conversation));
            }
            // Of a conversation that is not known yet this is the first that is heard.
            Some(_) | None => self.handle_notification(conversation, entry.seq, [entry]),
        }
    }

    /// The answer to a pull: all that this reader may see in (after, through], in order.
    pub fn handle_pulled(
        &mut self,
        now: Time,
        conversation: ConversationId,
        entries: impl IntoIterator<Item = Entry<B>>,
        through: Seq,
        head: Seq,
    ) {
        self.pulls = self.pulls.saturating_sub(1);
        let Some(reader) = self.readers.get_mut(&conversation) else { return };
        let pulling = core::mem::replace(&mut reader.pulling, Pulling::No);
        if pulling == Pulling::Void {
            self.queue_pull(conversation);
            return;
        }
        let before = reader.received;
        for entry in entries {
            self.push(conversation, entry);
        }
        let Some(reader) = self.readers.get_mut(&conversation) else { return };
        reader.received = reader.received.max(if bug!("a pull counts as whole") { head } else { through });
        reader.head = reader.head.max(head);
        if reader.received > before {
            reader.empty_pulls = 0;
        } else if reader.received < reader.head {
            // Whoever answered lags behind whoever announced: ask again, not at once.
            self.retry_pull(now, conversation);
        }
        self.queue_pull(conversation);
        self.queue_commit(conversation);
    }

    /// A pull failed; it is repeated after a while.
    pub fn handle_pull_failed(&mut self, now: Time, conversation: ConversationId) {
        self.pulls = self.pulls.saturating_sub(1);
        self.retry_pull(now, conversation);
    }

    /// The next pull to ask for.
    pub fn poll_pull(&mut self) -> Option<PullRequest> {
        while self.pulls < self.limits.pulls_max && self.bytes < self.limits.bytes_max {
            let conversation = self.to_pull.pop_front()?;
            let Some(reader) = self.readers.get_mut(&conversation) else { continue };
            reader.pull_queued = false;
            let room = reader.bytes < self.limits.conversation_bytes_max;
            if reader.active && reader.pulling == Pulling::No && reader.received < reader.head && room {
                reader.pulling = Pulling::UnderWay;
                self.pulls += 1;
                let after = reader.received;
                return Some(PullRequest { conversation, after, limit: self.limits.pull_limit });
            }
        }
        None
    }

    /// The next conversation that was announced and whose offset has to be found out. Answer with
    /// [`Inbox::subscribe`].
    pub fn poll_unknown(&mut self) -> Option<ConversationId> {
        self.unknown.pop_front()
    }

    /// The offset of an unknown conversation could not be found out for now: it is asked for again.
    pub fn handle_unknown_failed(&mut self, now: Time, conversation: ConversationId) {
        if self.asked.contains_key(&conversation) {
            self.retries.push((now + self.limits.retry_min * UNKNOWN_RETRY_FACTOR, conversation));
        }
    }

    /// The conversation is not this reader's: the next notification of it asks anew.
    pub fn forget_unknown(&mut self, conversation: ConversationId) {
        self.asked.remove(&conversation);
    }

    /// The next entry of any conversation that is not read [apart](Inbox::set_apart), the longest
    /// waiting conversation first.
    pub fn take(&mut self) -> Option<(ConversationId, Entry<B>)> {
        loop {
            let conversation = self.ready.pop_front()?;
            let Some(reader) = self.readers.get_mut(&conversation) else { continue };
            reader.is_ready = false;
            if reader.apart {
                continue;
            }
            if let Some(entry) = self.take_from(conversation) {
                self.queue_ready(conversation);
                return Some((conversation, entry));
            }
        }
    }

    /// The next entry of one conversation.
    pub fn take_from(&mut self, conversation: ConversationId) -> Option<Entry<B>> {
        let reader = self.readers.get_mut(&conversation)?;
        // It passes over what lies before this entry for good, not only while nothing is taken.
        reader.handled = reader.offset();
        let entry = reader.entries.pop_front()?;
        reader.taken = entry.seq;
        let bytes = entry_bytes(&entry);
        reader.bytes -= bytes;
        self.bytes -= bytes;
        self.queue_pull(conversation);
        Some(entry)
    }

    /// When to call [`Inbox::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.retries.iter().map(|(at, _)| *at).min()
    }

    /// Lets pulls whose wait is over go again.
    pub fn handle_timeout(&mut self, now: Time) {
        let due: Vec<_> = self.retries.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, conversation) in due {
            if let Some(reader) = self.readers.get_mut(&conversation)
                && reader.pulling == Pulling::Waiting
            {
                reader.pulling = Pulling::No;
            } else if self.asked.contains_key(&conversation) {
                self.unknown.push_back(conversation);
            }
            self.queue_pull(conversation);
        }
    }

    /// Bytes of entries that wait to be taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An entry that rode along: taken only if it is the next one and there is room.
    fn accept(&mut self, conversation: ConversationId, entry: Entry<B>) {
        let Some(reader) = self.readers.get(&conversation) else { return };
        let room = reader.bytes < self.limits.conversation_bytes_max && self.bytes < self.limits.bytes_max;
        let is_next = entry.seq == reader.received.next() || bug!("whatever rides along is the next");
        if reader.active && room && is_next {
            self.push(conversation, entry);
        }
    }

    fn push(&mut self, conversation: ConversationId, entry: Entry<B>) {
        let Some(reader) = self.readers.get_mut(&conversation) else { return };
        if entry.seq <= reader.received && !bug!("an entry that came before is taken again") {
            return;
        }
        reader.received = entry.seq;
        reader.head = reader.head.max(entry.seq);
        let bytes = entry_bytes(&entry);
        reader.bytes += bytes;
        self.bytes += bytes;
        reader.entries.push_back(entry);
        self.queue_ready(conversation);
    }

    /// Waits before the next pull, longer each time.
    fn retry_pull(&mut self, now: Time, conversation: ConversationId) {
        let Some(reader) = self.readers.get_mut(&conversation) else { return };
        let wait = self.limits.retry_min * 2_u32.saturating_pow(reader.empty_pulls.min(16));
        reader.empty_pulls += 1;
        reader.pulling = Pulling::Waiting;
        self.retries.push((now + wait.min(self.limits.retry_max), conversation));
    }

    fn queue_ready(&mut self, conversation: ConversationId) {
        if let Some(reader) = self.readers.get_mut(&conversation)
            && !reader.is_ready
            && !reader.apart
            && !reader.entries.is_empty()
        {
            reader.is_ready = true;
            self.ready.push_back(conversation);
        }
    }

    fn queue_pull(&mut self, conversation: ConversationId) {
        if let Some(reader) = self.readers.get_mut(&conversation)
            && reader.active
            && !reader.pull_queued
            && reader.pulling == Pulling::No
            && reader.received < reader.head
            && reader.bytes < self.limits.conversation_bytes_max
        {
            reader.pull_queued = true;
            self.to_pull.push_back(conversation);
        }
    }
}

impl<B> fmt::Debug for Inbox<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("conversations", &self.readers.len())
            .field("bytes", &self.bytes)
            .field("pulls", &self.pulls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
