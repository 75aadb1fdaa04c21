//! What the tests of the wire format share.
#![allow(dead_code, reason = "each test binary is a crate, and uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

pub(crate) mod any;
pub(crate) mod cases;
pub(crate) mod file;
pub(crate) mod tree;
pub(crate) mod types;
pub(crate) mod value;
