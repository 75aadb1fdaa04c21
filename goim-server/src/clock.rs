//! The server's clocks: a monotonic one for core, and the time of day for entries and tokens.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use goim_core::Time;

/// A monotonic clock that starts with the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The moment as the runtime's timers take it.
    pub(crate) fn instant(self, time: Time) -> tokio::time::Instant {
        (self.start + std::time::Duration::from_micros(time.as_micros())).into()
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
