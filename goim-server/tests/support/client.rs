//! A connection that a test writes to and reads from as it likes.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use goim_core::{ConversationId, Seq};
use goim_proto::{
    ALPN, Ack, Authenticate, Call, ClientFrame, Ephemeral, Error, FrameReader, Hello, Notification,
    PROTOCOL_VERSION, Reply, ReplyTo, Request, ServerFrame, SessionInfo, Welcome, decode, encode_frame,
};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::time::timeout;

use super::DEADLINE;

/// A client that does what it is told, right or wrong.
pub struct RawClient {
    pub connection: Connection,
    pub send: Option<SendStream>,
    receive: RecvStream,
    frames: FrameReader,
    /// What came in datagrams and on streams of their own.
    beside: VecDeque<ServerFrame>,
    endpoint: Endpoint,
    next_id: u64,
    replies: HashMap<u64, Reply>,
    pub notifications: Vec<Notification>,
    /// What passed while something else was waited for.
    passed: VecDeque<Ephemeral>,
    pub acks: bool,
    pub session: Option<SessionInfo>,
    /// How many answers came on streams of their own.
    pub large_replies: usize,
}

/// What came.
#[derive(Debug)]
pub enum Came {
    Frame(ServerFrame),
    Closed(u64),
}

impl RawClient {
    /// Connects and says nothing.
    pub async fn connect(addr: SocketAddr) -> Self {
        let mut endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let crypto = QuicClientConfig::try_from(tls).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        let connection = endpoint.connect(addr, "localhost").unwrap().await.unwrap();
        let (send, receive) = connection.open_bi().await.unwrap();
        Self {
            connection,
            send: Some(send),
            receive,
            frames: FrameReader::default(),
            beside: VecDeque::new(),
            endpoint,
            next_id: 1,
            replies: HashMap::new(),
            notifications: Vec::new(),
            passed: VecDeque::new(),
            acks: true,
            session: None,
            large_replies: 0,
        }
    }

    /// Connects and says Hello, without a session.
    pub async fn hello(addr: SocketAddr) -> Self {
        Self::hello_with(addr, None).await.0
    }

    pub async fn hello_with(addr: SocketAddr, authenticate: Option<Authenticate>) -> (Self, Welcome) {
        Self::hello_taking(addr, authenticate, true).await
    }

    /// Connects and says Hello, and whether it takes datagrams.
    pub async fn hello_taking(
        addr: SocketAddr,
        authenticate: Option<Authenticate>,
        datagrams: bool,
    ) -> (Self, Welcome) {
        let mut client = Self::connect(addr).await;
        let hello = Hello { version: PROTOCOL_VERSION, agent: "test".into(), authenticate, datagrams };
        client.write(&ClientFrame::Hello(hello)).await;
        let ServerFrame::Welcome(welcome) = client.frame().await else { panic!("no Welcome") };
        client.session.clone_from(&welcome.session);
        (client, welcome)
    }

    pub async fn call(&mut self, call: Call) -> Result<Reply, Error> {
        let id = self.request(call).await;
        self.reply(id).await
    }

