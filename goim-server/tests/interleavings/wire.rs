//! The wire between a store and PostgreSQL, held by the test.
//!
//! It knows as much of the frontend/backend protocol (chapter 55 of PostgreSQL's manual) as it
//! takes to see where a statement and its answer end. What executes something waits at the gate;
//! what only prepares passes. An answer is handed on whole, or lost. And it can say another
//! statement than the store did, which is how the suite is shown that it would notice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::gate::{Control, Event, Handle, SeatId};

/// What the wire adds to the settings of each connection. Whoever waits at the gate holds his locks
/// for as long as the machine needs for the moves of the others: if PostgreSQL looked at the time,
/// the machine would decide what happens. And nothing here is about the disk.
const SETTINGS: &str = " -c lock_timeout=0 -c statement_timeout=0 -c idle_in_transaction_session_timeout=0 \
    -c synchronous_commit=off";

/// What a store says on a connection that it is opening: how statements that pass at once begin. Its
/// pool gives up a connection that takes 5 s to open, and a pool that opens one more because the
/// other is not back yet would be a matter of speed.
const OPENING: [&str; 2] = ["WITH place AS (", "SELECT epoch FROM meta"];

/// Words of a statement that are replaced on their way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rewrite {
    pub(crate) find: &'static str,
    pub(crate) replace: &'static str,
}

/// All wires to one database.
pub(crate) struct Wire {
    shared: Arc<Shared>,
    listeners: JoinSet<()>,
}

struct Shared {
    /// Host and port.
    server: (String, u16),
    rewrites: &'static [Rewrite],
    rewritten: Vec<AtomicUsize>,
    /// Whether statements wait; while the stage is set they do not.
    holding: AtomicBool,
    connections: AtomicU64,
    /// PostgreSQL's processes behind all connections that there were.
    pids: Mutex<Vec<i32>>,
    events: UnboundedSender<Event>,
}

impl Wire {
    pub(crate) fn new(
        server: (String, u16),
        rewrites: &'static [Rewrite],
        events: UnboundedSender<Event>,
    ) -> Self {
        let rewritten = rewrites.iter().map(|_| AtomicUsize::new(0)).collect();
        let (holding, connections) = (AtomicBool::new(false), AtomicU64::new(1));
        let pids = Mutex::default();
        let shared = Arc::new(Shared { server, rewrites, rewritten, holding, connections, pids, events });
        Self { shared, listeners: JoinSet::new() }
    }

    pub(crate) fn hold(&self, holding: bool) {
        self.shared.holding.store(holding, Ordering::Relaxed);
    }

    /// Rewrites that never found their words.
    pub(crate) fn unused_rewrites(&self) -> Vec<&'static str> {
        let counted = self.shared.rewrites.iter().zip(&self.shared.rewritten);
        counted.filter(|(_, count)| count.load(Ordering::Relaxed) == 0).map(|(rule, _)| rule.find).collect()
    }

    /// Cuts all connections for good. Returns the processes that were behind them.
    pub(crate) async fn cut_all(&mut self) -> Vec<i32> {
        self.listeners.shutdown().await;
        std::mem::take(&mut *self.shared.pids.lock().expect("no panic under the lock"))
    }

    /// Listens for one seat's connections; returns the port.
    pub(crate) async fn listen(&mut self, seat: SeatId) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::clone(&self.shared);
        self.listeners.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(serve(Arc::clone(&shared), seat, client));
            }
        });
        port
    }
}

async fn serve(shared: Arc<Shared>, seat: SeatId, client: TcpStream) {
    let (host, port) = &shared.server;
    let Ok(server) = TcpStream::connect((host.as_str(), *port)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let id = shared.connections.fetch_add(1, Ordering::Relaxed);
    let (control, controls) = unbounded_channel();
    let mut connection = Connection {
        seat,
        id,
        pid: 0,
        client: Some(client),
        server,
        from_client: BytesMut::new(),
        from_server: BytesMut::new(),
        begun: false,
        prepared: HashMap::new(),
        group: Group::default(),
        progress: Progress::Free,
        passing: 0,
        control,
        controls,
        shared,
    };
    // However it ended, it has.
    let _ = connection.run().await;
    let _ = connection.shared.events.send(Event::Gone { seat, connection: id });
}

/// Messages up to the one that asks for an answer.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    executes: bool,
    label: String,
}

