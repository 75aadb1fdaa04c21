//! Calls that come one by one, without a connection: each brings its token.

use std::net::IpAddr;
use std::sync::Arc;

use goim_core::DeviceId;
use goim_core::lane::Outcome;
use goim_proto::{Authenticate, Call, Error, ErrorCode, Reply, Send, Sent, SessionInfo};
use tokio::sync::oneshot;

use super::answers::sent;
use super::{Answered, Refusal, Service, Ticket, refuse, too_fast};
use crate::access::{Allowance, Buckets, Connection};
use crate::config::Limits;

/// When to ask again after the store went back, in milliseconds.
const EPOCH_RETRY_MS: u64 = 100;

/// Who makes a call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Where from.
    pub(crate) address: IpAddr,
    /// What he shows, if anything.
    pub(crate) token: Option<Authenticate>,
}

/// How fast devices may call without a connection: as fast as with one.
#[derive(Debug)]
pub(super) struct Pace {
    calls: Buckets<DeviceId>,
    /// None: as fast as the store takes them.
    sends: Option<Buckets<DeviceId>>,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let sends = (limits.sends_per_s > 0).then(|| Buckets::new(Allowance::sends(limits)));
        Self { calls: Buckets::new(Allowance::requests(limits)), sends }
    }
}

impl Service {
    /// Answers a call that comes alone.
    pub(crate) async fn call_once(&self, caller: &Caller, call: Call) -> Answered {
        self.metrics.calls_total.add(1);
        let epoch = self.epoch();
        let answer = self.answer_once(caller, call).await;
        if answer.is_err() {
            self.metrics.calls_failed_total.add(1);
        }
        // It may have been looked up before and named after, or the other way round.
        if answer.is_ok() && self.epoch() != epoch {
            let error = Error::new(ErrorCode::Unavailable, "the store went back; call again");
            return Err(Error { retry_after_ms: Some(EPOCH_RETRY_MS), ..error });
        }
        answer
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "all other calls need a session and no connection")]
    async fn answer_once(&self, caller: &Caller, call: Call) -> Answered {
        match call {
            Call::Register(_) | Call::Login(_) | Call::LoginExternal(_) | Call::Refresh(_) => {
                self.account_call(caller.address, call).await
            }
            Call::Ping => Ok(Reply::Done),
            Call::Unknown(_) => refuse(ErrorCode::UnknownCall, "this server does not know the call"),
            Call::Authenticate(_) => Ok(Reply::Authenticated(self.caller(caller).await?)),
            Call::Send(send) => {
                let session = self.caller(caller).await?;
                self.send_once(&session, send).await.map(Reply::Sent)
            }
            call => {
                let session = self.caller(caller).await?;
                let epoch = self.epoch();
                match call {
                    Call::Pull(pull) => self.pull_from_store(&session, epoch, pull).await.map(Reply::Pulled),
                    Call::History(history) => self.history(&session, history).await,
                    Call::ListConversations(arguments) => self.list_conversations(&session, arguments).await,
                    Call::SearchMessages(arguments) => self.search_messages(&session, arguments).await,
                    call => self.session_call(&session, epoch, call).await,
                }
            }
        }
    }

    /// Whom a call is made for, if his token is good and he is not too fast.
    pub(super) async fn caller(&self, caller: &Caller) -> Result<SessionInfo, Error> {
        let Some(token) = &caller.token else {
            return refuse(ErrorCode::Unauthenticated, "show a token, as `Authorization: Bearer …`");
        };
        let (session, _) = self.session_for(token).await?;
        self.pace.calls.take(self.clock.now(), session.device).map_err(too_fast)?;
        Ok(session)
    }

    /// Opens the session of a connection that has shown its token once and for all.
    pub(crate) async fn open_stream(
        &self,
        connection: &Arc<Connection>,
        caller: &Caller,
    ) -> Result<SessionInfo, Error> {
        self.caller(caller).await?;
        let token = caller.token.clone().unwrap_or_default();
        self.authenticate(connection, &token).await
    }

    /// Appends messages in their order; what became of each.
    pub(crate) async fn send_all(
        &self,
        caller: &Caller,
        sends: Vec<Send>,
    ) -> Result<Vec<Result<Sent, Error>>, Error> {
        self.metrics.calls_total.add(sends.len());
        let session = self.caller(caller).await?;
        let mut answers = Vec::with_capacity(sends.len());
        for send in sends {
            answers.push(self.send_once(&session, send).await);
        }
        Ok(answers)
    }

    async fn send_once(&self, session: &SessionInfo, send: Send) -> Result<Sent, Error> {
        self.check_takes_sends()?;
        if let Some(sends) = &self.pace.sends {
            sends.take(self.clock.now(), session.device).map_err(too_fast)?;
        }
        let (answer, answered) = oneshot::channel::<Outcome<Refusal>>();
        // Nobody is charged here for a repetition that he does not mark, so all of them are looked up.
        let send = Send { retry: true, ..send };
        let offers = vec![Self::draft(session, self.epoch(), send, Ticket::Call(answer))?];
        let outcome = self.fate(offers, answered).await?;
        match outcome {
            Outcome::Committed { .. } => self.metrics.sends_committed_total.add(1),
            Outcome::Duplicate { .. } => self.metrics.sends_duplicate_total.add(1),
            Outcome::Refused(_)
            | Outcome::NoSuchConversation
            | Outcome::OutOfOrder
            | Outcome::Rejected
            | Outcome::Unavailable(_) => {}
        }
        sent(&outcome)
    }
}
