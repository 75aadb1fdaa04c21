//! A bot that talks and reads.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, future};
use goim_client::{Client, Content, ConversationId, SendError};
use tokio::sync::watch;

/// What a member says, over and over.
const LINES: [&str; 5] =
    ["hello!", "did you see that?", "numbers without gaps, please", "once is enough", "in order, always"];

/// One of the demo's bots.
pub(crate) struct Member {
    name: &'static str,
    pub(crate) client: Client,
    sent: AtomicU64,
    acked: AtomicU64,
    delivered: watch::Receiver<u64>,
}

/// How far a member is.
pub(crate) struct Progress {
    pub(crate) name: &'static str,
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) delivered: u64,
    pub(crate) committed: u64,
}

impl Member {
    /// Starts to read the group.
    pub(crate) fn join(name: &'static str, client: Client, group: ConversationId) -> Self {
        let mut messages = client.subscribe(group);
        let (count, delivered) = watch::channel(0);
        tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                count.send_modify(|count| *count += u64::from(message.text().is_some()));
            }
        });
        Self { name, client, sent: AtomicU64::new(0), acked: AtomicU64::new(0), delivered }
    }

    /// Talks for a while, then waits until everything is acknowledged. Returns how much that was.
    pub(crate) async fn talk(
        &self,
        group: ConversationId,
        time: Duration,
        pace: Duration,
    ) -> Result<u64, SendError> {
        let mut acks = Vec::new();
        let mut clock = tokio::time::interval(pace);
        let end = tokio::time::Instant::now() + time;
        for line in LINES.iter().cycle() {
            if clock.tick().await >= end {
                break;
            }
            let sending = self.client.send(group, Content::text(*line)).await?;
            self.sent.fetch_add(1, Ordering::Relaxed);
            acks.push(async move {
                sending.await?;
                self.acked.fetch_add(1, Ordering::Relaxed);
                Ok::<_, SendError>(())
            });
            if acks.len() >= 64 {
                future::try_join_all(acks.drain(..)).await?;
            }
        }
        future::try_join_all(acks).await?;
        Ok(self.acked.load(Ordering::Relaxed))
    }

    /// Waits until so many messages were delivered.
    pub(crate) async fn has_read(&self, messages: u64) {
        // The sender lives for as long as the client does.
        let _ = self.delivered.clone().wait_for(|count| *count >= messages).await;
    }

    pub(crate) async fn progress(&self, group: ConversationId) -> Result<Progress, Box<dyn Error>> {
        let items = self.client.heads(&[group]).await?;
        Ok(Progress {
            name: self.name,
            sent: self.sent.load(Ordering::Relaxed),
            acked: self.acked.load(Ordering::Relaxed),
            delivered: *self.delivered.borrow(),
            committed: items.first().map_or(0, |item| item.offset.as_u64()),
        })
    }
}
