//! What a device's connection asks for and what it does with the answers, as the SDK does.

use goim_core::hash::IdSet;
use goim_core::outbox::{Answered, SendAnswer};
use goim_core::{ClientMsgId, ConversationId, Duration, Entry, Epoch, OffsetMove, OutboxSend, Seq, Time};

use super::Client;
use crate::check::Seen;
use crate::cx::Cx;
use crate::event::{Answer, ClientEvent, ConnId, Down, Event, Up, Why};
use crate::marks::Mark;
use crate::store::Position;

/// Offsets in one commit.
const COMMIT_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Session {
    welcomed: bool,
    wants_sync: bool,
    synced: bool,
    /// An epoch that is not the one before, and whose heads are still to be asked for because of it.
    pub(super) new_epoch: Option<Epoch>,
    to_check: Vec<ConversationId>,
    checking: bool,
}

impl Client {
    pub(super) fn connect(&mut self, cx: &mut Cx) {
        if self.conn.is_some() {
            return;
        }
        let node = cx.rng.index(cx.node_lives.len());
        let reachable = cx.node_up[node] && !cx.weather.parted.contains(&(self.id, node));
        if !reachable {
            let wait = cx.rng.millis(10, 500);
            return self.after(cx, wait, ClientEvent::Connect);
        }
        self.session = Session::default();
        self.conn = Some(cx.connect(self.id, node));
    }

    pub(super) fn disconnected(&mut self, cx: &mut Cx) {
        self.conn = None;
        self.session = Session::default();
        self.inbox.handle_reset();
        self.outbox.handle_reset();
        let wait = cx.rng.millis(1, 300);
        self.after(cx, wait, ClientEvent::Connect);
    }

    pub(super) fn frame(&mut self, cx: &mut Cx, conn: ConnId, frame: Down) {
        match frame {
            Down::Welcome { epoch, server_ms } => {
                self.session.welcomed = true;
                self.session.wants_sync = true;
                self.commit_soon(cx);
                self.server_ms_at_zero = server_ms.saturating_sub(cx.now.as_micros() / 1_000);
                self.see_epoch(cx, epoch);
            }
            Down::Synced { positions, epoch } => {
                self.see_epoch(cx, epoch);
                self.session.synced = true;
                for position in positions {
                    self.subscribe(position);
                }
            }
            Down::SyncFailed | Down::GoAway => {
                cx.cut(conn);
                self.disconnected(cx);
            }
            Down::Sent { conversation, id, round, answer } => {
                self.sent(cx, conversation, id, round, answer);
            }
            Down::Pulled { conversation, entries, through, head, epoch } => {
                self.see_epoch(cx, epoch);
                self.inbox.handle_pulled(cx.now, conversation, entries, through, head);
                self.commit_soon(cx);
            }
            Down::PullFailed(conversation) => self.inbox.handle_pull_failed(cx.now, conversation),
            Down::Heads { why, asked, positions, epoch } => {
                self.see_epoch(cx, epoch);
                self.located(cx, why, &asked, &positions);
            }
            Down::HeadsFailed { why: Why::Unknown, asked } => {
                asked.iter().for_each(|one| self.inbox.handle_unknown_failed(cx.now, *one));
            }
            Down::HeadsFailed { why: Why::WentBack, .. } => {
                cx.cut(conn);
                self.disconnected(cx);
            }
            Down::Committed { other_epoch: false } => self.committed(cx),
            Down::Committed { other_epoch: true } | Down::CommitFailed => {
                self.inbox.handle_commit_failed();
                self.commit_soon(cx);
            }
            Down::Marked(conversation, moved) => {
                if let Some(marker) = moved {
                    let (user, epoch) = (self.user, self.epoch);
                    cx.saw(Seen::Marked { user, conversation, marker, epoch });
                }
            }
            Down::Notification { conversation, head, marker, epoch, entries, reliable } => {
                if marker > Seq::ZERO {
                    let epoch = Some(epoch);
                    cx.saw(Seen::Marked { user: self.user, conversation, marker, epoch });
                }
                // The way it came: a path that swallows datagrams would swallow the ack as well.
                let ack = Up::Ack(conversation, head);
                let in_datagram = cx.s.datagrams == 1 && (!reliable || bug!("every ack in a datagram"));
                if in_datagram {
                    cx.datagram_up(conn, &ack);
                } else {
                    cx.up(conn, ack);
                }
                self.heard(cx, conversation, head, epoch, entries);
            }
        }
    }

