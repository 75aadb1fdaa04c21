//! Logs and counters.
//!
//! Log fields have names and units. Never logged: tokens, passwords, message text.

mod logs;
mod metrics;

pub use logs::init_logs;
pub(crate) use metrics::{Metrics, Open};
