//! Seeded: one to three lanes that each believe to own every conversation, devices that pipeline,
//! reconnect and send again, and a store that fails in every way it may.

mod check;
mod world;

use world::World;

fn run(seed: u64, lanes: usize, faults: u64) -> World {
    let mut world = World::new(seed, lanes, faults);
    for _ in 0..3_000 {
        world.step(true);
    }
    world.faults = 0;
    for _ in 0..100_000 {
        if world.is_done() {
            break;
        }
        world.step(false);
    }
    assert!(world.is_done(), "stuck: {:?}", world.lanes);
    world.check_order();
    world
}

/// Names the seed of a run that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

/// `LANE_SEED` repeats one run, `LANE_SEEDS` says how many there are.
fn seeds() -> impl Iterator<Item = (u64, Named)> {
    let only: Option<u64> = std::env::var("LANE_SEED").ok().map(|seed| seed.parse().unwrap());
    let count = std::env::var("LANE_SEEDS").map_or(60, |count| count.parse().unwrap());
    let all = only.map_or(0..count, |seed| seed..seed + 1);
    all.map(|seed| (seed, Named(seed)))
}

#[test]
fn g2_g3_g4_g9_hold_with_rivals_and_failures() {
    let mut committed = 0;
    for (seed, _name) in seeds() {
        let lanes = 1 + usize::try_from(seed % 3).unwrap();
        committed += run(seed, lanes, 1 + seed % 8).committed.len();
    }
    assert!(committed > 50, "too little happened: {committed}");
}

#[test]
fn without_rivals_and_failures_nobody_is_put_off() {
    for (seed, _name) in seeds() {
        let world = run(seed, 1, 0);
        assert_eq!(world.unavailable, 0);
        let stored: usize = world.store.logs.values().map(|log| log.rows.len()).sum();
        assert_eq!(world.published.len(), stored);
    }
}
