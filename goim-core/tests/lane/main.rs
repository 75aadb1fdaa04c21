//! A lane against a model store: step by step, and in a simulation with hostile weather.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests too")]
#![allow(clippy::needless_pass_by_value, reason = "offers are built by wrapping")]

mod bench;
mod simulation;
mod steps;
mod waiting;
