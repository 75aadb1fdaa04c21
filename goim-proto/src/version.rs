//! Which protocol this is.

/// The TLS application protocol of QUIC connections.
pub const ALPN: &[u8] = b"goim/1";

/// The version in `Hello` and `Welcome`. Raised only when a peer of an older version could not
/// get along by ignoring what it does not know.
pub const PROTOCOL_VERSION: u32 = 1;

/// The header of an HTTP request that says which instance of a bot asks.
pub const INSTANCE_HEADER: &str = "goim-instance";
