//! Files in and out. How they are served is the last line of defence against what somebody put into one: it
//! is what its first bytes say, runs nothing, and is saved unless it is a picture, a sound or a film.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use goim_proto::{ConversationArgument, ErrorCode, Shape};
use serde_json::{Value, json};

use super::answer;
use super::api::path_of;
use super::arguments::{Pairs, read};
use super::operations::{Operation, Target};
use super::problem::Problem;
use super::ranges::{Wanted, wanted};
use super::schema::Schemas;
use crate::service::{Caller, Service};
use crate::store::StoredObject;
use crate::uploads::is_shown_inline;

/// The name of a file in a path.
pub(super) const HASH_FIELD: &str = "hash";
/// A hash, as a path has it.
pub(super) const HASH_PATTERN: &str = "^[0-9a-f]{64}$";

/// Nothing in it runs, sends or loads anything, even if it is opened by itself.
const POLICY: &str = "sandbox; default-src 'none'";
/// Content never changes under its hash, and whoever has an account may see an avatar.
const FOR_EVER: &str = "private, max-age=31536000, immutable";
/// Who may see an attachment changes: it is asked for each time, which costs little.
const ASK_AGAIN: &str = "private, no-cache";

/// Takes a file in.
pub(super) async fn take(
    service: &Arc<Service>,
    operation: &Operation,
    target: Target,
    caller: &Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let conversation = conversation(target, &path_of(&mut parts).await?)?;
    let declared =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let admitted = service.admit_upload(caller, conversation, declared).await?;
    let object = service.upload(admitted, body.into_data_stream()).await.map_err(|error| {
        let status = (error.code == ErrorCode::BadContent).then_some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let problem = Problem::from(error);
        Problem { status: status.unwrap_or(problem.status), ..problem }
    })?;
    let StoredObject { hash, media_type, bytes, .. } = object;
    let value = json!({ HASH_FIELD: hash, "media_type": media_type, "bytes": bytes });
    Ok(answer::written(operation, &value, &parts.headers))
}

/// Gives a file out, or a part of it.
pub(super) async fn give(
    service: &Arc<Service>,
    target: Target,
    caller: &Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let path = path_of(&mut parts).await?;
    let conversation = conversation(target, &path)?;
    let object = service.find_upload(caller, conversation, hash(&path)).await?;
    let bytes = object.bytes;
    let tag = format!("\"{}\"", object.hash);
    let (status, range) = match wanted(&parts.headers, &tag, bytes) {
        Wanted::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
        Wanted::Whole => (StatusCode::OK, 0..bytes),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Unsatisfiable => return Ok(unsatisfiable(bytes)),
    };
    let mut response = status.into_response();
    if status != StatusCode::NOT_MODIFIED {
        let length = HeaderValue::from(range.end - range.start);
        response.headers_mut().insert(header::CONTENT_LENGTH, length);
        if status == StatusCode::PARTIAL_CONTENT {
            let place = format!("bytes {}-{}/{bytes}", range.start, range.end - 1);
            insert(response.headers_mut(), header::CONTENT_RANGE, &place);
        }
        *response.body_mut() = Body::from_stream(service.read_upload(&object, range).await?);
    }
    let cache = if target == Target::Avatar { FOR_EVER } else { ASK_AGAIN };
    let shown = if is_shown_inline(&object.media_type) { "inline" } else { "attachment" };
    for (name, value) in [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_TYPE, &object.media_type),
        (header::CONTENT_DISPOSITION, shown),
        (header::ACCEPT_RANGES, "bytes"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        insert(response.headers_mut(), name, value);
    }
    Ok(response)
}

/// Takes an attachment out of its conversation.
pub(super) async fn remove(
    service: &Service,
    operation: &Operation,
    caller: &Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let path = path_of(&mut parts).await?;
    service.remove_attachment(caller, argument(&path)?, hash(&path)).await?;
    Ok(operation.status.into_response())
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
}

fn unsatisfiable(bytes: u64) -> Response {
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let problem = Problem::new(status, ErrorCode::BadArgument, "there is no such range of this file");
    let mut response = problem.into_response();
    insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{bytes}"));
    response
}

fn conversation(target: Target, path: &Pairs) -> Result<Option<goim_core::ConversationId>, Problem> {
    match target {
        Target::Avatar => Ok(None),
        Target::Attachment => argument(path).map(Some),
    }
}

fn hash(path: &Pairs) -> &str {
    path.iter().find(|(name, _)| name == HASH_FIELD).map_or("", |(_, hash)| hash)
}

fn argument(path: &Pairs) -> Result<goim_core::ConversationId, Problem> {
    let named = path.iter().filter(|(name, _)| name == "conversation");
    let named: serde_json::Map<_, _> =
        named.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let ConversationArgument { conversation } = read(Value::Object(named))?;
    Ok(conversation)
}

/// The schema of what was uploaded.
pub(super) fn schema() -> Value {
    json!({
        "description": "What was uploaded. `hash` names it from now on.",
        "type": "object",
        "required": [HASH_FIELD, "media_type", "bytes"],
        "properties": {
            HASH_FIELD: {
                "type": "string",
                "pattern": HASH_PATTERN,
                "description": "SHA-256 of the content, in hexadecimal: an avatar's is what profiles and groups show.",
            },
            "media_type": { "type": "string", "description": "What the content is, by what it begins with." },
            "bytes": { "type": "integer", "minimum": 1, "description": "How long it is." },
        },
    })
}

/// A media type that says nothing of the file.
pub(super) const ANY: &str = "*/*";

/// The schema of a file.
pub(super) fn content() -> Value {
    json!({ "type": "string", "format": "binary" })
}

/// What an operation is for.
pub(super) fn about(target: Target, comes_in: bool) -> &'static str {
    match (target, comes_in) {
        (Target::Avatar, true) => {
            "Uploads a picture (PNG, JPEG, GIF or WebP) for a profile or a group to show. One that none shows is \
             kept for a day."
        }
        (Target::Avatar, false) => "Fetches a picture, for everybody with an account.",
        (Target::Attachment, true) => "Uploads a file to a conversation in which the caller may write.",
        (Target::Attachment, false) => {
            "Fetches a file of a conversation, for who is a member of it now. One part may be asked for with `Range`."
        }
    }
}

/// A field of the path.
pub(super) fn parameter(name: &str, schemas: &mut Schemas) -> Value {
    let (doc, schema) = match name {
        HASH_FIELD => ("The file's hash.", json!({ "type": "string", "pattern": HASH_PATTERN })),
        _ => ("Which conversation.", schemas.of(&Shape::Id)),
    };
    json!({ "name": name, "in": "path", "required": true, "description": doc, "schema": schema })
}

/// Answers of their own that downloads may have.
pub(super) fn partial() -> [(String, Value); 2] {
    let content = json!({ ANY: { "schema": content() } });
    [
        ("206".into(), json!({ "description": "The part that `Range` names.", "content": content })),
        ("304".into(), json!({ "description": "The file has the tag of `If-None-Match`." })),
    ]
}
