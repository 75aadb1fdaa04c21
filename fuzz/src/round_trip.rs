//! What holds of everything that is decoded.

use core::fmt::Debug;

use bytes::BytesMut;
use goim_proto::{Decode, Encode, decode, encode};

use crate::json;

/// Longer values are cut in fewer places, for the time that it takes.
const CUTS: usize = 64;

/// Decodes a value and encodes it again: that decodes to the same value, whatever follows it or is
/// added to its array, which is a short one; no part of it passes for the whole; and JSON says as much.
pub(crate) fn check<T>(data: &[u8]) -> Option<T>
where
    T: for<'a> Decode<'a> + Encode + PartialEq + Debug,
{
    let value: T = decode(data).ok()?;
    let encoded = encoded(&value);
    let again: T = decode(&encoded).expect("what was encoded can be decoded");
    assert_eq!(value, again);
    for cut in (0..encoded.len()).step_by(encoded.len() / CUTS + 1) {
        assert!(decode::<T>(&encoded[..cut]).is_err(), "{cut} of {} bytes do", encoded.len());
    }
    json::check_written(&value);
    let mut grown = encoded.clone();
    grown[0] += 1;
    grown.extend_from_slice(b"\xc0");
    assert_eq!(decode::<T>(&grown).expect("one more field is passed over"), value);
    let mut followed = encoded;
    followed.extend_from_slice(data);
    assert_eq!(decode::<T>(&followed).expect("what follows is passed over"), value);
    Some(value)
}

pub(crate) fn encoded<T: Encode>(value: &T) -> BytesMut {
    let mut buffer = BytesMut::new();
    encode(value, &mut buffer);
    buffer
}
