//! One suite for every store: what has to hold of the log whatever happens to connections,
//! committers and disks, and what the other tables owe to readers and accounts.
//!
//! Both engines run the same tests, each test on a database of its own. PostgreSQL comes from
//! `scripts/postgres.sh`, or from `DATABASE_URL`; where there is none, the suite fails.
//!
//! Random tests print their seed. `GOIM_SEED=n` repeats one, `GOIM_LONG=1` makes them long.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod accounts;
mod backend;
mod behind;
mod checker;
mod committer;
mod common;
mod damage;
mod duplicates;
mod epochs;
mod faults;
mod fixtures;
mod friends;
mod groups;
mod identities;
mod ledger;
mod limits;
mod presence;
mod profiles;
mod readers;
mod rivals;
mod search;
mod sequences;
mod states;
mod stopping;
mod uploads;
mod workload;

pub(crate) use common::on_both_stores;
