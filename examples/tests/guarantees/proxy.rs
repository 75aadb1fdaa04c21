//! A bad network: a proxy between one client and the nodes that loses, doubles and delays packets,
//! and takes the client to another node, or to the same one by another address, in the middle.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::world::ANY;

/// How often a packet fares badly, of 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost: f64,
    pub(crate) doubled: f64,
    /// Overtaken by those behind it.
    pub(crate) late: f64,
}

impl Faults {
    pub(crate) const NONE: Self = Self { lost: 0.0, doubled: 0.0, late: 0.0 };
    /// A bad day on a train.
    pub(crate) const BAD: Self = Self { lost: 0.05, doubled: 0.05, late: 0.15 };
    /// A tunnel.
    pub(crate) const DARK: Self = Self { lost: 1.0, doubled: 0.0, late: 0.0 };
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: Arc<Way>,
    task: JoinHandle<()>,
}

struct Way {
    target: Mutex<SocketAddr>,
    faults: Mutex<Faults>,
    move_on: Notify,
    to_client_bytes: AtomicU64,
}

impl Proxy {
    pub(crate) async fn start(rng: &mut StdRng, target: SocketAddr, faults: Faults) -> Self {
        let front = UdpSocket::bind(ANY).await.expect("a socket");
        let address = front.local_addr().expect("an address");
        let way = Arc::new(Way {
            target: Mutex::new(target),
            faults: Mutex::new(faults),
            move_on: Notify::new(),
            to_client_bytes: AtomicU64::new(0),
        });
        let rng = StdRng::seed_from_u64(rng.random());
        let task = tokio::spawn(relay(Arc::clone(&way), rng, front));
        Self { address, way, task }
    }

    /// Takes what the client sends from now on to another node. That one has never heard of the
    /// connection and says so: to the client, its connection is cut.
    pub(crate) fn cut_over(&self, target: SocketAddr) {
        *self.way.target.lock().expect("nobody panics inside") = target;
    }

    /// The client's address changes, as when it leaves one network for another.
    pub(crate) fn move_on(&self) {
        self.way.move_on.notify_one();
    }

    pub(crate) fn set(&self, faults: Faults) {
        *self.way.faults.lock().expect("nobody panics inside") = faults;
    }

    /// Bytes that servers sent to the client, those that were lost included.
    pub(crate) fn to_client_bytes(&self) -> u64 {
        self.way.to_client_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(way: Arc<Way>, mut rng: StdRng, front: UdpSocket) {
    let front = Arc::new(front);
    let mut back = Arc::new(UdpSocket::bind(ANY).await.expect("a socket"));
    let mut client = None;
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok((bytes, from)) = front.recv_from(&mut from_client) => {
                client = Some(from);
                let target = *way.target.lock().expect("nobody panics inside");
                forward(&way, &mut rng, &from_client[..bytes], &back, target);
            }
            Ok((bytes, _)) = back.recv_from(&mut from_server) => {
                let Some(client) = client else { continue };
                way.to_client_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                forward(&way, &mut rng, &from_server[..bytes], &front, client);
            }
            () = way.move_on.notified() => {
                back = Arc::new(UdpSocket::bind(ANY).await.expect("a socket"));
            }
        }
    }
}

fn forward(way: &Way, rng: &mut StdRng, packet: &[u8], socket: &Arc<UdpSocket>, to: SocketAddr) {
    let faults = *way.faults.lock().expect("nobody panics inside");
    if rng.random_bool(faults.lost) {
        return;
    }
    for _ in 0..=u8::from(rng.random_bool(faults.doubled)) {
        if rng.random_bool(faults.late) {
            let (packet, socket) = (packet.to_vec(), Arc::clone(socket));
            let by = Duration::from_micros(rng.random_range(100..15_000));
            tokio::spawn(async move {
                tokio::time::sleep(by).await;
                // A full socket loses packets, as networks do.
                let _ = socket.try_send_to(&packet, to);
            });
        } else {
            let _ = socket.try_send_to(packet, to);
        }
    }
}
