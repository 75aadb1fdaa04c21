//! What a node does unasked: fills gaps, compares heads, follows invitations, pays inboxes.

use goim_core::lane::Offer;
use goim_core::room::Registration;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Duration, Epoch, Seq, SeqRange, UserId};

use super::lanes::Ticket;
use super::{Node, Waiter};
use crate::cx::Cx;
use crate::entry::{Content, Kept, SYSTEM};
use crate::event::{ConnId, NodeEvent};
use crate::marks::Mark;
use crate::store::{Ask, Due, Row, Told};

/// How long an entry may be missing before the store is asked for it.
const GAP_AGE: Duration = Duration::from_millis(50);
const DUE_EVERY: Duration = Duration::from_secs(1);
/// Before a store that did not tell its epoch is asked again.
const COMPARE_AGAIN: Duration = Duration::from_millis(100);
const INVITE_AGAIN: Duration = Duration::from_millis(500);

impl Node {
    pub(super) fn fill_gaps(&mut self, cx: &mut Cx) {
        self.gaps_timed = false;
        while let Some((since, conversation)) = self.gaps.front().copied()
            && cx.now >= since + GAP_AGE
        {
            self.gaps.pop_front();
            let Some(room) = self.rooms.get_mut(&conversation) else { continue };
            room.unwatch_gap();
            if let Some(gap) = room.gap() {
                self.fetch(cx, conversation, gap);
            }
        }
        self.time_gaps(cx);
    }

    /// Looks at the oldest gap when it is old enough.
    pub(super) fn time_gaps(&mut self, cx: &mut Cx) {
        if let Some((since, _)) = self.gaps.front()
            && !self.gaps_timed
        {
            self.gaps_timed = true;
            let wait = (*since + GAP_AGE).since(cx.now);
            self.after(cx, wait, NodeEvent::Gaps);
        }
    }

    fn fetch(&mut self, cx: &mut Cx, conversation: ConversationId, gap: SeqRange) {
        cx.marks.hit(Mark::GapFetched);
        if bug!("a gap never fetched") {
            return;
        }
        let ask = Ask::Entries { conversation, after: gap.first.prev() };
        self.ask(cx, Waiter::Fetch { conversation, gap }, ask);
    }

    /// Takes the first of what the store has from a gap on, in order and without anything left out.
    pub(super) fn fetched(&mut self, cx: &mut Cx, conversation: ConversationId, gap: SeqRange, told: Told) {
        let Told::Entries(rows) = told else { return self.watch_gap(cx, conversation) };
        let Some(room) = self.rooms.get(&conversation) else { return };
        // Otherwise something passed meanwhile, and these are only late.
        let in_order = room.head() == Some(gap.first.prev());
        if in_order && rows.is_empty() {
            self.skip_to(cx, conversation, gap.last);
        }
        for entry in rows.iter().map(Row::entry) {
            if in_order {
                self.skip_to(cx, conversation, entry.seq.prev());
            }
            let next = self.rooms.get_mut(&conversation).and_then(|room| room.offer(Kept(entry)));
            self.pass(cx, conversation, next);
        }
        self.watch_gap(cx, conversation);
        self.tell(cx, &[conversation]);
    }

