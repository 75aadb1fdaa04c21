//! What formats for people have and MessagePack's arrays do not: names of fields, variants and codes,
//! and ids as text. Which form a value takes is decided in [`wire`](crate::wire) and its macros.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::wire::{De, Decode};

/// Decimal digits of the largest id.
pub(crate) const ID_DIGITS_MAX: usize = 19;
/// Characters of a UUID as text.
const UUID_CHARS: usize = 36;

/// The value of an object's field.
pub(crate) fn field<'de, T: Decode<'de>, A: MapAccess<'de>>(fields: &mut A) -> Result<T, A::Error> {
    fields.next_value_seed(De(PhantomData))
}

/// Passes over a field that this version does not know.
pub(crate) fn skip_field<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<(), A::Error> {
    fields.next_value::<IgnoredAny>().map(drop)
}

/// The payload, in JSON, of a variant that has none.
pub(crate) struct Nothing;

impl Serialize for Nothing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Decode<'de> for Nothing {
    fn absent() -> Self {
        Self
    }

    /// A later version may have a payload here.
    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Nothing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Nothing, A::Error> {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Nothing)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Writes an enum that is a bare integer; in JSON by its name, if it has one.
pub(crate) fn encode_code<S: Serializer>(
    code: u64,
    names: &[(u64, &str)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match names.iter().find(|(known, _)| *known == code) {
        Some((_, name)) if serializer.is_human_readable() => serializer.serialize_str(name),
        Some(_) | None => serializer.serialize_u64(code),
    }
}

/// Reads an enum that is a bare integer; in JSON a name too. A name that is not known is refused: it
/// could not be passed on.
pub(crate) fn decode_code<'de, D: Deserializer<'de>>(
    names: &'static [(u64, &'static str)],
    deserializer: D,
) -> Result<u64, D::Error> {
    struct NameOrCode(&'static [(u64, &'static str)]);
    impl Visitor<'_> for NameOrCode {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one of the names")?;
            self.0.iter().try_for_each(|(_, name)| write!(f, " {name}"))?;
            f.write_str(", or a code")
        }

        fn visit_u64<E: de::Error>(self, code: u64) -> Result<u64, E> {
            Ok(code)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            let found = self.0.iter().find(|(_, name)| *name == text);
            found.map(|(code, _)| *code).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(NameOrCode(names))
    } else {
        u64::deserialize(deserializer)
    }
}

/// The digits of an id. As many as the largest has, so that a larger one is cut and not refused.
pub(crate) fn id(text: &str) -> Result<u64, &'static str> {
    let digits = text.len() <= ID_DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or("an id is a string of 1 to 19 digits")
}

/// A UUID in the one form of RFC 9562.
pub(crate) fn uuid(text: &str) -> Result<::uuid::Uuid, &'static str> {
    let parsed = ::uuid::Uuid::try_parse(text).ok();
    parsed.filter(|_| text.len() == UUID_CHARS).ok_or("a UUID has 36 characters, hyphens among them")
}
