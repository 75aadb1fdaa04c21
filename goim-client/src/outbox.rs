//! goim-core's outbox as the SDK uses it: what the sender of a message waits for, and what a server's
//! answer means for the message.

use bytes::Bytes;
use goim_core::Duration;
use goim_core::outbox::SendAnswer;
use goim_proto::{Error, ErrorCode, Sent};
use tokio::sync::oneshot;

use crate::SendError;

/// What the sender of a message waits for.
pub(crate) type Fate = oneshot::Sender<Result<Sent, SendError>>;

/// Nobody waits for what an earlier process left.
pub(crate) type Outbox = goim_core::Outbox<Bytes, Option<Fate>>;

/// What an answer means for the message.
pub(crate) fn send_answer(answer: &Result<Sent, Error>) -> SendAnswer {
    let Err(error) = answer else { return SendAnswer::Stored };
    let retry_after = error.retry_after_ms.map(Duration::from_millis);
    if error.code == ErrorCode::OutOfOrder {
        SendAnswer::OutOfOrder { retry_after }
    } else if may_succeed(error.code) {
        SendAnswer::NotNow { retry_after }
    } else {
        SendAnswer::Refused
    }
}

/// Whether a message may be stored yet. A token that has ended is renewed; if it cannot be, the
/// client ends, and the outbox with it.
fn may_succeed(code: ErrorCode) -> bool {
    code.is_retryable() || matches!(code, ErrorCode::BadToken | ErrorCode::Unauthenticated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: ErrorCode) -> SendAnswer {
        send_answer(&Err(Error::new(code, "no")))
    }

    #[test]
    fn what_may_be_stored_yet_is_not_refused() {
        for code in [ErrorCode::Unavailable, ErrorCode::RateLimited, ErrorCode::from_code(299)] {
            assert_eq!(refused(code), SendAnswer::NotNow { retry_after: None });
        }
        assert_eq!(refused(ErrorCode::OutOfOrder), SendAnswer::OutOfOrder { retry_after: None });
        assert_eq!(refused(ErrorCode::TextTooLong), SendAnswer::Refused);
        assert_eq!(send_answer(&Ok(Sent::default())), SendAnswer::Stored);
    }

    #[test]
    fn a_token_that_ended_costs_no_message() {
        for code in [ErrorCode::BadToken, ErrorCode::Unauthenticated] {
            assert_eq!(refused(code), SendAnswer::NotNow { retry_after: None });
        }
    }

    #[test]
    fn the_server_says_when_to_send_again() {
        let error = Error { retry_after_ms: Some(7), ..Error::new(ErrorCode::Unavailable, "no") };
        let retry_after = Some(Duration::from_millis(7));
        assert_eq!(send_answer(&Err(error)), SendAnswer::NotNow { retry_after });
    }
}
