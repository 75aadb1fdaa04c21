//! Fuzz targets: every decoder of goim-proto on bytes, every structure of goim-core on a list of
//! operations against its naive model.
//!
//! A target is an ordinary function that panics on a violated property. `tests/corpus.rs` runs all of
//! them on stable Rust, over `corpus/<target>/` and for some seconds over changed and random inputs;
//! `scripts/fuzz.sh` runs them under libFuzzer through the binaries in `fuzz_targets/`. The models of
//! core's structures are in `goim-core/models`, because core's own tests run them too.

pub mod client_frame;
pub mod content;
pub mod frame_reader;
pub mod json;
mod round_trip;
pub mod seeds;
pub mod server_frame;

pub use goim_core_models::{
    Model as Target, ack_queue, inbox, lane, msg_box, msg_list, notifier, outbox, room, rtt, segment,
    sequence,
};

/// The decoders.
const DECODERS: &[Target] = &[
    Target { name: "client_frame", run: client_frame::run },
    Target { name: "content", run: content::run },
    Target { name: "frame_reader", run: frame_reader::run },
    Target { name: "json", run: json::run },
    Target { name: "server_frame", run: server_frame::run },
];

/// Every target.
pub fn targets() -> impl Iterator<Item = Target> {
    DECODERS.iter().chain(goim_core_models::MODELS).copied()
}
