//! One device's connection as its node sees it: core's `Notifier` and what the writer does.

use goim_core::hash::IdMap;
use goim_core::notifier::Announce;
use goim_core::{
    ConversationId, DeviceId, Duration, Entry, Epoch, Notifier, NotifierConfig, Seq, Time, UserId,
};

use super::Node;
use crate::cx::Cx;
use crate::entry::Body;
use crate::event::{ConnId, Down, Event, NodeEvent};
use crate::marks::Mark;
use crate::scenario::Scenario;

/// Entries that one announcement carries.
const INLINE_MAX: usize = 8;
/// Entries in one datagram.
const DATAGRAM_ENTRIES: usize = 2;
/// Before a connection that sent its burst goes on.
const BURST_PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy)]
struct Subscribed {
    /// The first seq that may be given from memory; [`Seq::MAX`] until that is known.
    from: Seq,
    /// Everything up to here that the user may see was sent.
    sent: Seq,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    /// The store's, as the device was told.
    pub(super) epoch: Epoch,
    pub(super) listens: bool,
    subscriptions: IdMap<ConversationId, Subscribed>,
    notifier: Notifier,
    timer: Option<Time>,
    ended: bool,
}

impl Conn {
    pub(super) fn new(s: &Scenario, user: UserId, device: DeviceId, epoch: Epoch) -> Self {
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let notifier = Notifier::new(NotifierConfig {
            window: size(s.notifier_window),
            retries_max: u32::try_from(s.notifier_retries).unwrap_or(1),
            datagrams: s.datagrams == 1,
            datagram_rest: Duration::from_secs(2),
            conversations_max: size(s.notifier_conversations),
            ..NotifierConfig::default()
        });
        let subscriptions = IdMap::default();
        Self { user, device, epoch, listens: false, subscriptions, notifier, timer: None, ended: false }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.notifier.is_idle() || self.ended
    }

    pub(super) fn is_bounded(&self, s: &Scenario) -> Result<(), String> {
        let (window, table) = (self.notifier.in_flight() as u64, self.notifier.conversations() as u64);
        if window > s.notifier_window || table > s.notifier_conversations {
            return Err(format!("a notifier has {window} in flight and {table} conversations"));
        }
        Ok(())
    }

    /// The notifier, if it knows the conversation.
    fn knows(&mut self, conversation: ConversationId) -> Option<&mut Notifier> {
        self.notifier.knows(conversation).then_some(&mut self.notifier)
    }

    fn sent_through(&mut self, conversation: ConversationId, seq: Seq) {
        if let Some(subscribed) = self.subscriptions.get_mut(&conversation) {
            subscribed.sent = subscribed.sent.max(seq);
        }
        if let Some(notifier) = self.knows(conversation) {
            notifier.sent_through(conversation, seq);
        }
    }
}

impl Node {
    pub(super) fn opened(&mut self, cx: &mut Cx, conn: ConnId, client: usize) {
        if !cx.net.carries(conn) {
            return;
        }
        let (user, device) = crate::world::owner(&cx.s, client);
        self.conns.insert(conn, Conn::new(&cx.s, user, device, self.epoch));
        self.users.entry(user).or_default().push(conn);
        let server_ms = cx.wall_ms(self.id);
        cx.down(conn, Down::Welcome { epoch: self.epoch, server_ms });
    }

    /// Takes a connection out of everything.
    pub(super) fn leave(&mut self, conn: ConnId) {
        let Some(gone) = self.conns.remove(&conn) else { return };
        if let Some(conns) = self.users.get_mut(&gone.user) {
            conns.retain(|other| *other != conn);
            if conns.is_empty() {
                self.users.remove(&gone.user);
            }
        }
        for conversation in gone.subscriptions.into_keys() {
            if let Some(room) = self.rooms.get_mut(&conversation) {
                room.leave(&conn);
                if room.is_empty() {
                    self.rooms.remove(&conversation);
                }
            }
        }
    }

    /// Subscribes to a conversation that may be read; false if that is done or under way already, or
    /// the client does not listen.
    pub(super) fn subscribe(&mut self, conn: ConnId, conversation: ConversationId, from: Seq) -> bool {
        let Some(open) = self.conns.get_mut(&conn) else { return false };
        if open.ended || !open.listens || open.subscriptions.contains_key(&conversation) {
            return false;
        }
        open.subscriptions.insert(conversation, Subscribed { from, sent: Seq::ZERO });
        open.sent_through(conversation, from.prev());
        true
    }

