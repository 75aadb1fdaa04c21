//! Whether a client may send a content: the bounds, looked at in borrowed forms. Those are decoded by
//! hand, because the macros make owned types.

use core::fmt;
use core::marker::PhantomData;

use serde::Deserializer;
use serde::de::{self, SeqAccess, Visitor};

use super::{Checked, ContentError, FileContent, ImageContent, References};
use crate::limits::{
    BODY_BYTES_MAX, FILE_NAME_BYTES_MAX, MEDIA_TYPE_BYTES_MAX, MENTIONS_MAX, TEXT_BYTES_MAX,
    UPLOAD_KEY_BYTES_MAX,
};
use crate::wire::{Decode, Slice, decode, next, skip_rest};

pub(super) fn check(body: &[u8]) -> Result<Checked, ContentError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ContentError::TooLarge(body.len()));
    }
    let (code, references) = match decode::<Sketch<'_>>(body)? {
        Sketch::Text(TextSketch { text, references }) => {
            check_text(&text)?;
            (1, references)
        }
        Sketch::Custom => (2, None),
        Sketch::Image(image) => {
            let ImageContent { key, name, media_type, references, .. } = image;
            check_file(&key, &name, &media_type)?;
            (3, references)
        }
        Sketch::File(FileContent { key, name, media_type, references, .. }) => {
            check_file(&key, &name, &media_type)?;
            (4, references)
        }
        Sketch::Unknown(code) => return Err(ContentError::NotForClients(code)),
    };
    check_references(references.as_ref())?;
    Ok(Checked { code, references })
}

fn check_text(text: &TextSlice<'_>) -> Result<(), ContentError> {
    match text {
        TextSlice::NotUtf8 => Err(ContentError::NotUtf8),
        TextSlice::Text("") => Err(ContentError::EmptyText),
        TextSlice::Text(text) if text.len() > TEXT_BYTES_MAX => Err(ContentError::TextTooLong(text.len())),
        TextSlice::Text(_) => Ok(()),
    }
}

fn check_references(references: Option<&References>) -> Result<(), ContentError> {
    let mentions = references.map_or(0, |references| references.mentions.len());
    if mentions > MENTIONS_MAX { Err(ContentError::TooManyMentions(mentions)) } else { Ok(()) }
}

fn check_file(key: &str, name: &str, media_type: &str) -> Result<(), ContentError> {
    if key.is_empty() {
        return Err(ContentError::NoKey);
    }
    let fields = [
        ("the upload's key", key, UPLOAD_KEY_BYTES_MAX),
        ("the file's name", name, FILE_NAME_BYTES_MAX),
        ("the media type", media_type, MEDIA_TYPE_BYTES_MAX),
    ];
    match fields.into_iter().find(|(_, value, max)| value.len() > *max) {
        Some((field, value, max)) => Err(ContentError::FieldTooLong { field, bytes: value.len(), max }),
        None => Ok(()),
    }
}

/// As much of a content as is looked at.
enum Sketch<'a> {
    Text(TextSketch<'a>),
    Custom,
    Image(ImageContent),
    File(FileContent),
    Unknown(u64),
}

struct TextSketch<'a> {
    text: TextSlice<'a>,
    references: Option<References>,
}

#[allow(dead_code, reason = "decoding it is the check")]
struct CustomSketch<'a> {
    kind: &'a str,
    data: Slice<'a>,
}

enum TextSlice<'a> {
    Text(&'a str),
    NotUtf8,
}

/// Decodes an array by a function over its elements.
struct Array<T, F>(F, PhantomData<T>);

trait FromArray<'de>: Sized {
    fn from_array<A: SeqAccess<'de>>(fields: &mut A) -> Result<Self, A::Error>;
}

impl<'de, T: FromArray<'de>> Visitor<'de> for Array<T, ()> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        let value = T::from_array(&mut fields)?;
        skip_rest(&mut fields)?;
        Ok(value)
    }
}

macro_rules! decode_array {
    ($ty:ident, $absent:expr) => {
        impl<'de: 'a, 'a> Decode<'de> for $ty<'a> {
            fn absent() -> Self {
                $absent
            }

            fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_seq(Array((), PhantomData))
            }
        }
    };
}

