//! A server of the test's own, and a raw client that can misbehave.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary is a crate, and uses a part of it"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::wildcard_enum_match_arm, reason = "anything else fails the test")]

mod client;
pub mod http;
pub mod issuer;
pub mod issuer_host;
mod server;
pub mod tables;
mod users;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use client::{Came, RawClient};
use goim_core::ClientMsgId;
pub use server::{TestServer, config};
pub use users::credentials;

/// Nothing here takes so long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

pub fn mint() -> ClientMsgId {
    mint_at(now_ms())
}

pub fn mint_at(unix_ms: u64) -> ClientMsgId {
    ClientMsgId::mint(unix_ms, &rand::random())
}

/// A name that no other test uses.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