    /// Subscribes to a conversation of which the store is yet to tell whether it may be read; false
    /// if the client does not listen.
    pub(super) fn subscribe_unknown(&mut self, conn: ConnId, conversation: ConversationId) -> bool {
        let Some(open) = self.conns.get_mut(&conn) else { return false };
        if open.ended || !open.listens {
            return false;
        }
        let unknown = Subscribed { from: Seq::MAX, sent: Seq::ZERO };
        open.subscriptions.entry(conversation).or_insert(unknown).from = Seq::MAX;
        true
    }

    /// It is not known any more whether a conversation may be read.
    pub(super) fn stands_unknown(&mut self, conn: ConnId, conversation: ConversationId) {
        if let Some(subscribed) =
            self.conns.get_mut(&conn).and_then(|open| open.subscriptions.get_mut(&conversation))
        {
            subscribed.from = Seq::MAX;
        }
    }

    pub(super) fn reads_from(&mut self, conn: ConnId, conversation: ConversationId, from: Seq, told: Seq) {
        let Some(open) = self.conns.get_mut(&conn) else { return };
        if let Some(subscribed) = open.subscriptions.get_mut(&conversation) {
            subscribed.from = from;
            open.sent_through(conversation, told.max(from.prev()));
        }
    }

    /// From where on a connection reads; none that ends, which may be of another epoch.
    pub(super) fn reading_from(&self, conn: ConnId, conversation: ConversationId) -> Option<Seq> {
        let open = self.conns.get(&conn).filter(|open| !open.ended)?;
        Some(open.subscriptions.get(&conversation)?.from)
    }

    pub(super) fn unsubscribe(&mut self, conn: ConnId, conversation: ConversationId) {
        if let Some(open) = self.conns.get_mut(&conn) {
            open.subscriptions.remove(&conversation);
            open.notifier.unsubscribe(conversation);
        }
    }

    /// Stops at the entry that removed the user, of which he is still told.
    pub(super) fn stop_reading(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        conversation: ConversationId,
        last: Seq,
    ) {
        if bug!("a removed member reads on") {
            return;
        }
        self.mark(cx, conn, conversation, last, Seq::ZERO);
        if let Some(open) = self.conns.get_mut(&conn) {
            open.subscriptions.remove(&conversation);
        }
    }

    pub(super) fn tell_of_last(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        conversation: ConversationId,
        last: Seq,
    ) {
        if let Some(open) = self.conns.get_mut(&conn) {
            open.sent_through(conversation, last.prev());
        }
        self.stop_reading(cx, conn, conversation, last);
    }

    /// Notes a newer head.
    pub(super) fn mark(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        conversation: ConversationId,
        head: Seq,
        marker: Seq,
    ) {
        let Some(open) = self.conns.get_mut(&conn) else { return };
        if open.ended {
            return;
        }
        if !open.notifier.knows(conversation)
            && let Some(Subscribed { sent, .. }) = open.subscriptions.get(&conversation)
        {
            open.notifier.sent_through(conversation, *sent);
        }
        open.notifier.mark(conversation, head, marker);
        if open.notifier.marks_dropped() > 0 {
            // Nobody else would tell this client of it: it comes again, and its sync does.
            cx.marks.hit(Mark::Overflowed);
            if !bug!("a dropped mark is forgotten") {
                return self.end(cx, conn);
            }
        }
        self.pump(cx, conn);
    }

    /// Tells a client to come again.
    pub(super) fn end(&mut self, cx: &mut Cx, conn: ConnId) {
        if let Some(open) = self.conns.get_mut(&conn) {
            open.ended = true;
            cx.down(conn, Down::GoAway);
        }
    }

    pub(super) fn end_all(&mut self, cx: &mut Cx) {
        let mut conns: Vec<_> = self.conns.keys().copied().collect();
        conns.sort_unstable();
        for conn in conns {
            self.end(cx, conn);
        }
    }

    pub(super) fn sent_through(&mut self, conn: ConnId, conversation: ConversationId, seq: Seq) {
        if let Some(open) = self.conns.get_mut(&conn) {
            open.sent_through(conversation, seq);
        }
    }

