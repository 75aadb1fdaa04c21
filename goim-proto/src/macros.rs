//! Declares wire types: what a derive would do, with the rules of growth built in.

/// A struct as a positional array: missing fields take their defaults, further ones are skipped. In JSON
/// it is an object of named fields, by the same rules.
macro_rules! wire_struct {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident $(<$body:ident>)? {
            $( $(#[doc = $field_doc:literal])* pub $field:ident: $ty:ty, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$body = bytes::Bytes>)? {
            $( $(#[doc = $field_doc])* pub $field: $ty, )*
        }

        impl $(<$body>)? $name $(<$body>)? {
            /// The name and type of every field that this version knows, in their order on the wire.
            pub const FIELDS: &'static [(&'static str, &'static str)] =
                &[$( (stringify!($field), stringify!($ty)), )*];
        }

        impl $(<$body: for<'x> $crate::wire::Decode<'x>>)? Default for $name $(<$body>)? {
            fn default() -> Self {
                <Self as $crate::wire::Decode<'_>>::absent()
            }
        }

        wire_fields! {
            $(#[doc = $doc])*
            $name $(<$body>)? { $( $(#[doc = $field_doc])* $field: $ty, )* }
        }
    };
}

/// How a struct with these fields is written, read and described.
macro_rules! wire_fields {
    (
        $(#[doc = $doc:literal])*
        $name:ident $(<$body:ident>)? {
            $( $(#[doc = $field_doc:literal])* $field:ident: $ty:ty, )*
        }
    ) => {
        impl $(<$body: $crate::wire::Encode>)? $crate::wire::Encode for $name $(<$body>)? {
            fn encode<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::{SerializeMap as _, SerializeTuple as _};
                const COUNT: usize = [$( stringify!($field), )*].len();
                if serializer.is_human_readable() {
                    let mut fields = serializer.serialize_map(Some(COUNT))?;
                    $( fields.serialize_entry(stringify!($field), &$crate::wire::Ser(&self.$field))?; )*
                    return fields.end();
                }
                let mut fields = serializer.serialize_tuple(COUNT)?;
                $( fields.serialize_element(&$crate::wire::Ser(&self.$field))?; )*
                fields.end()
            }
        }

        impl<'de $(, $body: $crate::wire::Decode<'de>)?> $crate::wire::Decode<'de> for $name $(<$body>)? {
            fn absent() -> Self {
                Self { $( $field: <$ty as $crate::wire::Decode<'de>>::absent(), )* }
            }

            fn decode<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields<T>(core::marker::PhantomData<T>);
                impl<'de $(, $body: $crate::wire::Decode<'de>)?> serde::de::Visitor<'de>
                    for Fields<$name $(<$body>)?>
                {
                    type Value = $name $(<$body>)?;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str(concat!("the fields of ", stringify!($name)))
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(
                        self,
                        mut fields: A,
                    ) -> Result<Self::Value, A::Error> {
                        let value = $name { $( $field: $crate::wire::next(&mut fields)?, )* };
                        $crate::wire::skip_rest(&mut fields)?;
                        Ok(value)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut fields: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut value = <$name $(<$body>)? as $crate::wire::Decode<'de>>::absent();
                        while let Some(name) = fields.next_key::<String>()? {
                            match name.as_str() {
                                $( stringify!($field) => value.$field = $crate::json::field(&mut fields)?, )*
                                _ => $crate::json::skip_field(&mut fields)?,
                            }
                        }
                        Ok(value)
                    }
                }
                let fields = Fields(core::marker::PhantomData);
                if deserializer.is_human_readable() {
                    deserializer.deserialize_map(fields)
                } else {
                    deserializer.deserialize_seq(fields)
                }
            }
        }

        impl $(<$body: $crate::shape::Describe>)? $crate::shape::Describe for $name $(<$body>)? {
            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Struct($crate::shape::Struct {
                    name: stringify!($name),
                    doc: $crate::shape::Doc(&[$($doc),*]),
                    fields: vec![$( $crate::shape::Field {
                        name: stringify!($field),
                        doc: $crate::shape::Doc(&[$($field_doc),*]),
                        shape: <$ty as $crate::shape::Describe>::shape(),
                    } ),*],
                })
            }
        }
    };
}

/// An enum as `[code]` or `[code, payload]`: an unknown code decodes as `Unknown(code)`. In JSON it is an
/// object with one field, whose name is the variant's and whose value is the payload, `{}` without one.
macro_rules! wire_enum {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident $(<$body:ident>)? {
            $( $(#[doc = $variant_doc:literal])* $code:literal => $variant:ident $(($payload:ty))?, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name $(<$body = bytes::Bytes>)? {
            $( $(#[doc = $variant_doc])* $variant $(($payload))?, )*
            /// A code that this version does not know; its payload was passed over.
            Unknown(u64),
        }

        impl $(<$body>)? $name $(<$body>)? {
            /// The code and name of every variant that this version knows.
            pub const CODES: &'static [(u64, &'static str)] = &[$( ($code, stringify!($variant)), )*];

            /// The type of each variant's payload, in the order of `CODES`; empty for one without.
            pub const PAYLOADS: &'static [&'static str] = &[$( stringify!($($payload)?), )*];

            /// The code on the wire.
            #[must_use]
            pub const fn code(&self) -> u64 {
                match self {
                    $( Self::$variant { .. } => $code, )*
                    Self::Unknown(code) => *code,
                }
            }
        }

        impl $(<$body: $crate::wire::Encode>)? $crate::wire::Encode for $name $(<$body>)? {
            fn encode<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::{SerializeMap as _, SerializeTuple as _};
                if serializer.is_human_readable() {
                    let mut one = serializer.serialize_map(Some(1))?;
                    match self {
                        $( wire_enum!(@pattern payload $variant $(($payload))?) => one.serialize_entry(
                            stringify!($variant),
                            &wire_enum!(@json payload $($payload)?),
                        )?, )*
                        Self::Unknown(code) => one.serialize_entry("Unknown", code)?,
                    }
                    return one.end();
                }
                match self {
                    $( wire_enum!(@pattern payload $variant $(($payload))?) => {
                        const LENGTH: usize = 1 $( + wire_enum!(@one $payload) )?;
                        let mut pair = serializer.serialize_tuple(LENGTH)?;
                        pair.serialize_element(&($code as u64))?;
                        $( wire_enum!(@element pair payload $payload); )?
                        pair.end()
                    } )*
                    Self::Unknown(code) => {
                        let mut pair = serializer.serialize_tuple(1)?;
                        pair.serialize_element(code)?;
                        pair.end()
                    }
                }
            }
        }

        impl<'de $(, $body: $crate::wire::Decode<'de>)?> $crate::wire::Decode<'de> for $name $(<$body>)? {
            fn absent() -> Self {
                Self::Unknown(0)
            }

            fn decode<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Pair<T>(core::marker::PhantomData<T>);
                impl<'de $(, $body: $crate::wire::Decode<'de>)?> serde::de::Visitor<'de>
                    for Pair<$name $(<$body>)?>
                {
                    type Value = $name $(<$body>)?;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str(concat!(stringify!($name), " with a variant and its payload"))
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(
                        self,
                        mut pair: A,
                    ) -> Result<Self::Value, A::Error> {
                        let value = match $crate::wire::next::<u64, A>(&mut pair)? {
                            $( $code => $name::$variant
                                $( ({ $crate::wire::next::<$payload, A>(&mut pair)? }) )?, )*
                            code => $name::Unknown(code),
                        };
                        $crate::wire::skip_rest(&mut pair)?;
                        Ok(value)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut one: A,
                    ) -> Result<Self::Value, A::Error> {
                        const NAMES: &[&str] = &[$( stringify!($variant), )* "Unknown"];
                        let Some(variant) = one.next_key::<String>()? else {
                            return Err(serde::de::Error::invalid_length(0, &self));
                        };
                        let value = match variant.as_str() {
                            $( stringify!($variant) => wire_enum!(@variant one $name $variant $($payload)?), )*
                            // To whoever wrote it; what it means is as in MessagePack, which has codes alone.
                            "Unknown" => match $crate::json::field::<u64, A>(&mut one)? {
                                $( $code => $name::$variant
                                    $( (<$payload as $crate::wire::Decode<'de>>::absent()) )?, )*
                                code => $name::Unknown(code),
                            },
                            other => return Err(serde::de::Error::unknown_variant(other, NAMES)),
                        };
                        match one.next_key::<String>()? {
                            None => Ok(value),
                            Some(_) => Err(serde::de::Error::custom(concat!(
                                stringify!($name),
                                " is one variant, not several"
                            ))),
                        }
                    }
                }
                let pair = Pair(core::marker::PhantomData);
                if deserializer.is_human_readable() {
                    deserializer.deserialize_map(pair)
                } else {
                    deserializer.deserialize_seq(pair)
                }
            }
        }

        impl $(<$body: $crate::shape::Describe>)? $crate::shape::Describe for $name $(<$body>)? {
            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Enum($crate::shape::Enum {
                    name: stringify!($name),
                    doc: $crate::shape::Doc(&[$($doc),*]),
                    variants: vec![$( $crate::shape::Variant {
                        name: stringify!($variant),
                        doc: $crate::shape::Doc(&[$($variant_doc),*]),
                        payload: wire_enum!(@shape $($payload)?),
                    } ),*],
                })
            }
        }
    };
    (@json $bound:ident) => { $crate::json::Nothing };
    (@json $bound:ident $payload:ty) => { $crate::wire::Ser($bound) };
    (@variant $one:ident $name:ident $variant:ident) => {{
        $crate::json::field::<$crate::json::Nothing, A>(&mut $one)?;
        $name::$variant
    }};
    (@variant $one:ident $name:ident $variant:ident $payload:ty) => {
        $name::$variant($crate::json::field::<$payload, A>(&mut $one)?)
    };
    (@shape) => { None };
    (@shape $payload:ty) => { Some(<$payload as $crate::shape::Describe>::shape()) };
    (@pattern $bound:ident $variant:ident) => { Self::$variant };
    (@pattern $bound:ident $variant:ident ($payload:ty)) => { Self::$variant($bound) };
    (@one $payload:ty) => { 1 };
    (@element $pair:ident $bound:ident $payload:ty) => {
        $pair.serialize_element(&$crate::wire::Ser($bound))?
    };
}

/// An enum as a bare integer: an unknown code decodes as `Unknown(code)`. In JSON it is its name, and a
/// code without one is an integer.
macro_rules! wire_code {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            $( $(#[doc = $variant_doc:literal])* $code:literal => $variant:ident, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant, )*
            /// A code that this version does not know.
            Unknown(u64),
        }

        impl $name {
            /// The code and name of every variant that this version knows.
            pub const CODES: &'static [(u64, &'static str)] = &[$( ($code, stringify!($variant)), )*];

            /// The code on the wire.
            #[must_use]
            pub const fn code(self) -> u64 {
                match self {
                    $( Self::$variant => $code, )*
                    Self::Unknown(code) => code,
                }
            }

            /// What a code on the wire means.
            #[must_use]
            pub const fn from_code(code: u64) -> Self {
                match code {
                    $( $code => Self::$variant, )*
                    _ => Self::Unknown(code),
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Unknown(0)
            }
        }

        impl $crate::wire::Encode for $name {
            fn encode<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::encode_code(self.code(), Self::CODES, serializer)
            }
        }

        impl $crate::shape::Describe for $name {
            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Code($crate::shape::Code {
                    name: stringify!($name),
                    doc: $crate::shape::Doc(&[$($doc),*]),
                    names: vec![$( (stringify!($variant), $crate::shape::Doc(&[$($variant_doc),*])) ),*],
                })
            }
        }

        impl<'de> $crate::wire::Decode<'de> for $name {
            fn absent() -> Self {
                Self::default()
            }

            fn decode<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::decode_code(Self::CODES, deserializer).map(Self::from_code)
            }
        }
    };
}
