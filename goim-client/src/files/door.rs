//! Requests to the HTTP API.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use goim_proto::INSTANCE_HEADER;

use super::StoredFile;
use super::address::Address;
use super::answer::{expect, whole};
use super::download::{Download, Wanted, is_hash};
use super::source::FileSource;
use crate::{ClientBuilder, ConnectError, FileError};

/// Sends requests. It follows no redirect, keeps no cookie and asks no proxy.
pub(crate) type HttpClient = legacy::Client<HttpsConnector<HttpConnector>, Body>;
type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A connection that nobody needs is kept for so long, well below the 30 s of the server: a request must not
/// meet its end.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// What of an upload is between us and the network, in the library and in the socket; with what waits for them
/// and what TLS holds, 512 KiB. So what is not taken from us is not on its way, and what is has gone within
/// the stall timeout at 70 kbit/s.
const BUFFER_BYTES: usize = 64 * 1024;
const SOCKET_BYTES: usize = 256 * 1024;
/// Connections that nobody needs, of the 256 that a server lets one address have.
const IDLE_MAX: usize = 8;
/// How long to wait to be asked for an upload; whoever does not know the question gets it unasked (RFC 9110,
/// 10.1.1).
const ASKED_WITHIN: Duration = Duration::from_secs(1);

/// A client of HTTP with the trust of these TLS settings.
pub(crate) fn http_client(tls: rustls::ClientConfig) -> HttpClient {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_send_buffer_size(Some(SOCKET_BYTES));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_MAX)
        .http1_max_buf_size(BUFFER_BYTES)
        .build(connector)
}

/// The HTTP API at its address.
pub(crate) struct Door {
    client: Arc<HttpClient>,
    address: Address,
    /// Of a bot; empty otherwise.
    instance: String,
    stall_timeout: Duration,
}

impl Door {
    /// The door that these settings name, if they name one.
    pub(crate) fn new(
        options: &ClientBuilder,
        client: Arc<HttpClient>,
    ) -> Result<Option<Self>, ConnectError> {
        let Some(address) = &options.files.address else { return Ok(None) };
        Ok(Some(Self {
            client,
            address: Address::new(address, options.files.plain)?,
            instance: options.instance.clone(),
            stall_timeout: options.files.stall_timeout,
        }))
    }

    pub(super) async fn upload(
        &self,
        path: &str,
        token: Option<String>,
        file: FileSource,
    ) -> Result<StoredFile, FileError> {
        let (feed, pieces) = mpsc::channel(1);
        let begun = Arc::new(Notify::new());
        let body = UnsyncBoxBody::new(StreamBody::new(frames(pieces, Arc::clone(&begun))));
        let mut request = self.request(Method::POST, path, token, body)?;
        request.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        if let Some(bytes) = file.bytes {
            request.headers_mut().insert(header::CONTENT_LENGTH, bytes.into());
        }
        let asked = Arc::new(Notify::new());
        let asks = Arc::clone(&asked);
        hyper::ext::on_informational(&mut request, move |answer| {
            if answer.status() == StatusCode::CONTINUE {
                asks.notify_one();
            }
        });
        let mut answer = pin!(self.client.request(request));
        // Until the answer was read, even if it came early: a body that breaks off takes the answer along.
        let mut feeding = pin!(self.feed(file, &feed, &begun, &asked));
        let (answer, fed) = tokio::select! {
            answer = &mut answer => (answer, None),
            fed = &mut feeding => {
                let fed = fed?;
                (timeout(self.stall_timeout, answer).await.map_err(|_| FileError::Stalled)?, Some(fed))
            }
        };
        let answer = answer.map_err(|error| self.failed(error))?;
        let answer = expect(answer, &[StatusCode::CREATED], self.stall_timeout).await?;
        let status = answer.status().as_u16();
        let body = whole(answer, self.stall_timeout).await?;
        let stored: StoredFile =
            serde_json::from_slice(&body).map_err(|_| FileError::UnexpectedAnswer { status })?;
        let fed = match fed {
            Some(fed) => fed,
            None => feeding.await?,
        };
        if fed.is(&stored) { Ok(stored) } else { Err(FileError::Corrupt) }
    }

