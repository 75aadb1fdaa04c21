//! What one connection asks for and what it does with the answers.

mod answers;
mod epoch;

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Entry, Epoch, OffsetMove, OutboxSend, Seq, Time};
use goim_proto::limits::POSITIONS_MAX;
use goim_proto::{
    Ack, Authenticate, Call, ClientFrame, Commit, Ephemeral, GoAwayReason, Heads, Notification, Position,
    ProfileChanged, Pull, Refresh, ReplyTo, Request, ServerFrame, Sync, Typing, Welcome, decode,
};

use crate::link::{Acks, Link};
use crate::pending::{Ended, Pending};
use crate::shared::{Shared, State, Tokens};
use crate::{CallError, Event};

/// How long before its end an access token is renewed.
const RENEW_BEFORE_MS: u64 = 60_000;
/// The longest time between two looks at what is due.
const TICK: Duration = Duration::from_secs(5);

pub(crate) struct Session<'a> {
    shared: &'a Shared,
    pending: HashMap<u64, Pending>,
    last_id: u64,
    in_flight_max: usize,
    /// Where the sync stands: nothing is pulled before the first page.
    sync: Progress,
    sync_after: ConversationId,
    /// A new epoch, and whose heads are still to be asked for because of it.
    new_epoch: Option<Epoch>,
    to_check: Vec<ConversationId>,
    checking: usize,
    moved_back: Vec<(ConversationId, Seq)>,
    commit_at: Option<Time>,
    /// Tokens that this connection has still to be authenticated by.
    renewed: Option<Tokens>,
    acks: Acks,
    /// For the local store, once the lock is off.
    answered: Vec<ClientMsgId>,
    committed: Vec<OffsetMove>,
    save_epoch: Option<Epoch>,
}

#[derive(PartialEq, Eq)]
enum Progress {
    Wanted,
    Asked,
    Done,
}

impl<'a> Session<'a> {
    pub(crate) fn new(shared: &'a Shared, welcome: &Welcome) -> Self {
        let mut session = Self {
            shared,
            pending: HashMap::new(),
            last_id: 0,
            in_flight_max: usize::try_from(welcome.in_flight_bytes_max).unwrap_or(usize::MAX).max(1),
            sync: Progress::Done,
            sync_after: ConversationId::default(),
            new_epoch: None,
            to_check: Vec::new(),
            checking: 0,
            moved_back: Vec::new(),
            commit_at: None,
            renewed: None,
            acks: Acks::default(),
            answered: Vec::new(),
            committed: Vec::new(),
            save_epoch: None,
        };
        let mut state = shared.state();
        state.wants_sync = state.session.is_some();
        state.commit_due = true;
        session.see_epoch(&mut state, welcome.epoch);
        session
    }

