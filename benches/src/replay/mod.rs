//! Replays channel logs through a server, then checks what every reader got.

mod channel;
mod check;
mod person;
mod report;

use std::path::PathBuf;

use crate::crowd::CrowdError;
use crate::host::{Host, HostError, HostOptions};
use crate::irc;

pub(crate) use report::Report;

/// Replays IRC logs: each person a user with a connection of its own, the channel a group, every
/// line sent as fast as the server takes it, every member reading.
#[derive(Debug, clap::Args)]
#[command(after_long_help = irc::RULES)]
pub(crate) struct ReplayOptions {
    #[command(flatten)]
    host: HostOptions,
    /// Lines to send a second; without it, as many as the server takes.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// The logs, each a channel of its own, one after the other.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// What can go wrong apart from checks that fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error("{path} cannot be read")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} has no line that could be replayed; is it an IRC log? See --help for the lines that are")]
    Nothing(PathBuf),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Crowd(#[from] CrowdError),
}

/// Runs all files against one server.
pub(crate) async fn run(options: &ReplayOptions) -> Result<Report, ReplayError> {
    let mut scripts = Vec::new();
    for path in &options.files {
        let bytes = std::fs::read(path).map_err(|source| ReplayError::File { path: path.clone(), source })?;
        let script = irc::script(&bytes);
        if script.steps.is_empty() {
            return Err(ReplayError::Nothing(path.clone()));
        }
        scripts.push((path, script));
    }
    Host::with(&options.host, async |host| play(host, options, &scripts).await).await
}

async fn play(
    host: &Host,
    options: &ReplayOptions,
    scripts: &[(&PathBuf, irc::Script)],
) -> Result<Report, ReplayError> {
    let bar = progress_bar(scripts.iter().map(|(_, script)| script.steps.len() as u64).sum(), options.json);
    let mut report = Report::default();
    for (place, (path, script)) in scripts.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        bar.set_message(name.clone());
        let done = channel::replay(host, place, script, options.rate, &bar).await?;
        report.add(&name, done, &script.skipped);
    }
    bar.finish_and_clear();
    report.server_rss_bytes = host.rss_bytes();
    Ok(report)
}

fn progress_bar(steps: u64, quiet: bool) -> indicatif::ProgressBar {
    let bar = if quiet { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new(steps) };
    let style = indicatif::ProgressStyle::with_template("{wide_bar} {pos}/{len} lines {per_sec} {eta} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
