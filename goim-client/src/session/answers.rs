//! What the answers of a connection change.

use goim_core::outbox::Answered;
use goim_core::{ClientMsgId, ConversationId, Entry, Time};
use goim_proto::{Committed, Error, ErrorCode, Pulled, RefusedOffset, Reply, Sent, SyncItem, Synced};

use super::{Progress, Session};
use crate::outbox::send_answer;
use crate::pending::{Ended, Pending};
use crate::shared::{State, Tokens};
use crate::{Event, SendError};

impl Session<'_> {
    pub(super) fn replied(
        &mut self,
        state: &mut State,
        now: Time,
        pending: Pending,
        reply: Reply,
    ) -> Result<(), Ended> {
        match (pending, reply) {
            (Pending::Send { conversation, id, round }, Reply::Sent(sent)) => {
                self.sent(state, now, (conversation, id, round), Ok(sent));
            }
            (Pending::Send { conversation, id, round }, Reply::Error(error)) => {
                self.sent(state, now, (conversation, id, round), Err(error));
            }
            // Whoever called may be gone.
            (Pending::Call(fate), reply) => drop(fate.send(Ok(reply))),
            (Pending::Read(conversation, fate), reply) => {
                if let Reply::Pulled(Pulled { head, epoch, .. }) = &reply
                    && self.shared.options.reads
                {
                    // The server does not announce what this answer tells.
                    self.heard(state, conversation, *head, *epoch, Vec::new());
                }
                drop(fate.send(Ok(reply)));
            }
            (Pending::Pull(conversation), Reply::Pulled(pulled)) => {
                self.see_epoch(state, pulled.epoch);
                let (through, head) = (pulled.through, pulled.head);
                state.inbox.handle_pulled(now, conversation, pulled.entries, through, head);
                state.commit_due = true;
                state.wake_reader(conversation);
            }
            (Pending::Pull(conversation), _) => state.inbox.handle_pull_failed(now, conversation),
            (Pending::Commit, Reply::Committed(Committed { refused })) => self.committed(state, &refused),
            (Pending::Commit, _) => commit_again(state),
            (Pending::Sync, Reply::Synced(synced)) => self.synced(state, synced),
            (Pending::Sync, _) => return Err(Ended::lost("the server could not sync")),
            (Pending::Unknown(asked), Reply::Heads(heads)) => located(state, &asked, heads.items),
            (Pending::Unknown(asked), _) => {
                asked.iter().for_each(|one| state.inbox.handle_unknown_failed(now, *one));
            }
            (Pending::WentBack(asked), Reply::Heads(heads)) => self.went_back(state, &asked, &heads.items),
            (Pending::WentBack(_), _) => {
                return Err(Ended::lost("the server could not tell its heads"));
            }
            (Pending::Refresh, Reply::Session(session)) => {
                let tokens = Tokens {
                    access: session.access_token,
                    expires_ms: Some(session.access_expires_ms),
                    refresh: Some(session.refresh_token),
                };
                // The refresh token is used up: the new one counts even if this connection is lost
                // now.
                state.tokens = Some(tokens.clone());
                self.renewed = Some(tokens);
            }
            (Pending::Refresh, Reply::Error(error)) if !error.code.is_retryable() => {
                return Err(Ended::Refused(error.message));
            }
            (Pending::Renew(tokens), Reply::Authenticated(info)) => {
                state.wants_sync |= state.session.is_none();
                (state.session, state.tokens) = (Some(info), Some(tokens));
                self.shared.event(Event::TokensRenewed);
            }
            (Pending::Send { .. } | Pending::Refresh | Pending::Renew(_), _) => {
                return Err(Ended::lost("the server's answer does not fit the call"));
            }
        }
        Ok(())
    }

    fn sent(
        &mut self,
        state: &mut State,
        now: Time,
        (conversation, id, round): (ConversationId, ClientMsgId, u32),
        answer: Result<Sent, Error>,
    ) {
        match state.outbox.handle_answer(now, conversation, id, round, send_answer(&answer)) {
            Answered::Done { body, ticket } => {
                self.answered.push(id);
                let sent = answer.as_ref().ok().cloned();
                if let Some(fate) = ticket {
                    // Whoever sent it need not wait for it.
                    let _ = fate.send(answer.map_err(SendError::Refused));
                }
                let (Some(sent), Some(session)) = (sent, &state.session) else { return };
                if !self.shared.options.reads {
                    return;
                }
                let Sent { seq, at_ms, count, duplicate } = sent;
                if duplicate {
                    // What is stored may say something else: the first copy counts.
                    state.inbox.handle_notification(conversation, seq, []);
                } else {
                    // One's own message is an entry like any other, and here it is already.
                    let sender = session.user;
                    let entry = Entry { seq, sender, client_msg_id: id, at_ms, count, body };
                    state.inbox.handle_own(now, conversation, entry);
                }
                state.wake_reader(conversation);
            }
            Answered::Again | Answered::Stale => {}
        }
    }

    fn synced(&mut self, state: &mut State, synced: Synced) {
        self.see_epoch(state, synced.epoch);
        for item in synced.items {
            state.subscribe(item.conversation, item.offset, item.head);
        }
        self.sync_after = synced.next;
        self.sync = if synced.more { Progress::Wanted } else { Progress::Done };
        if self.sync == Progress::Done {
            self.shared.event(Event::Connected);
        }
    }

    fn committed(&mut self, state: &mut State, refused: &[RefusedOffset]) {
        if refused.iter().any(|one| one.code == ErrorCode::OtherEpoch) {
            // The new epoch is about to be told, and then what is committed is what it has.
            return commit_again(state);
        }
        for one in refused {
            self.shared.event(Event::OffsetRefused { conversation: one.conversation });
        }
        self.committed.extend(state.inbox.handle_committed());
        state.commit_due |= !state.inbox.is_committed();
    }
}

fn commit_again(state: &mut State) {
    state.inbox.handle_commit_failed();
    state.commit_due = true;
}

fn located(state: &mut State, asked: &[ConversationId], items: Vec<SyncItem>) {
    for item in items {
        state.subscribe(item.conversation, item.offset, item.head);
    }
    for conversation in
        asked.iter().filter(|conversation| !state.inbox.knows(**conversation)).collect::<Vec<_>>()
    {
        state.inbox.forget_unknown(*conversation);
    }
}
