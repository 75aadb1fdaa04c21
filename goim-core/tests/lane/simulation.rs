//! Seeded: the world of a lane with hostile weather, and with none.

use goim_core_models::Input;
use goim_core_models::lane::{Summary, simulate};

/// Names the seed of a run that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

fn run(seed: u64, lanes: usize, faults: u64) -> Summary {
    let _name = Named(seed);
    simulate(Input::seeded(seed), 3_000, lanes, faults)
}

/// `LANE_SEED` repeats one run, `LANE_SEEDS` says how many there are.
fn seeds() -> impl Iterator<Item = u64> {
    let only: Option<u64> = std::env::var("LANE_SEED").ok().map(|seed| seed.parse().unwrap());
    let count = std::env::var("LANE_SEEDS").map_or(60, |count| count.parse().unwrap());
    only.map_or(0..count, |seed| seed..seed + 1)
}

#[test]
fn g2_g3_g4_g9_hold_with_rivals_and_failures() {
    let mut stored = 0;
    for seed in seeds() {
        let lanes = 1 + usize::try_from(seed % 3).unwrap();
        stored += run(seed, lanes, 1 + seed % 8).stored;
    }
    assert!(stored > 50, "too little happened: {stored}");
}

#[test]
fn without_rivals_and_failures_nobody_is_put_off() {
    for seed in seeds() {
        let summary = run(seed, 1, 0);
        assert_eq!(summary.unavailable, 0);
        assert_eq!(summary.published, summary.stored);
    }
}
