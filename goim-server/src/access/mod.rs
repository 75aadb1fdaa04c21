//! Who is connected: the QUIC door, sessions and the hub. No rule lives here.
//!
//! [`accept`] admits connections, `session` runs one: its `reader` cuts frames and hands them to
//! the service, its `writer` writes answers and announcements. The [`Hub`] knows which connection
//! reads which conversation, and passes committed entries on to them.

mod accept;
mod bucket;
mod budget;
mod change;
mod connection;
mod hub;
mod kept;
mod leave;
mod outgoing;
mod quic;
mod reader;
mod session;
mod tls;
mod writer;

pub(crate) use accept::accept;
pub(crate) use bucket::{AddressBuckets, Allowance, Buckets, network};
pub(crate) use budget::Budget;
pub(crate) use connection::{Connection, Opened, SendBytes};
pub(crate) use hub::{Hub, Invitation};
pub(crate) use leave::Leave;
pub(crate) use outgoing::{Ending, Outgoing};
pub(crate) use quic::listen;
pub(crate) use tls::write_secret;
pub use tls::{Identity, IdentityError};