enum Progress {
    Free,
    Parked(Vec<u8>),
    Answering { lose: bool, answer: Vec<u8> },
}

struct Connection {
    shared: Arc<Shared>,
    seat: SeatId,
    id: u64,
    pid: i32,
    /// Gone once it was cut.
    client: Option<TcpStream>,
    server: TcpStream,
    from_client: BytesMut,
    from_server: BytesMut,
    begun: bool,
    /// The words of prepared statements.
    prepared: HashMap<Vec<u8>, String>,
    group: Group,
    progress: Progress,
    /// Groups that went through without waiting and are not answered yet.
    passing: usize,
    control: UnboundedSender<Control>,
    controls: UnboundedReceiver<Control>,
}

/// The connection's end, however it came.
struct Ended;

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Connection {
    async fn run(&mut self) -> Result<(), Ended> {
        loop {
            while let Some(message) = take(&mut self.from_server, true) {
                self.take_from_server(&message).await?;
            }
            while !matches!(self.progress, Progress::Parked(_))
                && let Some(message) = take(&mut self.from_client, self.begun)
            {
                self.take_from_client(&message).await?;
            }
            let parked = matches!(self.progress, Progress::Parked(_));
            let client = async {
                match &mut self.client {
                    Some(client) if !parked => client.read_buf(&mut self.from_client).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                read = client => if read? == 0 { return Err(Ended) },
                read = self.server.read_buf(&mut self.from_server) => if read? == 0 { return Err(Ended) },
                control = self.controls.recv() => self.control(control.ok_or(Ended)?).await?,
            }
        }
    }

    async fn control(&mut self, control: Control) -> Result<(), Ended> {
        match (std::mem::replace(&mut self.progress, Progress::Free), control) {
            (Progress::Parked(bytes), Control::Go | Control::LoseAnswer) => {
                self.server.write_all(&bytes).await?;
                self.progress =
                    Progress::Answering { lose: control == Control::LoseAnswer, answer: Vec::new() };
            }
            (Progress::Parked(_), Control::Cut) => return Err(Ended),
            (progress @ Progress::Answering { .. }, Control::Cut) => {
                self.client = None;
                self.progress = progress;
            }
            (progress, _) => self.progress = progress,
        }
        Ok(())
    }

    async fn take_from_client(&mut self, message: &[u8]) -> Result<(), Ended> {
        if !self.begun {
            self.begun = true;
            return Ok(self.server.write_all(&timeless(message)).await?);
        }
        let body = &message[5..];
        match message[0] {
            // An answer to the server's question who it is.
            b'p' => return Ok(self.server.write_all(message).await?),
            b'X' => return Err(Ended),
            b'P' => {
                let (name, rest) = split(body);
                let (sql, types) = split(rest);
                let sql = self.rewrite(&String::from_utf8_lossy(sql));
                let parts: [&[u8]; 5] = [name, b"\0", sql.as_bytes(), b"\0", types];
                append(&mut self.group.bytes, b'P', &parts.concat());
                self.group.label = label(&sql);
                self.prepared.insert(name.to_vec(), label(&sql));
                return Ok(());
            }
            b'Q' => {
                let sql = self.rewrite(&String::from_utf8_lossy(split(body).0));
                append(&mut self.group.bytes, b'Q', &[sql.as_bytes(), b"\0"].concat());
                // A rollback may be left over from a call that has ended, so nobody would let it go.
                self.group.executes = sql != "ROLLBACK";
                self.group.label = label(&sql);
                return self.end_group().await;
            }
            b'B' => {
                let statement = split(split(body).1).0;
                self.group.label = self.prepared.get(statement).cloned().unwrap_or_default();
            }
            b'E' => self.group.executes = true,
            _ => {}
        }
        self.group.bytes.extend_from_slice(message);
        if message[0] == b'S' { self.end_group().await } else { Ok(()) }
    }

    async fn end_group(&mut self) -> Result<(), Ended> {
        let Group { bytes, executes, label } = std::mem::take(&mut self.group);
        if !executes
            || !self.shared.holding.load(Ordering::Relaxed)
            || OPENING.iter().any(|of| label.starts_with(of))
        {
            self.passing += 1;
            return Ok(self.server.write_all(&bytes).await?);
        }
        self.progress = Progress::Parked(bytes);
        let control = self.control.clone();
        let handle = Handle { connection: self.id, pid: self.pid, label, control };
        self.shared.events.send(Event::Parked { seat: self.seat, handle }).map_err(|_| Ended)
    }

    async fn take_from_server(&mut self, message: &[u8]) -> Result<(), Ended> {
        let ready = message[0] == b'Z';
        if message[0] == b'K' {
            self.pid = (&message[5..]).get_i32();
            self.shared.pids.lock().expect("no panic under the lock").push(self.pid);
        }
        if self.passing == 0
            && let Progress::Answering { lose, answer } = &mut self.progress
        {
            answer.extend_from_slice(message);
            if !ready {
                return Ok(());
            }
            let (lose, answer) = (*lose, std::mem::take(answer));
            self.progress = Progress::Free;
            // First, so that the stage hears of the answer before it hears what came of it.
            let _ = self.shared.events.send(Event::Answered { seat: self.seat, connection: self.id });
            match &mut self.client {
                Some(client) if !lose => client.write_all(&answer).await?,
                _ => return Err(Ended),
            }
            return Ok(());
        }
        self.passing -= usize::from(ready && self.passing > 0);
        match &mut self.client {
            Some(client) => Ok(client.write_all(message).await?),
            None => Err(Ended),
        }
    }

    fn rewrite(&self, sql: &str) -> String {
        let mut sql = sql.to_owned();
        for (rule, count) in self.shared.rewrites.iter().zip(&self.shared.rewritten) {
            if sql.contains(rule.find) {
                count.fetch_add(1, Ordering::Relaxed);
                sql = sql.replace(rule.find, rule.replace);
            }
        }
        sql
    }
}

/// The next whole message; the first one that a client sends has no type.
fn take(buffer: &mut BytesMut, typed: bool) -> Option<BytesMut> {
    let before = usize::from(typed);
    let length = buffer.get(before..before + 4)?;
    let length = before + usize::try_from((&mut &*length).get_u32()).ok()?;
    (buffer.len() >= length).then(|| buffer.split_to(length))
}

/// The first message of a connection, with settings behind those that the client asks for.
fn timeless(startup: &[u8]) -> Vec<u8> {
    let (head, parameters) = startup.split_at(8);
    let mut message = head.to_vec();
    let mut rest = parameters;
    while !rest.is_empty() {
        let (name, behind) = split(rest);
        let (value, behind) = split(behind);
        rest = behind;
        message.extend_from_slice(name);
        message.push(0);
        if name.is_empty() {
            break;
        }
        message.extend_from_slice(value);
        if name == b"options" {
            message.extend_from_slice(SETTINGS.as_bytes());
        }
        message.push(0);
    }
    let length = u32::try_from(message.len()).expect("a short message");
    message[..4].copy_from_slice(&length.to_be_bytes());
    message
}

fn append(group: &mut Vec<u8>, kind: u8, body: &[u8]) {
    group.push(kind);
    let length = u32::try_from(body.len() + 4).expect("a short statement");
    group.extend_from_slice(&length.to_be_bytes());
    group.extend_from_slice(body);
}

/// Up to the next zero, and what is behind it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

fn label(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect()
}
