//! What each type looks like in JSON, with its documentation: what a schema for other languages is made of.
//!
//! ```
//! use goim_proto::{Content, Describe, Send, Shape};
//!
//! let Shape::Struct(send) = Send::<Content>::shape() else { panic!() };
//! assert_eq!(send.fields[0].name, "conversation");
//! assert_eq!(send.fields[0].doc.to_string(), "Where to.");
//! assert_eq!(send.fields[0].shape, Shape::Id);
//! ```

use core::fmt;

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Epoch, Seq, UserId};

use crate::json::ID_DIGITS_MAX;
use crate::limits::ITEMS_MAX;

/// What has a shape in JSON.
pub trait Describe {
    /// The shape of every value of this type.
    fn shape() -> Shape;
}

/// A type as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// A number without sign or fraction, at most this.
    Uint(u64),
    /// A string.
    Text,
    /// A string of 1 to [`Shape::ID_DIGITS_MAX`] digits: JSON's readers lose what lies over 2⁵³.
    Id,
    /// A string: a UUID with its hyphens.
    Uuid,
    /// A string in Base64 (RFC 4648, section 4), with padding.
    Bytes,
    /// Such a value or `null`.
    Optional(Box<Shape>),
    /// An array of at most [`Shape::ITEMS_MAX`] such values.
    List(Box<Shape>),
    /// An object; each field may be missing.
    Struct(Struct),
    /// An object with one field, which is named as one of the variants.
    Enum(Enum),
    /// One of the names, or a number of a code that has none.
    Code(Code),
    /// The type of this name, within which this one is.
    Again(&'static str),
}

impl Shape {
    /// See [`Shape::Id`].
    pub const ID_DIGITS_MAX: usize = ID_DIGITS_MAX;
    /// See [`Shape::List`].
    pub const ITEMS_MAX: usize = ITEMS_MAX;
}

/// Lines of documentation, as they are in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doc(pub &'static [&'static str]);

/// In one line.
impl fmt::Display for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, line) in self.0.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { "" } else { " " }, line.trim())?;
        }
        Ok(())
    }
}

/// An object's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struct {
    /// The type's name.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// In the order of the wire.
    pub fields: Vec<Field>,
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// Its type.
    pub shape: Shape,
}

/// A choice of variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enum {
    /// The type's name.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// In the order of their codes.
    pub variants: Vec<Variant>,
}

/// A variant of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// What comes with it; nothing is written as an empty object.
    pub payload: Option<Shape>,
}

/// A choice of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The type's name.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// Each name and what it means.
    pub names: Vec<(&'static str, Doc)>,
}

macro_rules! shapes {
    ($($ty:ty => $shape:expr,)*) => {$(
        impl Describe for $ty {
            fn shape() -> Shape {
                $shape
            }
        }
    )*};
}

shapes! {
    bool => Shape::Bool,
    u32 => Shape::Uint(u32::MAX.into()),
    u64 => Shape::Uint(u64::MAX),
    String => Shape::Text,
    Bytes => Shape::Bytes,
    ClientMsgId => Shape::Uuid,
    ConversationId => Shape::Id,
    UserId => Shape::Id,
    DeviceId => Shape::Id,
    Epoch => Shape::Id,
    Seq => Shape::Id,
}

impl<T: Describe> Describe for Option<T> {
    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }
}

impl<T: Describe> Describe for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}
