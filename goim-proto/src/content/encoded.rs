use bytes::Bytes;
use serde::{Deserializer, Serializer};

use super::Content;
use crate::shape::{Describe, Shape};
use crate::wire::{Decode, Encode};

/// A content within another one: bytes, which are passed on as they came, and in JSON what they say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncodedContent(pub Bytes);

impl Encode for EncodedContent {
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return Encode::encode(&self.0, serializer);
        }
        let content = Content::decode(&self.0).unwrap_or(Content::Unknown(0));
        Encode::encode(&content, serializer)
    }
}

impl<'de> Decode<'de> for EncodedContent {
    fn absent() -> Self {
        Self::default()
    }

    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <Bytes as Decode>::decode(deserializer).map(Self);
        }
        <Content as Decode>::decode(deserializer).map(|content| Self(content.encode()))
    }
}

impl Describe for EncodedContent {
    fn shape() -> Shape {
        Shape::Again("Content")
    }
}
