//! The model of a `Lane`'s world: a store that is the law, lanes that each believe to own every
//! conversation, devices that pipeline, reconnect and send again, and every failure that a store
//! may have.

mod check;
pub mod rules;
pub mod store;
mod world;

use crate::Input;
use world::World;

/// Runs a list of operations; then nothing fails any more, and every message finds its place.
///
/// # Panics
///
/// Where the log, an answer or what is published is wrong, or a message gets stuck.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (lanes, faults) = (1 + input.below(3), input.between(0, 9));
    simulate(input, usize::MAX, lanes, faults);
}

/// What a simulation came to.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    /// Entries in the store's logs.
    pub stored: usize,
    /// Entries that lanes published.
    pub published: usize,
    /// Answers that put somebody off.
    pub unavailable: usize,
}

/// Takes at most `steps` steps with `faults` (0 to 9) per cent of failures, then goes on without
/// failures until every message has found its place.
///
/// # Panics
///
/// As [`run`].
pub fn simulate(input: Input<'_>, steps: usize, lanes: usize, faults: u64) -> Summary {
    let mut world = World::new(input, lanes, faults);
    for _ in 0..steps {
        if world.input.is_empty() {
            break;
        }
        world.step(true);
    }
    world.faults = 0;
    world.input = Input::seeded(0);
    for _ in 0..100_000 {
        if world.is_done() {
            break;
        }
        world.step(false);
    }
    assert!(world.is_done(), "stuck: {:?}", world.lanes);
    world.check_order();
    Summary {
        stored: world.store.logs.values().map(|log| log.rows.len()).sum(),
        published: world.published.len(),
        unavailable: world.unavailable,
    }
}
