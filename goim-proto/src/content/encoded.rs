use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserializer, Serializer};

use super::Content;
use crate::shape::{Describe, Shape};
use crate::wire::{Decode, Encode};

/// A content within another one: bytes, which are passed on as they came, and in JSON what they say. What
/// was edited is a message: where the bytes are another edit, JSON has nothing known in their place and
/// takes none, so that nobody's bytes make it deeper than a message is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncodedContent(pub Bytes);

impl Encode for EncodedContent {
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return Encode::encode(&self.0, serializer);
        }
        let content = Content::decode(&self.0).ok().filter(|content| !matches!(content, Content::Edited(_)));
        Encode::encode(&content.unwrap_or_else(Content::absent), serializer)
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
        match <Content as Decode>::decode(deserializer)? {
            Content::Edited(_) => Err(D::Error::custom("an edit is of a message, not of another edit")),
            // What is absent is written so.
            Content::Unknown(0) => Ok(Self::absent()),
            content => Ok(Self(content.encode())),
        }
    }
}

impl Describe for EncodedContent {
    fn shape() -> Shape {
        Shape::Again("Content")
    }
}
