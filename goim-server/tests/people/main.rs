//! Accounts, profiles, friends and groups, seen by clients, on both stores; and who may make which
//! call.
//!
//! PostgreSQL comes from `scripts/postgres.sh`, or from `DATABASE_URL`; where there is none, the
//! suite fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod accounts;
#[path = "../conformance/backend.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod backend;
#[path = "../http/client.rs"]
#[allow(dead_code, reason = "the API's own suite uses all of it")]
mod client;
#[path = "../conformance/common.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod common;
mod conversations;
mod external;
mod features;
mod friends;
mod groups;
mod messages;
mod presence;
mod profile_news;
mod search;
mod sequences;
#[path = "../support/mod.rs"]
mod support;
mod typing;
mod walk;
mod world;

pub(crate) use common::on_both_stores;
