//! `goim-sim`: see the library, and `goim-sim --help`.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Ended};

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(Ended::Clean) => ExitCode::SUCCESS,
        Ok(Ended::Finding) => ExitCode::FAILURE,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "it is what the user is told")]
            {
                eprintln!("goim-sim: {error}");
            }
            ExitCode::from(2)
        }
    }
}
