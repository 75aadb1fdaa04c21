//! The reference server of goim: QUIC, SQLite or Postgres, one process by default.

mod access;
mod cli;
mod clock;
pub mod commit;
mod config;
mod http;
mod service;
pub mod store;
mod telemetry;

pub use access::{Identity, IdentityError};
pub use cli::{Args, LogFormat};
pub use config::{Config, ConfigError, ENVIRONMENT_PREFIX, Limits};
pub use service::rules::{ChatRules, Refusal};
pub use telemetry::init_logs;
