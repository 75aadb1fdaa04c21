//! Scenarios as text, and what a parameter may be.

use std::collections::BTreeSet;

use super::Scenario;

/// What is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// Not a scenario file, or one of another version.
    #[error("this is no scenario of this version: its first line has to be \"{HEADER}\"")]
    Foreign,
    /// No seed, more than one, or one that is no number.
    #[error("a scenario has one line seed=N with a whole number")]
    Seed,
    /// A line or option that is no pair.
    #[error("\"{0}\" is not NAME=VALUE with a whole number")]
    NotAPair(String),
    /// A parameter that the file has set before.
    #[error("\"{0}\" sets what was set before: a parameter has one line")]
    Twice(String),
    /// A parameter that does not exist.
    #[error("there is no parameter {name}; there are: {}", Scenario::NAMES.join(", "))]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A value that no world can live with.
    #[error("{name} has to be between {least} and {most}")]
    OutOfRange {
        /// The parameter.
        name: String,
        /// Its least value.
        least: u64,
        /// Its greatest.
        most: u64,
    },
}

/// The first line of a scenario file.
const HEADER: &str = "goim-sim scenario 1";

impl Scenario {
    /// The scenario as text: a first line that says what it is, then a line for each parameter.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nseed={}\n", self.seed);
        for name in Self::NAMES {
            text += &format!("{name}={}\n", self.value(name).unwrap_or(0));
        }
        text
    }

    /// Reads what [`Scenario::to_text`] wrote; parameters that are left out are as the seed draws
    /// them.
    ///
    /// # Errors
    ///
    /// See [`ScenarioError`].
    pub fn from_text(text: &str) -> Result<Self, ScenarioError> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(ScenarioError::Foreign);
        }
        let lines: Vec<_> = lines.filter(|line| !line.trim().is_empty()).collect();
        let (seeds, others): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.starts_with("seed="));
        let [seed] = seeds[..] else { return Err(ScenarioError::Seed) };
        let seed = seed.strip_prefix("seed=").and_then(|seed| seed.parse().ok());
        let mut scenario = Self::draw(seed.ok_or(ScenarioError::Seed)?);
        let mut given = BTreeSet::new();
        for line in others {
            scenario.set_text(line)?;
            if !given.insert(line.split('=').next()) {
                return Err(ScenarioError::Twice(line.to_owned()));
            }
        }
        Ok(scenario)
    }

    /// Changes a parameter by a text like `nodes=2`.
    ///
    /// # Errors
    ///
    /// See [`ScenarioError`].
    pub fn set_text(&mut self, text: &str) -> Result<(), ScenarioError> {
        let pair = text.split_once('=').and_then(|(name, value)| Some((name, value.parse().ok()?)));
        let (name, value): (&str, u64) = pair.ok_or_else(|| ScenarioError::NotAPair(text.to_owned()))?;
        let (least, most) = (Self::least(name), Self::most(name));
        if self.value(name).is_none() {
            return Err(ScenarioError::Unknown { name: name.to_owned() });
        }
        if value < least || value > most {
            return Err(ScenarioError::OutOfRange { name: name.to_owned(), least, most });
        }
        self.set(name, value);
        Ok(())
    }

    /// The least value of a parameter: what a world cannot do without.
    #[must_use]
    pub fn least(name: &str) -> u64 {
        match name {
            "box_bytes" => 4_000,
            "notifier_conversations" => 3,
            "users" | "lane_waiting" | "list_entries" => 2,
            "send_every_ms" | "safety_ms" | "catch_up_ms" => 100,
            "flight_us_max" => 1_000,
            "nodes"
            | "devices"
            | "groups"
            | "lanes"
            | "notifier_window"
            | "notifier_retries"
            | "announce_burst"
            | "inbox_conversation_bytes"
            | "inbox_bytes"
            | "pull_limit"
            | "pulls"
            | "lane_waiting_bytes"
            | "lane_batch"
            | "lane_batch_bytes"
            | "lane_load"
            | "lane_conversations"
            | "lane_members"
            | "lane_recent"
            | "outbox_in_flight"
            | "rival_conversations"
            | "sync_positions"
            | "sync_looks"
            | "handle_us"
            | "commit_after_ms"
            | "statement_us"
            | "flush_us"
            | "lag_us" => 1,
            _ => 0,
        }
    }

    /// The greatest value of a parameter that a world is tried with.
    fn most(name: &str) -> u64 {
        match name {
            "replica" | "datagrams" => 1,
            "local_store_percent" => 100,
            "nodes" | "users" | "devices" | "groups" | "directs" | "lanes" => 16,
            // What is slower than that may not have come by the end of the liveness phase.
            "commit_after_ms" | "catch_up_ms" => 10_000,
            name if name.contains("_us") => 500_000,
            name if name.ends_with("_permille") => 1_000,
            name if name.ends_with("_ms") => 3_600_000,
            _ => 1 << 40,
        }
    }
}
