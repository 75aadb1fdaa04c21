//! Runs core's lanes against the store: each a task with a connection of its own.
//!
//! What to judge, number and write is decided by [`goim_core::Lane`]; here is only what a state
//! machine cannot do itself: wait, ask the store, hand on what came of it.

mod committer;
mod runner;

pub use committer::{Committer, Sink};
