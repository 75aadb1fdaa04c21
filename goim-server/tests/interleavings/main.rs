//! Random interleavings of the stores' real statements: what a model of a store cannot show, because
//! a model has no locks to wait for, no snapshots, and no connections that end.
//!
//! For each seed a schedule plays three nodes (core's lanes, stepped by hand), devices that send and
//! send again, readers, writers of offsets and read markers, makers of conversations, workers that
//! deliver what is due, a beginner of epochs, and a rival who locks, changes, appends and removes
//! rows over a connection of his own. Between two moves everything is at rest: it waits at the gate,
//! or for somebody's lock, or has ended. A move lets one statement go on (`BEGIN` and `COMMIT` are
//! statements, too), starts or sends something, loses an answer, ends a process of the database
//! before a statement or while it waits, or cuts a connection whose statement then goes on alone.
//! When all has come to an end, the [checks](checks) look at what was asked and answered, and at the
//! tables.
//!
//! The gate is a [wire](wire) to PostgreSQL that understands where a statement ends. On SQLite each
//! call is polled step by step, and the processes that could be ended are calls that are dropped.
//!
//! `GOIM_SEED=n` plays n, n+1, …; `GOIM_LONG=1` plays many more. Each seed has stores, connections and
//! tables of its own, and no clock decides anything: the wire turns off PostgreSQL's deadlines, under
//! which a slow machine would end whoever waits for a lock, and epochs are served between two moves.
//!
//! **What a seed does not say:** on PostgreSQL, who of several that wait for one lock gets it first,
//! whether a process that is ended still gets its word out, and whether a connection is back in its
//! pool when the seat's next call begins or that one opens another (which then sees a new epoch); on
//! SQLite also how much of a call one step is, since its statements run in threads of their own. So a
//! seed that failed may have to be played more than once, and the moves of a run that failed are
//! printed.
//!
//! [`bugs`] is the test of the test: statements that are wrong on purpose, each of which has to be
//! noticed. docs/RELIABILITY.md has the list, with those that were tried by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../conformance/backend.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod backend;
mod bugs;
mod cast;
#[path = "../conformance/checker.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod checker;
mod checks;
#[path = "../conformance/common.rs"]
mod common;
mod delivery;
#[path = "../conformance/fixtures.rs"]
#[allow(dead_code, unused_imports, reason = "the stores' own suite uses all of it")]
mod fixtures;
mod fold;
mod gate;
mod hands;
mod history;
#[path = "../conformance/ledger.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod ledger;
mod node;
mod observer;
mod ops;
mod outcomes;
mod positions;
mod rival;
mod run;
mod schedule;
mod seeds;
mod sender;
mod stage;
mod tables;
mod wire;

pub(crate) use common::on_both_stores;

on_both_stores! {
    crate::seeds::some as real_statements_interleave,
}
