//! What devices ask, and how they are answered.

use goim_core::hash::{IdMap, IdSet};
use goim_core::lane::Offer;
use goim_core::outbox::{OutboxSend, SendAnswer};
use goim_core::room::{Look, Registration};
use goim_core::{ConversationId, Entry, OffsetMove, PullRequest, Seq, UserId};

use super::conn::Conn;
use super::lanes::Ticket;
use super::{Node, Waiter};
use crate::cx::Cx;
use crate::entry::{Body, Content};
use crate::event::{Answer, ConnId, Down, Up, Why};
use crate::marks::Mark;
use crate::store::{Ask, Membership, Page, Row, Told};

/// How often the list of memberships is read again because it grew meanwhile.
const LOOKS_MAX: u32 = 3;
/// How far ahead of the server's clock an id may be.
const ID_AHEAD_MAX_MS: u64 = 300_000;

impl Node {
    pub(super) fn frame(&mut self, cx: &mut Cx, conn: ConnId, frame: Up) {
        let Some(open) = self.conns.get_mut(&conn) else { return };
        let (user, device) = (open.user, open.device);
        match frame {
            Up::Sync(own) => {
                open.listens = true;
                let waiter = Waiter::SyncList { conn, own, registered: Vec::new(), looks: LOOKS_MAX };
                self.ask(cx, waiter, Ask::Memberships(user));
            }
            Up::Send(send) => self.send(cx, conn, &send),
            Up::Pull(pull) => self.pull(cx, conn, user, pull),
            Up::Heads(why, asked) => {
                let ask = Ask::PositionsIn { user, device, conversations: asked.clone() };
                self.ask(cx, Waiter::Heads { conn, why, asked }, ask);
            }
            Up::Commit(moves, epoch) => {
                self.ask(cx, Waiter::Commit { conn }, Ask::Commit { user, device, moves, epoch });
            }
            Up::Mark(conversation, seq) => {
                self.ask(
                    cx,
                    Waiter::Mark { conn, user, conversation },
                    Ask::Mark { user, conversation, seq },
                );
            }
            Up::Ack(conversation, head) => self.acked(cx, conn, conversation, head),
        }
    }

    fn send(&mut self, cx: &mut Cx, conn: ConnId, send: &OutboxSend<Body>) {
        let Some(Conn { user, device, epoch, .. }) = self.conns.get(&conn) else { return };
        let (sender, device, epoch) = (*user, *device, *epoch);
        let OutboxSend { conversation, client_msg_id, after, retry, round, body } = *send;
        let (now_ms, id_ms) = (cx.wall_ms(self.id), client_msg_id.unix_ms().unwrap_or(0));
        let age_max = cx.s.id_age_max_ms;
        let too_old = age_max > 0 && id_ms + age_max < now_ms && !bug!("ids of any age");
        if too_old || id_ms > now_ms + ID_AHEAD_MAX_MS {
            cx.marks.hit(Mark::RefusedAsOld);
            let answer = Answer::Not(SendAnswer::Refused);
            return cx.down(conn, Down::Sent { conversation, id: client_msg_id, round, answer });
        }
        let ticket = Ticket::Send { conn, conversation, id: client_msg_id, round };
        let entry = Content::of(&body);
        let after = after.filter(|_| !bug!("`after` ignored"));
        self.offer(
            cx,
            Offer { ticket, conversation, sender, device, client_msg_id, after, retry, epoch, entry },
        );
    }

    fn pull(&mut self, cx: &mut Cx, conn: ConnId, user: UserId, pull: PullRequest) {
        let PullRequest { conversation, after, limit } = pull;
        if let Some((entries, through, head)) = self.pull_from_box(conn, &pull) {
            cx.marks.hit(Mark::PullFromBox);
            self.sent_through(conn, conversation, through.min(head));
            let epoch = self.epoch;
            return cx.down(conn, Down::Pulled { conversation, entries, through, head, epoch });
        }
        cx.marks.hit(Mark::PullFromStore);
        let at_replica = cx.s.replica == 1 && cx.rng.one_in(2);
        cx.marks.hit_if(at_replica, Mark::PullFromReplica);
        let ask = Ask::Pull { user, conversation, after, limit, at_replica };
        self.ask(cx, Waiter::Pull { conn, conversation }, ask);
    }

