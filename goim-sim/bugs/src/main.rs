//! Switches one deliberate bug on after the other, and fails unless the simulation finds each within
//! [`SEEDS_MAX`] worlds. Prints the table of docs/RELIABILITY.md.

#![allow(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::process::ExitCode;

use goim_core::bugs;
use goim_sim_bugs::{Scenario, look};

/// Worlds in which a bug has to be found.
const SEEDS_MAX: u64 = 2_000;

/// Every bug by the name that stands at its place in the code, and where that is.
const BUGS: &[(&str, &str)] = &[
    ("reply before flush", "store"),
    ("the unique index as the fence", "store"),
    ("no unique index", "store"),
    ("revision not compared", "store"),
    ("a block raises no revision", "store"),
    ("head from max(seq)", "store"),
    ("the head is read after the fold", "store"),
    ("a pull forgets the ranges", "store"),
    ("offsets go back", "store"),
    ("markers go back", "store"),
    ("offsets of another epoch", "store"),
    ("retention shorter than ids may be old", "store"),
    ("ids of any age", "node"),
    ("heads kept across store connections", "node"),
    ("ids remembered across epochs", "node"),
    ("a rival keeps heads across store connections", "node"),
    ("the epoch is looked at now and then", "node"),
    ("entries of any epoch", "node"),
    ("look before registering", "node"),
    ("a removed member reads on", "node"),
    ("memory serves what is not one's own", "node"),
    ("a dropped mark is forgotten", "node"),
    ("a gap never fetched", "node"),
    ("no catch-up", "node"),
    ("`after` ignored", "node"),
    ("what may yet be stored is refused", "node"),
    ("every ack in a datagram", "device"),
    ("commit before handled", "device"),
    ("resume behind the offset's entry", "device"),
    ("the epoch ignored", "device"),
    ("a new id for a retry", "device"),
    ("a number is left out", "Lane"),
    ("the lane ignores `after`", "Lane"),
    ("effects forgotten within a batch", "Lane"),
    ("head from memory after a conflict", "Lane"),
    ("no send names the one before it", "Outbox"),
    ("entries pass in any order", "Room"),
    ("a look is believed whatever passed", "Room"),
    ("one too far in the window", "MsgList"),
    ("nothing is sent again", "AckQueue"),
    ("coalescing drops the newest head", "Notifier"),
    ("the old head is sent again", "Notifier"),
    ("an old ack clears a newer head", "Notifier"),
    ("an announced head is forgotten", "Inbox"),
    ("a pull counts as whole", "Inbox"),
    ("whatever rides along is the next", "Inbox"),
    ("an entry that came before is taken again", "Inbox"),
    ("positions stay when the store went back", "Inbox"),
];

fn main() -> ExitCode {
    let mut missed = 0;
    println!("| bug | where | found by | in world |\n|---|---|---|---|");
    for (bug, place) in BUGS {
        bugs::set(Some(bug));
        let found = (1..=SEEDS_MAX).find_map(|seed| Some((seed, look(&Scenario::draw(seed)).finding?)));
        // A bug that makes the code stumble over itself was not found by a check.
        let found = found.filter(|(_, finding)| finding.check != "panic");
        bugs::set(None);
        match found {
            Some((seed, finding)) => println!("| {bug} | {place} | `{}` | {seed} |", finding.check),
            None => {
                missed += 1;
                println!("| {bug} | {place} | **nothing** | |");
            }
        }
    }
    println!("{} bugs, {missed} not found within {SEEDS_MAX} worlds", BUGS.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
