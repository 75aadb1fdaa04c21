//! Accounts that somebody else vouches for: whom a token of the issuer's speaks for.
//!
//! A token is a JSON Web Token (RFC 7519), signed (RFC 7515) by a key of the issuer's key set (RFC 7517).
//! Which key that is, and with which algorithm it signs, is the set's to say; what the token says of it has
//! to agree. So no token can have a public key taken for a shared secret, or come without a signature.

mod issuer;
mod key_set;
mod keys;
mod signature;
mod source;

pub(crate) use issuer::{Issuer, NotTaken, Subject};
pub use source::KeysError;
