//! The HTTP API over real sockets: chats, every operation, bad input, events, and its description.
//!
//! PostgreSQL comes from `scripts/postgres.sh`, or from `DATABASE_URL`; where there is none, the
//! suite fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../conformance/backend.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod backend;
mod bad_input;
mod chat;
mod client;
#[path = "../conformance/common.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod common;
mod document;
mod external;
mod operations;
mod s3;
#[path = "../support/mod.rs"]
mod support;
mod uploads;

pub(crate) use common::on_both_stores;
