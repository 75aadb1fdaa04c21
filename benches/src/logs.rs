//! Logs as untidy as real ones, from a seed.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What to write.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct LogOptions {
    /// The same seed writes the same log.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// People who turn up.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) people: u32,
    /// Lines of the log.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) lines: u32,
}

/// Of a thousand lines of public IRC logs about so many are of each kind.
const JOINS: u32 = 76;
const LEAVES: u32 = 12;
const RENAMES: u32 = 19;
const ACTIONS: u32 = 8;
const ODD: u32 = 5;

/// Writes a log.
pub(crate) fn write_log(options: LogOptions) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut nicks: Vec<String> = (0..options.people).map(|person| format!("person{person}")).collect();
    let mut log = Vec::new();
    for line in 0..options.lines {
        let who = random.random_range(0..nicks.len());
        let nick = nicks[who].clone();
        let time = format!("[{:02}:{:02}]", line / 60 % 24, line % 60);
        let kind = random.random_range(0..1_000);
        let mut bounds = [JOINS, LEAVES, RENAMES, ACTIONS, ODD];
        for place in 1..bounds.len() {
            bounds[place] += bounds[place - 1];
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = match bounds.iter().position(|bound| kind < *bound) {
            Some(0) => write!(text, "=== {nick} [n={nick}@host.example]  has joined #channel"),
            Some(1) => write!(text, "=== {nick} [n={nick}@host.example]  has left #channel []"),
            Some(2) => {
                let new = match random.random_range(0..4) {
                    // Somebody else's, sometimes.
                    0 => nicks[random.random_range(0..nicks.len())].clone(),
                    _ => format!("{}_", nick.trim_end_matches('_')),
                };
                let written = write!(text, "=== {nick} is now known as {new}");
                nicks[who] = new;
                written
            }
            Some(3) => write!(text, "{time}  * {nick} {}", words(&mut random)),
            Some(_) => {
                log.extend_from_slice(odd(&mut random));
                Ok(())
            }
            None => write!(text, "{time} <{nick}> {}", words(&mut random)),
        };
        log.extend_from_slice(text.as_bytes());
        if text.contains(" has left ") && random.random_range(0..4) == 0 {
            // Netsplits tell of the same parting more than once.
            log.push(b'\n');
            log.extend_from_slice(text.as_bytes());
        }
        if random.random_range(0..500) == 0 {
            log.extend_from_slice(b" caf\xe9");
        }
        log.push(b'\n');
    }
    log
}

fn odd(random: &mut StdRng) -> &'static [u8] {
    const LINES: [&[u8]; 7] = [
        b"",
        b"[09:43] <nobody>",
        b"=== mode/#channel [+o nobody]  by ChanServ",
        b"=======================================",
        b"-nobody:#channel- a notice",
        b"[05:12] <no nick> two words",
        b"\xff\xfe\x00\x01",
    ];
    LINES[random.random_range(0..LINES.len())]
}

/// A text with the lengths of chat: half under 44 bytes, a tenth over 129, one in a hundred over
/// 273.
pub(crate) fn words(random: &mut StdRng) -> String {
    const WORDS: [&str; 12] = [
        "so",
        "the",
        "driver",
        "works",
        "now",
        "with",
        "kernel",
        "why?",
        "你好",
        "ok",
        "thanks!",
        "http://example.org/",
    ];
    let length = match random.random_range(0..100) {
        0 => random.random_range(273..500),
        1..=9 => random.random_range(129..273),
        10..=49 => random.random_range(44..129),
        _ => random.random_range(1..44),
    };
    let mut text = String::new();
    while text.len() < length {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(WORDS[random.random_range(0..WORDS.len())]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::{Step, script};

    #[test]
    fn a_log_is_its_seed_s_and_untidy() {
        let options = LogOptions { seed: 7, people: 20, lines: 5_000 };
        let log = write_log(options);
        assert_eq!(log, write_log(options));
        assert_ne!(log, write_log(LogOptions { seed: 8, ..options }));
        let script = script(&log);
        let skipped = &script.skipped;
        let counts = [skipped.joined_twice, skipped.left_absent, skipped.unrecognised, skipped.empty];
        assert!(counts.iter().all(|count| *count > 0) && skipped.repaired > 0, "{skipped:?}");
        assert!(script.renames > 0 && script.persons > 20);
        assert!(script.steps.iter().any(|step| matches!(step, Step::Leave(_))));
    }
}
