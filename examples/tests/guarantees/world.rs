//! A store, and the nodes and clients on it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use goim_client::{BotToken, Client, ClientBuilder, Event, MemoryStore, Start};
use goim_server::{Config, Server, StartError};

use crate::backend::Backend;
use crate::fixtures::{in_time, until};

/// A free port of this machine.
pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A store with what its nodes share: certificate and keys, so that they are one server to clients.
pub(crate) struct World {
    url: String,
    data: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(backend: &Backend) -> Self {
        Self { url: backend.url(), data: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Starts a node in this process.
    pub(crate) async fn node(&self) -> Node {
        self.node_with(|_| {}).await
    }

    pub(crate) async fn node_with(&self, change: impl Fn(&mut Config)) -> Node {
        let mut started = None;
        until("a free address", async || {
            let mut config = config(&self.url, self.data(), ANY);
            change(&mut config);
            started = match Server::start(config).await {
                // A node that was here before lets go of its address in its own time.
                Err(StartError::Listen { .. }) => None,
                Err(error) => panic!("no server: {error}"),
                Ok(server) => Some(server),
            };
            started.is_some()
        })
        .await;
        Node { server: started.expect("a server") }
    }
}

/// A node's settings. Nodes hear of each other's entries by comparing heads, here without much ado,
/// and also where the store is a file: two nodes on one are two nodes.
pub(crate) fn config(store: &str, data: &Path, listen: SocketAddr) -> Config {
    let mut config = Config {
        quic_listen: listen,
        store: Some(store.to_owned()),
        data_dir: data.to_owned(),
        catch_up_interval_ms: Some(50),
        ..Config::default()
    };
    // All clients come from one address, and come back often.
    config.limits.handshakes_per_s = 100_000;
    config
}

/// A server in this process. Dropped, it stops without a word.
pub(crate) struct Node {
    pub(crate) server: Server,
}

impl Node {
    pub(crate) fn place(&self) -> Place {
        Place { address: self.server.quic_addr(), fingerprint: self.server.fingerprint() }
    }

    /// Stops without a word and comes back at the same address.
    pub(crate) async fn restart(self, world: &World) -> Self {
        let address = self.server.quic_addr();
        drop(self);
        world.node_with(|config| config.quic_listen = address).await
    }
}

/// Where a server is, and how to know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) fingerprint: [u8; 32],
}

impl Place {
    /// The same server by another way.
    pub(crate) fn by(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// A client that comes back without delay.
    pub(crate) fn client(self) -> ClientBuilder {
        Client::builder(self.address.to_string())
            .fingerprint(self.fingerprint)
            .reconnect(Duration::from_millis(1), Duration::from_millis(50))
            .local_store(Arc::new(MemoryStore::default()))
    }

    /// A person with an account of his own.
    pub(crate) async fn person(self, name: &str) -> Client {
        let client = connected(self.client()).await;
        let mut events = client.events();
        in_time("an account", client.register(name, "a long enough password")).await.expect("a free name");
        // What is older than his first list is history to him.
        in_time("the first list", async {
            while !matches!(events.next().await.expect("a client that lives"), Event::Connected) {}
        })
        .await;
        client
    }

    /// One instance of a bot, which reads from the beginning.
    pub(crate) fn bot(self, bot: &BotToken, instance: &str) -> ClientBuilder {
        self.client().token(bot.token.as_str()).instance(instance).start(Start::Beginning)
    }
}

pub(crate) async fn connected(builder: ClientBuilder) -> Client {
    in_time("a connection", builder.connect()).await.expect("a server that answers")
}

/// Makes so many bots.
pub(crate) async fn bots(owner: &Client, count: usize) -> Vec<BotToken> {
    let mut bots = Vec::new();
    for n in 0..count {
        bots.push(in_time("a bot", owner.create_bot(&format!("bot-{n}"))).await.expect("a free name"));
    }
    bots
}
