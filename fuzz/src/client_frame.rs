//! What a server decodes.

use goim_proto::{ClientFrame, Slice, decode};

use crate::round_trip;

/// Decodes a client's frame, with its body copied and with its body borrowed.
///
/// # Panics
///
/// If it does not come back as it was, or the two differ.
pub fn run(data: &[u8]) {
    let owned = round_trip::check::<ClientFrame>(data);
    let borrowed = decode::<ClientFrame<Slice<'_>>>(data).ok();
    let (owned, borrowed) =
        (owned.as_ref().map(round_trip::encoded), borrowed.as_ref().map(round_trip::encoded));
    assert_eq!(owned, borrowed, "a copied body is read as a borrowed one");
}
