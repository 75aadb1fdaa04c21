//! Devices that send as the SDK does: pipelined, each send naming the one before it, and what was
//! not acknowledged again, in order, through whichever node is at hand.

use std::collections::VecDeque;

use goim_core::lane::Offer;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Epoch, UserId};
use goim_server::store::{Effect, EntryDraft};

use crate::ledger::{Key, Outcome};
use crate::node::{Ticket, Whose};

pub(crate) struct Message {
    pub(crate) id: ClientMsgId,
    pub(crate) entry: EntryDraft,
    sent: bool,
}

impl Message {
    pub(crate) fn new(id: ClientMsgId, entry: EntryDraft) -> Self {
        Self { id, entry, sent: false }
    }
}

pub(crate) struct Sender {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    /// Not known before the conversation is made.
    pub(crate) conversation: Option<ConversationId>,
    outbox: VecDeque<Message>,
    /// The answers to the first messages of the outbox, which are under way.
    window: Vec<Option<Outcome>>,
    windows: u64,
    /// He is a member from the beginning to the end, so nothing plain of his is ever refused. A
    /// second copy of what may be refused could be stored after the first was.
    steady: bool,
}

impl Sender {
    pub(crate) fn new(
        (user, device): (UserId, DeviceId),
        conversation: Option<ConversationId>,
        steady: bool,
        script: Vec<Message>,
    ) -> Self {
        let (outbox, window) = (script.into(), Vec::new());
        Self { user, device, conversation, outbox, window, windows: 0, steady }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Whether he has yet to send something, or to hear of it.
    pub(crate) fn holds(&self, id: ClientMsgId) -> bool {
        self.outbox.iter().any(|message| message.id == id)
    }

    /// Whether he has something to send and nothing under way.
    pub(crate) fn may_send(&self) -> bool {
        self.conversation.is_some() && self.window.is_empty() && !self.is_done()
    }

    /// Whether he may stop waiting, as when his connection is lost, and send the same again.
    pub(crate) fn may_abandon(&self) -> bool {
        !self.window.is_empty() && (0..self.window.len()).all(|place| self.may_repeat(place))
    }

    /// Whether a message may be under way twice.
    fn may_repeat(&self, place: usize) -> bool {
        self.steady && self.outbox[place].entry.effect == Effect::None
    }

    pub(crate) fn abandon(&mut self) {
        self.window.clear();
    }

    fn key(&self, place: usize) -> Key {
        let conversation = self.conversation.expect("a place to send to");
        (conversation, self.user, self.outbox[place].id)
    }

    /// Sends the first so many messages.
    pub(crate) fn send(&mut self, sender: usize, step: u64, count: usize) -> Vec<Offer<EntryDraft, Ticket>> {
        let count = count.min(self.outbox.len());
        self.windows += 1;
        self.window = vec![None; count];
        let mut offers = Vec::new();
        for place in 0..count {
            let whose = Whose::Sender { sender, window: self.windows, place };
            let ticket = Ticket { key: self.key(place), offered: step, whose };
            let (conversation, sender, client_msg_id) = ticket.key;
            let after = place.checked_sub(1).map(|before| self.outbox[before].id);
            let message = &mut self.outbox[place];
            let retry = std::mem::replace(&mut message.sent, true);
            let (device, epoch, entry) = (self.device, Epoch::default(), message.entry.clone());
            offers.push(Offer {
                ticket,
                conversation,
                sender,
                device,
                client_msg_id,
                after,
                retry,
                epoch,
                entry,
            });
        }
        offers
    }

    /// Second copies of what was just sent, for another node.
    pub(crate) fn copies(&self, offers: &[Offer<EntryDraft, Ticket>]) -> Vec<Offer<EntryDraft, Ticket>> {
        let repeated = offers.iter().enumerate().filter(|(place, _)| self.may_repeat(*place));
        let copy = |(_, offer): (usize, &Offer<EntryDraft, Ticket>)| {
            let mut copy = offer.clone();
            copy.ticket.whose = Whose::Copy;
            copy
        };
        repeated.map(copy).collect()
    }

    /// Takes an answer. Returns whether it was to what he waits for.
    pub(crate) fn answered(&mut self, window: u64, at: usize, outcome: &Outcome) -> bool {
        if window != self.windows || at >= self.window.len() {
            return false;
        }
        self.window[at] = Some(outcome.clone());
        if self.window.iter().all(Option::is_some) {
            self.close_window();
        }
        true
    }

    /// All is answered: what is settled leaves, what is not is sent again.
    fn close_window(&mut self) {
        let window = std::mem::take(&mut self.window);
        for (at, outcome) in window.iter().enumerate().rev() {
            if !matches!(outcome, Some(Outcome::Unavailable(_) | Outcome::OutOfOrder)) {
                self.outbox.remove(at);
            }
        }
    }
}
