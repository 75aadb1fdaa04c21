//! An open loop: messages are due at fixed times, whatever the server does.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::ChatError;

/// Hands out what is due from a thread of its own, because the runtime's timers round up to a
/// millisecond.
#[derive(Debug)]
pub(super) struct Pacer(JoinHandle<u64>);

impl Pacer {
    /// Has each sender in turn send, so many messages a second of all together, from `start` until
    /// `end`. What a sender gets is when the message was due, in microseconds since `epoch`.
    pub(super) fn start(
        epoch: Instant,
        (start, end): (Instant, Instant),
        rate: u32,
        senders: Vec<UnboundedSender<u64>>,
    ) -> Self {
        Self(std::thread::spawn(move || {
            let between = Duration::from_secs(1) / rate;
            let mut number = 0;
            for sender in senders.iter().cycle() {
                let due = start + between * number;
                if due >= end {
                    break;
                }
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                number += 1;
                let due_us = u64::try_from((due - epoch).as_micros()).unwrap_or(u64::MAX);
                // A sender that has failed says so itself.
                let _ = sender.send(due_us);
            }
            u64::from(number)
        }))
    }

    /// Waits for the end; says how many were due.
    pub(super) async fn finish(self) -> Result<u64, ChatError> {
        tokio::task::spawn_blocking(|| self.0.join()).await?.map_err(|_| ChatError::Paced)
    }
}
