//! Lives worlds through, and makes those small in which something does not hold.

use std::panic::{self, AssertUnwindSafe};

use crate::check::Finding;
use crate::marks::Marks;
use crate::scenario::Scenario;
use crate::world::{Outcome, World};

/// Something that does not hold, and in which world.
#[derive(Debug, Clone)]
pub struct Found {
    /// The world.
    pub scenario: Scenario,
    /// What does not hold.
    pub finding: Finding,
    /// After how many events it was seen.
    pub events: u64,
}

/// Lives a world through. A panic anywhere inside is a finding.
#[must_use]
pub fn look(scenario: &Scenario) -> Outcome {
    trace(scenario, u64::MAX).0
}

/// Lives a world through and tells its events from the n-th on.
#[must_use]
pub fn trace(scenario: &Scenario, from: u64) -> (Outcome, Vec<String>) {
    let mut world = None;
    let outcome =
        panic::catch_unwind(AssertUnwindSafe(|| world.insert(World::new(scenario.clone(), from)).run()));
    let outcome = outcome.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        let what = said.unwrap_or_else(|| "a panic without words".to_owned());
        let finding = Some(Finding { check: "panic", what });
        Outcome { finding, events: world.as_ref().map_or(0, World::events), marks: Marks::default() }
    });
    (outcome, world.map_or_else(Vec::new, World::into_trace))
}

/// Rounds of shrinking; each tries every parameter.
const ROUNDS_MAX: u32 = 6;
/// Shrinking is over, at the latest, when it has lived through so many events.
const SHRINK_EVENTS_MAX: u64 = 30_000_000;

/// Makes a world in which something does not hold as small as it goes: leaves out one fault after
/// the other, then sizes and time, as long as the same check fails.
#[must_use]
pub fn shrink(found: &Found) -> Found {
    let mut small = found.clone();
    let mut left = SHRINK_EVENTS_MAX;
    for _ in 0..ROUNDS_MAX {
        let before = small.scenario.clone();
        for name in Scenario::NAMES {
            let value = small.scenario.value(name).unwrap_or(0);
            let least = Scenario::least(name);
            for smaller in [least, least.midpoint(value)] {
                if smaller < value && try_with(&mut small, name, smaller, &mut left) {
                    break;
                }
            }
        }
        if small.scenario == before {
            break;
        }
    }
    small
}

/// Keeps a change if the same check still fails, and not much later.
fn try_with(small: &mut Found, name: &str, value: u64, left: &mut u64) -> bool {
    if small.scenario.value(name) == Some(value) || *left == 0 {
        return false;
    }
    let mut scenario = small.scenario.clone();
    scenario.set(name, value);
    let outcome = look(&scenario);
    *left = left.saturating_sub(outcome.events);
    match outcome.finding {
        Some(finding) if finding.check == small.finding.check && outcome.events <= 2 * small.events => {
            *small = Found { scenario, finding, events: outcome.events };
            true
        }
        _ => false,
    }
}
