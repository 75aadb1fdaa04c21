//! What devices ask, and how they are answered.

use goim_core::lane::Offer;
use goim_core::outbox::{OutboxSend, SendAnswer};
use goim_core::{ConversationId, Entry, PullRequest, Seq, UserId};

use super::conn::Conn;
use super::lanes::Ticket;
use super::{Node, Waiter};
use crate::check::Seen;
use crate::cx::Cx;
use crate::entry::{Body, Content};
use crate::event::{Answer, ConnId, Down, Up, Why};
use crate::marks::Mark;
use crate::store::{Ask, Page, Row, Told};

/// How far ahead of the server's clock an id may be.
const ID_AHEAD_MAX_MS: u64 = 300_000;

impl Node {
    pub(super) fn frame(&mut self, cx: &mut Cx, conn: ConnId, frame: Up) {
        let Some(open) = self.conns.get_mut(&conn) else { return };
        let (user, device) = (open.user, open.device);
        match frame {
            Up::Sync(own) => {
                open.listens = true;
                self.sync(cx, conn, (user, device), own);
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
        self.look_at_memory(cx, conn, user);
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
        // What is kept may reach beyond the head, from before the room opened.
        let entries: Vec<_> =
            kept.into_iter().map(|entry| entry.0).take_while(|entry| entry.seq <= head).collect();
        let last = entries.last().map(|entry| entry.seq);
        if entries.is_empty() && pull.after < head {
            return None;
        }
        Some((entries, last.unwrap_or(pull.after), head))
    }

    /// Looks at all that memory would serve to who asks for it, be he as nosy as he likes.
    fn look_at_memory(&self, cx: &mut Cx, conn: ConnId, user: UserId) {
        for conversation in (1..=cx.s.groups).map(ConversationId::new) {
            let from = self.reading_from(conn, conversation).filter(|from| *from != Seq::MAX);
            let Some(after) = from.map(Seq::prev) else { continue };
            let pull = PullRequest { conversation, after, limit: u32::MAX };
            if let Some((entries, ..)) = self.pull_from_box(conn, &pull) {
                let seqs = entries.iter().map(|entry| entry.seq).collect();
                cx.saw(Seen::Served { user, conversation, seqs, epoch: self.epoch });
            }
        }
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
