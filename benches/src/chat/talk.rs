//! What one user does: send, and read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::{FutureExt, StreamExt};
use goim_client::{Client, Content, ConversationId, SendError, Sending, Seq, UserId};
use goim_core::hash::spread;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::ChatError;
use super::ledger::{Ledger, Progress, Senders};
use crate::crowd::CrowdError;
use crate::latency::Latencies;

/// Bytes of a message's text: when it was sent or due, and words, for the server has to index them.
const TEXT_BYTES: usize = 100;
const WORDS: [&str; 16] = [
    "the", "driver", "works", "now", "with", "that", "kernel", "but", "why", "is", "it", "so", "slow", "on",
    "my", "machine",
];

/// How late a message may be sent and still count as sent in time: an operating system's turn of another
/// thread.
const LATE_MAX_US: u64 = 20_000;

/// What all users of a run share.
#[derive(Debug)]
pub(super) struct Stage {
    /// What times count from.
    pub(super) epoch: Instant,
    /// Latencies of messages sent or due from here on count, in microseconds since `epoch`.
    pub(super) measured_from_us: AtomicU64,
    pub(super) measured_until_us: AtomicU64,
    /// A closed loop sends no more.
    pub(super) ended: AtomicBool,
}

impl Stage {
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn counts(&self, at_us: u64) -> bool {
        at_us >= self.measured_from_us.load(Ordering::Relaxed)
            && at_us < self.measured_until_us.load(Ordering::Relaxed)
    }
}

fn content(at_us: u64) -> Content {
    let mut text = format!("{at_us:016x}");
    // As if at random: times in an open loop are multiples of one.
    let mut dice = spread(at_us);
    while text.len() < TEXT_BYTES {
        text.push(' ');
        text.push_str(WORDS[usize::try_from(dice).unwrap_or(0) % WORDS.len()]);
        dice = dice.rotate_right(WORDS.len().ilog2());
    }
    text.truncate(TEXT_BYTES);
    Content::text(text)
}

fn sent_at_us(text: &str) -> Option<u64> {
    u64::from_str_radix(text.get(..16)?, 16).ok()
}

/// Who talks, where.
pub(super) struct Talker {
    pub(super) stage: Arc<Stage>,
    pub(super) client: Client,
    pub(super) me: UserId,
    pub(super) conversation: ConversationId,
    pub(super) senders: Arc<Senders>,
}

impl Talker {
    /// Keeps a window of messages unacknowledged until the stage says that it is over.
    pub(super) async fn closed_loop(self, window: usize) -> Result<Latencies, ChatError> {
        let mut latencies = Latencies::default();
        let mut waiting: VecDeque<(u64, Sending)> = VecDeque::with_capacity(window);
        while !self.stage.ended.load(Ordering::Relaxed) {
            if waiting.len() < window {
                let at_us = self.stage.now_us();
                waiting.push_back((at_us, self.send(at_us).await?));
            } else {
                self.take_ack(&mut waiting, &mut latencies).await?;
            }
            // While the window is filled, too: a time counts until the acknowledgement came.
            while let Some((_, sending)) = waiting.front_mut()
                && let Some(fate) = sending.now_or_never()
            {
                self.acked(&mut waiting, fate, &mut latencies)?;
            }
        }
        while !waiting.is_empty() {
            self.take_ack(&mut waiting, &mut latencies).await?;
        }
        Ok(latencies)
    }

    /// Sends what is due, until nothing more will be.
    pub(super) async fn open_loop(self, mut due: UnboundedReceiver<u64>) -> Result<Latencies, ChatError> {
        let mut latencies = Latencies::default();
        let mut waiting: VecDeque<(u64, Sending)> = VecDeque::new();
        let mut open = true;
        while open || !waiting.is_empty() {
            let first = async {
                match waiting.front_mut() {
                    Some((_, sending)) => sending.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                fate = first => self.acked(&mut waiting, fate, &mut latencies)?,
                next = due.recv(), if open => match next {
                    Some(due_us) => {
                        if self.stage.now_us() > due_us + LATE_MAX_US {
                            self.count(|progress| &progress.late);
                        }
                        waiting.push_back((due_us, self.send(due_us).await?));
                    }
                    None => open = false,
                },
            }
        }
        Ok(latencies)
    }

    async fn send(&self, at_us: u64) -> Result<Sending, ChatError> {
        let sending = self.client.send(self.conversation, content(at_us)).await.map_err(CrowdError::from)?;
        self.count(|progress| &progress.sent);
        Ok(sending)
    }

    fn count(&self, what: impl FnOnce(&Progress) -> &AtomicU64) {
        if let Some(progress) = self.senders.get(&self.me) {
            what(progress).fetch_add(1, Ordering::AcqRel);
        }
    }

    async fn take_ack(
        &self,
        waiting: &mut VecDeque<(u64, Sending)>,
        latencies: &mut Latencies,
    ) -> Result<(), ChatError> {
        let Some((_, first)) = waiting.front_mut() else { return Ok(()) };
        let fate = first.await;
        self.acked(waiting, fate, latencies)
    }

    /// The first of those that wait has its fate.
    fn acked(
        &self,
        waiting: &mut VecDeque<(u64, Sending)>,
        fate: Result<goim_client::Sent, SendError>,
        latencies: &mut Latencies,
    ) -> Result<(), ChatError> {
        let sent = fate.map_err(CrowdError::from)?;
        if let Some(progress) = self.senders.get(&self.me) {
            progress.through.store(sent.seq.as_u64(), Ordering::Release);
        }
        self.count(|progress| &progress.acked);
        if let Some((at_us, _)) = waiting.pop_front()
            && self.stage.counts(at_us)
        {
            latencies.record(self.stage.now_us().saturating_sub(at_us));
        }
        Ok(())
    }
}

/// Who reads, where.
pub(super) struct Listener {
    pub(super) stage: Arc<Stage>,
    pub(super) client: Client,
    pub(super) me: UserId,
    pub(super) conversation: ConversationId,
    pub(super) senders: Arc<Senders>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Listener {
    /// Reads until it is told to stop.
    pub(super) async fn listen(mut self) -> Result<Latencies, ChatError> {
        let mut messages = self.client.subscribe(self.conversation);
        let mut latencies = Latencies::default();
        let mut last = None::<Seq>;
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                _ = self.stop.wait_for(|stop| *stop) => None,
            };
            let Some(message) = message else { return Ok(latencies) };
            let seq = message.seq();
            if let Some(last) = last.replace(seq)
                && seq != last.next()
            {
                return Err(ChatError::OutOfOrder { got: seq.as_u64(), last: last.as_u64() });
            }
            if message.sender() == self.me {
                continue;
            }
            let Some(at_us) = message.text().as_deref().and_then(sent_at_us) else { continue };
            if self.stage.counts(at_us) {
                latencies.record(self.stage.now_us().saturating_sub(at_us));
            }
            let mut ledger = lock(&self.ledger);
            if ledger.add(seq, message.sender())
                && let Some(committed) = self.client.committed_offset(self.conversation)
            {
                ledger.settle(committed, &self.senders);
            }
        }
    }
}

/// Whoever panics with a ledger in hand ends the run.
pub(super) fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_size_and_its_time() {
        for at_us in [0, 1, 123_456_789] {
            let content = content(at_us);
            let text = content.as_text().unwrap();
            assert_eq!((text.len(), sent_at_us(text)), (TEXT_BYTES, Some(at_us)));
        }
        assert_eq!(sent_at_us("no time"), None);
    }
}
