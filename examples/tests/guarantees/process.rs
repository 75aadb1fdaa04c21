//! A server in a process of its own, to be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use goim_server::Server;

use crate::fixtures::until;
use crate::world::{ANY, Place, World, config};

/// What the process is told by.
const STORE: &str = "GUARANTEES_STORE";
const DATA: &str = "GUARANTEES_DATA";
const LISTEN: &str = "GUARANTEES_LISTEN";
/// What it says when it serves.
const READY: &str = "READY ";

/// This program once more, serving. Killed without notice when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) place: Place,
}

impl Process {
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_at(world, ANY).await
    }

    async fn start_at(world: &World, listen: SocketAddr) -> Self {
        let mut started = None;
        until("a server's process", async || {
            started = spawn(world, listen);
            started.is_some()
        })
        .await;
        started.expect("a process")
    }

    /// Kills it: nothing of it runs any more when this returns.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("a process to wait for");
    }

    /// Starts another one in the place of one that was killed.
    pub(crate) async fn again(self, world: &World) -> Self {
        Self::start_at(world, self.place.address).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(world: &World, listen: SocketAddr) -> Option<Process> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "process::serve", "--ignored", "--nocapture"])
        .env(STORE, world.url())
        .env(DATA, world.data())
        .env(LISTEN, listen.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    for line in lines.map_while(Result::ok) {
        let Some((_, ready)) = line.split_once(READY) else { continue };
        let (address, digits) = ready.split_once(' ').expect("an address and a fingerprint");
        let digit = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("two digits");
        let place =
            Place { address: address.parse().expect("an address"), fingerprint: std::array::from_fn(digit) };
        return Some(Process { child, place });
    }
    // It could not have the address yet: the one before it has just gone.
    let _ = child.wait();
    None
}

/// The other process' side; alone, it is no test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "serves for a test in another process"]
async fn serve() {
    use std::io::Write as _;
    let Ok(store) = std::env::var(STORE) else { return };
    let data = std::env::var(DATA).expect("a folder");
    let listen = std::env::var(LISTEN).expect("an address").parse().expect("an address");
    let server = Server::start(config(&store, data.as_ref(), listen)).await.expect("a server");
    let digits: String = server.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(std::io::stdout(), "{READY}{} {digits}", server.quic_addr()).expect("somebody who listens");
    // The end of the input is the end of whoever started this.
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = ended.await;
}