    /// Writes a request and does not wait.
    pub async fn request(&mut self, call: Call) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.write(&ClientFrame::Request(Request { id, call })).await;
        id
    }

    pub async fn reply(&mut self, id: u64) -> Result<Reply, Error> {
        loop {
            if let Some(reply) = self.replies.remove(&id) {
                return match reply {
                    Reply::Error(error) => Err(error),
                    reply => Ok(reply),
                };
            }
            match self.frame().await {
                ServerFrame::Reply(ReplyTo { id, reply }) => {
                    self.replies.insert(id, reply);
                }
                ServerFrame::Notification(notification) => self.note(notification),
                ServerFrame::Ephemeral(ephemeral) => self.passed.push_back(ephemeral),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next of what passes.
    pub async fn passing(&mut self) -> Ephemeral {
        loop {
            if let Some(ephemeral) = self.passed.pop_front() {
                return ephemeral;
            }
            match self.frame().await {
                ServerFrame::Notification(notification) => self.note(notification),
                ServerFrame::Ephemeral(ephemeral) => return ephemeral,
                other => panic!("{other:?}"),
            }
        }
    }

    fn note(&mut self, notification: Notification) {
        if self.acks {
            let ack = Ack { conversation: notification.conversation, head: notification.head };
            let mut datagram = BytesMut::new();
            encode_frame(&ClientFrame::<Bytes>::Ack(ack), &mut datagram).unwrap();
            let _ = self.connection.send_datagram(datagram.freeze());
        }
        self.notifications.push(notification);
    }

    /// Waits until a conversation was announced to have reached `head`; returns what rode along.
    pub async fn announced(&mut self, conversation: ConversationId, head: Seq) -> Vec<Notification> {
        self.notified(|n| n.conversation == conversation && n.head >= head).await;
        self.notifications.iter().filter(|n| n.conversation == conversation).cloned().collect()
    }

    /// Waits for such a notification.
    pub async fn notified(&mut self, wanted: impl Fn(&Notification) -> bool) {
        while !self.notifications.iter().any(&wanted) {
            match self.frame().await {
                ServerFrame::Notification(notification) => self.note(notification),
                ServerFrame::Reply(ReplyTo { id, reply }) => {
                    self.replies.insert(id, reply);
                }
                ServerFrame::Ephemeral(ephemeral) => self.passed.push_back(ephemeral),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Everything that was inlined for a conversation, by seq.
    pub fn inlined(&self, conversation: ConversationId) -> Vec<u64> {
        let of = self.notifications.iter().filter(|n| n.conversation == conversation);
        of.flat_map(|n| n.entries.iter().map(|entry| entry.seq.as_u64())).collect()
    }

    pub async fn frame(&mut self) -> ServerFrame {
        match self.come().await {
            Came::Frame(frame) => frame,
            Came::Closed(code) => panic!("closed with {code}: {:?}", self.connection.close_reason()),
        }
    }

    /// The next frame from anywhere, or the end.
    pub async fn come(&mut self) -> Came {
        timeout(DEADLINE, self.come_at_last()).await.expect("nothing came for too long")
    }

    async fn come_at_last(&mut self) -> Came {
        loop {
            if let Some(frame) = self.beside.pop_front() {
                return Came::Frame(frame);
            }
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return Came::Frame(decode(&frame).unwrap());
            }
            let beside: Option<Bytes> = tokio::select! {
                chunk = self.receive.read_chunk(65_536, true) => match chunk {
                    Ok(Some(chunk)) => {
                        self.frames.buffer().extend_from_slice(&chunk.bytes);
                        continue;
                    }
                    Ok(None) | Err(_) => None,
                },
                datagram = self.connection.read_datagram() => datagram.ok(),
                stream = self.connection.accept_uni() => match stream {
                    Ok(mut stream) => {
                        self.large_replies += 1;
                        Some(stream.read_to_end(2 << 20).await.unwrap().into())
                    }
                    Err(_) => None,
                },
            };
            let Some(beside) = beside else { return Came::Closed(self.close_code().await) };
            let mut frames = FrameReader::default();
            frames.buffer().extend_from_slice(&beside);
            while let Some(frame) = frames.next_frame().unwrap() {
                self.beside.push_back(decode(&frame).unwrap());
            }
        }
    }

    /// The code with which the server closed.
    pub async fn close_code(&self) -> u64 {
        let closed = timeout(DEADLINE, self.connection.closed()).await.expect("not closed");
        match closed {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn write(&mut self, frame: &ClientFrame) {
        let mut bytes = BytesMut::new();
        encode_frame(frame, &mut bytes).unwrap();
        self.raw(&bytes).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        let send = self.send.as_mut().expect("somebody else writes");
        timeout(DEADLINE, send.write_all(bytes)).await.expect("write blocked").unwrap();
    }
}

/// Trusts any certificate: these tests are about what comes after.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
