//! What the HTTP API answers, but for files.

use std::time::Duration;

use bytes::Bytes;
use goim_proto::{Error, ErrorCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Response, StatusCode, header};
use serde::Deserialize;
use tokio::time::timeout;

use super::door::lost;
use crate::FileError;

/// An answer that is no file: what was uploaded, or what went wrong.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const PROBLEM: &str = "application/problem+json";

/// Problem details (RFC 9457) as the server gives them.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
    retry_after_ms: Option<u64>,
}

/// Passes an answer on if it has one of these statuses, and reads what was wrong otherwise.
pub(super) async fn expect(
    answer: Response<Incoming>,
    statuses: &[StatusCode],
    stall_timeout: Duration,
) -> Result<Response<Incoming>, FileError> {
    let status = answer.status();
    if statuses.contains(&status) {
        return Ok(answer);
    }
    let unexpected = FileError::UnexpectedAnswer { status: status.as_u16() };
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let is_problem = kind.trim().eq_ignore_ascii_case(PROBLEM);
    if !is_problem {
        return Err(unexpected);
    }
    let body = whole(answer, stall_timeout).await?;
    Err(serde_json::from_slice(&body).map_or(unexpected, |problem| error_of(status, problem).into()))
}

/// Reads an answer that is no file.
pub(super) async fn whole(answer: Response<Incoming>, stall_timeout: Duration) -> Result<Bytes, FileError> {
    let unexpected = FileError::UnexpectedAnswer { status: answer.status().as_u16() };
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
    match timeout(stall_timeout, body).await.map_err(|_| FileError::Stalled)? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => lost(*error),
            Err(_) => unexpected,
        }),
    }
}

fn error_of(status: StatusCode, problem: Problem) -> Error {
    let Problem { code: name, detail, retry_after_ms } = problem;
    let known = ErrorCode::CODES.iter().find(|(_, known)| *known == name);
    let code = match known {
        Some((code, _)) => ErrorCode::from_code(*code),
        // A code that only a newer server knows is judged by its status: what is the server's fault may pass.
        None if status.is_server_error() => ErrorCode::Unavailable,
        None => ErrorCode::Unknown(0),
    };
    Error { retry_after_ms, ..Error::new(code, detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(status: u16, code: &str) -> ErrorCode {
        let problem = Problem { code: code.into(), detail: String::new(), retry_after_ms: None };
        error_of(StatusCode::from_u16(status).unwrap(), problem).code
    }

    #[test]
    fn a_code_that_is_not_known_is_judged_by_its_status() {
        for (number, name) in ErrorCode::CODES {
            assert_eq!(code(400, name).code(), *number);
        }
        assert!(code(507, "OfTheFuture").is_retryable());
        assert!(!code(418, "OfTheFuture").is_retryable());
        assert_eq!(code(418, "OfTheFuture"), ErrorCode::Unknown(0));
    }
}
