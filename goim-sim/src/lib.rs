//! A deterministic simulation of goim's delivery: whole worlds, each from one seed.
//!
//! A world has server nodes that run goim-core's own lanes, rooms, boxes and notifiers, unchanged;
//! devices that run its inboxes and outboxes; and models of what is around them: a store whose
//! statements wait for each other's locks and whose flushes take time, a replica that lags, a bus
//! that loses, doubles and delays, a network that does too, and people who write, come and go. Time
//! is virtual, and every random choice comes from the seed; so the same seed is the same world, on
//! every machine. What goes wrong in a world, how often, and how tiny its limits are, is drawn
//! from the seed as well: its [`Scenario`].
//!
//! A checker apart from all this knows only histories: what was called, acknowledged, handed out and
//! handled, and what the store holds. Each guarantee of ARCHITECTURE.md is a check by its own name.
//!
//! ```
//! let outcome = goim_sim::look(&goim_sim::Scenario::draw(7));
//! assert_eq!(outcome.finding, None);
//! ```
//!
//! In the manner of TigerBeetle's VOPR and of FoundationDB's simulation (Zhou et al., "FoundationDB:
//! A Distributed Unbundled Transactional Key Value Store", SIGMOD 2021, section 4).

/// A deliberate bug, by name: false unless the crate is compiled with them and this one is on.
#[cfg(goim_bugs)]
macro_rules! bug {
    ($name:literal) => {
        goim_core::bugs::is($name)
    };
}
#[cfg(not(goim_bugs))]
macro_rules! bug {
    ($name:literal) => {
        false
    };
}

mod check;
mod client;
mod cx;
mod entry;
mod event;
mod fault;
mod marks;
mod net;
mod node;
mod rng;
mod run;
mod scenario;
mod store;
mod world;

pub use check::Finding;
pub use marks::Marks;
pub use run::{Found, look, shrink, trace};
pub use scenario::{Scenario, ScenarioError};
pub use world::{FRESH, Outcome, SETTLE};
