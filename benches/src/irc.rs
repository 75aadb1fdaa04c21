//! IRC channel logs: what each line says, and who is who behind changing nicks.
//!
//! The rules, which the tool's help repeats, are in [`RULES`].

use std::collections::HashMap;

/// What is done with each kind of line.
pub(crate) const RULES: &str = "\
Lines of a log, and what is done with them:
  [hh:mm] <nick> text          sent as a text by the person who has the nick
  [hh:mm]  * nick action       sent as the text \"* action\"
  === nick [host] has joined   the person becomes a member; if he is one, counted as `joined_twice`
  === nick [host] has left     the person leaves; if he is not in, counted as `left_absent`
  === nick is now known as new the person keeps his identity under the new nick. A nick seen before
                               passes to him; whoever had it stays what he was, without it
  a nick never seen before     is a new person; one who speaks or changes nick joins first
  whoever never leaves         is a member to the end
  a text of nothing            skipped, counted as `empty`
  bytes that are not UTF-8     replaced by U+FFFD; the line counts as `repaired` and is sent
  a text over 64 KiB           skipped, counted as `too_long`
  anything else                skipped, counted as `unrecognised`";

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Text { nick: &'a str, text: String },
    Join { nick: &'a str },
    Leave { nick: &'a str },
    Rename { from: &'a str, to: &'a str },
    Skipped(Skip),
}

/// Why a line is not replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    Blank,
    Empty,
    TooLong,
    Unrecognised,
}

/// The longest text that is sent.
const TEXT_BYTES_MAX: usize = 65_536;

/// Reads one line.
pub(crate) fn parse(line: &str) -> Line<'_> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return Line::Skipped(Skip::Blank);
    }
    if let Some(notice) = line.strip_prefix("=== ") {
        return parse_notice(notice);
    }
    let Some(said) = after_time(line) else { return Line::Skipped(Skip::Unrecognised) };
    if let Some((nick, text)) = said.strip_prefix('<').and_then(|said| said.split_once('>')) {
        return speech(nick, text.strip_prefix(' ').unwrap_or(text), "");
    }
    match said.trim_start().strip_prefix("* ").and_then(|action| action.split_once(' ')) {
        Some((nick, action)) => speech(nick, action, "* "),
        None => Line::Skipped(Skip::Unrecognised),
    }
}

/// What follows `[hh:mm] `.
fn after_time(line: &str) -> Option<&str> {
    let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    (number(hours) && number(minutes)).then(|| rest.strip_prefix(' '))?
}

fn speech<'a>(nick: &'a str, text: &str, prefix: &str) -> Line<'a> {
    if !is_nick(nick) {
        Line::Skipped(Skip::Unrecognised)
    } else if text.is_empty() {
        Line::Skipped(Skip::Empty)
    } else if prefix.len() + text.len() > TEXT_BYTES_MAX {
        Line::Skipped(Skip::TooLong)
    } else {
        Line::Text { nick, text: format!("{prefix}{text}") }
    }
}

fn parse_notice(notice: &str) -> Line<'_> {
    if let Some((from, to)) = notice.split_once(" is now known as ") {
        let (from, to) = (from.trim(), to.trim());
        return match is_nick(from) && is_nick(to) {
            true => Line::Rename { from, to },
            false => Line::Skipped(Skip::Unrecognised),
        };
    }
    let Some((nick, rest)) = notice.split_once([' ', '\t']) else { return Line::Skipped(Skip::Unrecognised) };
    let host_ends = rest.trim_start().strip_prefix('[').and_then(|host| host.split_once(']'));
    let Some((_, deed)) = host_ends.filter(|_| is_nick(nick)) else {
        return Line::Skipped(Skip::Unrecognised);
    };
    match deed.trim_start() {
        deed if deed.starts_with("has joined ") => Line::Join { nick },
        deed if deed.starts_with("has left ") || deed.starts_with("has quit") => Line::Leave { nick },
        _ => Line::Skipped(Skip::Unrecognised),
    }
}

