//! The wire's types in JSON: what the HTTP door reads, and what it writes.

use core::fmt::Debug;

use goim_proto::{Call, Content, Decode, Encode, Reply, Send};
use serde_json::Value;

use crate::round_trip::encoded;

/// Objects and arrays within each other: six for an edit whose text mentions somebody, and five around
/// that in a page of found messages.
const DEPTH_MAX: usize = 11;

/// Reads JSON, in two steps as the door does, as everything that may stand in a body or an answer.
///
/// # Panics
///
/// If a value does not come back as it was, from JSON or from MessagePack, or is nested without bound.
pub fn run(data: &[u8]) {
    let _ = is_something(data);
}

/// Whether anything could be read.
///
/// # Panics
///
/// As [`run`].
#[must_use]
pub fn is_something(data: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(data) else { return false };
    let read = [
        check::<Content>(data, &json),
        check::<Call>(data, &json),
        check::<Call<Content>>(data, &json),
        check::<Vec<Send<Content>>>(data, &json),
        check::<Reply<Content>>(data, &json),
    ];
    read.contains(&true)
}

/// Whether it could be read as a `T`.
fn check<T>(data: &[u8], json: &Value) -> bool
where
    T: for<'a> Decode<'a> + Encode + PartialEq + Debug,
{
    let Ok(value) = T::decode(json.clone()) else { return false };
    if let Ok(at_once) = T::decode(&mut serde_json::Deserializer::from_slice(data)) {
        assert_eq!(at_once, value, "read in one step");
    }
    let again = T::decode(written(&value)).expect("what was written can be read");
    assert_eq!(again, value);
    let from_wire: T = goim_proto::decode(&encoded(&value)).expect("what was encoded can be decoded");
    assert_eq!(from_wire, value, "the two forms say the same");
    true
}

/// Writes a value of the wire in JSON and reads that: it says the same again.
pub(crate) fn check_written<T>(value: &T)
where
    T: for<'a> Decode<'a> + Encode + PartialEq + Debug,
{
    let json = written(value);
    let again = T::decode(json.clone()).expect("what was written can be read");
    assert_eq!(written(&again), json);
}

/// A value in JSON.
fn written<T: Encode + Debug>(value: &T) -> Value {
    let json = value.encode(serde_json::value::Serializer).expect("JSON has all that a value says");
    let depth = depth(&json);
    assert!(depth <= DEPTH_MAX, "{depth} levels: {value:?}");
    json
}

fn depth(json: &Value) -> usize {
    match json {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
