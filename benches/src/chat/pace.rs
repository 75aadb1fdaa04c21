//! An open loop: messages are due at fixed times, whatever the server does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

/// Hands out what is due from a thread of its own, because the runtime's timers round up to a
/// millisecond.
#[derive(Debug)]
pub(super) struct Pacer {
    due: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Pacer {
    /// Has each sender in turn send, so many messages a second of all together, from `start` until
    /// `end`. What a sender gets is when the message was due, in microseconds since `epoch`.
    pub(super) fn start(
        epoch: Instant,
        (start, end): (Instant, Instant),
        rate: u32,
        senders: Vec<UnboundedSender<u64>>,
    ) -> Self {
        let due_so_far = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&due_so_far);
        let thread = std::thread::spawn(move || {
            let between = Duration::from_secs(1) / rate;
            for (number, sender) in (0_u32..).zip(senders.iter().cycle()) {
                let due = start + between * number;
                if due >= end {
                    return;
                }
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                shared.fetch_add(1, Ordering::Relaxed);
                let due_us = u64::try_from((due - epoch).as_micros()).unwrap_or(u64::MAX);
                // A sender that has failed says so itself.
                let _ = sender.send(due_us);
            }
        });
        Self { due: due_so_far, thread }
    }

    /// How many were due so far.
    pub(super) fn due(&self) -> u64 {
        self.due.load(Ordering::Relaxed)
    }

    /// Waits for the end; says how many were due.
    pub(super) async fn finish(self) -> u64 {
        let thread = self.thread;
        // It does not panic.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        self.due.load(Ordering::Relaxed)
    }
}