    /// Passes over what the store lacks, and lets pass what waited behind it.
    fn skip_to(&mut self, cx: &mut Cx, conversation: ConversationId, seq: Seq) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let mut steps = Vec::new();
        room.skip_to(seq, &mut steps);
        self.take_steps(cx, conversation, steps);
        self.pass(cx, conversation, None);
    }

    pub(super) fn catch_up(&mut self, cx: &mut Cx) {
        self.after(cx, Duration::from_millis(cx.s.catch_up_ms), NodeEvent::CatchUp);
        if !bug!("no catch-up") || self.store_is_new {
            self.compare(cx);
        }
    }

    /// Asks for the epoch, and where the conversations with readers stand.
    pub(super) fn compare(&mut self, cx: &mut Cx) {
        if !self.comparing {
            self.comparing = true;
            let mut conversations: Vec<_> = self.rooms.keys().copied().collect();
            conversations.sort_unstable();
            self.ask(cx, Waiter::Compare, Ask::Heads(conversations));
        }
    }

    pub(super) fn compared(&mut self, cx: &mut Cx, told: Told) {
        self.comparing = false;
        let Told::Heads { heads, epoch } = told else {
            if self.store_is_new {
                self.after(cx, COMPARE_AGAIN, NodeEvent::Compare);
            }
            return;
        };
        self.store_is_new = false;
        if epoch != self.epoch {
            let is_first = self.epoch == Epoch::default();
            self.epoch = epoch;
            if !is_first {
                return self.start_anew(cx);
            }
            cx.node_up[self.id] = true;
        }
        for (conversation, head) in heads {
            let Some(room) = self.rooms.get_mut(&conversation) else { continue };
            room.saw(head);
            if let Some(gap) = room.unwatched_gap() {
                cx.marks.hit(Mark::GapFoundByHeads);
                self.fetch(cx, conversation, gap);
            }
        }
    }

    /// The store went back: what is believed here is worth nothing, and clients come again.
    fn start_anew(&mut self, cx: &mut Cx) {
        let epoch = self.epoch;
        self.lanes.iter_mut().for_each(|runner| runner.begin_epoch(epoch));
        self.forget_all();
        self.end_all(cx);
    }

    /// Has an invitation followed up, by an entry of the conversation; zero to look only for those
    /// connections of the user that are not known to read there.
    pub(super) fn invite(&mut self, cx: &mut Cx, user: UserId, conversation: ConversationId, from: Seq) {
        self.invitations.push((user, conversation, from));
        self.after(cx, Duration::ZERO, NodeEvent::Invitations);
    }

    pub(super) fn follow_invitations(&mut self, cx: &mut Cx) {
        for (user, conversation, from) in std::mem::take(&mut self.invitations) {
            for conn in self.users.get(&user).cloned().unwrap_or_default() {
                let reads = self.reading_from(conn, conversation).filter(|reads| *reads != Seq::MAX);
                if reads.is_some_and(|reads| reads >= from) {
                    continue;
                }
                cx.marks.hit(Mark::InviteFollowed);
                cx.marks.hit_if(reads.is_some(), Mark::InvitedWhileReading);
                self.look_for(cx, conn, user, conversation);
            }
        }
    }

    /// Registers a connection and asks where its user stands.
    pub(super) fn look_for(&mut self, cx: &mut Cx, conn: ConnId, user: UserId, conversation: ConversationId) {
        if let Some(registration) = self.register(conn, user, conversation) {
            let ask = Ask::Look { user, conversation };
            self.ask(cx, Waiter::Look { conn, user, conversation, registration }, ask);
        }
    }

    pub(super) fn looked(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        user: UserId,
        conversation: ConversationId,
        registration: Registration,
        told: &Told,
    ) {
        let Told::Look(look) = told else {
            return self.after(cx, INVITE_AGAIN, NodeEvent::LookAgain(conn, user, conversation));
        };
        self.look(cx, conn, user, conversation, (registration, *look), Seq::ZERO);
    }

    pub(super) fn look_for_due(&mut self, cx: &mut Cx) {
        self.after(cx, DUE_EVERY, NodeEvent::Due);
        self.look_for_due_now(cx);
    }

    pub(super) fn look_for_due_now(&mut self, cx: &mut Cx) {
        if !self.due_busy {
            self.due_busy = true;
            self.ask(cx, Waiter::Due { epoch: self.epoch }, Ask::Due);
        }
    }

    pub(super) fn due_told(&mut self, cx: &mut Cx, epoch: Epoch, told: Told) {
        self.due_busy = false;
        let Told::Due(rows) = told else { return };
        for (id, due) in rows {
            let Due { user, conversation, seq, at_ms } = due;
            self.offer(
                cx,
                Offer {
                    ticket: Ticket::Due(id),
                    conversation: crate::world::inbox_of(&cx.s, user),
                    sender: SYSTEM,
                    device: DeviceId::new(0),
                    client_msg_id: derived(at_ms, conversation, seq),
                    after: None,
                    retry: false,
                    epoch,
                    entry: Content::Invited { conversation, seq },
                },
            );
            if !self.up {
                return;
            }
        }
    }
}

/// The same id for the same debt, wherever and however often it is paid.
fn derived(at_ms: u64, conversation: ConversationId, seq: Seq) -> ClientMsgId {
    let mut bytes = [0; 10];
    bytes[..2].copy_from_slice(&conversation.as_u64().to_be_bytes()[6..]);
    bytes[2..].copy_from_slice(&seq.as_u64().to_be_bytes());
    ClientMsgId::mint(at_ms, &bytes)
}
