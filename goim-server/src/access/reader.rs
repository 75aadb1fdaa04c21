//! The task that reads one connection: frames in, sends to the lanes, calls to the service.

use std::future::Future;
use std::marker;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use goim_proto::{
    Call, ClientFrame, Error, FrameError, FrameReader, Hello, PROTOCOL_VERSION, Reply, Request, Send, decode,
};
use quinn::RecvStream;

use super::bucket::{Allowance, Bucket};
use super::connection::{Connection, SendBytes};
use super::outgoing::{Ending, Outgoing};
use crate::service::{Offers, SendTicket, Service, Ticket, too_fast};

/// Bytes read from the control stream at once.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// A call under way.
type Running = Pin<Box<dyn Future<Output = ()> + marker::Send>>;

/// Why the reader stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client closed, or the connection is gone.
    Gone,
    /// The client did what ends a connection; it is to be told.
    Ended(Ending),
}

/// Reads one connection.
pub(super) struct Reader {
    service: Arc<Service>,
    connection: Arc<Connection>,
    quic: quinn::Connection,
    stream: RecvStream,
    frames: FrameReader,
    calls: FuturesUnordered<Running>,
    offers: Offers,
    requests: Bucket,
    sends: Bucket,
}

impl Reader {
    pub(super) fn new(
        service: Arc<Service>,
        connection: Arc<Connection>,
        quic: quinn::Connection,
        stream: RecvStream,
    ) -> Self {
        let now = service.clock.now();
        let requests = Bucket::full(now, Allowance::requests(&service.limits));
        let sends = Bucket::full(now, Allowance::sends(&service.limits));
        let (frames, calls, offers) = (FrameReader::default(), FuturesUnordered::new(), Offers::default());
        Self { service, connection, quic, stream, frames, calls, offers, requests, sends }
    }

    /// Reads the first frame, which has to be a `Hello`, and answers it.
    pub(super) async fn hello(&mut self) -> Result<Hello, Stop> {
        let frame = loop {
            if let Some(frame) = self.next_frame()? {
                break frame;
            }
            self.read_more().await?;
        };
        let Ok(ClientFrame::Hello(hello)) = decode::<ClientFrame>(&frame) else {
            return Err(self.bad_frame("the first frame is no Hello"));
        };
        let mut welcome = self.service.welcome(&self.connection);
        if hello.version != PROTOCOL_VERSION {
            let ending = Ending::version_mismatch(hello.version);
            welcome.refused = Some(ending.error());
            self.connection.answer(Outgoing::Welcome(welcome));
            return Err(Stop::Ended(ending));
        }
        if let Some(claim) = &hello.authenticate {
            match self.service.authenticate(&self.connection, claim).await {
                Ok(session) => welcome.session = Some(session),
                Err(refused) => welcome.refused = Some(refused),
            }
        }
        self.connection.answer(Outgoing::Welcome(welcome));
        Ok(hello)
    }

    /// Reads until the connection ends.
    pub(super) async fn run(&mut self) -> Stop {
        loop {
            if let Err(stop) = self.turn().await {
                return stop;
            }
        }
    }

    async fn turn(&mut self) -> Result<(), Stop> {
        let starved = self.take_frames()?;
        self.service.offer(&mut self.offers);
        let lanes_full = !self.offers.is_empty();
        let has_room = self.connection.may_read(&self.service.limits);
        let node_has_room = self.service.budget.has_room();
        let quic = &self.quic;
        tokio::select! {
            chunk = self.stream.read_chunk(CHUNK_BYTES_MAX, true), if starved && has_room && node_has_room && !lanes_full => {
                let chunk = chunk.map_err(|_| Stop::Gone)?.ok_or(Stop::Gone)?;
                self.frames.buffer().extend_from_slice(&chunk.bytes);
            }
            datagram = quic.read_datagram() => {
                let datagram = datagram.map_err(|_| Stop::Gone)?;
                self.take_datagram(&datagram);
            }
            Some(()) = self.calls.next(), if !self.calls.is_empty() => {}
            () = self.connection.room(), if !has_room => {}
            () = self.service.budget.room(), if !node_has_room => {}
            () = self.service.committer.room(), if lanes_full => {}
        }
        Ok(())
    }

