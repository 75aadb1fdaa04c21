//! Randomness: everything a world does not decide comes from here, and this from its seed.

use goim_core::Duration;

/// A world's source of randomness.
#[derive(Debug, Clone)]
pub(crate) struct Rng(fastrand::Rng);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high.max(low))
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.0.usize(0..len.max(1))
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.0.u64(0..n.max(1)) == 0
    }

    pub(crate) fn permille(&mut self, rate: u64) -> bool {
        rate > 0 && self.0.u64(0..1_000) < rate
    }

    pub(crate) fn micros(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low, high))
    }

    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// A wait whose mean is `mean_ms`.
    pub(crate) fn around(&mut self, mean_ms: u64) -> Duration {
        self.micros(1, mean_ms.saturating_mul(2_000))
    }

    /// Nothing, or something in this range.
    pub(crate) fn maybe(&mut self, low: u64, high: u64) -> u64 {
        if self.one_in(2) { 0 } else { self.between(low, high) }
    }

    /// Close to the least that can work, or anything up to `high`.
    pub(crate) fn tiny_or(&mut self, low: u64, high: u64) -> u64 {
        if self.one_in(2) {
            self.between(low, low.saturating_mul(4).min(high))
        } else {
            self.between(low, high)
        }
    }

    pub(crate) fn bytes(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.0.fill(&mut bytes);
        bytes
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = self.index(from.len());
        from.get(at).copied()
    }
}
