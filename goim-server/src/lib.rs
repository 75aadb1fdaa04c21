//! The reference server of goim: QUIC and HTTP, SQLite or Postgres, one process by default.
//!
//! ```no_run
//! use goim_server::{Config, Server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config { data_dir: "/tmp/goim".into(), ..Config::default() };
//! let server = Server::start(config).await?;
//! println!("clients connect to {} and pin {:02x?}", server.quic_addr(), server.fingerprint());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! A message's way: `access` reads it and knows who sends it, `service` checks it, `commit` appends
//! it to the `store` and answers, `bus` brings it back to `access`, whose hub tells its readers.

mod access;
mod bus;
mod cli;
mod clock;
pub mod commit;
mod config;
mod external;
mod http;
mod outbound;
mod server;
mod service;
mod shutdown;
pub mod store;
mod telemetry;
mod uploads;

pub use access::{Identity, IdentityError};
pub use cli::{Args, LogFormat};
pub use config::{
    Config, ConfigError, ENVIRONMENT_PREFIX, ExternalLogin, Limits, SignatureAlgorithm, Uploads, log_filter,
};
pub use external::KeysError;
pub use server::{Server, StartError};
pub use service::rules::{ChatRules, Refusal};
pub use shutdown::stop_signal;
pub use telemetry::init_logs;
pub use uploads::StorageError;
