//! A bare connection: what is between the clock's two looks is the call, its way there and back, and
//! nothing of an SDK.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use goim_client::{ConnectError, Transport};
use goim_proto::limits::FRAME_BYTES_MAX;
use goim_proto::{
    Ack, Authenticate, Call, ClientFrame, Error, FrameReader, GoAwayReason, Hello, Notification,
    PROTOCOL_VERSION, Reply, ReplyTo, Request, ServerFrame, decode, encode_frame,
};
use quinn::{Connection, RecvStream, SendStream, VarInt};

/// Bytes to take from the stream at once.
const CHUNK_BYTES: usize = 64 << 10;
/// The longest that an answer may take; a server that needs longer has hung.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What can go wrong on a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the connection was lost")]
    Connection(#[from] quinn::ConnectionError),
    #[error("nothing can be written")]
    Write(#[from] quinn::WriteError),
    #[error("nothing can be read")]
    Read(#[from] quinn::ReadError),
    #[error("an answer on a stream of its own cannot be read")]
    Answer(#[from] quinn::ReadToEndError),
    #[error("a frame is too large, or is none")]
    Frame(#[from] goim_proto::FrameError),
    #[error("a frame cannot be read")]
    Decode(#[from] goim_proto::DecodeError),
    #[error("the server ended the stream")]
    Ended,
    #[error("the session has ended")]
    SessionEnded,
    #[error("the server says good-bye: {0}")]
    GoAway(String),
    #[error("no answer for {} s", ANSWER_TIMEOUT.as_secs())]
    Silent,
    #[error("the server refused the connection: {0}")]
    Refused(Error),
}

/// One connection, read only while an answer is waited for.
pub(crate) struct Wire {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    frames: FrameReader,
    /// Frames that came in datagrams and on streams of their own.
    beside: VecDeque<Bytes>,
    last_id: u64,
    /// Answers that came before others that were asked for earlier.
    early: HashMap<u64, Reply>,
}

impl Wire {
    /// Connects and says hello; with a token, as whom it speaks for.
    pub(crate) async fn open(
        transport: &Transport,
        address: &str,
        token: Option<&str>,
    ) -> Result<Self, WireError> {
        let connection = transport.connect(address).await?;
        let (send, receive) = connection.open_bi().await?;
        let (frames, beside, early) = (FrameReader::default(), VecDeque::new(), HashMap::new());
        let mut wire = Self { connection, send, receive, frames, beside, last_id: 0, early };
        let authenticate =
            token.map(|token| Authenticate { token: token.to_owned(), instance: String::new() });
        let agent = concat!("goim-bench/", env!("CARGO_PKG_VERSION")).to_owned();
        let hello = Hello { version: PROTOCOL_VERSION, agent, authenticate, datagrams: true };
        wire.write(&ClientFrame::Hello(hello)).await?;
        loop {
            if let ServerFrame::Welcome(welcome) = wire.frame().await? {
                return match welcome.refused {
                    Some(error) => Err(WireError::Refused(error)),
                    None => Ok(wire),
                };
            }
        }
    }

    /// Makes a call; returns its answer, and how long that took.
    pub(crate) async fn call(&mut self, call: Call) -> Result<(Reply, Duration), WireError> {
        let began = Instant::now();
        let id = self.ask(call).await?;
        let reply = self.answer(id).await?;
        Ok((reply, began.elapsed()))
    }

    /// Makes a call and does not wait.
    pub(crate) async fn ask(&mut self, call: Call) -> Result<u64, WireError> {
        self.last_id += 1;
        self.write(&ClientFrame::Request(Request { id: self.last_id, call })).await?;
        Ok(self.last_id)
    }

    /// The answer to a call.
    pub(crate) async fn answer(&mut self, asked: u64) -> Result<Reply, WireError> {
        loop {
            if let Some(reply) = self.early.remove(&asked) {
                return Ok(reply);
            }
            if let ServerFrame::Reply(ReplyTo { id, reply }) = self.frame().await? {
                self.early.insert(id, reply);
            }
        }
    }

    /// Says good-bye.
    pub(crate) fn close(self) {
        self.connection.close(VarInt::from_u32(0), b"closed");
    }

    async fn write(&mut self, frame: &ClientFrame) -> Result<(), WireError> {
        let mut bytes = BytesMut::new();
        encode_frame(frame, &mut bytes)?;
        Ok(self.send.write_all(&bytes).await?)
    }

    /// The next frame from anywhere. Announcements are acknowledged, so that they are not sent again
    /// while something else is measured.
    async fn frame(&mut self) -> Result<ServerFrame, WireError> {
        let next = async {
            loop {
                if let Some(frame) =
                    self.beside.pop_front().map_or_else(|| self.frames.next_frame(), |one| Ok(Some(one)))?
                {
                    return Ok::<_, WireError>(decode(&frame)?);
                }
                self.read().await?;
            }
        };
        let frame = tokio::time::timeout(ANSWER_TIMEOUT, next).await.map_err(|_| WireError::Silent)??;
        match &frame {
            ServerFrame::Notification(Notification { conversation, head, .. }) => {
                let mut ack = BytesMut::new();
                let (conversation, head) = (*conversation, *head);
                encode_frame(&ClientFrame::<Bytes>::Ack(Ack { conversation, head }), &mut ack)?;
                // It is announced again if this one is lost.
                let _ = self.connection.send_datagram(ack.freeze());
            }
            ServerFrame::GoAway(away) if away.reason == GoAwayReason::SessionEnded => {
                return Err(WireError::SessionEnded);
            }
            ServerFrame::GoAway(away) => return Err(WireError::GoAway(away.message.clone())),
            _ => {}
        }
        Ok(frame)
    }

    /// Reads whole frames from a datagram or another stream, or some bytes of the control stream.
    async fn read(&mut self) -> Result<(), WireError> {
        let beside: Bytes = tokio::select! {
            // A good-bye that has come is read before it is noticed that the connection ended with it.
            biased;
            chunk = self.receive.read_chunk(CHUNK_BYTES, true) => {
                let chunk = chunk?.ok_or(WireError::Ended)?;
                self.frames.buffer().extend_from_slice(&chunk.bytes);
                return Ok(());
            }
            datagram = self.connection.read_datagram() => datagram?,
            stream = self.connection.accept_uni() => {
                stream?.read_to_end(FRAME_BYTES_MAX + 4).await?.into()
            }
        };
        let mut frames = FrameReader::default();
        frames.buffer().extend_from_slice(&beside);
        while let Some(frame) = frames.next_frame()? {
            self.beside.push_back(frame);
        }
        Ok(())
    }
}
