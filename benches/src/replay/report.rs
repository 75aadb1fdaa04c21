//! What a run came to, for people and for programs.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::channel::Done;
use crate::irc::Skipped;

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Percentiles {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Percentiles {
    /// Of microseconds.
    pub(crate) fn of(latencies_us: &[u64]) -> Self {
        // Three digits of precision from a microsecond to an hour.
        let Ok(mut histogram) = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3) else {
            return Self::default();
        };
        for latency in latencies_us {
            histogram.saturating_record(*latency);
        }
        let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1_000.0;
        Self {
            p50: ms(histogram.value_at_quantile(0.5)),
            p90: ms(histogram.value_at_quantile(0.9)),
            p99: ms(histogram.value_at_quantile(0.99)),
            max: ms(histogram.max()),
        }
    }
}

use std::time::Duration;

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
    pub(crate) ack_ms: Percentiles,
    pub(crate) delivery_ms: Percentiles,
    pub(crate) server_rss_bytes: Option<u64>,
    pub(crate) skipped: Skipped,
    pub(crate) failed_checks: u64,
    pub(crate) findings: Vec<String>,
    #[serde(skip)]
    ack_us: Vec<u64>,
    #[serde(skip)]
    delivery_us: Vec<u64>,
}

impl Report {
    pub(crate) fn add(&mut self, file: &str, done: Done, skipped: &Skipped) {
        self.files += 1;
        self.persons += done.persons as u64;
        self.messages += done.messages;
        self.deliveries += done.deliveries;
        self.seconds += done.took.as_secs_f64();
        self.messages_per_s = rate(self.messages, self.seconds);
        self.deliveries_per_s = rate(self.deliveries, self.seconds);
        self.ack_us.extend(done.ack_us);
        self.delivery_us.extend(done.delivery_us);
        self.ack_ms = Percentiles::of(&self.ack_us);
        self.delivery_ms = Percentiles::of(&self.delivery_us);
        self.skipped.add(skipped);
        self.failed_checks += done.findings.len() as u64;
        self.findings.extend(done.findings.into_iter().map(|finding| format!("{file}: {finding}")));
    }
}

fn rate(count: u64, seconds: f64) -> f64 {
    // Counts of a run stay far below 2⁵³.
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let count = count as f64;
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "{name:<22} {value}");
        row(f, "files, persons", format!("{}, {}", self.files, self.persons))?;
        row(f, "messages", format!("{} ({:.0}/s)", self.messages, self.messages_per_s))?;
        row(f, "deliveries", format!("{} ({:.0}/s)", self.deliveries, self.deliveries_per_s))?;
        row(f, "seconds", format!("{:.2}", self.seconds))?;
        row(f, "", format!("{:>9} {:>9} {:>9} {:>9}", "p50", "p90", "p99", "max"))?;
        for (name, p) in [("ack ms", self.ack_ms), ("delivery ms", self.delivery_ms)] {
            row(f, name, format!("{:>9.2} {:>9.2} {:>9.2} {:>9.2}", p.p50, p.p90, p.p99, p.max))?;
        }
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
