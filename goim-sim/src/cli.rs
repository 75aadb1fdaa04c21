//! The command line: which worlds to live through, and what to tell of them.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use goim_sim::{Found, Marks, Scenario, ScenarioError, look, shrink, trace};
use indicatif::{ProgressBar, ProgressStyle};

/// Steps of a trace that are told without `--trace`.
const LAST_STEPS: usize = 60;
/// How often a run without a progress bar says where it is.
const WORLDS_A_LINE: u64 = 10_000;

/// Lives through whole worlds of goim, each from a seed, and checks that nothing is lost, repeated
/// or reordered in any of them.
#[derive(Debug, Parser)]
#[command(name = "goim-sim", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// How many worlds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first one's seed; the others' follow it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stops when so many events have been handled in all.
    #[arg(long)]
    events: Option<u64>,
    /// Changes a parameter of every world, as `--set nodes=1`; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    sets: Vec<String>,
    /// Lives through the world of a scenario file, which an earlier run has written.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "events"])]
    replay: Option<PathBuf>,
    /// Tells every step of the first world, not only the last ones before a finding.
    #[arg(long)]
    trace: bool,
    /// Where to write the shrunk scenario of a finding.
    #[arg(long, value_name = "FILE", default_value = "goim-sim.scenario")]
    out: PathBuf,
    /// Fails if something rare, such as a crash between flush and reply, never happened.
    #[arg(long)]
    all_marks: bool,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything holds.
    Clean,
    /// Something does not.
    Finding,
}

/// Why there was no run, or no end of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A scenario file that cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A scenario that is not one.
    #[error("{from}: {error}")]
    Scenario {
        /// The file or the option.
        from: String,
        /// What is wrong with it.
        error: ScenarioError,
    },
    /// The output is closed, or the shrunk scenario cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

#[derive(Default)]
struct Total {
    worlds: u64,
    events: u64,
    marks: Marks,
}

impl Cli {
    /// Runs what was asked for.
    ///
    /// # Errors
    ///
    /// See [`CliError`].
    pub(crate) fn run(&self) -> Result<Ended, CliError> {
        let began = Instant::now();
        let mut total = Total::default();
        let found = match &self.replay {
            Some(path) => self.one(&self.read(path)?, &mut total)?,
            None => self.all(&mut total)?,
        };
        tell(&total, began.elapsed())?;
        let missed: Vec<_> = total.marks.missed().collect();
        if self.all_marks && found.is_none() && !missed.is_empty() {
            writeln!(io::stdout(), "never happened: {}", missed.join("; "))?;
            return Ok(Ended::Finding);
        }
        Ok(if found.is_some() { Ended::Finding } else { Ended::Clean })
    }

    fn read(&self, path: &PathBuf) -> Result<Scenario, CliError> {
        let text = fs::read_to_string(path).map_err(|error| CliError::Read { path: path.clone(), error })?;
        let from = || path.display().to_string();
        let read = Scenario::from_text(&text);
        read.map_err(|error| CliError::Scenario { from: from(), error })
    }

    fn all(&self, total: &mut Total) -> Result<Option<Found>, CliError> {
        let bar =
            if io::stderr().is_terminal() { ProgressBar::new(self.seeds) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} worlds, {eta} left {msg}") {
            bar.set_style(style);
        }
        for n in 0..self.seeds {
            let found = self.one(&Scenario::draw(self.seed.wrapping_add(n)), total)?;
            bar.inc(1);
            bar.set_message(format!("{} events", total.events));
            if bar.is_hidden() && total.worlds.is_multiple_of(WORLDS_A_LINE) {
                let seed = self.seed.wrapping_add(n);
                writeln!(io::stderr(), "{} worlds, the last one of seed {seed}", total.worlds)?;
            }
            if found.is_some() {
                bar.abandon();
                return Ok(found);
            }
            if self.events.is_some_and(|most| total.events >= most) {
                break;
            }
        }
        bar.finish_and_clear();
        Ok(None)
    }

    fn one(&self, scenario: &Scenario, total: &mut Total) -> Result<Option<Found>, CliError> {
        let mut scenario = scenario.clone();
        for set in &self.sets {
            scenario.set_text(set).map_err(|error| CliError::Scenario { from: "--set".to_owned(), error })?;
        }
        if self.trace && total.worlds == 0 {
            for line in trace(&scenario, 0).1 {
                writeln!(io::stdout(), "{line}")?;
            }
        }
        let outcome = look(&scenario);
        total.worlds += 1;
        total.events += outcome.events;
        total.marks.add(&outcome.marks);
        let Some(finding) = outcome.finding else { return Ok(None) };
        let found = Found { scenario, finding, events: outcome.events };
        self.report(&found)?;
        Ok(Some(found))
    }

    fn report(&self, found: &Found) -> Result<(), CliError> {
        let mut out = io::stdout();
        writeln!(out, "seed {}: {}: {:.600}", found.scenario.seed, found.finding.check, found.finding.what)?;
        let which = match &self.replay {
            Some(file) => format!("--replay {}", file.display()),
            None => format!("--seeds 1 --seed {}", found.scenario.seed),
        };
        writeln!(out, "again: goim-sim {which}{}", self.options())?;
        // Before the work whose result goes there.
        fs::write(&self.out, found.scenario.to_text())?;
        writeln!(out, "shrinking…")?;
        out.flush()?;
        let small = shrink(found);
        let (_, steps) = trace(&small.scenario, small.events.saturating_sub(LAST_STEPS as u64));
        writeln!(out, "the last steps of the shrunk world:")?;
        for step in steps.iter().rev().take(LAST_STEPS).rev() {
            writeln!(out, "{step}")?;
        }
        writeln!(
            out,
            "shrunk from {} events to {}: {:.600}",
            found.events, small.events, small.finding.what
        )?;
        fs::write(&self.out, small.scenario.to_text())?;
        writeln!(out, "again: goim-sim --replay {}", self.out.display())?;
        Ok(())
    }

    fn options(&self) -> String {
        self.sets.iter().map(|set| format!(" --set {set}")).collect()
    }
}

fn tell(total: &Total, took: Duration) -> io::Result<()> {
    let mut out = io::stdout();
    let rate = u128::from(total.events) * 1_000 / took.as_millis().max(1);
    for (mark, count) in total.marks.counts() {
        writeln!(out, "{count:>12}  {mark}")?;
    }
    let (worlds, events) = (total.worlds, total.events);
    writeln!(out, "{worlds} worlds, {events} events in {:.1} s: {rate} events/s", took.as_secs_f64())
}
