//! Counters of one server, in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, or a gauge if it is held by [`Open`] guards or set.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// For a gauge that is measured when somebody looks.
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value as u64, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! metrics {
    ($($name:ident $kind:literal $help:literal,)*) => {
        /// Everything counted.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(#[doc = $help] pub(crate) $name: Counter,)*
        }

        impl Metrics {
            /// One line of help, one of type and one of value for each.
            pub(crate) fn render(&self) -> String {
                let mut text = String::new();
                $(
                    // Writing to a String cannot fail.
                    let _ = write!(
                        text,
                        concat!(
                            "# HELP goim_", stringify!($name), " ", $help, "\n",
                            "# TYPE goim_", stringify!($name), " ", $kind, "\n",
                            "goim_", stringify!($name), " {}\n",
                        ),
                        self.$name.value()
                    );
                )*
                text
            }
        }
    };
}

metrics! {
    connections_open "gauge" "Open connections.",
    handshakes_refused_total "counter" "Connections refused for their number or their rate.",
    sessions_total "counter" "Sessions authenticated.",
    frames_bad_total "counter" "Connections ended for a frame that does not decode.",
    calls_total "counter" "Calls taken, sends among them.",
    calls_failed_total "counter" "Calls answered with an error.",
    sends_committed_total "counter" "Sends answered with a new seq.",
    sends_duplicate_total "counter" "Sends that were there already.",
    entries_published_total "counter" "Committed entries given to the hub.",
    notifications_total "counter" "Notifications sent.",
    notifications_reliable_total "counter" "Notifications sent on the control stream.",
    pulls_from_memory_total "counter" "Pulls answered from memory.",
    pulls_from_store_total "counter" "Pulls answered from the store.",
    searches_total "counter" "Searches for messages.",
    indexings_total "counter" "Transactions that indexed messages.",
    caught_up_entries_total "counter" "Entries that no publication brought and the store had.",
    send_bytes_held "gauge" "Bytes of sends that wait to be committed.",
    answer_bytes_held "gauge" "Bytes of answers that wait to be written to clients with a session.",
    entry_bytes_held "gauge" "Bytes of entries kept in memory for readers.",
}

/// Holds a gauge up by one until dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<Metrics>);

impl Open {
    pub(crate) fn connection(metrics: &Arc<Metrics>) -> Self {
        metrics.connections_open.add(1);
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_open.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_goes_down_when_its_guard_is_dropped() {
        let metrics = Arc::new(Metrics::default());
        let open = Open::connection(&metrics);
        metrics.calls_total.add(3);
        let text = metrics.render();
        assert!(text.contains("\ngoim_connections_open 1\n"), "{text}");
        assert!(text.contains("# TYPE goim_calls_total counter\ngoim_calls_total 3\n"), "{text}");
        drop(open);
        assert_eq!(metrics.connections_open.value(), 0);
    }
}