fn is_nick(nick: &str) -> bool {
    !nick.is_empty() && nick.len() <= 64 && !nick.contains(char::is_whitespace)
}

/// A person of a log: the order in which they turned up.
pub(crate) type Person = usize;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Join(Person),
    Leave(Person),
    Say(Person, String),
}

/// Lines that were counted instead of replayed, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Skipped {
    pub(crate) blank: u64,
    pub(crate) empty: u64,
    pub(crate) too_long: u64,
    pub(crate) unrecognised: u64,
    pub(crate) joined_twice: u64,
    pub(crate) left_absent: u64,
    /// Sent, but not as the bytes that the file has.
    pub(crate) repaired: u64,
}

impl Skipped {
    pub(crate) fn add(&mut self, other: &Self) {
        self.blank += other.blank;
        self.empty += other.empty;
        self.too_long += other.too_long;
        self.unrecognised += other.unrecognised;
        self.joined_twice += other.joined_twice;
        self.left_absent += other.left_absent;
        self.repaired += other.repaired;
    }
}

/// A log as steps of persons.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) persons: usize,
    pub(crate) steps: Vec<Step>,
    pub(crate) skipped: Skipped,
    pub(crate) renames: u64,
}

/// Makes steps of a log's bytes.
pub(crate) fn script(bytes: &[u8]) -> Script {
    let mut script = Script::default();
    let mut people = People::default();
    for raw in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(raw);
        let repaired = matches!(line, std::borrow::Cow::Owned(_));
        script.skipped.repaired += u64::from(repaired);
        match parse(&line) {
            Line::Text { nick, text } => {
                let person = people.present(nick, &mut script.steps);
                script.steps.push(Step::Say(person, text));
            }
            Line::Join { nick } => match people.join(nick) {
                Some(person) => script.steps.push(Step::Join(person)),
                None => script.skipped.joined_twice += 1,
            },
            Line::Leave { nick } => match people.leave(nick) {
                Some(person) => script.steps.push(Step::Leave(person)),
                None => script.skipped.left_absent += 1,
            },
            Line::Rename { from, to } => {
                let person = people.present(from, &mut script.steps);
                people.nicks.remove(from);
                people.nicks.insert(to.to_owned(), person);
                script.renames += 1;
            }
            Line::Skipped(Skip::Blank) => script.skipped.blank += 1,
            Line::Skipped(Skip::Empty) => script.skipped.empty += 1,
            Line::Skipped(Skip::TooLong) => script.skipped.too_long += 1,
            Line::Skipped(Skip::Unrecognised) => script.skipped.unrecognised += 1,
        }
    }
    // What follows the last line's end is not a line.
    script.skipped.blank -= u64::from(bytes.is_empty() || bytes.ends_with(b"\n"));
    script.persons = people.is_in.len();
    script
}

#[derive(Default)]
struct People {
    nicks: HashMap<String, Person>,
    is_in: Vec<bool>,
}

impl People {
    fn person(&mut self, nick: &str) -> Person {
        let next = self.is_in.len();
        let person = *self.nicks.entry(nick.to_owned()).or_insert(next);
        if person == next {
            self.is_in.push(false);
        }
        person
    }

    fn join(&mut self, nick: &str) -> Option<Person> {
        let person = self.person(nick);
        (!std::mem::replace(&mut self.is_in[person], true)).then_some(person)
    }

    fn leave(&mut self, nick: &str) -> Option<Person> {
        let person = *self.nicks.get(nick)?;
        std::mem::replace(&mut self.is_in[person], false).then_some(person)
    }

