//! What a run came to, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::seed::Size;
use crate::latency::{Latencies, Percentiles, row_of};

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(super) size: Size,
    pub(super) seed: u64,
    /// How often each was measured.
    pub(super) repeat: u32,
    /// What it took to write the data set, and to deliver what was due to inboxes.
    pub(super) seeding_s: f64,
    pub(super) calls: Vec<Measured>,
}

/// One line.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    call: &'static str,
    /// With what, and how much of it.
    what: String,
    ms: Option<Percentiles>,
}

impl Measured {
    pub(super) fn new(call: &'static str, what: String, latencies: &Latencies) -> Self {
        Self { call, what, ms: latencies.percentiles() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { messages, users, conversations } = self.size;
        writeln!(f, "{messages} messages, {users} users, {conversations} conversations of one of them")?;
        writeln!(
            f,
            "seed {}, written in {:.1} s, each call {} times",
            self.seed, self.seeding_s, self.repeat
        )?;
        writeln!(f, "{:<20} {:<42} {}", "ms", "", Percentiles::header())?;
        for Measured { call, what, ms } in &self.calls {
            writeln!(f, "{call:<20} {what:<42} {}", row_of(ms.as_ref()))?;
        }
        Ok(())
    }
}
