//! What went wrong, in a code that a program acts on and a sentence that a person reads.

/// The first code for what is the server's fault.
const SERVER_FAULTS_BEGIN: u64 = 200;

wire_code! {
    /// What went wrong. By whose fault: 1–99 the caller's, 100–199 the situation's, 200 and up the
    /// server's.
    pub enum ErrorCode {
        /// The bytes are not a frame, or the frame does not belong here. The connection ends.
        1 => BadFrame,
        /// This server does not know the call.
        2 => UnknownCall,
        /// The server does not speak the client's version.
        3 => VersionMismatch,
        /// Something exceeds a limit.
        4 => TooLarge,
        /// The content is not one that this server can read.
        5 => BadContent,
        /// A text without a character.
        6 => EmptyText,
        /// A text over 64 KiB.
        7 => TextTooLong,
        /// A text that is not UTF-8.
        8 => NotUtf8,
        /// The message id is not a UUIDv7.
        9 => BadId,
        /// The message id's time lies too far back to tell whether it is stored.
        10 => IdTooOld,
        /// The message id's time lies in the future.
        11 => IdTooNew,
        /// A name that is empty, too long, or has characters that names cannot have.
        12 => BadName,
        /// The name is taken.
        13 => NameTaken,
        /// The password is too short or too long.
        14 => WeakPassword,
        /// The argument makes no sense here.
        15 => BadArgument,
        /// The offset lies beyond the conversation's head.
        16 => OffsetBeyondHead,
        /// The store cannot take this entry. Sending it again will not help.
        17 => Rejected,
        /// The call needs a session.
        100 => Unauthenticated,
        /// Name or password are wrong.
        101 => BadCredentials,
        /// The token is not valid, or not any longer.
        102 => BadToken,
        /// The caller may not do this.
        103 => Forbidden,
        /// The caller is not a member of the conversation.
        104 => NotMember,
        /// There is no such thing, or the caller may not know of it.
        105 => NotFound,
        /// The message's predecessor is not stored: send again from the right place.
        106 => OutOfOrder,
        /// Too much in too short a time; wait for `retry_after_ms`.
        107 => RateLimited,
        /// The store went back since: these places were in a log that is no more. Take up the new
        /// epoch first.
        108 => OtherEpoch,
        /// The operator has not set the server up for this.
        109 => NotConfigured,
        /// Not now; the same call may succeed after `retry_after_ms`.
        200 => Unavailable,
        /// The server's store has no room.
        201 => StoreFull,
        /// A bug of the server's.
        202 => Internal,
    }
}

impl ErrorCode {
    /// Whether the very same call may succeed later. A code that only a newer server knows is
    /// judged by its range: what is the server's fault may pass.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::OutOfOrder | Self::RateLimited) || self.code() >= SERVER_FAULTS_BEGIN
    }
}

wire_struct! {
    /// An error as the wire carries it.
    pub struct Error {
        /// What a program acts on.
        pub code: ErrorCode,
        /// What is wrong and what to do, for people; never secret, never to be matched on.
        pub message: String,
        /// When the same call may succeed, in milliseconds.
        pub retry_after_ms: Option<u64>,
    }
}

impl Error {
    /// An error that says no time to retry.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({:?})", self.message, self.code)
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_fault_of_the_servers_may_pass() {
        assert!(ErrorCode::Unavailable.is_retryable());
        assert!(ErrorCode::from_code(299).is_retryable());
        assert!(!ErrorCode::from_code(199).is_retryable());
        assert!(!ErrorCode::from_code(99).is_retryable());
        assert!(!ErrorCode::Rejected.is_retryable());
    }
}
