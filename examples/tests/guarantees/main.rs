//! The guarantees of ARCHITECTURE.md, each with the tests that carry its name: real clients of the
//! SDK against real servers, over real sockets, on both stores.
//!
//! PostgreSQL comes from `scripts/postgres.sh`, or from `DATABASE_URL`; where there is none, the
//! suite fails. Random tests print their seed. `GOIM_SEED=n` repeats one, `GOIM_LONG=1` makes them
//! long.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../../goim-server/tests/conformance/backend.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod backend;
#[path = "../../../goim-server/tests/conformance/common.rs"]
mod common;
mod contents;
mod fixtures;
mod g1_durable;
mod g2_dense;
mod g3_once;
mod g4_order;
mod g5_complete;
mod g6_monotone;
mod g7_bounded;
mod g9_authorised;
#[path = "../../../goim-server/tests/support/http.rs"]
#[allow(unreachable_pub, dead_code, reason = "the server's own tests use all of it")]
mod http;
mod log;
mod process;
mod proxy;
mod world;

use fixtures::DEADLINE;

pub(crate) use common::on_both_stores;
