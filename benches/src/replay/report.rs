//! What a run came to, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::channel::Done;
use crate::irc::Skipped;
use crate::latency::{Latencies, Percentiles, per_s, row_of};

/// The whole run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) files: u64,
    pub(crate) persons: u64,
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    pub(crate) seconds: f64,
    pub(crate) messages_per_s: f64,
    pub(crate) deliveries_per_s: f64,
    /// Absent if there was none, like the next one.
    pub(crate) ack_ms: Option<Percentiles>,
    pub(crate) delivery_ms: Option<Percentiles>,
    pub(crate) server_rss_bytes: Option<u64>,
    pub(crate) skipped: Skipped,
    pub(crate) failed_checks: u64,
    pub(crate) findings: Vec<String>,
    #[serde(skip)]
    acks: Latencies,
    #[serde(skip)]
    delivered: Latencies,
}

impl Report {
    pub(crate) fn add(&mut self, file: &str, done: Done, skipped: &Skipped) {
        self.files += 1;
        self.persons += done.persons as u64;
        self.messages += done.messages;
        self.deliveries += done.deliveries;
        self.seconds += done.took.as_secs_f64();
        self.messages_per_s = per_s(self.messages, self.seconds);
        self.deliveries_per_s = per_s(self.deliveries, self.seconds);
        self.acks.add(&done.acks);
        self.delivered.add(&done.delivered);
        self.ack_ms = self.acks.percentiles();
        self.delivery_ms = self.delivered.percentiles();
        self.skipped.add(skipped);
        self.failed_checks += done.findings.len() as u64;
        self.findings.extend(done.findings.into_iter().map(|finding| format!("{file}: {finding}")));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "{name:<22} {value}");
        row(f, "files, persons", format!("{}, {}", self.files, self.persons))?;
        row(f, "messages", format!("{} ({:.0}/s)", self.messages, self.messages_per_s))?;
        row(f, "deliveries", format!("{} ({:.0}/s)", self.deliveries, self.deliveries_per_s))?;
        row(f, "seconds", format!("{:.2}", self.seconds))?;
        row(f, "", Percentiles::header())?;
        row(f, "ack ms", row_of(self.ack_ms.as_ref()))?;
        row(f, "delivery ms", row_of(self.delivery_ms.as_ref()))?;
        let rss = self.server_rss_bytes.map(|bytes| format!("{} MiB", bytes >> 20));
        row(f, "server memory", rss.unwrap_or_else(|| "not ours to read".to_owned()))?;
        let s = &self.skipped;
        let skipped = [
            ("blank", s.blank),
            ("empty", s.empty),
            ("too_long", s.too_long),
            ("unrecognised", s.unrecognised),
            ("joined_twice", s.joined_twice),
            ("left_absent", s.left_absent),
            ("repaired", s.repaired),
        ];
        let skipped: Vec<_> = skipped.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        row(f, "lines skipped", skipped.join(", "))?;
        row(f, "failed checks", self.failed_checks.to_string())?;
        for finding in &self.findings {
            writeln!(f, "  {finding}")?;
        }
        Ok(())
    }
}
