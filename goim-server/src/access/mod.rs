//! Who is connected: the QUIC door, sessions and the hub.

mod bucket;
mod quic;
mod tls;

pub(crate) use tls::write_secret;
pub use tls::{Identity, IdentityError};
