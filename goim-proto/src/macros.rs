//! Declares wire types: what a derive would do, with the rules of growth built in.

/// A struct as a positional array: missing fields take their defaults, further ones are skipped.
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(<$body:ident>)? {
            $( $(#[$field_meta:meta])* pub $field:ident: $ty:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$body = bytes::Bytes>)? {
            $( $(#[$field_meta])* pub $field: $ty, )*
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

        impl $(<$body: $crate::wire::Encode>)? $crate::wire::Encode for $name $(<$body>)? {
            fn encode<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeTuple as _;
                #[allow(unused_mut, reason = "a struct may have no fields yet")]
                let mut fields = serializer.serialize_tuple(Self::FIELDS.len())?;
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
                        f.write_str(concat!(stringify!($name), " as an array"))
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(
                        self,
                        mut fields: A,
                    ) -> Result<Self::Value, A::Error> {
                        let value = $name { $( $field: $crate::wire::next(&mut fields)?, )* };
                        $crate::wire::skip_rest(&mut fields)?;
                        Ok(value)
                    }
                }
                deserializer.deserialize_seq(Fields(core::marker::PhantomData))
            }
        }
    };
}

/// An enum as `[code]` or `[code, payload]`: an unknown code decodes as `Unknown(code)`.
macro_rules! wire_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident $(<$body:ident>)? {
            $( $(#[$variant_meta:meta])* $code:literal => $variant:ident $(($payload:ty))?, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name $(<$body = bytes::Bytes>)? {
            $( $(#[$variant_meta])* $variant $(($payload))?, )*
            /// A code that this version does not know; its payload was passed over.
            Unknown(u64),
        }

        impl $(<$body>)? $name $(<$body>)? {
            /// The code and name of every variant that this version knows.
            pub const CODES: &'static [(u64, &'static str)] = &[$( ($code, stringify!($variant)), )*];

            /// The type of each variant's payload, in the order of `CODES`; empty for one without.
            pub const PAYLOADS: &'static [&'static str] = &[$( stringify!($($payload)?), )*];
        }

        impl $(<$body: $crate::wire::Encode>)? $crate::wire::Encode for $name $(<$body>)? {
            fn encode<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeTuple as _;
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
                        f.write_str(concat!(stringify!($name), " as [code, payload]"))
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
                }
                deserializer.deserialize_seq(Pair(core::marker::PhantomData))
            }
        }
    };
    (@pattern $bound:ident $variant:ident) => { Self::$variant };
    (@pattern $bound:ident $variant:ident ($payload:ty)) => { Self::$variant($bound) };
    (@one $payload:ty) => { 1 };
    (@element $pair:ident $bound:ident $payload:ty) => {
        $pair.serialize_element(&$crate::wire::Ser($bound))?
    };
}

/// An enum as a bare integer: an unknown code decodes as `Unknown(code)`.
macro_rules! wire_code {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $code:literal => $variant:ident, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
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
                serializer.serialize_u64(self.code())
            }
        }

        impl<'de> $crate::wire::Decode<'de> for $name {
            fn absent() -> Self {
                Self::default()
            }

            fn decode<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <u64 as $crate::wire::Decode>::decode(deserializer).map(Self::from_code)
            }
        }
    };
}