    /// Writes everything that is to be asked now.
    pub(crate) fn fill(&mut self, link: &mut Link) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        for (call, fate) in mem::take(&mut state.calls) {
            let pending = match &call {
                Call::Pull(pull) => Pending::Read(pull.conversation, fate),
                _ => Pending::Call(fate),
            };
            self.ask(link, call, pending);
        }
        self.renew(&state, link);
        if state.session.is_some() {
            self.fill_authenticated(&mut state, link, now);
        }
        drop(state);
        link.acknowledge(mem::take(&mut self.acks));
    }

    fn fill_authenticated(&mut self, state: &mut State, link: &mut Link, now: Time) {
        if mem::take(&mut state.wants_sync) && self.shared.options.reads {
            (self.sync, self.sync_after) = (Progress::Wanted, ConversationId::default());
        }
        self.check_epoch(state, link);
        if self.new_epoch.is_some() {
            // Offsets may lie beyond the heads: nothing is read or committed by them.
            return;
        }
        if self.sync == Progress::Wanted {
            self.sync = Progress::Asked;
            let call = sync_call(state, self.sync_after, self.shared.options.start);
            self.ask(link, call, Pending::Sync);
        }
        // What has waited enough wants no timer any more, though there be no room to send it.
        let most = self.in_flight_max;
        let in_flight_max = |link: &Link| if link.has_room() { most } else { 0 };
        while let Some(send) = state.outbox.poll_send(now, in_flight_max(link)) {
            let OutboxSend { conversation, client_msg_id, after, retry, round, body } = send;
            let send = goim_proto::Send { conversation, client_msg_id, after, retry, body };
            self.ask(link, Call::Send(send), Pending::Send { conversation, id: client_msg_id, round });
        }
        state.inbox.handle_timeout(now);
        while link.has_room()
            && let Some(pull) = state.inbox.poll_pull()
        {
            let (conversation, after, limit) = (pull.conversation, pull.after, pull.limit);
            self.ask(link, Call::Pull(Pull { conversation, after, limit }), Pending::Pull(conversation));
        }
        let unknown: Vec<_> = std::iter::from_fn(|| state.inbox.poll_unknown()).take(POSITIONS_MAX).collect();
        if !unknown.is_empty() {
            let call = Call::Heads(Heads { conversations: unknown.clone() });
            self.ask(link, call, Pending::Unknown(unknown));
        }
        self.commit(state, link, now);
    }

    fn commit(&mut self, state: &mut State, link: &mut Link, now: Time) {
        if mem::take(&mut state.commit_due) && self.commit_at.is_none() {
            self.commit_at = Some(now + self.shared.options.commit_interval);
        }
        if self.commit_at.is_none_or(|at| now < at) {
            return;
        }
        self.commit_at = None;
        if let Some(moves) = state.inbox.poll_commit(POSITIONS_MAX) {
            let offsets = moves.into_iter().map(position).collect();
            let epoch = state.epoch.unwrap_or_default();
            self.ask(link, Call::Commit(Commit { offsets, epoch }), Pending::Commit);
        }
    }

    fn renew(&mut self, state: &State, link: &mut Link) {
        if let Some(tokens) = self.renewed.take() {
            let authenticate = Authenticate { token: tokens.access.clone(), instance: String::new() };
            self.ask(link, Call::Authenticate(authenticate), Pending::Renew(tokens));
        }
        let Some(Tokens { expires_ms: Some(expires), refresh: Some(refresh), .. }) = &state.tokens else {
            return;
        };
        let due = self.shared.server_ms(state) + RENEW_BEFORE_MS > *expires || state.session.is_none();
        let under_way = |pending: &Pending| matches!(pending, Pending::Refresh | Pending::Renew(_));
        if due && !self.pending.values().any(under_way) {
            let call = Call::Refresh(Refresh { refresh_token: refresh.clone() });
            self.ask(link, call, Pending::Refresh);
        }
    }

    fn ask(&mut self, link: &mut Link, call: Call, pending: Pending) {
        self.last_id += 1;
        link.push(&ClientFrame::Request(Request { id: self.last_id, call }));
        self.pending.insert(self.last_id, pending);
    }

    /// How long nothing has to be done.
    pub(crate) fn timeout(&self) -> Duration {
        let now = self.shared.now();
        let state = self.shared.state();
        if state.session.is_none() || self.new_epoch.is_some() {
            // Nothing is done by its time now, whatever is overdue: an answer has to come first.
            return TICK;
        }
        let times = [self.commit_at, state.inbox.poll_timeout(), state.outbox.poll_timeout()];
        times.into_iter().flatten().map(|at| at.since(now)).fold(TICK, Duration::min)
    }

    /// Takes frames that arrived.
    pub(crate) async fn handle(&mut self, frames: &[Bytes], stream: bool) -> Result<(), Ended> {
        if !frames.is_empty() {
            let now = self.shared.now();
            let mut state = self.shared.state();
            for frame in frames {
                match decode::<ServerFrame>(frame) {
                    Ok(frame) => self.handle_frame(&mut state, now, frame, stream)?,
                    // A datagram may hold anything; a broken stream cannot be read on.
                    Err(_) if !stream => {}
                    Err(error) => return Err(Ended::lost(error.to_string())),
                }
            }
        }
        self.keep().await;
        self.shared.progress.notify_waiters();
        Ok(())
    }

    /// Tells the local store what has changed.
    async fn keep(&mut self) {
        let Some(store) = &self.shared.options.local_store else {
            self.answered.clear();
            self.committed.clear();
            self.save_epoch = None;
            return;
        };
        let mut kept = Ok(());
        if !self.answered.is_empty() {
            kept = kept.and(store.remove(&mem::take(&mut self.answered)).await);
        }
        if !self.committed.is_empty() {
            let offsets: Vec<_> = mem::take(&mut self.committed).into_iter().map(position).collect();
            kept = kept.and(store.save_offsets(&offsets).await);
        }
        if let Some(epoch) = self.save_epoch.take() {
            kept = kept.and(store.save_epoch(epoch).await);
        }
        if let Err(error) = kept {
            // The server has what counts: a message is sent again, an offset is asked for.
            tracing::warn!(%error, "the local store failed");
        }
    }

    fn handle_frame(
        &mut self,
        state: &mut State,
        now: Time,
        frame: ServerFrame,
        stream: bool,
    ) -> Result<(), Ended> {
        match frame {
            ServerFrame::Notification(notification) => self.notified(state, notification, stream),
            ServerFrame::Reply(ReplyTo { id, reply }) => {
                if let Some(pending) = self.pending.remove(&id) {
                    return self.replied(state, now, pending, reply);
                }
            }
            ServerFrame::GoAway(away) => {
                let renewable = state.tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_some());
                let ended = away.reason == GoAwayReason::SessionEnded && !renewable;
                return Err(if ended {
                    Ended::Refused(away.message)
                } else {
                    Ended::Lost(away.message, Duration::from_millis(away.retry_after_ms))
                });
            }
            ServerFrame::Ephemeral(ephemeral) => self.passed(&ephemeral),
            ServerFrame::Welcome(_) | ServerFrame::Unknown(_) | _ => {}
        }
        Ok(())
    }

    fn passed(&self, ephemeral: &Ephemeral) {
        self.shared.event(match *ephemeral {
            Ephemeral::Typing(Typing { conversation, user }) => Event::Typing { conversation, user },
            Ephemeral::ProfileChanged(ProfileChanged { user, version }) => {
                Event::ProfileChanged { user, version }
            }
            // What this version does not know is passed over.
            Ephemeral::Unknown(_) | _ => return,
        });
    }

    fn notified(&mut self, state: &mut State, notification: Notification, stream: bool) {
        let Notification { conversation, head, epoch, entries, .. } = notification;
        let acks = if stream { &mut self.acks.on_stream } else { &mut self.acks.in_datagrams };
        acks.push(Ack { conversation, head });
        if self.shared.options.reads {
            self.heard(state, conversation, head, epoch, entries);
        }
    }

    fn heard(
        &mut self,
        state: &mut State,
        conversation: ConversationId,
        head: Seq,
        epoch: Epoch,
        entries: Vec<Entry<Bytes>>,
    ) {
        self.see_epoch(state, epoch);
        if self.new_epoch.is_none() {
            state.inbox.handle_notification(conversation, head, entries);
            state.wake_reader(conversation);
        }
    }
}

/// The connection is gone, however it ended: calls without an answer fail.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        for (_, pending) in self.pending.drain() {
            if let Pending::Call(fate) | Pending::Read(_, fate) = pending {
                // Whoever called may be gone.
                let _ = fate.send(Err(CallError::Disconnected));
            }
        }
    }
}

fn sync_call(state: &State, after: ConversationId, start: goim_proto::Start) -> Call {
    let mut offsets: Vec<_> =
        state.inbox.offsets().filter(|offset| offset.conversation > after).map(position).collect();
    offsets.sort_unstable_by_key(|offset| offset.conversation);
    offsets.truncate(POSITIONS_MAX);
    Call::Sync(Sync { offsets, start, after, limit: 0 })
}

fn position(offset: OffsetMove) -> Position {
    Position { conversation: offset.conversation, seq: offset.offset }
}

#[cfg(test)]
mod tests;
