//! What waits to be written to a client, besides announcements.

use bytes::{Bytes, BytesMut};
use goim_proto::{
    Error, ErrorCode, GoAway, GoAwayReason, PROTOCOL_VERSION, Reply, ReplyTo, ServerFrame, Welcome,
    encode_frame,
};

/// Something to write.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// An answer.
    Reply(ReplyTo<Bytes>),
    /// The answer to `Hello`.
    Welcome(Welcome),
    /// An encoded frame.
    Frame(Bytes),
    /// The last words: the connection is closed after them.
    End(Ending),
}

impl Outgoing {
    pub(crate) fn reply(id: u64, reply: Reply<Bytes>) -> Self {
        Self::Reply(ReplyTo { id, reply })
    }

    /// Appends the frame; the last words also say how to close.
    pub(super) fn encode(self, out: &mut BytesMut) -> Option<Ending> {
        match self {
            Self::Reply(reply) => {
                let id = reply.id;
                if encode_frame(&ServerFrame::Reply(reply), out).is_err() {
                    let error = Error::new(ErrorCode::TooLarge, "the answer exceeds a frame; ask for less");
                    let reply: ReplyTo<Bytes> = ReplyTo { id, reply: Reply::Error(error) };
                    // A sentence fits a frame.
                    let _ = encode_frame(&ServerFrame::Reply(reply), out);
                }
                None
            }
            Self::Welcome(welcome) => {
                let _ = encode_frame(&ServerFrame::<Bytes>::Welcome(welcome), out);
                None
            }
            Self::Frame(frame) => {
                out.extend_from_slice(&frame);
                None
            }
            Self::End(ending) => {
                let go_away = GoAway {
                    reason: ending.reason,
                    retry_after_ms: ending.retry_after_ms,
                    message: ending.message.clone(),
                };
                let _ = encode_frame(&ServerFrame::<Bytes>::GoAway(go_away), out);
                Some(ending)
            }
        }
    }
}

/// Why a connection ends, as its client is told: in a frame, and in the code of the close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    code: ErrorCode,
    reason: GoAwayReason,
    retry_after_ms: u64,
    message: String,
}

impl Ending {
    fn new(code: ErrorCode, reason: GoAwayReason, message: impl Into<String>) -> Self {
        Self { code, reason, retry_after_ms: 0, message: message.into() }
    }

    /// The client broke the protocol.
    pub(super) fn bad_frame(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadFrame, GoAwayReason::ProtocolError, message)
    }

    /// The client sent a frame over the limit.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::TooLarge, GoAwayReason::ProtocolError, message)
    }

    /// The client speaks another version.
    pub(super) fn version_mismatch(version: u32) -> Self {
        let message = format!("this server speaks version {PROTOCOL_VERSION} of the protocol, not {version}");
        Self::new(ErrorCode::VersionMismatch, GoAwayReason::ProtocolError, message)
    }

    /// The session's token ended, or its device was revoked.
    pub(crate) fn session_ended(message: &'static str) -> Self {
        Self::new(ErrorCode::BadToken, GoAwayReason::SessionEnded, message)
    }

    /// The server goes away, or has to start anew; the client should come back.
    pub(crate) fn shutdown(retry_after_ms: u64, message: &'static str) -> Self {
        let ending = Self::new(ErrorCode::Unavailable, GoAwayReason::Shutdown, message);
        Self { retry_after_ms, ..ending }
    }

    /// The code of the QUIC close.
    pub(super) fn close_code(&self) -> u32 {
        u32::try_from(self.code.code()).unwrap_or(0)
    }

    /// The words of the QUIC close.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The same as an error.
    pub(crate) fn error(&self) -> Error {
        Error::new(self.code, self.message.clone())
    }
}
