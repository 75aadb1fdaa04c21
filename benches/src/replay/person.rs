//! A person of a log: a user with a connection of its own, who reads everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use goim_client::{Client, ConversationId};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::channel::Clock;
use super::check::Stored;
use crate::crowd::User;
use crate::latency::Latencies;

pub(super) struct Person {
    pub(super) user: User,
    pub(super) reader: Reader,
}

/// What a person has read so far.
pub(super) struct Reader {
    /// The last seq.
    pub(super) seen: Arc<AtomicU64>,
    task: JoinHandle<Got>,
    stop: Arc<Notify>,
}

/// What a person has read, and how long each message of the run was on its way.
#[derive(Default)]
pub(super) struct Got {
    pub(super) entries: Vec<Stored>,
    pub(super) latencies: Latencies,
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
                if let Some(us) = clock.since_sent_us(&message.entry.client_msg_id) {
                    got.latencies.record(us);
                }
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
