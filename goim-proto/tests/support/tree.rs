//! A value as the wire has it, with structs and lists told apart, which MessagePack alone does not:
//! so that a test can shorten and lengthen structs without touching lists.

use core::fmt;

use goim_proto::Encode;
use rmp::encode as write;
use serde::ser::{Error as _, Impossible, Serialize, SerializeSeq, SerializeTuple, Serializer};

/// A node of an encoded value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Nil,
    Bool(bool),
    Uint(u64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    /// A struct's fields, or an enum's code and payload.
    Fields(Vec<Tree>),
    /// MessagePack of any kind.
    Raw(Vec<u8>),
}

impl Tree {
    /// What a value writes.
    pub(crate) fn of<T: Encode + ?Sized>(value: &T) -> Self {
        value.encode(Builder).expect("a tree takes whatever the wire takes")
    }

    /// The MessagePack of the tree.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    fn write(&self, out: &mut Vec<u8>) {
        let length = |length: usize| u32::try_from(length).unwrap();
        match self {
            Self::Nil => write::write_nil(out).unwrap(),
            Self::Bool(value) => write::write_bool(out, *value).unwrap(),
            Self::Uint(value) => drop(write::write_uint(out, *value).unwrap()),
            Self::Text(text) => write::write_str(out, text).unwrap(),
            Self::Bytes(bytes) => write::write_bin(out, bytes).unwrap(),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
            Self::List(items) | Self::Fields(items) => {
                write::write_array_len(out, length(items.len())).unwrap();
                items.iter().for_each(|item| item.write(out));
            }
        }
    }

    /// The items of a struct or a list.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) | Self::Fields(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }

    /// The same from a peer of a later version: each struct has one more field, each enum's array
    /// one more element, of kinds that no field of today has.
    pub(crate) fn grown(&self, more: &mut impl FnMut() -> Self) -> Self {
        match self {
            Self::List(items) => Self::List(items.iter().map(|item| item.grown(more)).collect()),
            Self::Fields(items) => {
                let mut items: Vec<_> = items.iter().map(|item| item.grown(more)).collect();
                items.push(more());
                Self::Fields(items)
            }
            other => other.clone(),
        }
    }
}

/// Values of every kind that MessagePack knows, one after the other from the `first` on.
pub(crate) fn strange(first: usize) -> impl FnMut() -> Tree {
    let kinds: Vec<&[u8]> = vec![
        b"\xc0",                                 // nil
        b"\xff",                                 // -1
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", // 2^64 - 1
        b"\xa3new",                              // "new"
        b"\xa2\xff\xfe",                         // a string that is not UTF-8
        b"\xc4\x02\x00\x01",                     // bytes
        b"\x82\xa1k\x01\x02\xc3",                // {"k": 1, 2: true}
        b"\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18", // 3.141592653589793
        b"\xd4\x2a\x07",                         // ext type 42
        b"\x93\x91\x91\xc0\x80\x90",             // [[[nil]], {}, []]
        b"\xc3",                                 // true
        b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", // -2^63
    ];
    let mut next = first;
    move || {
        next += 1;
        Tree::Raw(kinds[(next - 1) % kinds.len()].to_vec())
    }
}

/// Builds a [`Tree`] as serde's data model describes a value.
struct Builder;

/// What the wire's types never write.
#[derive(Debug)]
pub(crate) struct NotOnTheWire(String);

impl fmt::Display for NotOnTheWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for NotOnTheWire {}

impl serde::ser::Error for NotOnTheWire {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Items {
    items: Vec<Tree>,
    is_list: bool,
}

impl SerializeSeq for Items {
    type Ok = Tree;
    type Error = NotOnTheWire;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotOnTheWire> {
        self.items.push(value.serialize(Builder)?);
        Ok(())
    }

    fn end(self) -> Result<Tree, NotOnTheWire> {
        Ok(if self.is_list { Tree::List(self.items) } else { Tree::Fields(self.items) })
    }
}

impl SerializeTuple for Items {
    type Ok = Tree;
    type Error = NotOnTheWire;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotOnTheWire> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Tree, NotOnTheWire> {
        SerializeSeq::end(self)
    }
}

macro_rules! never {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, NotOnTheWire> {
            Err(NotOnTheWire::custom(stringify!($method)))
        }
    )*};
}

type No = Impossible<Tree, NotOnTheWire>;

impl Serializer for Builder {
    type Ok = Tree;
    type Error = NotOnTheWire;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<Tree, NotOnTheWire> {
        Ok(Tree::Bool(value))
    }

    fn serialize_u32(self, value: u32) -> Result<Tree, NotOnTheWire> {
        Ok(Tree::Uint(value.into()))
    }

    fn serialize_u64(self, value: u64) -> Result<Tree, NotOnTheWire> {
        Ok(Tree::Uint(value))
    }

    fn serialize_str(self, value: &str) -> Result<Tree, NotOnTheWire> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Tree, NotOnTheWire> {
        Ok(Tree::Bytes(value.to_vec()))
    }

    fn serialize_none(self) -> Result<Tree, NotOnTheWire> {
        Ok(Tree::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Tree, NotOnTheWire> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, NotOnTheWire> {
        Ok(Items { items: Vec::new(), is_list: true })
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, NotOnTheWire> {
        Ok(Items { items: Vec::new(), is_list: false })
    }

    never! {
        serialize_i8(i8) -> Tree;
        serialize_i16(i16) -> Tree;
        serialize_i32(i32) -> Tree;
        serialize_i64(i64) -> Tree;
        serialize_u8(u8) -> Tree;
        serialize_u16(u16) -> Tree;
        serialize_f32(f32) -> Tree;
        serialize_f64(f64) -> Tree;
        serialize_char(char) -> Tree;
        serialize_unit() -> Tree;
        serialize_unit_struct(&'static str) -> Tree;
        serialize_unit_variant(&'static str, u32, &'static str) -> Tree;
        serialize_tuple_struct(&'static str, usize) -> No;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> No;
        serialize_map(Option<usize>) -> No;
        serialize_struct(&'static str, usize) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: &T,
    ) -> Result<Tree, NotOnTheWire> {
        Err(NotOnTheWire::custom(name))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Tree, NotOnTheWire> {
        Err(NotOnTheWire::custom(name))
    }
}