    /// Hands a file on, piece by piece, as soon as it is asked for.
    async fn feed(
        &self,
        mut file: FileSource,
        feed: &mpsc::Sender<Piece>,
        begun: &Notify,
        asked: &Notify,
    ) -> Result<Fed, FileError> {
        timeout(self.stall_timeout, begun.notified()).await.map_err(|_| FileError::Stalled)?;
        // A server that asks for nothing and refuses nothing gets it all the same.
        let _ = timeout(ASKED_WITHIN, asked.notified()).await;
        let mut taken = Fed { hash: Sha256::new(), bytes: 0 };
        loop {
            let next = timeout(self.stall_timeout, file.chunks.next()).await;
            let next = next.map_err(|_| FileError::Stalled)?.transpose().map_err(FileError::Source)?;
            let last = next.is_none();
            if let Some(data) = &next {
                taken.hash.update(data);
                taken.bytes += data.len() as u64;
            } else if file.bytes.is_some_and(|bytes| taken.bytes < bytes) {
                return Err(FileError::Source(io::ErrorKind::UnexpectedEof.into()));
            }
            let fed = timeout(self.stall_timeout, feed.send(next.map_or(Piece::End, Piece::Data))).await;
            // Nobody takes more if the request has ended: its answer says how.
            if fed.map_err(|_| FileError::Stalled)?.is_err() || last {
                return Ok(taken);
            }
        }
    }

    pub(super) async fn download(
        &self,
        path: &str,
        token: Option<String>,
        hash: &str,
        range: Wanted,
    ) -> Result<Download, FileError> {
        let mut request = self.request(Method::GET, path, token, nothing())?;
        if let Some(range) = range.header() {
            request.headers_mut().insert(header::RANGE, range);
        }
        let answer = self.answer(request).await?;
        let answer = expect(answer, &[range.status()], self.stall_timeout).await?;
        Download::new(answer, range, hash, self.stall_timeout)
    }

    pub(super) async fn remove(&self, path: &str, token: Option<String>) -> Result<(), FileError> {
        let answer = self.answer(self.request(Method::DELETE, path, token, nothing())?).await?;
        expect(answer, &[StatusCode::NO_CONTENT], self.stall_timeout).await.map(drop)
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Incoming>, FileError> {
        let answer = timeout(self.stall_timeout, self.client.request(request)).await;
        answer.map_err(|_| FileError::Stalled)?.map_err(|error| self.failed(error))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<String>,
        body: Body,
    ) -> Result<Request<Body>, FileError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address.as_str()));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !self.instance.is_empty() {
            request = request.header(INSTANCE_HEADER, self.instance.as_str());
        }
        request.body(body).map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, error: impl std::error::Error + Send + Sync + 'static) -> FileError {
        let address = self.address.as_str().to_owned();
        FileError::Unreachable { address, source: io::Error::other(error) }
    }

    fn failed(&self, error: legacy::Error) -> FileError {
        if error.is_connect() {
            self.unreachable(error)
        } else {
            FileError::Disconnected(io::Error::other(error))
        }
    }
}

/// What was handed on of an upload.
struct Fed {
    hash: Sha256,
    bytes: u64,
}

impl Fed {
    /// Whether this is what the server says that it has.
    fn is(self, stored: &StoredFile) -> bool {
        self.bytes == stored.bytes && is_hash(self.hash, &stored.hash)
    }
}

/// A part of an upload. Its end is said: whoever gives up in the middle has not ended it.
enum Piece {
    Data(Bytes),
    End,
}

/// The frames of a body; says when they are asked for, which is when the head was sent.
fn frames(pieces: mpsc::Receiver<Piece>, begun: Arc<Notify>) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    stream::unfold(Some(pieces), move |pieces| {
        begun.notify_one();
        next_frame(pieces)
    })
}

async fn next_frame(
    pieces: Option<mpsc::Receiver<Piece>>,
) -> Option<(io::Result<Frame<Bytes>>, Option<mpsc::Receiver<Piece>>)> {
    let mut pieces = pieces?;
    match pieces.recv().await {
        Some(Piece::Data(data)) => Some((Ok(Frame::data(data)), Some(pieces))),
        Some(Piece::End) => None,
        None => Some((Err(io::ErrorKind::ConnectionAborted.into()), None)),
    }
}

fn nothing() -> Body {
    UnsyncBoxBody::new(Empty::new().map_err(|never| match never {}))
}

pub(super) fn lost(error: hyper::Error) -> FileError {
    FileError::Disconnected(io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that is given up at the same time hides it, but need not.
    #[tokio::test]
    async fn an_upload_that_is_given_up_has_no_end() {
        for (last, ends) in [(Some(Piece::End), true), (None, false)] {
            let (feed, pieces) = mpsc::channel(2);
            feed.try_send(Piece::Data("abc".into())).ok().unwrap();
            last.into_iter().for_each(|last| feed.try_send(last).ok().unwrap());
            drop(feed);
            let sent: Vec<_> = frames(pieces, Arc::default()).collect().await;
            assert!(sent[0].is_ok());
            assert_eq!(sent.get(1).is_none(), ends);
        }
    }
}
