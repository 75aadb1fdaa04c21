//! Messages as a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use goim_core::{ClientMsgId, ConversationId, Entry, Seq, UserId};
use goim_proto::Content;

use crate::shared::{Shared, Slot, State};

/// An entry that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub conversation: ConversationId,
    /// The entry.
    pub entry: Entry<Bytes>,
}

impl Message {
    /// Its place in the conversation.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.entry.seq
    }

    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> UserId {
        self.entry.sender
    }

    /// What it says. A content that this version does not know is [`Content::Unknown`], and so is
    /// one that cannot be read.
    #[must_use]
    pub fn content(&self) -> Content {
        Content::decode(&self.entry.body).unwrap_or(Content::Unknown(0))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        if let Content::Text(content) = self.content() { Some(content.text) } else { None }
    }

    /// The id of the answer to this message: the same however often it is answered, so that the
    /// second one is dropped.
    #[must_use]
    pub fn reply_id(&self, sender: UserId) -> ClientMsgId {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for part in [self.conversation.as_u64(), self.entry.seq.as_u64(), sender.as_u64()] {
            hash.update(part.to_be_bytes());
        }
        hash.update(self.entry.client_msg_id.as_uuid().as_bytes());
        let mut random = [0; 10];
        random.copy_from_slice(&hash.finalize()[..10]);
        ClientMsgId::mint(self.entry.at_ms, &random)
    }
}

/// Entries of one conversation or of all, each once and in order, for as long as it lives.
///
/// The stream ends when the client is closed. Dropping it ends the subscription: entries that were
/// not handled are delivered to the next one. There is one subscription to a conversation at a
/// time; an older one ends when a newer is made.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    of: Option<ConversationId>,
    /// By which it knows whether a newer one has taken its place.
    number: u64,
    /// What was taken last and counts as handled when the next is asked for.
    last: Option<(ConversationId, Seq)>,
}

impl Subscription {
    pub(crate) fn new(shared: Arc<Shared>, of: Option<ConversationId>) -> Self {
        let mut state = shared.state();
        state.subscriptions += 1;
        let number = state.subscriptions;
        let slot = Slot { number, waker: None };
        let before = match of {
            Some(conversation) => {
                let before = state.readers.insert(conversation, slot);
                state.inbox.rewind(conversation);
                state.inbox.set_apart(conversation, true);
                state.inbox.set_active(conversation, true);
                before
            }
            None => {
                let before = state.reader_of_all.replace(slot);
                let all: Vec<_> = state.inbox.offsets().map(|offset| offset.conversation).collect();
                for conversation in all {
                    if !state.readers.contains_key(&conversation) {
                        state.inbox.rewind(conversation);
                    }
                    state.inbox.set_active(conversation, true);
                }
                before
            }
        };
        drop(state);
        // An older one hears that it has ended.
        before.and_then(|slot| slot.waker).into_iter().for_each(Waker::wake);
        shared.wake.notify_one();
        Self { shared, of, number, last: None }
    }

    /// Its place, unless a newer one has it.
    fn slot<'a>(&self, state: &'a mut State) -> Option<&'a mut Slot> {
        let slot = match self.of {
            Some(conversation) => state.readers.get_mut(&conversation),
            None => state.reader_of_all.as_mut(),
        };
        slot.filter(|slot| slot.number == self.number)
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        let this = &mut *self;
        let mut state = this.shared.state();
        let last = this.last.take();
        if this.slot(&mut state).is_none() {
            return Poll::Ready(None);
        }
        if let Some((conversation, seq)) = last
            && this.shared.options.commit_policy.on_next()
        {
            state.inbox.handled(conversation, seq);
        }
        let next = state.take(this.of);
        let poll = match next {
            Some((conversation, entry)) => {
                this.last = Some((conversation, entry.seq));
                Poll::Ready(Some(Message { conversation, entry }))
            }
            None if state.closed || state.ended => Poll::Ready(None),
            None => {
                if let Some(slot) = this.slot(&mut state) {
                    slot.waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        };
        // The task hears of it at once when the entries here are used up, because there is room for
        // more, and otherwise once for all that it will commit together.
        let tell = last.is_some() && (poll.is_pending() || !state.commit_due);
        state.commit_due |= last.is_some();
        drop(state);
        if tell {
            this.shared.wake.notify_one();
        }
        poll
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if self.slot(&mut state).is_none() {
            return;
        }
        match self.of {
            Some(conversation) => {
                state.readers.remove(&conversation);
                state.inbox.set_apart(conversation, false);
                let active = state.reader_of_all.is_some();
                if active {
                    // Whoever reads all goes on with it, from what was handled. Where nobody does,
                    // what was taken may yet be handled.
                    state.inbox.rewind(conversation);
                }
                state.inbox.set_active(conversation, active);
                state.wake_reader(conversation);
            }
            None => state.reader_of_all = None,
        }
        drop(state);
        self.shared.wake.notify_one();
    }
}
