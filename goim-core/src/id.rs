//! Newtypes for every identifier, so that no two can be confused.
//!
//! Numeric ids are positive and fit a signed 64-bit integer, because databases have no unsigned
//! one; [`Seq`] likewise. Zero means "nothing yet" for a [`Seq`] and is never a valid id.

use core::fmt;

/// The largest number an id or a [`Seq`] may hold: `i64::MAX`.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a number.
            ///
            /// Numbers over [`NUMBER_MAX`] are brought down to it: no store holds them, so such an
            /// id names nothing and such a seq lies beyond every head.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(if number > NUMBER_MAX { NUMBER_MAX } else { number })
            }

            /// Wraps a number from a database column; a negative one becomes 0.
            #[must_use]
            pub const fn from_i64(number: i64) -> Self {
                Self(if number < 0 { 0 } else { number.unsigned_abs() })
            }

            /// The number.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// The number as database columns hold it; lossless, see [`NUMBER_MAX`].
            #[must_use]
            pub const fn as_i64(self) -> i64 {
                self.0.cast_signed()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A conversation: an append-only log with seqs 1, 2, 3, ….
    ConversationId
}
number! {
    /// A person or a bot.
    UserId
}
number! {
    /// One installation of a client or one bot instance: the unit that owns offsets.
    DeviceId
}
number! {
    /// The life of a store: changed when the store went back (a restored backup, the promotion of
    /// a replica that lagged), so that whoever kept offsets knows to clamp them.
    Epoch
}
number! {
    /// The place of an entry in its conversation. The first entry has 1; 0 is "nothing yet".
    Seq
}

impl Seq {
    /// Nothing yet: the offset of a reader that has read nothing, the head of an empty log.
    pub const ZERO: Self = Self(0);
    /// The place of a log's first entry.
    pub const FIRST: Self = Self(1);
    /// Beyond every entry that can exist.
    pub const MAX: Self = Self(NUMBER_MAX);

    /// The place after this one; [`Seq::MAX`] stays where it is.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The place before this one; [`Seq::ZERO`] stays where it is.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Whether this is the place right after `earlier`; nothing comes after [`Seq::MAX`].
    #[must_use]
    pub const fn follows(self, earlier: Self) -> bool {
        // Does not overflow: see `NUMBER_MAX`.
        self.0 == earlier.0 + 1
    }

    /// The place `n` further on, at most [`Seq::MAX`].
    #[must_use]
    pub const fn plus(self, n: u64) -> Self {
        Self::new(self.0.saturating_add(n))
    }

    /// How many entries lie in `(earlier, self]`; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The id that a sender gives a message, a UUIDv7 (RFC 9562): (conversation, sender, id) is stored
/// at most once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientMsgId(uuid::Uuid);

impl ClientMsgId {
    /// Mints an id from the time in milliseconds since the Unix epoch and 10 random bytes.
    ///
    /// The SDK mints on the server's time, because a server refuses ids whose time is far off.
    #[must_use]
    pub const fn mint(unix_ms: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid())
    }

    /// Takes any UUID; whether it is a v7 of an acceptable time is [`ClientMsgId::unix_ms`]'s and
    /// the server's to say.
    #[must_use]
    pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> &uuid::Uuid {
        &self.0
    }

    /// The time inside a UUIDv7 in milliseconds since the Unix epoch, or `None` for another kind
    /// of UUID.
    #[must_use]
    pub fn unix_ms(&self) -> Option<u64> {
        if self.0.get_version_num() != 7 {
            return None;
        }
        let bytes = self.0.as_bytes();
        Some(bytes[..6].iter().fold(0, |ms, byte| (ms << 8) | u64::from(*byte)))
    }
}

impl fmt::Debug for ClientMsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientMsgId({})", self.0)
    }
}

impl fmt::Display for ClientMsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_what_a_database_holds() {
        assert_eq!(Seq::new(u64::MAX), Seq::MAX);
        assert_eq!(Seq::MAX.next(), Seq::MAX);
        assert_eq!(Seq::ZERO.prev(), Seq::ZERO);
        assert_eq!(Seq::MAX.as_i64(), i64::MAX);
        assert_eq!(UserId::from_i64(-1), UserId::new(0));
    }

    #[test]
    fn distance_counts_entries_behind_an_offset() {
        assert_eq!(Seq::new(7).distance_from(Seq::new(4)), 3);
        assert_eq!(Seq::new(4).distance_from(Seq::new(7)), 0);
    }

    #[test]
    fn a_minted_id_carries_its_time() {
        let id = ClientMsgId::mint(1_700_000_000_123, &[7; 10]);
        assert_eq!(id.unix_ms(), Some(1_700_000_000_123));
        assert_eq!(ClientMsgId::from_uuid(uuid::Uuid::nil()).unix_ms(), None);
    }
}
