//! A person of a log: a user with a connection of its own, who reads everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use goim_client::{Client, ConversationId, Start, Transport, UserId};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::ReplayError;
use super::channel::Clock;
use super::check::Stored;

/// Tries to connect while the server is busy with everybody else.
const CONNECT_TRIES: u32 = 20;

pub(super) struct Person {
    pub(super) client: Client,
    pub(super) user: UserId,
    pub(super) reader: Reader,
}

/// What a person has read so far.
pub(super) struct Reader {
    /// The last seq.
    pub(super) seen: Arc<AtomicU64>,
    task: JoinHandle<Got>,
    stop: Arc<Notify>,
}

/// What a person has read, and how long each message of the run was on its way, in microseconds.
#[derive(Default)]
pub(super) struct Got {
    pub(super) entries: Vec<Stored>,
    pub(super) latencies_us: Vec<u64>,
}

/// Connects a bot.
pub(super) async fn connect(
    address: &str,
    transport: &Transport,
    token: &str,
) -> Result<Client, ReplayError> {
    let mut tries = 0;
    loop {
        let builder = Client::builder(address).transport(transport).token(token).start(Start::Beginning);
        match builder.connect().await {
            Ok(client) => return Ok(client),
            Err(error) if tries >= CONNECT_TRIES => return Err(error.into()),
            Err(_) => {
                tries += 1;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

impl Reader {
    /// Reads a conversation until it is told to stop.
    pub(super) fn start(
        client: &Client,
        of: ConversationId,
        clock: &Arc<Clock>,
        progress: &Arc<Notify>,
    ) -> Self {
        let mut messages = client.messages();
        let (seen, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let (last, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let (clock, progress) = (Arc::clone(clock), Arc::clone(progress));
        let task = tokio::spawn(async move {
            let mut got = Got::default();
            loop {
                let message = tokio::select! {
                    message = messages.next() => message,
                    () = stopped.notified() => None,
                };
                let Some(message) = message else { return got };
                if message.conversation != of {
                    continue;
                }
                got.latencies_us.extend(clock.since_sent_us(&message.entry.client_msg_id));
                last.store(message.entry.seq.as_u64(), Ordering::Release);
                got.entries.push(message.entry);
                progress.notify_one();
            }
        });
        Self { seen, task, stop }
    }

    /// What was read.
    pub(super) async fn finish(self) -> Got {
        self.stop.notify_one();
        self.task.await.unwrap_or_default()
    }
}
