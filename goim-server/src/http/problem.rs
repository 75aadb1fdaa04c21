//! Errors as HTTP has them: problem details (RFC 9457), with the wire's code in them.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use goim_proto::{Error, ErrorCode};
use serde_json::{Value, json};

/// The media type of problem details.
pub(super) const PROBLEM: &str = "application/problem+json";

/// The status of an error.
pub(super) fn status_of(code: ErrorCode) -> StatusCode {
    use ErrorCode as E;
    match code {
        E::BadFrame
        | E::VersionMismatch
        | E::BadContent
        | E::EmptyText
        | E::TextTooLong
        | E::NotUtf8
        | E::BadId
        | E::IdTooOld
        | E::IdTooNew
        | E::BadName
        | E::WeakPassword
        | E::BadArgument
        | E::OffsetBeyondHead => StatusCode::BAD_REQUEST,
        E::Unauthenticated | E::BadCredentials | E::BadToken => StatusCode::UNAUTHORIZED,
        E::Forbidden | E::NotMember => StatusCode::FORBIDDEN,
        E::NotFound | E::UnknownCall | E::NotConfigured => StatusCode::NOT_FOUND,
        E::NameTaken | E::OutOfOrder | E::OtherEpoch => StatusCode::CONFLICT,
        E::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        E::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        E::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        E::Unavailable | E::StoreFull => StatusCode::SERVICE_UNAVAILABLE,
        E::Internal | E::Unknown(_) | _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code's name.
pub(super) fn name_of(code: ErrorCode) -> String {
    format!("{code:?}")
}

/// An error on its way out; HTTP may have a status for it that says more than the code's own.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) error: Error,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: ErrorCode, message: &str) -> Self {
        Self { status, error: Error::new(code, message) }
    }

    /// The arguments are not such arguments.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Error::new(ErrorCode::BadArgument, message).into()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { status: status_of(error.code), error }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, error } = self;
        let details = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": error.message,
            "code": name_of(error.code),
            "retry_after_ms": error.retry_after_ms,
        });
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM)], Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait_ms) = error.retry_after_ms {
            // In whole seconds, and no sooner than is of use.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1_000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The schema of problem details.
pub(super) fn schema() -> Value {
    let codes: Vec<_> = ErrorCode::CODES.iter().map(|(_, name)| name).collect();
    json!({
        "description": "What went wrong (RFC 9457), with the code of goim's own protocol.",
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "retry_after_ms"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string", "description": "The status in words." },
            "status": { "type": "integer" },
            "detail": {
                "type": "string",
                "description": "What is wrong and what to do, for people; not to be matched on.",
            },
            "code": { "enum": codes, "description": "What a program acts on." },
            "retry_after_ms": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "When the same call may succeed, in milliseconds.",
            },
        },
    })
}

/// Headers that problems may have, as OpenAPI describes them.
pub(super) fn headers() -> Vec<(HeaderName, Value)> {
    let seconds = json!({ "type": "integer", "minimum": 0 });
    vec![(header::RETRY_AFTER, json!({ "description": "In seconds.", "schema": seconds }))]
}
