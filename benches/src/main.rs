//! `goim-bench`: load for goim servers, and checks of what comes of it.

mod api;
mod chat;
mod crowd;
mod host;
mod idle;
mod irc;
mod latency;
mod limit;
mod logs;
mod replay;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

/// Load for goim servers, and checks of what comes of it.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(replay::ReplayOptions),
    Limit(limit::LimitOptions),
    Chat(chat::ChatOptions),
    Idle(idle::IdleOptions),
    Api(api::ApiOptions),
    /// Writes an IRC log as untidy as real ones, from a seed.
    Logs {
        #[command(flatten)]
        options: logs::LogOptions,
        /// The file; without it, standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Serves for another process of this program.
    #[command(hide = true)]
    Serve(host::ServeOptions),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("goim-bench: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if !matches!(command, Command::Serve(_) | Command::Logs { .. }) {
        host::interrupt::listen()?;
    }
    match command {
        Command::Replay(options) => {
            let report = replay::run(&options).await?;
            print(&report, options.json)?;
            Ok(if report.failed_checks == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Limit(options) => {
            print(&limit::run(&options).await?, options.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Chat(options) => {
            print(&chat::run(&options).await?, options.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Idle(options) => {
            print(&idle::run(&options).await?, options.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Api(options) => {
            print(&api::run(&options).await?, options.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Logs { options, out } => {
            let log = logs::write_log(options);
            match out {
                Some(path) => {
                    std::fs::write(&path, log).map_err(|source| OutputError::File { path, source })?;
                }
                None => std::io::stdout().write_all(&log).map_err(OutputError::Standard)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(options) => {
            host::serve(options).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints what came of a run, for people or for programs.
fn print(report: &(impl Serialize + Display), json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let text = if json { serde_json::to_string(report)? + "\n" } else { report.to_string() };
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(OutputError::Standard)?;
    Ok(())
}

/// What came of a run has nowhere to go.
#[derive(Debug, thiserror::Error)]
enum OutputError {
    #[error("standard output takes nothing")]
    Standard(#[source] std::io::Error),
    #[error("{path} cannot be written")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}
