//! An open loop: messages are due at fixed times, whatever the server does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

/// How late a message may be handed to its sender and still count as sent in time: an operating
/// system's turn of another thread.
const LATE_MAX: Duration = Duration::from_millis(20);

/// Hands out what is due from a thread of its own, because the runtime's timers round up to a
/// millisecond.
#[derive(Debug)]
pub(super) struct Pacer {
    counts: Arc<Counts>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    due: AtomicU64,
    in_time: AtomicU64,
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
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            let between = Duration::from_secs(1) / rate;
            for (number, sender) in (0_u32..).zip(senders.iter().cycle()) {
                let due = start + between * number;
                if due >= end {
                    return;
                }
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                shared.due.fetch_add(1, Ordering::Relaxed);
                if due.elapsed() <= LATE_MAX {
                    shared.in_time.fetch_add(1, Ordering::Relaxed);
                }
                let due_us = u64::try_from((due - epoch).as_micros()).unwrap_or(u64::MAX);
                // A sender that has failed says so itself.
                let _ = sender.send(due_us);
            }
        });
        Self { counts, thread }
    }

    /// Waits for the end; says how many were due, and how many of them were handed out in time.
    pub(super) async fn finish(self) -> (u64, u64) {
        let thread = self.thread;
        // It does not panic.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        (self.counts.due.load(Ordering::Relaxed), self.counts.in_time.load(Ordering::Relaxed))
    }
}
