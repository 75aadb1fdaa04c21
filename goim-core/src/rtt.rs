//! The retransmission timeout, from measured round trips (RFC 6298).

use crate::{Duration, limits};

/// The bounds of an [`Rtt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RttConfig {
    /// The timeout before the first sample.
    pub initial: Duration,
    /// The shortest timeout.
    pub floor: Duration,
    /// The longest timeout, back-off included. A cap below the floor wins.
    pub cap: Duration,
}

impl Default for RttConfig {
    fn default() -> Self {
        Self { initial: limits::RTT_INITIAL, floor: limits::RTT_FLOOR, cap: limits::RTT_CAP }
    }
}

/// A cap is cut to this, two thousand years: so no arithmetic on times within it overflows.
const CAP_MAX_US: u64 = 1 << 56;

/// Smoothed round-trip time and the timeout that follows from it, by RFC 6298, in the scaled
/// integers of Jacobson and Karels, "Congestion Avoidance and Control" (1988).
///
/// Karn's rule has two halves. What was sent more than once gives no sample, because nobody knows
/// which sending was answered; and the timeout stays backed off until a sample comes, because
/// otherwise a round trip longer than the timeout would never be measured at all. The first half
/// is the caller's: it calls [`Rtt::sample`] for what was sent once and [`Rtt::ambiguous`] for the
/// rest. The second half is kept here.
///
/// Every method is O(1) and none panics.
#[derive(Debug, Clone)]
pub struct Rtt {
    /// Eight times the smoothed round trip, in microseconds; 0 before the first sample.
    smoothed_x8: u64,
    /// Four times the mean deviation, in microseconds.
    deviation_x4: u64,
    /// What the last sample gave, or more if an ambiguous answer since asked for it; within the cap.
    timeout_us: u64,
    floor_us: u64,
    cap_us: u64,
}

impl Rtt {
    /// No sample yet: the timeout is `config.initial` within floor and cap.
    #[must_use]
    pub fn new(config: RttConfig) -> Self {
        let (floor_us, cap_us) = (micros(config.floor).max(1), micros(config.cap).clamp(1, CAP_MAX_US));
        Self {
            smoothed_x8: 0,
            deviation_x4: 0,
            timeout_us: micros(config.initial).max(floor_us).min(cap_us),
            floor_us,
            cap_us,
        }
    }

    /// Takes the round trip of something that was sent once. One longer than the cap counts as
    /// the cap.
    #[inline]
    pub fn sample(&mut self, round_trip: Duration) {
        self.sample_micros(micros(round_trip));
    }

    #[inline]
    pub(crate) fn sample_micros(&mut self, round_trip_us: u64) {
        let sample = round_trip_us.clamp(1, self.cap_us);
        if self.smoothed_x8 == 0 {
            self.smoothed_x8 = sample.saturating_mul(8);
            self.deviation_x4 = sample.saturating_mul(2);
        } else {
            let smoothed = self.smoothed_x8 >> 3;
            self.deviation_x4 = self.deviation_x4 - (self.deviation_x4 >> 2) + smoothed.abs_diff(sample);
            self.smoothed_x8 = (self.smoothed_x8 - smoothed + sample).max(8);
        }
        let timeout = (self.smoothed_x8 >> 3).saturating_add(self.deviation_x4);
        self.timeout_us = timeout.max(self.floor_us).min(self.cap_us);
    }

    /// Takes the time from the *first* sending to the answer of something that was sent more than
    /// once. If the answer was to the first, that is the round trip; so until a sample comes the
    /// timeout is twice as long at least.
    pub fn ambiguous(&mut self, since_first_sending: Duration) {
        self.ambiguous_micros(micros(since_first_sending));
    }

    pub(crate) fn ambiguous_micros(&mut self, since_first_sending_us: u64) {
        let twice = since_first_sending_us.saturating_mul(2).min(self.cap_us);
        self.timeout_us = self.timeout_us.max(twice);
    }

    /// The timeout of what was sent once.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_micros(self.timeout_micros(0))
    }

    /// The timeout of what was retransmitted `retries` times: doubled each time, up to the cap.
    #[must_use]
    pub const fn timeout_after(&self, retries: u32) -> Duration {
        Duration::from_micros(self.timeout_micros(retries))
    }

    #[inline]
    pub(crate) const fn timeout_micros(&self, retries: u32) -> u64 {
        let factor = if retries < 32 { 1u64 << retries } else { u64::MAX };
        let backed_off = self.timeout_us.saturating_mul(factor);
        if backed_off < self.cap_us { backed_off } else { self.cap_us }
    }

    /// The smoothed round trip, or `None` before the first sample.
    #[must_use]
    pub const fn smoothed(&self) -> Option<Duration> {
        if self.smoothed_x8 == 0 { None } else { Some(Duration::from_micros(self.smoothed_x8 >> 3)) }
    }
}

impl Default for Rtt {
    fn default() -> Self {
        Self::new(RttConfig::default())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_sample_gives_three_times_itself() {
        let mut rtt = Rtt::default();
        assert_eq!((rtt.timeout(), rtt.smoothed()), (ms(400), None));
        rtt.sample(ms(100));
        assert_eq!((rtt.timeout(), rtt.smoothed()), (ms(300), Some(ms(100))));
    }

    #[test]
    fn steady_samples_bring_the_timeout_down_to_the_floor_and_no_further() {
        let mut rtt = Rtt::default();
        (0..200).for_each(|_| rtt.sample(ms(2)));
        assert_eq!(rtt.timeout(), ms(50));
        rtt.sample(Duration::ZERO);
        assert_eq!(rtt.timeout(), ms(50));
    }

    #[test]
    fn back_off_doubles_up_to_the_cap() {
        let rtt = Rtt::default();
        let timeouts: Vec<_> = (0..6).map(|n| rtt.timeout_after(n)).collect();
        assert_eq!(timeouts, [400, 800, 1600, 3200, 4000, 4000].map(ms));
        assert_eq!(rtt.timeout_after(u32::MAX), ms(4000));
    }

    #[test]
    fn an_ambiguous_answer_holds_the_timeout_up_until_a_sample() {
        let mut rtt = Rtt::default();
        (0..100).for_each(|_| rtt.sample(ms(2)));
        rtt.ambiguous(ms(700));
        rtt.ambiguous(ms(300));
        assert_eq!(rtt.timeout(), ms(1400));
        rtt.sample(ms(2));
        assert_eq!(rtt.timeout(), ms(50));
    }

    #[test]
    fn absurd_settings_do_not_overflow() {
        let mut rtt =
            Rtt::new(RttConfig { initial: Duration::MAX, floor: Duration::MAX, cap: Duration::MAX });
        for n in 0..100 {
            rtt.sample(if n % 2 == 0 { Duration::MAX } else { Duration::ZERO });
            rtt.ambiguous(Duration::MAX);
        }
        assert_eq!(rtt.timeout_after(9), Duration::from_micros(CAP_MAX_US));
    }
}
