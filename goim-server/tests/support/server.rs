//! A server on a store of its own.

use std::net::SocketAddr;

use goim_server::{Config, Server};

/// A server on a store of its own that goes with it.
pub struct TestServer {
    pub server: Server,
    pub dir: tempfile::TempDir,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(config(&dir, change)).await.unwrap();
        Self { server, dir }
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.quic_addr()
    }
}

pub fn config(dir: &tempfile::TempDir, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config {
        quic_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: dir.path().to_path_buf(),
        ..Config::default()
    };
    change(&mut config);
    config
}
