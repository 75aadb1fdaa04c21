//! What can go wrong, by whose fault.

use goim_proto::ErrorCode;

/// A connection could not be set up. The client goes on trying only after it was up once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address does not say where to connect.
    #[error("the address {0:?} is not HOST:PORT, or the host is not known")]
    BadAddress(String),
    /// The address of the HTTP API cannot be read.
    #[cfg(feature = "files")]
    #[error("the address {0:?} is not http(s)://HOST:PORT")]
    BadHttpAddress(String),
    /// Over this address a session's token could be read on the way.
    #[cfg(feature = "files")]
    #[error("{0:?} is without TLS and not on this machine: give an https:// address, or call plain_http()")]
    PlainHttp(String),
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

/// A file was not uploaded, fetched or removed.
#[cfg(feature = "files")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The server refused it, with the codes that calls have.
    #[error(transparent)]
    Refused(#[from] goim_proto::Error),
    /// The client does not know where files are.
    #[error("files go over HTTP: give the address of the server's API, ClientBuilder::http(..)")]
    NoAddress,
    /// This names no file.
    #[error("a file is named by its hash, 64 digits from 0 to 9 and a to f, not by {0:?}")]
    BadHash(String),
    /// A range without a byte, which cannot be asked for.
    #[error("the range has no bytes")]
    EmptyRange,
    /// The file has more bytes than the caller wants to hold.
    #[error("the file has {bytes} bytes; at most {bytes_max} are wanted")]
    TooLong {
        /// How many there are.
        bytes: u64,
        /// How many there may be.
        bytes_max: u64,
    },
    /// The file to be uploaded cannot be read. Nothing of it is kept.
    #[error("the file to be uploaded cannot be read")]
    Source(#[source] std::io::Error),
    /// The HTTP API cannot be reached, or is not the one that it should be.
    #[error("no connection to {address}: is the API there, and is its certificate the trusted one?")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The connection was lost before all was answered. Whether it was done is not known.
    #[error("the connection was lost before all of the answer came")]
    Disconnected(#[source] std::io::Error),
    /// Nothing moved for as long as [`stall_timeout`](crate::ClientBuilder::stall_timeout) allows.
    #[error("nothing moved for too long")]
    Stalled,
    /// The client was closed, or its session has [ended](crate::Event::SessionEnded).
    #[error("the client is closed, or its session has ended; connect a new one")]
    Closed,
    /// What came is not what its hash says, or what was stored is not what was uploaded.
    #[error("the content was changed on its way: its hash is another one")]
    Corrupt,
    /// This is no answer of the server's: a proxy's, or one of something else at this address.
    #[error("the answer, of status {status}, is none of goim's; does a proxy stand in between?")]
    UnexpectedAnswer {
        /// The status of HTTP.
        status: u16,
    },
}

#[cfg(feature = "files")]
impl FileError {
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
