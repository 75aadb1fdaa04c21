//! One connection: handshake, frames in, frames out.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use goim_proto::limits::{DATAGRAM_BYTES_MIN, FRAME_BYTES_MAX};
use goim_proto::{
    Ack, Authenticate, ClientFrame, Encode, FrameReader, Hello, PROTOCOL_VERSION, ServerFrame, Welcome,
    decode, encode_frame,
};
use quinn::{Connection, RecvStream, SendStream, VarInt};

use crate::ConnectError;
use crate::shared::Shared;
use crate::transport::Transport;

/// Bytes to take from the stream at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// A large answer on a stream of its own: one frame.
const ANSWER_BYTES_MAX: usize = FRAME_BYTES_MAX + 4;
/// Bytes of frames that wait to be written, at which no more are added.
pub(crate) const OUT_BYTES_MAX: usize = 256 * 1024;

pub(crate) struct Link {
    pub(crate) connection: Connection,
    send: SendStream,
    recv: RecvStream,
    reader: FrameReader,
    out: BytesMut,
}

/// Acks to be written, each the way that its announcement came: a path may lose all datagrams while
/// the stream lives, and the server announces no further on the stream than it is acknowledged.
#[derive(Default)]
pub(crate) struct Acks {
    pub(crate) on_stream: Vec<Ack>,
    pub(crate) in_datagrams: Vec<Ack>,
}

/// Why a link ended, for people.
pub(crate) type Reason = String;

impl Link {
    /// Connects, says hello and waits for the welcome.
    pub(crate) async fn open(
        shared: &Shared,
        transport: &Transport,
        address: &str,
    ) -> Result<(Self, Welcome), ConnectError> {
        let timeout = shared.options.connect_timeout;
        let opened = tokio::time::timeout(timeout, Self::shake_hands(shared, transport, address)).await;
        opened.map_err(|_| ConnectError::Handshake("nothing came in time"))?
    }

    async fn shake_hands(
        shared: &Shared,
        transport: &Transport,
        address: &str,
    ) -> Result<(Self, Welcome), ConnectError> {
        let connection = transport.connect(address).await?;
        let (send, recv) = connection.open_bi().await.map_err(|source| ConnectError::Unreachable {
            address: address.to_owned(),
            source: Box::new(source),
        })?;
        let mut link = Self { connection, send, recv, reader: FrameReader::default(), out: BytesMut::new() };
        let token = shared.state().tokens.as_ref().map(|tokens| tokens.access.clone());
        let instance = shared.options.instance.clone();
        let hello = Hello {
            version: PROTOCOL_VERSION,
            agent: concat!("goim-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            authenticate: token.map(|token| Authenticate { token, instance }),
            datagrams: shared.options.datagrams,
        };
        link.push(&ClientFrame::<Bytes>::Hello(hello));
        let lost = |_| ConnectError::Handshake("the connection was lost before its answer");
        loop {
            let frames = link.exchange().await.map_err(lost)?;
            if let Some(frame) = frames.first() {
                return match decode::<ServerFrame>(frame) {
                    Ok(ServerFrame::Welcome(welcome)) => {
                        shared.welcomed(&welcome);
                        Ok((link, welcome))
                    }
                    Ok(ServerFrame::GoAway(away)) => Err(ConnectError::Refused(goim_proto::Error::new(
                        goim_proto::ErrorCode::Unavailable,
                        away.message,
                    ))),
                    Ok(_) => Err(ConnectError::Handshake("its first frame is not a welcome")),
                    Err(_) => Err(ConnectError::Handshake("its first frame cannot be read")),
                };
            }
        }
    }

    /// Puts a frame behind what waits to be written.
    pub(crate) fn push(&mut self, frame: &impl Encode) {
        // What is too large for a frame was refused where it came in.
        let fits = encode_frame(frame, &mut self.out);
        debug_assert!(fits.is_ok(), "a frame over the limit");
    }

    /// Whether more frames may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.out.len() < OUT_BYTES_MAX
    }

    /// Writes and reads until frames have arrived. May be dropped at any moment without loss.
    pub(crate) async fn exchange(&mut self) -> Result<Vec<Bytes>, Reason> {
        loop {
            let frames = frames_of(&mut self.reader)?;
            if !frames.is_empty() {
                return Ok(frames);
            }
            tokio::select! {
                chunk = self.recv.read_chunk(CHUNK_BYTES, true) => match chunk {
                    Ok(Some(chunk)) => self.reader.buffer().extend_from_slice(&chunk.bytes),
                    Ok(None) => return Err("the server ended the stream".to_owned()),
                    Err(error) => return Err(error.to_string()),
                },
                written = self.send.write(&self.out), if !self.out.is_empty() => match written {
                    Ok(bytes) => drop(self.out.split_to(bytes)),
                    Err(error) => return Err(error.to_string()),
                },
            }
        }
    }

    /// Acknowledges notifications.
    pub(crate) fn acknowledge(&mut self, acks: Acks) {
        for ack in acks.on_stream {
            self.push(&ClientFrame::<Bytes>::Ack(ack));
        }
        let mut datagram = BytesMut::new();
        let size = self.connection.max_datagram_size().unwrap_or(0).min(DATAGRAM_BYTES_MIN);
        for ack in acks.in_datagrams {
            let before = datagram.len();
            // An ack is far smaller than a frame may be.
            let _ = encode_frame(&ClientFrame::<Bytes>::Ack(ack), &mut datagram);
            if datagram.len() > size {
                let last = datagram.split_off(before);
                let _ = self.connection.send_datagram(std::mem::replace(&mut datagram, last).freeze());
            }
        }
        if !datagram.is_empty() {
            let _ = self.connection.send_datagram(datagram.freeze());
        }
    }

    /// Writes what waits and says good-bye.
    pub(crate) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.send.write_all(&self.out)).await;
        self.connection.close(VarInt::from_u32(0), b"closed");
    }
}

fn frames_of(reader: &mut FrameReader) -> Result<Vec<Bytes>, Reason> {
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().map_err(|error| error.to_string())? {
        frames.push(frame);
    }
    Ok(frames)
}

/// The frames of a datagram; what is broken in it is dropped, as a lost one would be.
pub(crate) fn datagram_frames(datagram: &Bytes) -> Vec<Bytes> {
    let mut reader = FrameReader::default();
    reader.buffer().extend_from_slice(datagram);
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = reader.next_frame() {
        frames.push(frame);
    }
    frames
}

/// Reads a large answer from its stream.
pub(crate) async fn read_answer(mut stream: RecvStream) -> Vec<Bytes> {
    match stream.read_to_end(ANSWER_BYTES_MAX).await {
        Ok(bytes) => datagram_frames(&Bytes::from(bytes)),
        // The connection is going, or the server broke the protocol: its request is asked again
        // with the next connection.
        Err(_) => Vec::new(),
    }
}
