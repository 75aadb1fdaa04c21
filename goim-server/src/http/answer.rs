//! Answers, written as JSON.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use goim_core::Entry;
use goim_proto::{
    Content, ConversationPage, Encode, Error, ErrorCode, FoundMessage, HistoryPage, MessagePage, Pulled,
    Reply, Sent,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::operations::{Operation, Verb};
use super::problem::Problem;

/// The header that names an answer.
pub(super) const TAG_HEADER: &str = "etag";
/// Bytes of a hash that tell two answers apart.
const TAG_BYTES: usize = 16;

/// The answer to a call that succeeded: what comes with this reply, without its name.
pub(super) fn reply(operation: &Operation, expected: &str, reply: Reply, headers: &HeaderMap) -> Response {
    let reply = match readable(reply) {
        Ok(Value::Object(mut one)) => one.remove(expected),
        _ => None,
    };
    match reply {
        None => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Internal,
            "the server made a mistake; its log says more",
        )
        .into_response(),
        Some(_) if operation.status == StatusCode::NO_CONTENT => {
            (operation.status, [(header::CACHE_CONTROL, "no-store")]).into_response()
        }
        Some(value) => written(operation, &value, headers),
    }
}

/// The answer to a list of sends.
pub(super) fn sent(
    operation: &Operation,
    answers: Vec<Result<Sent, Error>>,
    headers: &HeaderMap,
) -> Response {
    let answers = answers.into_iter().map(|answer| {
        // Neither has anything that JSON has not.
        readable(answer.map_or_else(Reply::Error, Reply::Sent)).unwrap_or_default()
    });
    written(operation, &Value::Array(answers.collect()), headers)
}

/// Any JSON.
pub(super) fn written(operation: &Operation, value: &Value, headers: &HeaderMap) -> Response {
    let body = value.to_string();
    let mut response = (operation.status, [(header::CONTENT_TYPE, "application/json")]).into_response();
    if operation.verb == Verb::Get {
        let tag = tag_of(&body);
        let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| names(known, &tag));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().remove(header::CONTENT_TYPE);
        } else {
            *response.body_mut() = Body::from(body);
        }
        response.headers_mut().extend(HeaderValue::from_str(&tag).ok().map(|tag| (header::ETAG, tag)));
    } else {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        *response.body_mut() = Body::from(body);
    }
    response
}

/// The entity tag of an answer (RFC 9110, 8.8.3).
fn tag_of(body: &str) -> String {
    let hash = Sha256::digest(body.as_bytes());
    let hex: String = hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Whether `If-None-Match` names a tag; weak comparison, as it asks for.
pub(super) fn names(known: &HeaderValue, tag: &str) -> bool {
    let known = known.to_str().unwrap_or_default();
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
}

/// A reply with the contents of entries in it, as JSON.
fn readable(reply: Reply) -> Result<Value, serde_json::Error> {
    #[allow(clippy::wildcard_enum_match_arm, reason = "these are the replies with bodies in them")]
    match reply {
        Reply::Pulled(Pulled { entries, through, head, epoch }) => {
            json(&Reply::Pulled(Pulled { entries: contents(entries), through, head, epoch }))
        }
        Reply::History(HistoryPage { entries, more, forms }) => {
            json(&Reply::History(HistoryPage { entries: contents(entries), more, forms }))
        }
        Reply::Conversations(ConversationPage { items, more }) => {
            let items = items.into_iter().map(|item| item.map(|body| content(&body))).collect();
            json(&Reply::Conversations(ConversationPage { items, more }))
        }
        Reply::FoundMessages(MessagePage { messages, next }) => {
            let readable = |found: FoundMessage| FoundMessage {
                conversation: found.conversation,
                entry: found.entry.map(|body| content(&body)),
            };
            let messages = messages.into_iter().map(readable).collect();
            json(&Reply::FoundMessages(MessagePage { messages, next }))
        }
        reply => json(&reply),
    }
}

/// Any value of the wire as JSON.
pub(super) fn json(value: &impl Encode) -> Result<Value, serde_json::Error> {
    value.encode(serde_json::value::Serializer)
}

/// What a body says; one that only a newer server can read says nothing.
fn content(body: &Bytes) -> Content {
    Content::decode(body).unwrap_or(Content::Unknown(0))
}

/// What the entries say.
fn contents(entries: Vec<Entry<Bytes>>) -> Vec<Entry<Content>> {
    entries.into_iter().map(|entry| entry.map(|body| content(&body))).collect()
}
