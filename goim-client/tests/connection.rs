//! What the SDK does on one connection, to a server that says what a test has it say.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use goim_client::Client;
use goim_core::{ConversationId, Seq};
use goim_proto::{
    ALPN, Ack, Call, ClientFrame, Encode, Error, ErrorCode, FrameReader, Notification, PROTOCOL_VERSION,
    Request, ServerFrame, SessionInfo, Welcome, decode, encode_frame,
};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use sha2::{Digest as _, Sha256};

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Eq)]
enum Way {
    Stream,
    Datagram,
}

/// The server's end of a connection, which says what the test has it say.
struct Server {
    quic: Connection,
    send: SendStream,
    receive: RecvStream,
    frames: FrameReader,
}

impl Server {
    fn listen() -> (Endpoint, [u8; 32]) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let fingerprint = Sha256::digest(&certificate).into();
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let crypto = QuicServerConfig::try_from(tls).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        (Endpoint::server(config, any).unwrap(), fingerprint)
    }

    async fn welcome(endpoint: &Endpoint, welcome: Welcome) -> Self {
        let quic = endpoint.accept().await.unwrap().await.unwrap();
        let (send, receive) = quic.accept_bi().await.unwrap();
        let mut server = Self { quic, send, receive, frames: FrameReader::default() };
        let (hello, _) = server.next().await;
        assert!(matches!(hello, ClientFrame::Hello(hello) if hello.datagrams));
        let welcome = Welcome { version: PROTOCOL_VERSION, ..welcome };
        server.write(&ServerFrame::<Bytes>::Welcome(welcome)).await;
        server
    }

    async fn write(&mut self, frame: &impl Encode) {
        self.send.write_all(&encoded(frame)).await.unwrap();
    }

    /// What the client says next, and on which way.
    async fn next(&mut self) -> (ClientFrame, Way) {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return (decode(&frame).unwrap(), Way::Stream);
            }
            tokio::select! {
                chunk = self.receive.read_chunk(65_536, true) => {
                    let chunk = chunk.unwrap().expect("the client ended the stream");
                    self.frames.buffer().extend_from_slice(&chunk.bytes);
                }
                datagram = self.quic.read_datagram() => {
                    let mut frames = FrameReader::default();
                    frames.buffer().extend_from_slice(&datagram.unwrap());
                    let frame = frames.next_frame().unwrap().expect("a whole frame");
                    return (decode(&frame).unwrap(), Way::Datagram);
                }
            }
        }
    }

    async fn next_ack(&mut self) -> (Ack, Way) {
        match self.next().await {
            (ClientFrame::Ack(ack), way) => (ack, way),
            (other, _) => panic!("{other:?}"),
        }
    }
}

fn encoded(frame: &impl Encode) -> Bytes {
    let mut bytes = BytesMut::new();
    encode_frame(frame, &mut bytes).unwrap();
    bytes.freeze()
}

fn announcement(conversation: ConversationId, head: Seq) -> ServerFrame {
    ServerFrame::Notification(Notification { conversation, head, ..Notification::default() })
}

/// A path may lose all datagrams while the stream lives. The server then announces on the stream, a
/// few heads ahead of the acks, and the reader would hear of that conversation no more.
#[tokio::test]
async fn g8_an_ack_goes_the_way_that_its_announcement_came() {
    let (endpoint, fingerprint) = Server::listen();
    let address = endpoint.local_addr().unwrap().to_string();
    let client = Client::builder(address).fingerprint(fingerprint);
    let test = async {
        let (client, mut server) =
            tokio::join!(client.connect(), Server::welcome(&endpoint, Welcome::default()));
        let _client = client.unwrap();
        let conversation = ConversationId::new(7);
        for head in [1, 3].map(Seq::new) {
            server.write(&announcement(conversation, head)).await;
            assert_eq!(server.next_ack().await, (Ack { conversation, head }, Way::Stream));
            let head = head.next();
            server.quic.send_datagram(encoded(&announcement(conversation, head))).unwrap();
            assert_eq!(server.next_ack().await, (Ack { conversation, head }, Way::Datagram));
        }
    };
    tokio::time::timeout(DEADLINE, test).await.expect("nothing came for too long");
}

/// A server whose store does not answer cannot tell who a bot is, and the bot has no other way to a
/// session than to come again.
#[tokio::test]
async fn g5_a_bot_that_is_refused_for_now_comes_again() {
    let (endpoint, fingerprint) = Server::listen();
    let address = endpoint.local_addr().unwrap().to_string();
    let client = Client::builder(address).fingerprint(fingerprint).token("a bot's");
    let client = client.reconnect(Duration::from_millis(1), Duration::from_millis(10));
    let session = || Welcome { session: Some(SessionInfo::default()), ..Welcome::default() };
    let test = async {
        let (client, first) = tokio::join!(client.connect(), Server::welcome(&endpoint, session()));
        let _client = client.unwrap();
        drop(first);
        let refused = Some(Error::new(ErrorCode::Unavailable, "the store does not answer"));
        let _second = Server::welcome(&endpoint, Welcome { refused, ..Welcome::default() }).await;
        let mut third = Server::welcome(&endpoint, session()).await;
        let asked = third.next().await;
        assert!(matches!(asked, (ClientFrame::Request(Request { call: Call::Sync(_), .. }), _)), "{asked:?}");
    };
    tokio::time::timeout(DEADLINE, test).await.expect("nothing came for too long");
}
