use super::table::{DIRTY, Flight, IDLE, OUT, Probe, Table};
use super::{Announce, NotifierConfig};
use crate::ack_queue::{AckId, AckQueue, AckQueueConfig, Expired, WindowFull};
use crate::rtt::Rtt;
use crate::{ConversationId, Duration, Seq, Time};
use core::fmt;

/// The heads to announce on one connection. See the [module](super) for the loop to run.
///
/// Every method is O(1) and none panics. Memory is one record per conversation remembered and one
/// slot per announcement out, both bounded by the configuration; with the same conversations
/// coming and going round the loop, nothing allocates.
pub struct Notifier {
    table: Table,
    /// What is out: the slot of its conversation in the table, one for each at most.
    queue: AckQueue<u32>,
    datagrams: bool,
    datagram_rest: Duration,
    resting_until: Time,
    stream_depth: u8,
    marks_dropped: u64,
}

impl Notifier {
    /// A notifier with nothing to announce.
    #[must_use]
    pub fn new(config: NotifierConfig) -> Self {
        let NotifierConfig { window, retries_max, rtt, .. } = config;
        Self {
            table: Table::new(config.conversations_max.max(1)),
            queue: AckQueue::new(AckQueueConfig { window: window.max(1), retries_max, rtt }),
            datagrams: config.datagrams,
            datagram_rest: config.datagram_rest,
            resting_until: Time::ZERO,
            stream_depth: config.stream_depth.max(1),
            marks_dropped: 0,
        }
    }

    /// A conversation has reached `head`, and the reader's own marker stands at `read_marker`;
    /// whatever is not newer than what was marked before has no effect. Says whether the
    /// conversation has something to announce now that it had not before.
    ///
    /// Of a conversation first heard of here the reader is taken to have everything before `head`,
    /// as one that is up to date has; [`Notifier::sent_through`] beforehand says otherwise.
    pub fn mark(&mut self, conversation: ConversationId, head: Seq, read_marker: Seq) -> bool {
        let Some(slot) = self.table.admit(conversation, head.prev()) else {
            self.marks_dropped = self.marks_dropped.saturating_add(1);
            return false;
        };
        let entry = self.table.entry(slot);
        let head = if entry.dirty && bug!("coalescing drops the newest head") { entry.head } else { head };
        entry.head = entry.head.max(head);
        entry.read_marker = entry.read_marker.max(read_marker);
        let newly = !entry.dirty && entry.has_news();
        entry.dirty |= newly;
        self.settle(slot);
        newly
    }

    /// The connection's ordered stream brought, or will bring, every entry up to `seq` that the
    /// reader may see: what was to be announced of them need not be, and later ones can go inline.
    ///
    /// Entries that are not the reader's to see never go inline if this is called with the last of
    /// them before anything behind them is marked.
    pub fn sent_through(&mut self, conversation: ConversationId, seq: Seq) {
        let Some(slot) = self.table.admit(conversation, seq) else { return };
        let entry = self.table.entry(slot);
        entry.head = entry.head.max(seq);
        entry.sent = entry.sent.max(seq);
        entry.confirmed = entry.confirmed.max(seq);
        entry.dirty &= entry.has_news();
        if entry.probe.is_some_and(|probe| probe.head <= seq) {
            entry.probe = None;
        }
        // A frame on the stream keeps its place until it is acknowledged: it may still be buffered.
        if let Some(Flight { id, stream_depth: 0 }) = entry.flight
            && entry.announced <= seq
        {
            entry.flight = None;
            self.queue.remove(id);
        }
        self.settle(slot);
    }

    /// The ordered stream brought, or will bring, one entry that the reader knows anyway, such as
    /// its own. Counts as [`Notifier::sent_through`] if everything before it was sent.
    pub fn sent_one(&mut self, conversation: ConversationId, seq: Seq) {
        let sent = self.table.find(conversation).map(|slot| self.table.entry(slot).sent);
        if sent.is_none_or(|sent| sent.next() == seq) {
            self.sent_through(conversation, seq);
        }
    }

