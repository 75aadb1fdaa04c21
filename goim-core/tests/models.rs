//! Every structure against its naive model, over random lists of operations.
//!
//! The models and the reason why they are a crate of their own: `goim-core/models`. A list that fails
//! is shrunk, and kept in `models.proptest-regressions`, to be tried first from then on.

use goim_core_models::{
    ack_queue, inbox, lane, msg_box, msg_list, notifier, outbox, room, rtt, segment, sequence,
};
use proptest::prelude::*;

/// A list of operations, in one line where it fails.
struct Operations(Vec<u8>);

impl core::fmt::Debug for Operations {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn operations(bytes_max: usize) -> impl Strategy<Value = Operations> {
    prop::collection::vec(any::<u8>(), 0..bytes_max).prop_map(Operations)
}

/// One test for each model. More bytes are a longer list of operations.
macro_rules! models {
    ($($(#[$doc:meta])* $name:ident: $run:path, $cases:literal cases of $bytes:literal bytes;)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig::with_cases($cases))]

            $(#[$doc])*
            #[test]
            fn $name(operations in operations($bytes)) {
                $run(&operations.0);
            }
        }
    )*};
}

models! {
    ack_queue_behaves_like_a_plain_list: ack_queue::run, 4_096 cases of 400 bytes;
    g5_g6_inbox_misses_nothing_and_never_goes_back: inbox::run, 4_096 cases of 600 bytes;
    g2_g3_g4_g9_lane_obeys_the_store: lane::run, 128 cases of 4_000 bytes;
    g7_box_tells_the_log_or_nothing_within_its_bytes: msg_box::run, 1_536 cases of 800 bytes;
    g7_list_does_what_a_map_does_within_its_bounds: msg_list::run, 2_048 cases of 800 bytes;
    g8_notifier_tells_every_reader_every_newest_head: notifier::run, 4_096 cases of 600 bytes;
    g3_g4_outbox_sends_everything_once_and_in_order: outbox::run, 2_048 cases of 600 bytes;
    g5_g9_room_tells_whoever_is_in_and_nobody_else: room::run, 20_000 cases of 400 bytes;
    rtt_follows_rfc_6298: rtt::run, 4_096 cases of 300 bytes;
    no_segment_number_is_given_twice: segment::run, 1_536 cases of 1_200 bytes;
    g2_sequence_is_dense: sequence::run, 2_048 cases of 900 bytes;
}

#[test]
fn no_model_is_left_out() {
    let tested = include_str!("models.rs");
    for model in goim_core_models::MODELS {
        assert!(tested.contains(&format!("{}::run, ", model.name)), "{} has no test here", model.name);
    }
}
