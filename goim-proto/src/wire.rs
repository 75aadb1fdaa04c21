//! The rules of growth, once for all types: [`Encode`] and [`Decode`] over serde's data model.
//!
//! In a format for people, which is JSON, structs are objects and enums are names: a caller who writes
//! by hand cannot count positions. The rules are the same: what is missing is a default, what is not
//! known is passed over, for a newer client may speak to an older server there too.
//!
//! Core's types know no serialisation, and serde's derive would neither default missing fields
//! nor pass over unknown ones in an array; hence two traits of our own on top of any serde format.

use core::fmt;
use core::marker::PhantomData;

use base64::display::Base64Display;
use base64::engine::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{BufMut, Bytes, BytesMut};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, Seq, UserId};
use serde::de::{self, DeserializeSeed, IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json;
use crate::limits::{DEPTH_MAX, ITEMS_MAX};

/// What can be written to the wire.
pub trait Encode {
    /// Writes the value.
    ///
    /// # Errors
    ///
    /// What the format or the writer below it reports.
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// What can be read from the wire. `'de` is the life of the input, for what borrows from it.
pub trait Decode<'de>: Sized {
    /// The value of a field that the peer did not send.
    fn absent() -> Self;

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// What the format reports of bytes that are not such a value.
    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Bytes that are not what was expected.
#[derive(Debug, thiserror::Error)]
#[error("not a valid goim value: {reason}")]
pub struct DecodeError {
    #[source]
    reason: rmp_serde::decode::Error,
}

/// Decodes a value from one MessagePack document. What follows it is passed over.
///
/// # Errors
///
/// [`DecodeError`] if the bytes are not such a value or are nested deeper than [`DEPTH_MAX`].
pub fn decode<'de, T: Decode<'de>>(bytes: &'de [u8]) -> Result<T, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    // It counts down with each array and stops at none left, not below.
    deserializer.set_max_depth(DEPTH_MAX + 1);
    T::decode(&mut deserializer).map_err(|reason| DecodeError { reason })
}

/// Appends a value to a buffer as MessagePack.
pub fn encode<T: Encode + ?Sized>(value: &T, buffer: &mut BytesMut) {
    let mut serializer = rmp_serde::Serializer::new(buffer.writer());
    let written = value.encode(&mut serializer);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// Bytes that are borrowed from the input, which JSON cannot give. As a body it passes through without a copy:
/// `Bytes::slice_ref` turns it into a slice of the frame's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slice<'a>(pub &'a [u8]);

impl core::ops::Deref for Slice<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

/// Lets serde write an [`Encode`].
pub(crate) struct Ser<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: Encode + ?Sized> Serialize for Ser<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.encode(serializer)
    }
}

/// Lets serde read a [`Decode`].
pub(crate) struct De<T>(pub(crate) PhantomData<T>);

impl<'de, T: Decode<'de>> DeserializeSeed<'de> for De<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::decode(deserializer)
    }
}

/// The next field of an array, if the peer sent it.
pub(crate) fn next<'de, T: Decode<'de>, A: SeqAccess<'de>>(fields: &mut A) -> Result<T, A::Error> {
    Ok(fields.next_element_seed(De(PhantomData))?.unwrap_or_else(T::absent))
}

/// Passes over fields that a newer peer sent.
pub(crate) fn skip_rest<'de, A: SeqAccess<'de>>(fields: &mut A) -> Result<(), A::Error> {
    while fields.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

macro_rules! plain {
    ($($ty:ty),*) => {$(
        impl Encode for $ty {
            fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }

        impl<'de> Decode<'de> for $ty {
            fn absent() -> Self {
                Self::default()
            }

            fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
        }
    )*};
}

plain!(bool, u32, u64, String);

/// Numbers are integers in MessagePack and strings in JSON, whose readers lose what lies over 2⁵³.
macro_rules! id {
    ($($ty:ty),*) => {$(
        impl Encode for $ty {
            fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_u64(self.as_u64())
                }
            }
        }

        impl<'de> Decode<'de> for $ty {
            fn absent() -> Self {
                Self::default()
            }

            fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Parsed(json::id)).map(Self::new)
                } else {
                    u64::deserialize(deserializer).map(Self::new)
                }
            }
        }
    )*};
}

