//! A value of any wire type, as tests handle it.

use core::fmt::Debug;

use goim_proto::{Decode, Describe, Encode, Shape, decode, encode};

use super::tree::Tree;

/// What tests ask of a value, whatever its type.
pub(crate) trait Value {
    fn wire(&self) -> Vec<u8>;
    fn json(&self) -> String;
    fn tree(&self) -> Tree;
    fn looks(&self) -> Shape;
    /// Panics unless the bytes decode to this value.
    fn assert_decodes_from(&self, wire: &[u8], what: &str);
    fn assert_decodes_from_json(&self, json: &str, what: &str);
}

impl<T> Value for T
where
    T: Describe + Encode + for<'de> Decode<'de> + PartialEq + Debug,
{
    fn wire(&self) -> Vec<u8> {
        let mut buffer = bytes::BytesMut::new();
        encode(self, &mut buffer);
        buffer.to_vec()
    }

    fn json(&self) -> String {
        let mut json = Vec::new();
        self.encode(&mut serde_json::Serializer::new(&mut json)).unwrap();
        String::from_utf8(json).unwrap()
    }

    fn tree(&self) -> Tree {
        Tree::of(self)
    }

    fn looks(&self) -> Shape {
        T::shape()
    }

    fn assert_decodes_from(&self, wire: &[u8], what: &str) {
        match decode::<T>(wire) {
            Ok(value) => assert_eq!(value, *self, "{what}"),
            Err(error) => panic!("{what} does not decode: {error}"),
        }
    }

    fn assert_decodes_from_json(&self, json: &str, what: &str) {
        match T::decode(&mut serde_json::Deserializer::from_str(json)) {
            Ok(value) => assert_eq!(value, *self, "{what} in JSON"),
            Err(error) => panic!("{what} does not decode from JSON: {error}"),
        }
    }
}