    fn heard(
        &mut self,
        cx: &mut Cx,
        conversation: ConversationId,
        head: Seq,
        epoch: Epoch,
        entries: Vec<Entry<crate::entry::Body>>,
    ) {
        self.see_epoch(cx, epoch);
        if self.session.new_epoch.is_none() {
            self.inbox.handle_notification(conversation, head, entries);
        }
    }

    fn subscribe(&mut self, position: Position) {
        let Position { conversation, head, offset, .. } = position;
        let offset = if bug!("resume behind the offset's entry") { offset.next() } else { offset };
        self.inbox.subscribe(conversation, offset, head);
        self.inbox.set_active(conversation, true);
    }

    fn sent(
        &mut self,
        cx: &mut Cx,
        conversation: ConversationId,
        id: ClientMsgId,
        round: u32,
        answer: Answer,
    ) {
        if round == super::NO_ROUND {
            // The outbox knows nothing of copies; but the node counts this as having told of it.
            if let Answer::Stored { seq, .. } = answer {
                self.inbox.handle_notification(conversation, seq, []);
            }
            return;
        }
        let told = match answer {
            Answer::Stored { .. } => SendAnswer::Stored,
            Answer::Not(not) => not,
        };
        let Answered::Done { body, .. } = self.outbox.handle_answer(cx.now, conversation, id, round, told)
        else {
            return;
        };
        self.disk.outbox.retain(|(_, waiting, _)| *waiting != id);
        let user = self.user;
        let Answer::Stored { seq, at_ms, count, duplicate } = answer else {
            return cx.saw(Seen::Refused { user, conversation, id });
        };
        let epoch = self.epoch.filter(|_| self.session.new_epoch.is_none());
        cx.saw(Seen::Acked { user, conversation, id, seq, epoch });
        if self.session.new_epoch.is_some() {
            return;
        }
        if duplicate {
            self.inbox.handle_notification(conversation, seq, []);
        } else {
            let entry = Entry { seq, sender: user, client_msg_id: id, at_ms, count, body };
            self.inbox.handle_own(cx.now, conversation, entry);
        }
    }

    fn located(&mut self, cx: &mut Cx, why: Why, asked: &[ConversationId], positions: &[Position]) {
        match why {
            Why::Unknown => {
                for position in positions {
                    self.subscribe(*position);
                }
                for one in asked.iter().filter(|one| !self.inbox.knows(**one)).copied().collect::<Vec<_>>() {
                    self.inbox.forget_unknown(one);
                }
            }
            Why::WentBack => {
                self.session.checking = false;
                for conversation in asked {
                    // The offset that the store has, not its head: others may have written since.
                    let position = positions.iter().find(|one| one.conversation == *conversation);
                    let (offset, head) =
                        position.map_or((Seq::ZERO, Seq::ZERO), |one| (one.offset, one.head));
                    self.inbox.handle_store_went_back(*conversation, offset);
                    self.inbox.subscribe(*conversation, offset, head);
                    self.disk.offsets.insert(*conversation, offset);
                }
                cx.marks.hit(Mark::EpochMet);
            }
        }
    }

    fn committed(&mut self, cx: &mut Cx) {
        let (device, user, epoch) = (self.device, self.user, self.epoch);
        for OffsetMove { conversation, offset } in self.inbox.handle_committed() {
            cx.saw(Seen::OffsetAcked { device, user, conversation, offset, epoch });
            self.disk.offsets.insert(conversation, offset);
        }
        if !self.inbox.is_committed() {
            self.commit_soon(cx);
        }
    }