    /// Handles what has been read, as far as there is room for it; whether all of it was.
    fn take_frames(&mut self) -> Result<bool, Stop> {
        if !self.offers.is_empty() {
            return Ok(false);
        }
        while self.calls.len() < self.service.limits.calls_in_flight_max
            && self.connection.may_read(&self.service.limits)
        {
            let Some(frame) = self.next_frame()? else { return Ok(true) };
            match decode::<ClientFrame>(&frame) {
                Ok(ClientFrame::Request(Request { id, call })) => self.request(id, call),
                Ok(ClientFrame::Ack(ack)) => self.connection.handle_ack(self.service.clock.now(), &ack),
                Ok(ClientFrame::Hello(_)) => return Err(self.bad_frame("Hello comes once")),
                Ok(_) => return Err(self.bad_frame("this server does not know the frame")),
                Err(_) => return Err(self.bad_frame("the frame does not decode")),
            }
        }
        Ok(false)
    }

    fn next_frame(&mut self) -> Result<Option<Bytes>, Stop> {
        self.frames.next_frame().map_err(|error| match error {
            FrameError::TooLarge(_) => {
                self.service.metrics.frames_bad_total.add(1);
                Stop::Ended(Ending::too_large(error.to_string()))
            }
            FrameError::Empty | _ => self.bad_frame("a frame has at least one byte"),
        })
    }

    async fn read_more(&mut self) -> Result<(), Stop> {
        let chunk = self.stream.read_chunk(CHUNK_BYTES_MAX, true).await;
        let chunk = chunk.map_err(|_| Stop::Gone)?.ok_or(Stop::Gone)?;
        self.frames.buffer().extend_from_slice(&chunk.bytes);
        Ok(())
    }

    fn bad_frame(&self, message: &str) -> Stop {
        self.service.metrics.frames_bad_total.add(1);
        Stop::Ended(Ending::bad_frame(message))
    }

    /// Acks come in datagrams too. What else comes in one is dropped like a lost one.
    fn take_datagram(&mut self, datagram: &[u8]) {
        let mut frames = FrameReader::default();
        frames.buffer().extend_from_slice(datagram);
        while let Ok(Some(frame)) = frames.next_frame() {
            if let Ok(ClientFrame::Ack(ack)) = decode::<ClientFrame>(&frame) {
                self.connection.handle_ack(self.service.clock.now(), &ack);
            }
        }
    }

    fn request(&mut self, id: u64, call: Call) {
        self.service.metrics.calls_total.add(1);
        let refused = if let Call::Send(send) = call {
            self.send(id, send).err()
        } else {
            self.pay(1).map(|()| self.start(id, call)).err()
        };
        if let Some(error) = refused {
            self.service.metrics.calls_failed_total.add(1);
            self.connection.answer(Outgoing::reply(id, Reply::Error(error)));
        }
    }

    fn start(&mut self, id: u64, call: Call) {
        if let Call::Ping = call {
            self.connection.answer(Outgoing::reply(id, Reply::Done));
            return;
        }
        let (service, connection) = (Arc::clone(&self.service), Arc::clone(&self.connection));
        let quic = self.quic.clone();
        self.calls.push(Box::pin(async move { service.serve(&connection, &quic, id, call).await }));
    }

    /// Hands a message to its lane, after what can be checked without the conversation's state.
    fn send(&mut self, id: u64, send: Send) -> Result<(), Error> {
        self.service.check_takes_sends()?;
        let session = self.service.session_of(&self.connection)?;
        if self.service.limits.sends_per_s > 0 {
            let allowed = Allowance::sends(&self.service.limits);
            self.sends.take(self.service.clock.now(), allowed, 1).map_err(too_fast)?;
        }
        let owed = self.connection.take_debt();
        if owed > 0 {
            self.pay(owed)?;
        }
        let bytes = SendBytes::hold(&self.connection, &self.service.budget, send.body.len());
        let conversation = send.conversation;
        let ticket = Ticket::Send(SendTicket { bytes, id, conversation });
        self.offers.push(Service::draft(&session, self.connection.epoch(), send, ticket)?);
        Ok(())
    }

    fn pay(&mut self, cost: u32) -> Result<(), Error> {
        let allowed = Allowance::requests(&self.service.limits);
        self.requests.take(self.service.clock.now(), allowed, cost).map_err(too_fast)
    }
}