    fn pull_from_box(&self, conn: ConnId, pull: &PullRequest) -> Option<(Vec<Entry<Body>>, Seq, Seq)> {
        let from = self.reading_from(conn, pull.conversation)?;
        if pull.after < from.prev() && !bug!("memory serves what is not one's own") {
            return None;
        }
        let head = self.rooms.get(&pull.conversation)?.head()?;
        let limit = usize::try_from(pull.limit).unwrap_or(usize::MAX);
        let mut kept = Vec::new();
        self.msg_box.after(pull.conversation, pull.after, limit, &mut kept)?;
        let entries: Vec<_> = kept.into_iter().map(|entry| entry.0).collect();
        let last = entries.last().map(|entry| entry.seq);
        if entries.is_empty() && pull.after < head {
            return None;
        }
        Some((entries, last.unwrap_or(pull.after), head.max(last.unwrap_or(Seq::ZERO))))
    }

    pub(super) fn pulled(&mut self, cx: &mut Cx, conn: ConnId, conversation: ConversationId, told: Told) {
        let Told::Page(Page { rows, through, head }) = told else {
            return cx.down(conn, Down::PullFailed(conversation));
        };
        self.sent_through(conn, conversation, through.min(head));
        let entries = rows.iter().map(Row::entry).collect();
        let epoch = self.epoch;
        cx.down(conn, Down::Pulled { conversation, entries, through, head, epoch });
    }

    /// Registers, then looks: reads the list until it grows no more, each time registering for what
    /// is new in it; then the last list says where everything stands.
    pub(super) fn sync_list(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        own: Vec<OffsetMove>,
        mut registered: Vec<(Membership, Registration)>,
        looks: u32,
        told: Told,
    ) {
        let Some(open) = self.conns.get(&conn) else { return };
        let user = open.user;
        let Told::Memberships(list) = told else { return cx.down(conn, Down::SyncFailed) };
        let known: IdSet<_> = registered.iter().map(|(membership, _)| membership.conversation).collect();
        let fresh = list.iter().filter(|membership| !known.contains(&membership.conversation));
        let fresh: Vec<_> = fresh.copied().collect();
        if looks > 0 && !fresh.is_empty() {
            for membership in fresh {
                let registration = self.register(conn, user, membership.conversation);
                registered.extend(registration.map(|registration| (membership, registration)));
            }
            let waiter = Waiter::SyncList { conn, own, registered, looks: looks - 1 };
            return self.ask(cx, waiter, Ask::Memberships(user));
        }
        let listed: IdMap<_, _> =
            list.iter().map(|membership| (membership.conversation, membership)).collect();
        for (Membership { conversation, head, .. }, registration) in registered {
            let gone = Look { head, from: None, last: Seq::ZERO };
            let look = listed.get(&conversation).map_or(gone, |membership| Look {
                head: membership.head,
                from: Some(membership.from),
                last: Seq::ZERO,
            });
            self.look(cx, conn, user, conversation, (registration, look), look.head);
        }
        let Some(open) = self.conns.get(&conn) else { return };
        let ask = Ask::Positions { user, device: open.device, own };
        self.ask(cx, Waiter::SyncPositions { conn }, ask);
    }

    pub(super) fn sync_positions(&mut self, cx: &mut Cx, conn: ConnId, told: Told) {
        let Told::Positions(positions) = told else { return cx.down(conn, Down::SyncFailed) };
        let positions = positions.into_iter().filter(|position| position.head > position.offset).collect();
        cx.down(conn, Down::Synced { positions, epoch: self.epoch });
    }

    pub(super) fn located(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        why: Why,
        asked: Vec<ConversationId>,
        told: Told,
    ) {
        let Told::Positions(positions) = told else {
            return cx.down(conn, Down::HeadsFailed { why, asked });
        };
        cx.down(conn, Down::Heads { why, asked, positions, epoch: self.epoch });
    }

    pub(super) fn committed_offsets(&mut self, cx: &mut Cx, conn: ConnId, told: &Told) {
        let frame = match told {
            Told::Committed { other_epoch } => Down::Committed { other_epoch: *other_epoch },
            _ => Down::CommitFailed,
        };
        cx.down(conn, frame);
    }

    pub(super) fn marked(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        user: UserId,
        conversation: ConversationId,
        told: &Told,
    ) {
        let Told::Marked(moved) = told else { return };
        cx.down(conn, Down::Marked(conversation, *moved));
        if let Some(marker) = moved {
            cx.marks.hit(Mark::MarkerMoved);
            self.tell_marker(cx, user, conversation, *marker);
        }
    }
}