    fn see_epoch(&mut self, _cx: &mut Cx, epoch: Epoch) {
        if epoch == Epoch::default() || bug!("the epoch ignored") {
            return;
        }
        match self.epoch {
            None => self.set_epoch(epoch),
            Some(known) if known == epoch || self.session.new_epoch == Some(epoch) => {}
            Some(_) => {
                self.session.new_epoch = Some(epoch);
                self.session.to_check = self.inbox.offsets().map(|offset| offset.conversation).collect();
                self.session.to_check.sort_unstable();
            }
        }
    }

    fn set_epoch(&mut self, epoch: Epoch) {
        (self.epoch, self.disk.epoch) = (Some(epoch), Some(epoch));
    }

    /// Writes everything that is to be asked now.
    pub(super) fn fill(&mut self, cx: &mut Cx) {
        let Some(conn) = self.conn.filter(|_| self.session.welcomed) else { return };
        if !self.check_epoch(cx, conn) {
            return;
        }
        if std::mem::take(&mut self.session.wants_sync) {
            let mut own: Vec<_> = self.inbox.offsets().collect();
            own.sort_unstable_by_key(|one| one.conversation);
            cx.up(conn, Up::Sync(own));
        }
        let in_flight_max = usize::try_from(cx.s.outbox_in_flight).unwrap_or(usize::MAX);
        while let Some(send) = self.outbox.poll_send(cx.now, in_flight_max) {
            // A client that sends everything twice, and does not say so.
            let copy = cx.rng.permille(cx.rate(cx.s.spam_permille));
            let again = OutboxSend { retry: false, round: super::NO_ROUND, ..send };
            cx.up(conn, Up::Send(send));
            if copy {
                // Where the store goes back, a late copy would be a new send in no order.
                if cx.s.store_back_every_ms > 0 || cx.rng.one_in(2) {
                    cx.up(conn, Up::Send(again));
                } else {
                    let wait = cx.rng.millis(10, 2_000);
                    self.after(cx, wait, ClientEvent::Repeat(Box::new(again)));
                }
            }
        }
        self.inbox.handle_timeout(cx.now);
        if self.session.synced {
            while let Some(pull) = self.inbox.poll_pull() {
                cx.up(conn, Up::Pull(pull));
            }
            let unknown: Vec<_> = std::iter::from_fn(|| self.inbox.poll_unknown()).collect();
            if !unknown.is_empty() {
                cx.up(conn, Up::Heads(Why::Unknown, unknown));
            }
        }
        if self.commit_at.is_some_and(|at| cx.now >= at) {
            self.commit_at = None;
            if let Some(moves) = self.inbox.poll_commit(COMMIT_MAX) {
                cx.up(conn, Up::Commit(moves, self.epoch.unwrap_or_default()));
            }
        }
        self.arm(cx);
    }

    /// After the store went back: asks where everything stands now, before anything else. True if
    /// there is nothing to find out.
    fn check_epoch(&mut self, cx: &mut Cx, conn: ConnId) -> bool {
        let Some(epoch) = self.session.new_epoch else { return true };
        let to_check = std::mem::take(&mut self.session.to_check);
        if !to_check.is_empty() {
            self.session.checking = true;
            cx.up(conn, Up::Heads(Why::WentBack, to_check));
        }
        if self.session.checking {
            return false;
        }
        self.session.new_epoch = None;
        let known: IdSet<_> = self.inbox.offsets().map(|one| one.conversation).collect();
        self.disk.offsets.retain(|conversation, _| known.contains(conversation));
        self.set_epoch(epoch);
        self.outbox.handle_reset();
        true
    }

    fn arm(&mut self, cx: &mut Cx) {
        let times: [Option<Time>; 2] = [self.inbox.poll_timeout(), self.outbox.poll_timeout()];
        let Some(at) = times.into_iter().flatten().min() else { return };
        let at = at.max(cx.now + Duration::from_micros(1));
        if self.timer.is_none_or(|timer| at < timer) {
            self.timer = Some(at);
            cx.at(at, Event::Client(self.id, cx.client_lives[self.id], ClientEvent::Timer));
        }
    }
}