    /// Who has the nick, joining first if he is not in.
    fn present(&mut self, nick: &str, steps: &mut Vec<Step>) -> Person {
        if let Some(person) = self.join(nick) {
            steps.push(Step::Join(person));
        }
        self.person(nick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(log: &str) -> Vec<Step> {
        script(log.as_bytes()).steps
    }

    fn say(person: Person, text: &str) -> Step {
        Step::Say(person, text.to_owned())
    }

    #[test]
    fn speech_and_actions_are_texts() {
        let log = "[01:02] <ann> hi: <all>\n[01:03]  * ann waves\n[01:04] <ann>  two\n";
        assert_eq!(steps(log), [Step::Join(0), say(0, "hi: <all>"), say(0, "* waves"), say(0, " two")]);
    }

    #[test]
    fn a_person_keeps_his_identity_through_nicks() {
        let log =
            "[01:02] <ann> a\n=== ann is now known as ann_away\n[01:03] <ann_away> b\n[01:04] <ann> c\n";
        assert_eq!(steps(log), [Step::Join(0), say(0, "a"), say(0, "b"), Step::Join(1), say(1, "c")]);
    }

    #[test]
    fn a_nick_seen_before_passes_on() {
        let log = "[01:02] <ann> a\n[01:02] <ann_> b\n=== ann_ is now known as ann\n[01:03] <ann> c\n";
        assert_eq!(steps(log), [Step::Join(0), say(0, "a"), Step::Join(1), say(1, "b"), say(1, "c")]);
    }

    #[test]
    fn joins_of_who_is_in_and_parts_of_who_is_not_are_counted() {
        let log = "=== ann [~a@host] has joined #x\n=== ann  [~a@host]  has joined #x\n\
                   === bob [b] has left #x []\n=== ann [a] has left #x [\"bye\"]\n=== ann [a] has joined #x\n";
        let script = script(log.as_bytes());
        assert_eq!(script.steps, [Step::Join(0), Step::Leave(0), Step::Join(0)]);
        assert_eq!((script.skipped.joined_twice, script.skipped.left_absent), (1, 1));
    }

    #[test]
    fn what_is_none_of_these_is_counted() {
        let log = "\n=== ann sets mode\n-x:#y- spam\n[09:43] <drcode>\n[xx:01] <a> b\nplain\n";
        let script = script(log.as_bytes());
        assert_eq!(script.steps, []);
        assert_eq!((script.skipped.blank, script.skipped.empty, script.skipped.unrecognised), (1, 1, 4));
    }

    #[test]
    fn bytes_that_are_not_text_are_repaired_and_sent() {
        let script = script(b"[01:02] <ann> caf\xe9\n");
        assert_eq!(script.steps[1], say(0, "caf\u{fffd}"));
        assert_eq!(script.skipped.repaired, 1);
    }

    #[test]
    fn every_line_is_accounted_for_whatever_the_bytes() {
        use rand::rngs::StdRng;
        use rand::{RngExt, SeedableRng};
        let seed = rand::rng().random::<u64>();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let parts: [&[u8]; 12] = [
            b"[01:02] <a> ",
            b"=== ",
            b"b [h] has joined #x",
            b" is now known as ",
            b"\n",
            b"\xff\x00",
            b"> <",
            b"[",
            b"]",
            b"a b",
            b"[99:99]  * a ",
            b"b [h] has left #x",
        ];
        for _ in 0..2_000 {
            let mut log = Vec::new();
            for _ in 0..random.random_range(0..20) {
                log.extend_from_slice(parts[random.random_range(0..parts.len())]);
            }
            let script = script(&log);
            let said = script.steps.iter().filter(|step| matches!(step, Step::Say(..))).count() as u64;
            let skipped = &script.skipped;
            let counted = said
                + script.renames
                + skipped.blank
                + skipped.empty
                + skipped.too_long
                + skipped.unrecognised
                + skipped.joined_twice
                + skipped.left_absent;
            let moved = script.steps.iter().filter(|step| !matches!(step, Step::Say(..))).count() as u64;
            let lines = log.split(|byte| *byte == b'\n').count() as u64
                - u64::from(log.is_empty() || log.ends_with(b"\n"));
            // Joins are lines of their own or go before a line of another kind.
            assert!(counted <= lines && lines <= counted + moved, "{counted} + {moved} of {lines}");
        }
    }
}
