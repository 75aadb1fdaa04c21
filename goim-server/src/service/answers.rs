//! What the lanes say about entries, on its way back to who asked.

use std::sync::Arc;

use goim_core::lane::{Answer, Committed, Outcome, Unavailable};
use goim_core::{ConversationId, Entry, Epoch};
use goim_proto::{Error, ErrorCode, Reply, Sent};
use tokio::sync::oneshot;

use super::News;
use super::rules::Refusal;
use crate::access::{Connection, Outgoing, SendBytes};
use crate::bus::{LocalBus, Published};
use crate::commit::Sink;
use crate::store::{EntryDraft, OwnRead};
use crate::telemetry::Metrics;

/// When to come back if the store is down, in milliseconds.
const STORE_DOWN_RETRY_MS: u64 = 1_000;
/// When to come back if others were faster, in milliseconds.
const CONTENDED_RETRY_MS: u64 = 100;
/// When to look whether a full store has room, in milliseconds.
const STORE_FULL_RETRY_MS: u64 = 10_000;

/// Who waits for an entry's fate.
#[derive(Debug)]
pub(crate) enum Ticket {
    /// A client's send.
    Send(SendTicket),
    /// A call of this process'.
    Call(oneshot::Sender<Outcome<Refusal>>),
}

/// A client's send on its way.
#[derive(Debug)]
pub(crate) struct SendTicket {
    pub(crate) bytes: SendBytes,
    pub(crate) id: u64,
    pub(crate) conversation: ConversationId,
}

/// Gives what the lanes decided to who waits for it: answers to their askers, entries to the bus.
#[derive(Debug)]
pub(crate) struct Outcomes {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) bus: LocalBus,
    pub(crate) news: Arc<News>,
    pub(crate) unmarked_duplicate_cost: u32,
}

impl Sink<Ticket> for Outcomes {
    /// Delivers a batch of answers, and wakes each writer once.
    fn answers(&self, answers: Vec<Answer<Refusal, Ticket>>) {
        let mut wake: Vec<Arc<Connection>> = Vec::new();
        for Answer { ticket, outcome } in answers {
            match ticket {
                Ticket::Send(ticket) => wake.extend(self.answer_send(&ticket, &outcome)),
                // Whoever asked may be gone.
                Ticket::Call(waiting) => drop(waiting.send(outcome)),
            }
        }
        for connection in wake {
            connection.wake();
        }
    }

    fn committed(&self, epoch: Epoch, entries: Vec<Committed<EntryDraft>>) {
        let conversations = entries.iter().map(|committed| committed.conversation).collect();
        let published = entries.into_iter().map(|committed| {
            let Committed { conversation, seq, count, at_ms, sender, client_msg_id, entry, .. } = committed;
            let entry = Entry { seq, sender, client_msg_id, at_ms, count, body: entry.body };
            Published { conversation, entry }
        });
        self.bus.publish(epoch, published.collect());
        self.news.note(conversations);
    }

    fn read(&self, epoch: Epoch, read: Vec<OwnRead>) {
        self.bus.read(epoch, &read);
    }
}

impl Outcomes {
    fn answer_send(&self, ticket: &SendTicket, outcome: &Outcome<Refusal>) -> Option<Arc<Connection>> {
        let connection = ticket.bytes.connection();
        match outcome {
            Outcome::Committed { seq, .. } => {
                self.metrics.sends_committed_total.add(1);
                connection.own_sent(ticket.conversation, *seq);
            }
            Outcome::Duplicate { unmarked, .. } => {
                self.metrics.sends_duplicate_total.add(1);
                if *unmarked {
                    connection.owe(self.unmarked_duplicate_cost);
                }
            }
            Outcome::Refused(_)
            | Outcome::NoSuchConversation
            | Outcome::OutOfOrder
            | Outcome::Rejected
            | Outcome::Unavailable(_) => self.metrics.calls_failed_total.add(1),
        }
        let reply = sent(outcome).map_or_else(Reply::Error, Reply::Sent);
        connection.queue(Outgoing::reply(ticket.id, reply)).then(|| Arc::clone(connection))
    }
}

/// An entry's fate as a client is told.
pub(super) fn sent(outcome: &Outcome<Refusal>) -> Result<Sent, Error> {
    match *outcome {
        Outcome::Committed { seq, count, at_ms } => Ok(Sent { seq, duplicate: false, at_ms, count }),
        Outcome::Duplicate { seq, count, at_ms, .. } => Ok(Sent { seq, duplicate: true, at_ms, count }),
        Outcome::Refused(refusal) => Err(refusal.into_error()),
        // Told apart from "not a member" only to members, who know that it is there.
        Outcome::NoSuchConversation => {
            Err(Error::new(ErrorCode::NotMember, "you are not a member of the conversation"))
        }
        Outcome::OutOfOrder => Err(Error::new(
            ErrorCode::OutOfOrder,
            "the message before it is not stored; send again from there",
        )),
        Outcome::Rejected => Err(Error::new(ErrorCode::Rejected, "the store cannot take this entry")),
        Outcome::Unavailable(why) => Err(not_now(why)),
    }
}

fn not_now(why: Unavailable) -> Error {
    let (code, message, retry_ms) = match why {
        Unavailable::WaitedTooLong => {
            (ErrorCode::Unavailable, "the store is slow; try again", STORE_DOWN_RETRY_MS)
        }
        Unavailable::Contended => {
            (ErrorCode::Unavailable, "too many write at once; try again", CONTENDED_RETRY_MS)
        }
        Unavailable::StoreDown => {
            (ErrorCode::Unavailable, "the store is down; try again", STORE_DOWN_RETRY_MS)
        }
        Unavailable::StoreWentBack => {
            (ErrorCode::Unavailable, "the store is another; try again", STORE_DOWN_RETRY_MS)
        }
        Unavailable::StoreFull => {
            (ErrorCode::StoreFull, "the store is full; try again later", STORE_FULL_RETRY_MS)
        }
    };
    Error { retry_after_ms: Some(retry_ms), ..Error::new(code, message) }
}