id!(ConversationId, UserId, DeviceId, Epoch, Seq);

impl Encode for ClientMsgId {
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(self.as_uuid().as_bytes())
        }
    }
}

impl<'de> Decode<'de> for ClientMsgId {
    fn absent() -> Self {
        Self::from_uuid(uuid::Uuid::nil())
    }

    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_str(Parsed(json::uuid)).map(Self::from_uuid);
        }
        uuid::Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}

/// Reads a string, borrowed or not, by what a function makes of it.
struct Parsed<F>(F);

impl<T, E: fmt::Display, F: FnOnce(&str) -> Result<T, E>> Visitor<'_> for Parsed<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<D: de::Error>(self, text: &str) -> Result<T, D> {
        (self.0)(text).map_err(D::custom)
    }
}

impl Encode for Bytes {
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Slice(self).encode(serializer)
    }
}

/// A copy of exactly the size: what is kept must not pin the buffer that it came in. In JSON,
/// which has no bytes, a string in Base64 (RFC 4648, section 4).
impl<'de> Decode<'de> for Bytes {
    fn absent() -> Self {
        Self::new()
    }

    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Copy;
        impl Visitor<'_> for Copy {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            // Libraries of the older MessagePack know no other bytes than strings.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                self.visit_bytes(text.as_bytes())
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(bytes))
            }
        }
        if deserializer.is_human_readable() {
            let bytes: Vec<u8> = deserializer.deserialize_str(Parsed(|text: &str| BASE64.decode(text)))?;
            return Ok(Self::from(bytes.into_boxed_slice()));
        }
        deserializer.deserialize_bytes(Copy)
    }
}

impl Encode for Slice<'_> {
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(&Base64Display::new(self.0, &BASE64));
        }
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Decode<'de> for Slice<'a> {
    fn absent() -> Self {
        Self(&[])
    }

    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Err(de::Error::custom("bytes in Base64 cannot be borrowed; decode them as `Bytes`"));
        }
        <&[u8]>::deserialize(deserializer).map(Self)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => serializer.serialize_some(&Ser(value)),
            None => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for Option<T> {
    fn absent() -> Self {
        None
    }

    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Maybe<T>(PhantomData<T>);
        impl<'de, T: Decode<'de>> Visitor<'de> for Maybe<T> {
            type Value = Option<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or nothing")
            }

            fn visit_none<E>(self) -> Result<Option<T>, E> {
                Ok(None)
            }

            fn visit_unit<E>(self) -> Result<Option<T>, E> {
                Ok(None)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
                T::decode(deserializer).map(Some)
            }
        }
        deserializer.deserialize_option(Maybe(PhantomData))
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for item in self {
            list.serialize_element(&Ser(item))?;
        }
        list.end()
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for Vec<T> {
    fn absent() -> Self {
        Self::new()
    }

    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Decode<'de>> Visitor<'de> for List<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
                // A length is only a claim: memory is taken ahead for no more than 4 KiB of it.
                let ahead = 4096 / size_of::<T>().max(1);
                let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0).min(ahead));
                while let Some(item) = items.next_element_seed(De(PhantomData))? {
                    if list.len() == ITEMS_MAX {
                        return Err(de::Error::custom(format_args!(
                            "an array of more than {ITEMS_MAX} items"
                        )));
                    }
                    list.push(item);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

// Core's, which knows no wire: its fields are listed here, and their order is golden.
wire_fields! {
    /// An entry of a conversation's log.
    Entry<B> {
        /// Its place in the conversation.
        seq: Seq,
        /// Who appended it.
        sender: UserId,
        /// The id that the sender gave it.
        client_msg_id: ClientMsgId,
        /// When it was committed, in milliseconds since the Unix epoch.
        at_ms: u64,
        /// How many messages the log holds up to and including this entry.
        count: u64,
        /// What it says.
        body: B,
    }
}
