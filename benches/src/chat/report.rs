//! What a run came to, for people and for programs.

use std::fmt;

use serde::Serialize;

use crate::latency::Percentiles;

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) users: u32,
    pub(crate) conversations: u64,
    /// Absent in an open loop.
    pub(crate) window: Option<u32>,
    pub(crate) rate: Option<u32>,
    pub(crate) seconds: f64,
    /// Messages that were acknowledged in the measured time.
    pub(crate) acked: u64,
    pub(crate) acked_per_s: f64,
    /// Acknowledged, handed to a reader, and his offset committed: once for each reader.
    pub(crate) delivered: u64,
    pub(crate) delivered_per_s: f64,
    pub(crate) ack_ms: Percentiles,
    /// Absent if readers fell so far behind that some messages never came: those that did say
    /// nothing about the others.
    pub(crate) delivery_ms: Option<Percentiles>,
    /// Deliveries that were still due some seconds after the run.
    pub(crate) undelivered: u64,
    pub(crate) cpu_s: CpuSeconds,
    /// Absent where it is not ours to read.
    pub(crate) server_rss_bytes: Option<u64>,
}

/// Seconds of CPU time in the measured time; absent where they are not ours to read.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct CpuSeconds {
    pub(crate) server: Option<f64>,
    pub(crate) clients: Option<f64>,
    /// The database, if it is a process of its own, and whatever else ran.
    pub(crate) rest: Option<f64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "{name:<22} {value}");
        row(f, "users, conversations", format!("{}, {}", self.users, self.conversations))?;
        row(f, "seconds", format!("{:.2}", self.seconds))?;
        row(f, "acknowledged", format!("{} ({:.0}/s)", self.acked, self.acked_per_s))?;
        row(f, "delivered, committed", format!("{} ({:.0}/s)", self.delivered, self.delivered_per_s))?;
        row(f, "", Percentiles::header())?;
        row(f, "ack ms", self.ack_ms.row())?;
        let behind = || format!("readers fell behind: {} deliveries were still due", self.undelivered);
        row(f, "delivery ms", self.delivery_ms.as_ref().map_or_else(behind, Percentiles::row))?;
        let not_ours = || "not ours to read".to_owned();
        let cpu = |seconds: Option<f64>| seconds.map_or_else(not_ours, |seconds| format!("{seconds:.1}"));
        row(f, "cpu s of the server", cpu(self.cpu_s.server))?;
        row(f, "… of the clients", cpu(self.cpu_s.clients))?;
        row(f, "… of the rest", cpu(self.cpu_s.rest))?;
        let rss = self.server_rss_bytes.map_or_else(not_ours, |bytes| format!("{} MiB", bytes >> 20));
        row(f, "server memory", rss)
    }
}
