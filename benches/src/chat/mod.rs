//! Users who talk in pairs, or all in one group: how many messages go all the way, and how fast.

mod ledger;
mod pace;
mod report;
mod run;
mod talk;

pub(crate) use report::Report;
pub(crate) use run::run;

use crate::crowd::CrowdError;
use crate::host::{HostError, HostOptions};

/// Users talk in pairs over real connections. A message counts when it was acknowledged, handed to
/// its reader, and the reader's offset committed, all within the measured time.
///
/// Without --rate each user keeps --window messages unacknowledged. With it, messages are due at
/// fixed times, whatever the server does, and latencies count from when a message was due.
#[derive(Debug, clap::Args)]
pub(crate) struct ChatOptions {
    #[command(flatten)]
    host: HostOptions,
    /// How many users; in pairs an even number.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    users: u32,
    /// Messages that a user may have unacknowledged; so many fit into an outbox.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    window: u32,
    /// How long to measure.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Messages a second of all users together, an open loop.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// One group of all users instead of pairs.
    #[arg(long)]
    group: bool,
    /// How many of the group's members read; all of them send. Without it, all.
    #[arg(long, requires = "group", value_parser = clap::value_parser!(u32).range(1..))]
    readers: Option<u32>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can go wrong. There are no figures then: a wrong one is worse than none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatError {
    #[error("{0} users do not make pairs: use an even number, or --group")]
    Odd(u32),
    #[error("--readers {readers} of --users {users}: a group's readers are some of its members")]
    Readers { readers: u32, users: u32 },
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Crowd(#[from] CrowdError),
    #[error(
        "the generator fell behind: of {due} messages that were due it sent {late} too late; this machine \
         cannot make that rate, so there are no figures"
    )]
    Behind { due: u64, late: u64 },
    #[error(
        "after the run, and {patience_s} s in which nothing came, {unacked} messages were not acknowledged, and \
         {undelivered} deliveries of others still due: the server cannot keep up"
    )]
    Unfinished { unacked: u64, undelivered: u64, patience_s: u64 },
    #[error(
        "at the end of the run {unacked} messages were not acknowledged, and {undelivered} deliveries of others \
         still due: the server cannot keep that rate, and the generator sent {late} of {due} messages too late"
    )]
    Backlog { unacked: u64, undelivered: u64, due: u64, late: u64 },
    #[error("within the measured time no message went all the way: measure longer, or more of them")]
    Nothing,
    #[error("a reader was handed {got} behind {last}: entries were lost or repeated")]
    OutOfOrder { got: u64, last: u64 },
    #[error("what tells the generator when a message is due ended early")]
    Paced,
    #[error("a task of the generator ended early")]
    Task(#[from] tokio::task::JoinError),
}

impl ChatOptions {
    fn check(&self) -> Result<(), ChatError> {
        match self.readers {
            Some(readers) if readers > self.users => Err(ChatError::Readers { readers, users: self.users }),
            _ if !self.group && !self.users.is_multiple_of(2) => Err(ChatError::Odd(self.users)),
            _ => Ok(()),
        }
    }
}