decode_array!(Sketch, Self::Unknown(0));
decode_array!(TextSketch, Self { text: TextSlice::Text(""), references: None });
decode_array!(CustomSketch, Self { kind: "", data: Slice(&[]) });

impl<'de: 'a, 'a> FromArray<'de> for Sketch<'a> {
    fn from_array<A: SeqAccess<'de>>(fields: &mut A) -> Result<Self, A::Error> {
        Ok(match next::<u64, A>(fields)? {
            1 => Self::Text(next(fields)?),
            2 => {
                next::<CustomSketch<'_>, A>(fields)?;
                Self::Custom
            }
            3 => Self::Image(next(fields)?),
            4 => Self::File(next(fields)?),
            code => Self::Unknown(code),
        })
    }
}

impl<'de: 'a, 'a> FromArray<'de> for TextSketch<'a> {
    fn from_array<A: SeqAccess<'de>>(fields: &mut A) -> Result<Self, A::Error> {
        Ok(Self { text: next(fields)?, references: next(fields)? })
    }
}

impl<'de: 'a, 'a> FromArray<'de> for CustomSketch<'a> {
    fn from_array<A: SeqAccess<'de>>(fields: &mut A) -> Result<Self, A::Error> {
        Ok(Self { kind: fields.next_element()?.unwrap_or_default(), data: next(fields)? })
    }
}

impl<'de: 'a, 'a> Decode<'de> for TextSlice<'a> {
    fn absent() -> Self {
        Self::Text("")
    }

    fn decode<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = TextSlice<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<TextSlice<'de>, E> {
                Ok(TextSlice::Text(text))
            }

            // What the format calls a string but is not UTF-8 arrives as bytes.
            fn visit_borrowed_bytes<E: de::Error>(self, _: &'de [u8]) -> Result<TextSlice<'de>, E> {
                Ok(TextSlice::NotUtf8)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use goim_core::{Seq, UserId};

    use super::check;
    use crate::content::{Content, ContentError, FileContent, ImageContent, References, TextContent};

    fn image(key: usize, name: usize, media_type: usize) -> Content {
        let [key, name, media_type] = [key, name, media_type].map(|bytes| "x".repeat(bytes));
        Content::Image(ImageContent { key, name, media_type, ..ImageContent::default() })
    }

    fn mentions(count: u64) -> Option<References> {
        let mentions = (1..=count).map(UserId::new).collect();
        Some(References { reply_to: Seq::FIRST, mentions_all: false, mentions })
    }

    #[test]
    fn files_have_a_key_and_strings_within_their_bounds() {
        let code = |content: &Content| check(&content.encode()).ok().map(|checked| checked.code);
        assert_eq!(code(&image(128, 256, 128)), Some(3));
        assert!(matches!(check(&image(0, 1, 1).encode()), Err(ContentError::NoKey)));
        for wrong in [image(129, 0, 0), image(1, 257, 0), image(1, 0, 129)] {
            assert!(matches!(check(&wrong.encode()), Err(ContentError::FieldTooLong { .. })));
        }
        let file = |key: &str| Content::File(FileContent { key: key.into(), ..FileContent::default() });
        assert_eq!(code(&file("k")), Some(4));
        assert!(matches!(check(&file("").encode()), Err(ContentError::NoKey)));
    }

    #[test]
    fn a_message_mentions_so_many_and_no_more() {
        let contents = |references: Option<References>| {
            let key = String::from("k");
            [
                Content::Text(TextContent { text: "hi".into(), references: references.clone() }),
                Content::Image(ImageContent {
                    key: key.clone(),
                    references: references.clone(),
                    ..ImageContent::default()
                }),
                Content::File(FileContent { key, references, ..FileContent::default() }),
            ]
        };
        for content in contents(mentions(100)) {
            assert_eq!(check(&content.encode()).unwrap().references, mentions(100), "{content:?}");
        }
        for content in contents(mentions(101)) {
            assert!(matches!(check(&content.encode()), Err(ContentError::TooManyMentions(101))));
        }
    }
}
