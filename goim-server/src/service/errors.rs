//! Errors as clients are told.

use goim_core::Duration;
use goim_proto::{Error, ErrorCode, Reply};

use crate::store::StoreError;

/// When to come back if the store does not answer, in milliseconds.
const STORE_RETRY_MS: u64 = 1_000;

/// The answer to a call.
pub(crate) type Answered = Result<Reply, Error>;

/// Refuses a call.
pub(super) fn refuse<T>(code: ErrorCode, message: &str) -> Result<T, Error> {
    Err(Error::new(code, message))
}

/// Refuses somebody who has used up what he is allowed.
pub(super) fn limited(message: &'static str, wait: Duration) -> Error {
    later(ErrorCode::RateLimited, message, wait)
}

/// Refuses for a while.
pub(super) fn later(code: ErrorCode, message: &'static str, wait: Duration) -> Error {
    let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    Error { retry_after_ms: Some(retry_after_ms), ..Error::new(code, message) }
}

/// Refuses a session that asks too often.
pub(crate) fn too_fast(wait: Duration) -> Error {
    limited("too many requests; wait and send fewer", wait)
}

/// Like [`failed`], with what is said where there would be too many.
pub(super) fn failed_or_too_many(message: &'static str) -> impl FnOnce(StoreError) -> Error {
    move |error| {
        let is_limit = matches!(error, StoreError::TooMany);
        if is_limit { Error::new(ErrorCode::TooLarge, message) } else { failed(error) }
    }
}

/// What a client is told when the store does not do what was asked; operators find the cause in
/// the log.
#[allow(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
pub(super) fn failed(error: StoreError) -> Error {
    let (code, message) = match &error {
        StoreError::NotMember => {
            return Error::new(ErrorCode::NotMember, "you are not a member of this conversation");
        }
        StoreError::TooMany => {
            return Error::new(ErrorCode::TooLarge, "there would be more of this than the server allows");
        }
        StoreError::TookTooLong(_) => {
            let message = "that is too much to look through; name a conversation, or add a word";
            return Error::new(ErrorCode::TooLarge, message);
        }
        StoreError::Full(_) => (ErrorCode::StoreFull, "the server's store is full; try again later"),
        StoreError::Unavailable(_) | StoreError::WentBack => {
            (ErrorCode::Unavailable, "the server's store does not answer; try again")
        }
        StoreError::NotDurable { .. }
        | StoreError::BadUrl(_)
        | StoreError::NoFile
        | StoreError::Migrate(_)
        | StoreError::Query(_) => (ErrorCode::Internal, "the server made a mistake; its log says more"),
    };
    tracing::warn!(error = &error as &dyn std::error::Error, "the store failed a call");
    Error { retry_after_ms: Some(STORE_RETRY_MS), ..Error::new(code, message) }
}
