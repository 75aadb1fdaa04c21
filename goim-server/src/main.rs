//! The goim server as a program.

use std::process::ExitCode;

use clap::Parser;
use goim_server::{Args, Server, init_logs, log_filter, stop_signal};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    init_logs(log_filter().as_deref(), args.log_format);
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &*error, "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let config = args.settings()?;
    if args.print_config {
        use std::io::Write;
        write!(std::io::stdout(), "{}", toml::to_string(&config)?)?;
        return Ok(());
    }
    let server = Server::start(config).await?;
    let fingerprint: String = server.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    tracing::info!(quic = %server.quic_addr(), http = ?server.http_addr(), api = ?server.api_addr(), fingerprint, "ready");
    stop_signal().await?;
    server.shutdown().await;
    Ok(())
}
