//! A request's way to the service and back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, on};
use bytes::Bytes;
use goim_proto::{Authenticate, Error, ErrorCode, INSTANCE_HEADER};
use tokio::time::timeout;

use super::arguments::{Pairs, call_of, sends_of};
use super::operations::{Does, OPERATIONS, Operation};
use super::problem::Problem;
use super::{answer, events, page, uploads};
use crate::service::{Caller, Service};

/// A body: the largest text as JSON writes it, or some smaller ones.
pub(super) const BODY_BYTES_MAX: usize = 256 << 10;
/// Sends in one list: at 1,000 a second for a store that is slow, a tenth of a second.
pub(super) const SENDS_MAX: usize = 100;
/// How long a request may take, the reading of its body included.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// When to come back after that, in milliseconds.
const SLOW_RETRY_MS: u64 = 1_000;

/// The API of one service.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) service: Arc<Service>,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Api {
    /// Its routes.
    pub(crate) fn router(self) -> Router {
        let mut router = Router::new();
        for operation in OPERATIONS {
            let api = self.clone();
            let handler = move |request: Request| {
                let api = api.clone();
                async move { api.answer(operation, request).await.unwrap_or_else(Problem::into_response) }
            };
            router = router.route(operation.path, on(operation.verb.filter(), handler));
        }
        router
            .route("/v1/openapi.json", get(page::openapi))
            .route("/v1/", get(page::page))
            .route("/v1/page.css", get(page::style))
            .fallback(|| async {
                Problem::new(
                    StatusCode::NOT_FOUND,
                    ErrorCode::UnknownCall,
                    "there is nothing at this path; see /v1/",
                )
            })
            .method_not_allowed_fallback(|| async {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                Problem::new(status, ErrorCode::UnknownCall, "this path does not take the method; see /v1/")
            })
    }

    async fn answer(&self, operation: &'static Operation, request: Request) -> Result<Response, Problem> {
        let caller = caller(&request)?;
        match operation.does {
            Does::Call(call, expected) => {
                in_time(self.call(operation, (call, expected), &caller, request)).await
            }
            Does::SendAll => in_time(self.send_all(operation, &caller, request)).await,
            Does::Events => events::stream(&self.service, &caller).await,
            Does::Upload(target) => uploads::take(&self.service, operation, target, &caller, request).await,
            Does::Download(target) => uploads::give(&self.service, target, &caller, request).await,
            Does::RemoveAttachment => {
                in_time(uploads::remove(&self.service, operation, &caller, request)).await
            }
        }
    }

    /// Makes a call, which has this name and is answered by that reply.
    async fn call(
        &self,
        operation: &Operation,
        (call, expected): (&str, &str),
        caller: &Caller,
        request: Request,
    ) -> Result<Response, Problem> {
        let (mut parts, body) = whole(operation, request).await?;
        let path = path_of(&mut parts).await?;
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let call = call_of(operation, call, path, query.into_owned().collect(), &body)?;
        let reply = self.service.call_once(caller, call).await?;
        Ok(answer::reply(operation, expected, reply, &parts.headers))
    }

    async fn send_all(
        &self,
        operation: &Operation,
        caller: &Caller,
        request: Request,
    ) -> Result<Response, Problem> {
        let (parts, body) = whole(operation, request).await?;
        let sends = sends_of(&body)?;
        if sends.len() > SENDS_MAX {
            return Err(Error::new(ErrorCode::TooLarge, "at most 100 messages in one list").into());
        }
        let answers = self.service.send_all(caller, sends).await?;
        Ok(answer::sent(operation, answers, &parts.headers))
    }
}

/// An answer that comes within the time that a request may take.
async fn in_time(answered: impl Future<Output = Result<Response, Problem>>) -> Result<Response, Problem> {
    timeout(ANSWERED_WITHIN, answered).await.unwrap_or_else(|_| {
        let error = Error::new(ErrorCode::Unavailable, "this took too long; try again");
        Err(Error { retry_after_ms: Some(SLOW_RETRY_MS), ..error }.into())
    })
}

/// A request with all of its body, if it has one.
async fn whole(operation: &Operation, request: Request) -> Result<(Parts, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let body = if operation.verb.has_body() { read(&parts.headers, body).await? } else { Bytes::new() };
    Ok((parts, body))
}

/// Who asks: a token is `Authorization: Bearer …` (RFC 6750, 2.1).
fn caller(request: &Request) -> Result<Caller, Problem> {
    let Some(Peer(address)) = request.extensions().get::<Peer>() else {
        return Err(Problem::bad("the request comes from nowhere"));
    };
    let headers = request.headers();
    // Not as if there were none: that would be another instance.
    let instance = headers.get(INSTANCE_HEADER).map_or(Ok(""), |name| str::from_utf8(name.as_bytes()));
    let instance = instance.map_err(|_| Problem::bad("the name of the instance is not UTF-8"))?;
    let token = headers.get(header::AUTHORIZATION).map(|value| {
        let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
        // (What is no bearer's is no token, and refused as such.)
        let token = if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" };
        Authenticate { token: token.to_owned(), instance: instance.to_owned() }
    });
    Ok(Caller { address: address.ip(), token })
}

pub(super) async fn path_of(parts: &mut Parts) -> Result<Pairs, Problem> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(path) => Ok(path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        Err(_) => Err(Problem::bad("the path is not UTF-8")),
    }
}

async fn read(headers: &HeaderMap, body: axum::body::Body) -> Result<Bytes, Problem> {
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        Problem::from(Error::new(ErrorCode::TooLarge, "the body has more than 262,144 bytes, or was cut off"))
    })?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !bytes.is_empty() && !kind.eq_ignore_ascii_case("application/json") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(
            status,
            ErrorCode::BadArgument,
            "send JSON, as `Content-Type: application/json`",
        ));
    }
    Ok(bytes)
}
