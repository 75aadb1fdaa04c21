//! Switches one deliberate bug on after the other, and fails unless the simulation finds each within
//! [`SEEDS_MAX`] worlds, or a structure's model within as many lists of operations. Prints the table of docs/RELIABILITY.md.

#![allow(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::process::ExitCode;

use goim_core::bugs;
use goim_core_models::{ack_queue, msg_box, msg_list, room};
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
    ("memberships are listed before the heads", "store"),
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
    ("a page of before the looks", "node"),
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
    ("a retry is told a new number", "Lane"),
    ("no send names the one before it", "Outbox"),
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

/// A model over operations in bytes; it panics where structure and model differ.
type Run = fn(&[u8]);

/// Bugs in what core offers to those who embed it and no node here uses, and those that only make the
/// store work more: core's models find them.
const OF_MODELS: &[(&str, &str, Run)] = &[
    ("an ack covers what was sent after it", "AckQueue", ack_queue::run),
    ("what comes out of order is lost", "MsgList", msg_list::run),
    ("entries go before the slowest reader passed", "MsgList", msg_list::run),
    ("a box tells nothing", "MsgBox", msg_box::run),
    ("a box forgets acks", "MsgBox", msg_box::run),
    ("a look counts for whatever registration", "Room", room::run),
    ("who reads is not registered anew", "Room", room::run),
    ("entries pass in any order", "Room", room::run),
];

/// Operations that a model is run over, in bytes.
const INPUT_BYTES: usize = 512;

/// The first world that shows a bug, and the check that does.
fn in_worlds() -> Option<(u64, &'static str)> {
    let found = (1..=SEEDS_MAX).find_map(|seed| Some((seed, look(&Scenario::draw(seed)).finding?.check)));
    // A bug that makes the code stumble over itself was not found by a check.
    found.filter(|(_, check)| *check != "panic")
}

/// The first list of operations after which structure and model differ.
fn in_model(run: Run) -> Option<(u64, &'static str)> {
    let differs = |seed: &u64| {
        let mut rng = fastrand::Rng::with_seed(*seed);
        let input: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(INPUT_BYTES).collect();
        std::panic::catch_unwind(|| run(&input)).is_err()
    };
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found = (1..=SEEDS_MAX).find(differs);
    std::panic::set_hook(hook);
    found.map(|seed| (seed, "model"))
}

fn main() -> ExitCode {
    let mut missed = 0;
    println!("| bug | where | found by | in world or list |\n|---|---|---|---|");
    let in_worlds = BUGS.iter().map(|(bug, place)| (*bug, *place, None));
    let in_models = OF_MODELS.iter().map(|(bug, place, run)| (*bug, *place, Some(*run)));
    for (bug, place, model) in in_worlds.chain(in_models) {
        bugs::set(Some(bug));
        let found = model.map_or_else(self::in_worlds, in_model);
        bugs::set(None);
        match found {
            Some((seed, check)) => println!("| {bug} | {place} | `{check}` | {seed} |"),
            None => {
                missed += 1;
                println!("| {bug} | {place} | **nothing** | |");
            }
        }
    }
    let bugs = BUGS.len() + OF_MODELS.len();
    println!("{bugs} bugs, {missed} not found within {SEEDS_MAX} worlds or lists of operations");
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
