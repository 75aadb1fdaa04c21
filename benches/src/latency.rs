//! Times on the way, counted and summed up.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time that is told apart: an hour, in microseconds.
const US_MAX: u64 = 3_600_000_000;

/// Latencies of any number of messages, to three digits.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Option<Histogram<u64>>);

impl Default for Latencies {
    fn default() -> Self {
        // The bounds are right, so there always is one.
        Self(Histogram::new_with_bounds(1, US_MAX, 3).ok())
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, us: u64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(us);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if let (Some(own), Some(other)) = (&mut self.0, &other.0) {
            // The bounds are the same.
            let _ = own.add(other);
        }
    }

    /// `None` if there are none: nothing took no time.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1_000.0;
        Some(Percentiles {
            p50: ms(histogram.value_at_quantile(0.5)),
            p90: ms(histogram.value_at_quantile(0.9)),
            p99: ms(histogram.value_at_quantile(0.99)),
            max: ms(histogram.max()),
        })
    }
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// The names of the columns of [`Percentiles::row`].
    pub(crate) fn header() -> String {
        format!("{:>9} {:>9} {:>9} {:>9}", "p50", "p90", "p99", "max")
    }

    pub(crate) fn row(&self) -> String {
        format!("{:>9.2} {:>9.2} {:>9.2} {:>9.2}", self.p50, self.p90, self.p99, self.max)
    }
}

/// A row of a table, or that there is nothing to tell.
pub(crate) fn row_of(percentiles: Option<&Percentiles>) -> String {
    percentiles.map_or_else(|| "none".to_owned(), Percentiles::row)
}

/// So many a second.
pub(crate) fn per_s(count: u64, seconds: f64) -> f64 {
    // Counts of a run stay far below 2⁵³.
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let count = count as f64;
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_there_is_no_percentile() {
        let mut latencies = Latencies::default();
        assert!(latencies.percentiles().is_none());
        latencies.record(1_500);
        let told = latencies.percentiles().unwrap();
        assert!((1.4..1.6).contains(&told.p50) && (1.4..1.6).contains(&told.max), "{told:?}");
    }
}