    /// The answer to a send told the client of that entry.
    pub(super) fn own_sent(&mut self, conn: ConnId, conversation: ConversationId, seq: Seq) {
        let Some(open) = self.conns.get_mut(&conn) else { return };
        if let Some(notifier) = open.knows(conversation) {
            notifier.sent_one(conversation, seq);
        } else if let Some(subscribed) = open.subscriptions.get_mut(&conversation)
            && subscribed.sent.next() == seq
        {
            subscribed.sent = seq;
        }
    }

    pub(super) fn acked(&mut self, cx: &mut Cx, conn: ConnId, conversation: ConversationId, head: Seq) {
        if let Some(open) = self.conns.get_mut(&conn) {
            open.notifier.handle_ack(cx.now, conversation, head);
            self.pump(cx, conn);
        }
    }

    pub(super) fn conn_timer(&mut self, cx: &mut Cx, conn: ConnId) {
        if let Some(open) = self.conns.get_mut(&conn) {
            open.timer = None;
            self.pump(cx, conn);
        }
    }

    /// Sends what there is to announce, a burst at a time.
    fn pump(&mut self, cx: &mut Cx, conn: ConnId) {
        let mut left = cx.s.announce_burst;
        loop {
            let Some(open) = self.conns.get_mut(&conn).filter(|open| !open.ended) else { return };
            if left == 0 {
                return self.arm(cx, conn, Some(cx.now + BURST_PAUSE));
            }
            let due = open.notifier.poll_timeout().is_some_and(|at| at <= cx.now);
            let Some(announce) = open.notifier.poll_announce(cx.now) else { break };
            cx.marks.hit_if(due, Mark::Retransmitted);
            self.announce(cx, conn, &announce);
            left -= 1;
        }
        let at = self.conns.get(&conn).and_then(|open| open.notifier.poll_timeout());
        self.arm(cx, conn, at);
    }

    fn arm(&mut self, cx: &mut Cx, conn: ConnId, at: Option<Time>) {
        let (Some(at), Some(open)) = (at, self.conns.get_mut(&conn)) else { return };
        if open.timer.is_none_or(|timer| at < timer) {
            open.timer = Some(at);
            cx.at(at, Event::Node(self.id, cx.node_lives[self.id], NodeEvent::ConnTimer(conn)));
        }
    }

    fn announce(&mut self, cx: &mut Cx, conn: ConnId, announce: &Announce) {
        let entries = self.entries_for(announce);
        let inlined = entries.last().map_or(announce.inline_after, |entry| entry.seq);
        if let Some(open) = self.conns.get_mut(&conn) {
            open.notifier.announced(announce.id, inlined);
        }
        cx.marks.hit_if(!entries.is_empty(), Mark::Inline);
        let (reliable, epoch) = (announce.reliable, self.epoch);
        let frame = |head: Seq, entries: Vec<Entry<Body>>| {
            let (conversation, marker) = (announce.conversation, announce.read_marker);
            Down::Notification { conversation, head, marker, epoch, entries, reliable }
        };
        if reliable {
            cx.marks.hit(Mark::OnStream);
            return cx.down(conn, frame(announce.head, entries));
        }
        if entries.is_empty() {
            return cx.datagram_down(conn, &frame(announce.head, entries));
        }
        // Each names the last entry that it carries, and only the last one the head.
        let last = entries.len().div_ceil(DATAGRAM_ENTRIES) - 1;
        for (n, some) in entries.chunks(DATAGRAM_ENTRIES).enumerate() {
            let through = some.last().map_or(announce.head, |entry| entry.seq);
            let head = if n == last { announce.head } else { through };
            cx.datagram_down(conn, &frame(head, some.to_vec()));
        }
    }

    /// The entries that ride along: those right behind what was sent before, if they are here.
    fn entries_for(&self, announce: &Announce) -> Vec<Entry<Body>> {
        let (conversation, after) = (announce.conversation, announce.inline_after);
        if announce.head <= after {
            return Vec::new();
        }
        let mut kept = Vec::new();
        if self.msg_box.after(conversation, after, INLINE_MAX, &mut kept).is_none() {
            return Vec::new();
        }
        let mut next = after.next();
        let mut entries = Vec::new();
        for entry in kept {
            if entry.0.seq != next || next > announce.head {
                break;
            }
            next = next.next();
            entries.push(entry.0);
        }
        entries
    }
}
