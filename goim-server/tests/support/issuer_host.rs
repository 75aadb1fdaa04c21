//! Where an issuer has its keys: a server of HTTP that counts how often it is asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::issuer::{Signer, key_set};

/// An issuer that can be down.
pub struct Host {
    keys: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    addr: SocketAddr,
    serving: JoinHandle<()>,
}

impl Host {
    pub async fn with(keys: &[&Signer]) -> Self {
        let (body, asked) = (Arc::new(Mutex::new(key_set(keys).to_string())), Arc::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, Arc::clone(&body), Arc::clone(&asked)));
        Self { keys: body, asked, addr, serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}/keys", self.addr)
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Has other keys from now on.
    pub fn change(&self, keys: &[&Signer]) {
        *self.keys.lock().unwrap() = key_set(keys).to_string();
    }

    /// Takes no connections any more, and ends those that there are.
    pub async fn go_down(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.serving = tokio::spawn(serve(listener, Arc::clone(&self.keys), Arc::clone(&self.asked)));
    }
}

async fn serve(listener: TcpListener, keys: Arc<Mutex<String>>, asked: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (keys, asked) = (Arc::clone(&keys), Arc::clone(&asked));
        connections.spawn(http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(move |_| {
                asked.fetch_add(1, Ordering::SeqCst);
                let body = keys.lock().unwrap().clone();
                async move { Ok::<_, Infallible>(Response::new(Body::from(body))) }
            }),
        ));
    }
}
