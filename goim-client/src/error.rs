//! What can go wrong, by whose fault.

use goim_proto::ErrorCode;

/// A connection could not be set up. The client goes on trying only after it was up once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address does not say where to connect.
    #[error("the address {0:?} is not HOST:PORT, or the host is not known")]
    BadAddress(String),
    /// The fingerprint cannot be read.
    #[error("a fingerprint is the 64 hexadecimal digits that the server prints when it starts")]
    BadFingerprint,
    /// No way to tell that the server is the right one was chosen.
    #[error("say whom to trust: call fingerprint(..) for a server of your own, or system_roots()")]
    NoTrust,
    /// TLS could not be set up on this side.
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
    /// The local socket could not be opened.
    #[error("the local UDP socket could not be opened")]
    Socket(#[from] std::io::Error),
    /// The server cannot be reached, or is not the one that it should be.
    #[error("no connection to {address}: is the server running, and does it have this fingerprint?")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// Why not.
        #[source]
        source: Box<quinn::ConnectionError>,
    },
    /// The server answered something else than this protocol says.
    #[error("the server did not answer as protocol goim/1 says: {0}")]
    Handshake(&'static str),
    /// The server does not take the token, or does not speak this version of the protocol.
    #[error("the server refused this client: {0}")]
    Refused(goim_proto::Error),
    /// The local store failed.
    #[error("the local store failed")]
    LocalStore(#[from] LocalStoreError),
}

/// A call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server refused it.
    #[error(transparent)]
    Refused(#[from] goim_proto::Error),
    /// The connection was lost before the answer came. Whether it was done is not known.
    #[error("the connection was lost before the answer came; the call may or may not have been done")]
    Disconnected,
    /// The client was closed, or its session has [ended](crate::Event::SessionEnded).
    #[error("the client is closed, or its session has ended; connect a new one")]
    Closed,
    /// The server answered something else than was asked.
    #[error("the server's answer does not fit the call")]
    UnexpectedReply,
}

impl CallError {
    /// The server's code, if it was the server that refused.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        if let Self::Refused(error) = self { Some(error.code) } else { None }
    }
}

/// A message was not sent, and will not be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The server refused it for good.
    #[error(transparent)]
    Refused(#[from] goim_proto::Error),
    /// The client was closed, or its session [ended](crate::Event::SessionEnded), before the answer
    /// came. The message is in the outbox of the local store, if that outlives the client.
    #[error(
        "the client is closed or its session has ended; an outbox that is kept sends the message next time"
    )]
    Closed,
    /// The content cannot be sent.
    #[error(transparent)]
    Content(#[from] goim_proto::ContentError),
    /// The local store failed to keep it.
    #[error("the local store failed")]
    LocalStore(#[from] LocalStoreError),
}

/// The application's store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalStoreError {
    /// The SQLite file failed.
    #[error("the local SQLite store failed")]
    Sqlite(#[from] sqlx::Error),
    /// Another store failed.
    #[error("the application's store failed")]
    Application(#[source] Box<dyn std::error::Error + Send + Sync>),
}