    /// Whether [`Notifier::poll_announce`] may have something that is not only due again.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.table.first(DIRTY).is_some()
    }

    /// What to send next, as of `now`; `None` until something is marked, acknowledged or due.
    /// What it gives counts as sent at `now`, so call it only while the connection has room.
    pub fn poll_announce(&mut self, now: Time) -> Option<Announce> {
        self.announce_again(now).or_else(|| self.announce_news(now))
    }

    fn announce_again(&mut self, now: Time) -> Option<Announce> {
        let (slot, flight) = match self.queue.expired(now)? {
            Expired::Retransmit { id, item, .. } => (*item, Flight { id, stream_depth: 0 }),
            Expired::GivenUp { item: slot, .. } => {
                self.resting_until = now + self.datagram_rest;
                // The mark has just left the window, so there is room for it.
                let id = self.queue.push_ordered(now, slot).ok()?;
                (slot, Flight { id, stream_depth: 1 })
            }
        };
        let entry = self.table.entry(slot);
        entry.flight = Some(flight);
        entry.probe = None;
        let inline_after = entry.confirmed;
        let old = entry.announced;
        let announce = self.announce(slot, flight, inline_after);
        Some(if bug!("the old head is sent again") { Announce { head: old, ..announce } } else { announce })
    }

    fn announce_news(&mut self, now: Time) -> Option<Announce> {
        let slot = self.table.first(DIRTY)?;
        let on_stream = !self.datagrams || now < self.resting_until;
        let before = self.table.entry(slot).flight;
        let flight = match before {
            Some(Flight { id, stream_depth: 0 }) if !on_stream => Flight { id, stream_depth: 0 },
            Some(Flight { id, stream_depth: 0 }) => {
                self.queue.remove(id);
                self.table.entry(slot).flight = None;
                self.push(now, slot, true).ok()?
            }
            Some(Flight { id, stream_depth }) => Flight { id, stream_depth: stream_depth.saturating_add(1) },
            None => self.push(now, slot, on_stream).ok()?,
        };
        let entry = self.table.entry(slot);
        entry.flight = Some(flight);
        let mut inline_after = entry.sent;
        if flight.stream_depth > 0 {
            // Datagrams that carried the rest may have been lost; the stream can't be.
            inline_after = entry.confirmed;
            entry.probe = None;
        } else if entry.probe.is_none() && entry.head > entry.announced.max(entry.confirmed) {
            entry.probe = Some(Probe { head: entry.head, sent_at: now });
        }
        Some(self.announce(slot, flight, inline_after))
    }

    fn push(&mut self, now: Time, slot: u32, on_stream: bool) -> Result<Flight, WindowFull<u32>> {
        if on_stream {
            Ok(Flight { id: self.queue.push_ordered(now, slot)?, stream_depth: 1 })
        } else {
            Ok(Flight { id: self.queue.push(now, slot)?, stream_depth: 0 })
        }
    }

    fn announce(&mut self, slot: u32, flight: Flight, inline_after: Seq) -> Announce {
        let entry = self.table.entry(slot);
        entry.announced = entry.head;
        entry.announced_marker = entry.read_marker;
        entry.dirty = false;
        let announce = Announce {
            id: flight.id,
            conversation: entry.conversation,
            head: entry.head,
            read_marker: entry.read_marker,
            inline_after,
            reliable: flight.stream_depth > 0,
        };
        self.settle(slot);
        announce
    }

    /// The announcement just given carried the entries after its `inline_after` up to
    /// `inlined_through`. Not called, or called with less, it carried none.
    pub fn announced(&mut self, id: AckId, inlined_through: Seq) {
        let Some(slot) = self.queue.item(id).copied() else { return };
        let entry = self.table.entry(slot);
        let through = inlined_through.min(entry.announced);
        entry.sent = entry.sent.max(through);
        if entry.flight.is_some_and(|flight| flight.stream_depth > 0) {
            entry.confirmed = entry.confirmed.max(through);
        }
    }

    /// The reader has the announcement of `head`. An ack of what was never announced is that of a
    /// reader who knows better, and clears as well.
    pub fn handle_ack(&mut self, now: Time, conversation: ConversationId, head: Seq) {
        let Some(slot) = self.table.find(conversation) else { return };
        let measured = self.measure(now, slot, head);
        let entry = self.table.entry(slot);
        let head = if bug!("an old ack clears a newer head") { entry.head } else { head };
        let progress = head > entry.acked;
        entry.acked = entry.acked.max(head);
        entry.confirmed = entry.confirmed.max(head.min(entry.sent));
        entry.dirty &= entry.has_news();
        if let Some(flight) = entry.flight {
            if head >= entry.announced {
                entry.flight = None;
                self.release(now, flight, measured);
            } else if progress && flight.stream_depth > 0 {
                entry.flight = Some(Flight { stream_depth: (flight.stream_depth - 1).max(1), ..flight });
            } else if progress {
                self.queue.restart(now, flight.id);
            }
        }
        self.settle(slot);
    }

    /// Ends the probe that this ack answers, or that it overtakes; says whether it was a sample.
    fn measure(&mut self, now: Time, slot: u32, head: Seq) -> bool {
        let entry = self.table.entry(slot);
        let Some(probe) = entry.probe.filter(|probe| head >= probe.head) else { return false };
        entry.probe = None;
        if head == probe.head {
            self.queue.sample(now.since(probe.sent_at));
            self.resting_until = Time::ZERO;
        }
        head == probe.head
    }

    fn release(&mut self, now: Time, flight: Flight, measured: bool) {
        if !measured && self.queue.retries(flight.id).is_some_and(|retries| retries > 0) {
            self.queue.ack(now, flight.id);
        } else {
            // Its clock may have been started anew by an older ack, so it is no measure.
            self.queue.remove(flight.id);
        }
    }

    /// Puts a conversation into the list where it belongs.
    fn settle(&mut self, slot: u32) {
        let stream_depth = self.stream_depth;
        let entry = self.table.entry(slot);
        let list = match entry.flight {
            Some(flight) if !entry.dirty || flight.stream_depth >= stream_depth => OUT,
            None if !entry.dirty => IDLE,
            Some(_) | None => DIRTY,
        };
        self.table.move_to(slot, list);
    }

    /// When [`Notifier::poll_announce`] has something to send again; `None` while nothing is out
    /// over datagrams.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.queue.poll_timeout()
    }

    /// The reader follows this conversation no longer: everything about it is dropped.
    pub fn unsubscribe(&mut self, conversation: ConversationId) {
        let Some(slot) = self.table.find(conversation) else { return };
        if let Some(flight) = self.table.entry(slot).flight.take() {
            self.queue.remove(flight.id);
        }
        self.table.remove(slot);
    }

    /// Whether nothing is to be announced and nothing unacknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.table.first(DIRTY).is_none() && self.queue.is_empty()
    }

    /// Conversations with an unacknowledged announcement; at most the window.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// Whether a conversation is remembered. Its owner can spare the record of one in which nothing
    /// happens, and call [`Notifier::sent_through`] when something does.
    #[must_use]
    pub fn knows(&self, conversation: ConversationId) -> bool {
        self.table.find(conversation).is_some()
    }

    /// Conversations remembered.
    #[must_use]
    pub fn conversations(&self) -> usize {
        self.table.len()
    }

    /// Marks that found no room because as many conversations as are allowed had something to
    /// announce or unacknowledged. Their heads are to be compared once there is room again.
    #[must_use]
    pub const fn marks_dropped(&self) -> u64 {
        self.marks_dropped
    }

    /// What is known of the round trip.
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        self.queue.rtt()
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier")
            .field("conversations", &self.conversations())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
