//! Who may come in: connections of HTTP, bounded in number, and in what their heads may hold.
//!
//! A connection of HTTP/1.1 has one request at a time, so this bounds requests too: at 256 KiB for a body
//! and 16 KiB for a head, 1,024 of them hold 272 MiB if all do their worst. (An event stream has no body; while
//! it begins it holds where its user's conversations stand.)

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::api::Peer;
use crate::access::network;
use crate::config::Limits;

/// A request's line and headers.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// How long a client may take from one request to the end of the next one's head.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long what a client goes on sending is read behind the last answer, and how many bytes of it: more than
/// systems keep on the way.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: u64 = 8 << 20;
/// After an accept that failed, of which the system is short of something.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Open connections by where they come from.
type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Serves HTTP for ever.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let open = Open::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, address)) if connections.len() < limits.http_connections_max => {
                if let Some(entered) =
                    Entered::new(&open, address.ip(), limits.http_connections_per_address_max)
                {
                    connections.spawn(run(stream, address, router.clone(), entered));
                }
            }
            // Closed without a word: to write one would be to hold it.
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of HTTP");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn run(stream: TcpStream, address: SocketAddr, router: Router, _entered: Entered) {
    let router = router.layer(axum::Extension(Peer(address)));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // With its end said, and all before it sent.
    if let Err(error) = (&mut connection).await {
        tracing::debug!(%address, %error, "a connection of HTTP broke");
    }
    let stream = connection.into_parts().io.into_inner();
    linger(stream).await;
}

/// Lets a client that was refused while it was sending read why: where bytes that it sent are left unread, the
/// end of the connection may overtake the answer (RFC 9112, 9.6).
async fn linger(mut stream: TcpStream) {
    // Said before, but where a request could not be read. What comes of it is the client's matter alone.
    let _ = stream.shutdown().await;
    let mut rest = stream.take(LINGER_BYTES_MAX);
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

/// A connection's place among those of its address.
struct Entered {
    open: Open,
    network: IpAddr,
}

impl Entered {
    fn new(open: &Open, address: IpAddr, most: usize) -> Option<Self> {
        let network = network(address);
        let mut all = open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(network).or_default();
        // (With none allowed nothing would be left behind: settings see to it that some are.)
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Self { open: Arc::clone(open), network })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_gets_their_places_back() {
        let open = Open::default();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = Entered::new(&open, one, 2);
        let second = Entered::new(&open, one, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Entered::new(&open, one, 2).is_none());
        assert!(Entered::new(&open, other, 2).is_some());
        drop(first);
        assert!(Entered::new(&open, one, 2).is_some());
        drop(second);
        assert!(open.lock().unwrap().is_empty(), "nothing is kept of who has left");
    }
}
