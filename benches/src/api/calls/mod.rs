//! Every call: how it is made, with other arguments each time, and what it has to be answered.

mod groups;
mod messages;
mod people;

use std::time::Instant;

use futures_util::future::BoxFuture;
use goim_proto::{Call, Reply};

use super::ApiError;
use super::wire::WireError;
use super::world::{Who, World, expect_success};
use crate::latency::Latencies;

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    /// The call's name, and its reply's.
    pub(super) call: &'static str,
    reply: &'static str,
    /// What tells it from other lines of the same call.
    pub(super) what: &'static str,
    by: Who,
    make: Make,
    /// An answer that holds nothing is the right one.
    finds_nothing: bool,
}

/// How a call is made. What it takes to get there is not measured.
#[derive(Debug)]
enum Make {
    Plain(fn(&mut World) -> Call),
    Prepared(for<'a> fn(&'a mut World) -> Prepared<'a>),
}

type Prepared<'a> = BoxFuture<'a, Result<Call, ApiError>>;

const fn plain(
    call: &'static str,
    reply: &'static str,
    what: &'static str,
    by: Who,
    make: fn(&mut World) -> Call,
) -> Row {
    Row { call, reply, what, by, make: Make::Plain(make), finds_nothing: false }
}

const fn prepared(
    call: &'static str,
    reply: &'static str,
    what: &'static str,
    by: Who,
    make: for<'a> fn(&'a mut World) -> Prepared<'a>,
) -> Row {
    Row { call, reply, what, by, make: Make::Prepared(make), finds_nothing: false }
}

/// Every call that is one request and one answer.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    people::ROWS.iter().chain(groups::ROWS).chain(messages::ROWS)
}

impl Row {
    const fn finding_nothing(self) -> Self {
        Self { finds_nothing: true, ..self }
    }

    /// Makes the call so often.
    pub(super) async fn measure(&self, world: &mut World, times: u32) -> Result<Latencies, ApiError> {
        let mut latencies = Latencies::default();
        for _ in 0..times {
            let call = match self.make {
                Make::Plain(make) => make(world),
                Make::Prepared(make) => make(world).await?,
            };
            if name(call.code(), Call::<bytes::Bytes>::CODES) != self.call {
                return Err(ApiError::OtherCall(self.call));
            }
            let began = Instant::now();
            let (reply, took) = match world.wire(self.by)?.call(call).await {
                // Whoever logs out is answered or said good-bye to, whichever is faster.
                Err(WireError::SessionEnded) if self.call == "Logout" => (Reply::Done, began.elapsed()),
                answered => answered?,
            };
            let reply = expect_success(self.call, reply)?;
            if name(reply.code(), Reply::<bytes::Bytes>::CODES) != self.reply {
                return Err(ApiError::Unexpected(self.reply));
            }
            match (is_empty(&reply), self.finds_nothing) {
                (true, false) => return Err(ApiError::Nothing(self.call)),
                (false, true) => return Err(ApiError::Something(self.call)),
                _ => {}
            }
            latencies.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            if let Reply::Session(session) = reply {
                world.session = session;
            }
        }
        Ok(latencies)
    }
}

fn name(code: u64, codes: &'static [(u64, &'static str)]) -> &'static str {
    codes.iter().find(|(known, _)| *known == code).map_or("", |(_, name)| name)
}

/// Whether an answer lacks what makes it worth its time.
#[allow(clippy::wildcard_enum_match_arm, reason = "the others have no list that should not be empty")]
fn is_empty(reply: &Reply) -> bool {
    match reply {
        Reply::Profiles(list) => list.profiles.is_empty(),
        Reply::Found(page) => page.users.is_empty(),
        Reply::Devices(page) => page.devices.is_empty(),
        Reply::Members(page) => page.members.is_empty(),
        Reply::Applications(page) => page.applications.is_empty(),
        Reply::Heads(list) => list.items.is_empty(),
        Reply::FoundMessages(page) => page.messages.is_empty(),
        Reply::Pulled(page) => page.entries.is_empty(),
        Reply::History(page) => page.entries.is_empty(),
        // What is refused is not committed.
        Reply::Committed(committed) => !committed.refused.is_empty(),
        Reply::Readers(list) => list.read.is_empty() && list.unread.is_empty(),
        Reply::Conversations(page) => page.items.is_empty(),
        Reply::Presences(list) => list.presences.is_empty(),
        Reply::FriendRequests(page) => page.requests.is_empty(),
        Reply::Friends(page) => page.friends.is_empty(),
        Reply::Blocked(page) => page.users.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::whole;
    use super::*;

    #[test]
    fn every_call_is_measured() {
        let measured: BTreeSet<_> = rows().map(|row| row.call).chain(whole::CALLS.iter().copied()).collect();
        let known: BTreeSet<_> = Call::<bytes::Bytes>::CODES.iter().map(|(_, name)| *name).collect();
        assert_eq!(measured, known);
    }
}
