//! Naive models of goim-core's structures.
//!
//! Each module holds one model, the contract in the plainest words, and a `run` that reads a list
//! of operations from bytes, does them to the structure and to the model, and panics where the two
//! differ. Any bytes are a list of operations, and a shorter one is the beginning of a longer one.
//!
//! There is one model for two users: goim-core's own tests run it over random bytes that proptest
//! shrinks, and the targets in `fuzz/` over what libFuzzer finds. So it is a crate of its own, which
//! core depends on for its tests only.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is the verdict")]

pub mod ack_queue;
pub mod inbox;
pub mod input;
pub mod lane;
pub mod msg_box;
pub mod msg_list;
pub mod notifier;
pub mod outbox;
pub mod room;
pub mod rtt;
pub mod segment;
pub mod sequence;

pub use input::Input;

/// A model by its name.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// The structure's module in goim-core.
    pub name: &'static str,
    /// Runs the operations in these bytes; panics where structure and model differ.
    pub run: fn(&[u8]),
}

/// Every model.
pub const MODELS: &[Model] = &[
    Model { name: "ack_queue", run: ack_queue::run },
    Model { name: "inbox", run: inbox::run },
    Model { name: "lane", run: lane::run },
    Model { name: "msg_box", run: msg_box::run },
    Model { name: "msg_list", run: msg_list::run },
    Model { name: "notifier", run: notifier::run },
    Model { name: "outbox", run: outbox::run },
    Model { name: "room", run: room::run },
    Model { name: "rtt", run: rtt::run },
    Model { name: "segment", run: segment::run },
    Model { name: "sequence", run: sequence::run },
];
