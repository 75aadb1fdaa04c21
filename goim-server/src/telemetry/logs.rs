//! The log, to standard error, filtered by `GOIM_LOG` (or `RUST_LOG`; default `info`).

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// Starts the log of this process. Later calls change nothing, so an embedding program that has
/// one of its own keeps it.
pub fn init_logs(filter: Option<&str>, format: LogFormat) {
    let filter = EnvFilter::try_new(filter.unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // Fails only if there is one already.
    drop(started);
}
