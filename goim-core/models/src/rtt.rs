//! The model of an `Rtt`: RFC 6298 in floating point.

use goim_core::{Duration, Rtt, RttConfig};

use crate::Input;

/// Two thousand years, in microseconds: what a cap is cut to.
const CAP_MAX: f64 = (1_u64 << 56) as f64;

/// Runs a list of samples.
///
/// # Panics
///
/// Where the timeout leaves the RFC by more than rounding.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let config = RttConfig { initial: bound(&mut input), floor: bound(&mut input), cap: bound(&mut input) };
    let mut rtt = Rtt::new(config);
    let mut book = Book::new(config);
    book.check(&rtt);
    while let Some(dice) = input.dice(8) {
        let us = match dice {
            0..=4 => input.between(1, 1_000_000),
            5 => input.between(0, 100),
            _ => input.number(),
        };
        if input.percent(20) {
            rtt.ambiguous(Duration::from_micros(us));
            book.held = book.held.max((2.0 * float(us)).min(book.cap));
        } else {
            rtt.sample(Duration::from_micros(us));
            book.sample(float(us));
        }
        book.check(&rtt);
    }
}

fn bound(input: &mut Input<'_>) -> Duration {
    match input.below(6) {
        0 => Duration::ZERO,
        1 => Duration::from_secs(3_600),
        2 => Duration::MAX,
        3 => Duration::from_micros(input.number()),
        _ => Duration::from_millis(input.between(0, 5_000)),
    }
}

const fn float(us: u64) -> f64 {
    us as f64
}

struct Book {
    smoothed: Option<f64>,
    deviation: f64,
    initial: f64,
    held: f64,
    floor: f64,
    cap: f64,
}

impl Book {
    fn new(config: RttConfig) -> Self {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        Self {
            smoothed: None,
            deviation: 0.0,
            initial: micros(config.initial),
            held: 0.0,
            floor: micros(config.floor).max(1.0),
            cap: micros(config.cap).clamp(1.0, CAP_MAX),
        }
    }

    fn sample(&mut self, us: f64) {
        let sample = us.clamp(1.0, self.cap);
        let before = self.smoothed.unwrap_or(sample);
        self.deviation = match self.smoothed {
            None => sample / 2.0,
            Some(_) => 0.75 * self.deviation + 0.25 * (before - sample).abs(),
        };
        self.smoothed = Some(0.875 * before + 0.125 * sample);
        self.held = 0.0;
    }

    fn timeout(&self) -> f64 {
        let measured = self.smoothed.map_or(self.initial, |smoothed| smoothed + 4.0 * self.deviation);
        measured.max(self.floor).min(self.cap).max(self.held)
    }

    fn check(&self, rtt: &Rtt) {
        // Each step rounds by less than 4 µs, and the errors decay geometrically.
        let near = |got: Duration, book: f64| {
            let got = got.as_secs_f64() * 1e6;
            assert!((got - book).abs() < 40.0 + 1e-9 * book, "{got} µs, by the book {book} µs");
        };
        near(rtt.timeout(), self.timeout());
        assert_eq!(rtt.smoothed().is_some(), self.smoothed.is_some());
        if let (Some(got), Some(smoothed)) = (rtt.smoothed(), self.smoothed) {
            near(got, smoothed);
        }
        let cap = Duration::from_secs_f64(self.cap / 1e6);
        let longest = rtt.timeout_after(u32::MAX);
        assert!(longest <= cap + Duration::from_secs(1));
        for retries in [0, 1, 2, 7, 31] {
            let doubled = rtt.timeout().saturating_mul(1 << retries);
            assert_eq!(rtt.timeout_after(retries), doubled.min(longest), "doubled, up to the cap");
        }
    }
}
