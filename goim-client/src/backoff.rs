//! How long to wait before trying again.

use std::time::Duration;

use rand::RngExt;

/// Exponential back-off with full jitter: a uniform wait between nothing and a ceiling that
/// doubles, so that clients that lost a server together do not come back together. (M. Brooker,
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, ceiling: min }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(rand::rng().random::<f64>());
        self.ceiling = (self.ceiling * 2).min(self.max);
        wait
    }

    /// It worked: the next failure starts from the beginning.
    pub(crate) fn reset(&mut self) {
        self.ceiling = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_under_a_ceiling_that_doubles_up_to_the_maximum() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(10), ms(35));
        for ceiling in [10, 20, 35, 35] {
            assert!(backoff.next() <= ms(ceiling));
        }
        backoff.reset();
        assert!(backoff.next() <= ms(10));
    }
}
