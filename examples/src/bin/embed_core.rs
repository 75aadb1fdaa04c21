//! Another server on goim-core alone: a chat over plain TCP, with std's threads and sockets.
//!
//! `cargo run --bin embed_core -- 127.0.0.1:4000`, then several times `nc 127.0.0.1 4000`. Every line
//! that you type is a message; every message arrives as `NUMBER text`, and again after a while until
//! you answer `/ack NUMBER`.
#![allow(clippy::print_stdout, reason = "a program says where it listens")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use goim_core::ack_queue::Expired;
use goim_core::sequence::Reserve;
use goim_core::{
    AckId, AckQueue, AckQueueConfig, BoxLimits, ConversationId, Msg, MsgBox, RttConfig, Seq,
    SequenceAllocator, Time,
};

const ROOM: ConversationId = ConversationId::new(1);
/// How often a connection looks for news.
const TICK: Duration = Duration::from_millis(20);

/// A message of this server.
struct Line {
    seq: Seq,
    text: String,
}

impl Msg for Line {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// What all connections share: numbers, and the newest messages.
struct Room {
    numbers: Mutex<SequenceAllocator>,
    lines: MsgBox<Arc<Line>>,
    start: Instant,
}

impl Room {
    fn new() -> Self {
        let mut numbers = SequenceAllocator::new(1);
        // This server keeps nothing across restarts: its log is empty.
        numbers.learn(ROOM, Seq::ZERO);
        Self { numbers: Mutex::new(numbers), lines: MsgBox::new(BoxLimits::default()), start: Instant::now() }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    /// Numbers a message and keeps it. Under one lock, so that numbers become visible in order.
    fn say(&self, text: &str) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Reserve::Range(range) = numbers.reserve(ROOM, NonZeroU64::MIN) {
            self.lines.insert(ROOM, Arc::new(Line { seq: range.first, text: text.to_owned() }));
            numbers.confirm(ROOM, range);
        }
    }
}

/// One reader: what it was sent, and what it has not acknowledged.
struct Reader {
    stream: TcpStream,
    sent: Seq,
    window: AckQueue<Arc<Line>>,
    unanswered: HashMap<u64, AckId>,
}

impl Reader {
    /// Sends what is new and fits the window, then what was not acknowledged in time.
    fn turn(&mut self, room: &Room) -> std::io::Result<()> {
        let mut news = Vec::new();
        room.lines.after(ROOM, self.sent, 64, &mut news);
        for line in news {
            // A full window is where a slow reader waits; it goes on from its place later.
            let Ok(id) = self.window.push(room.now(), Arc::clone(&line)) else { break };
            self.unanswered.insert(line.seq.as_u64(), id);
            self.sent = line.seq;
            writeln!(self.stream, "{} {}", line.seq, line.text)?;
        }
        while let Some(expired) = self.window.expired(room.now()) {
            match expired {
                Expired::Retransmit { item, .. } => writeln!(self.stream, "{} {}", item.seq, item.text)?,
                Expired::GivenUp { item, .. } => drop(self.unanswered.remove(&item.seq.as_u64())),
            }
        }
        Ok(())
    }

    fn heard(&mut self, room: &Room, line: &str) {
        let acked = line.strip_prefix("/ack ").and_then(|number| number.trim().parse::<u64>().ok());
        match acked {
            Some(number) => {
                if let Some(id) = self.unanswered.remove(&number) {
                    self.window.ack(room.now(), id);
                }
            }
            None => room.say(line.trim_end()),
        }
    }
}

fn serve(stream: TcpStream, room: &Room) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    let mut input = BufReader::new(stream.try_clone()?);
    let config = AckQueueConfig { window: 64, retries_max: 7, rtt: RttConfig::default() };
    let mut reader =
        Reader { stream, sent: Seq::ZERO, window: AckQueue::new(config), unanswered: HashMap::new() };
    let mut line = String::new();
    loop {
        match input.read_line(&mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                reader.heard(room, &line);
                line.clear();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        reader.turn(room)?;
    }
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let room = Arc::new(Room::new());
    for stream in listener.incoming() {
        let (stream, room) = (stream?, Arc::clone(&room));
        // A connection that breaks ends its thread and nothing else.
        std::thread::spawn(move || serve(stream, &room));
    }
    Ok(())
}
