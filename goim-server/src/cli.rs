//! The command line of `goim-server`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::config::{Config, ConfigError};

/// The goim server: an instant-messaging server in one process.
///
/// Settings come from the file, then from the environment (GOIM_QUIC_LISTEN and so on), then from
/// here; the last one wins.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "goim-server", version)]
pub struct Args {
    /// A TOML file of settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where clients connect (UDP), e.g. 0.0.0.0:4433.
    #[arg(long, value_name = "ADDR")]
    pub quic_listen: Option<SocketAddr>,
    /// Where /healthz, /readyz and /metrics are served (TCP).
    #[arg(long, value_name = "ADDR")]
    pub http_listen: Option<SocketAddr>,
    /// sqlite:PATH or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Where the certificate, the token key and the embedded store are kept. Renaming token.key there
    /// to token.previous.key before a start gives a new key; remove the old one when its tokens ended.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Print the settings as TOML and exit.
    #[arg(long)]
    pub print_config: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Args {
    /// The settings: defaults, file, environment, command line.
    ///
    /// # Errors
    /// If the file cannot be read, or if a setting is unknown or impossible.
    pub fn settings(&self) -> Result<Config, ConfigError> {
        Ok(self.over(Config::load(self.config.as_deref())?))
    }

    fn over(&self, mut config: Config) -> Config {
        if let Some(address) = self.quic_listen {
            config.quic_listen = address;
        }
        if let Some(address) = self.http_listen {
            config.http_listen = Some(address);
        }
        if let Some(store) = &self.store {
            config.store = Some(store.clone());
        }
        if let Some(dir) = &self.data_dir {
            config.data_dir.clone_from(dir);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins() {
        let args = Args::parse_from(["goim-server", "--store", "sqlite:x", "--quic-listen", "[::1]:9"]);
        let config = args.over(Config::default());
        assert_eq!(config.store_url(), "sqlite:x");
        assert_eq!(config.quic_listen.port(), 9);
        assert_eq!(config.data_dir, Config::default().data_dir);
    }
}
