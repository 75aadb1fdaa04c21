//! QUIC as the SDK sets it up.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use goim_proto::ALPN;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    AckFrequencyConfig, ClientConfig, Endpoint, EndpointConfig, TokioRuntime, TransportConfig, VarInt,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use sha2::{Digest, Sha256};
use socket2::{Domain, Protocol, Socket, Type};

use crate::ConnectError;

/// What a server may have on its way to us on all streams: a pull's answer of up to 1 MiB and
/// the control stream's megabyte.
const RECEIVE_WINDOW: u32 = 2 * 1024 * 1024;
/// What it may have on one stream: one frame of the largest size.
const STREAM_WINDOW: u32 = 1024 * 1024 + 64 * 1024;
/// What may be on its way from us, unacknowledged: the sends in flight, twice.
const SEND_WINDOW: u64 = 512 * 1024;
/// Notifications that arrived and were not read yet; older ones are dropped, and do no harm.
const DATAGRAMS_RECEIVED_BYTES: usize = 256 * 1024;
/// Acks of notifications on their way.
const DATAGRAMS_SENT_BYTES: usize = 16 * 1024;
/// Streams that the server may open at once, one for each large answer.
const SERVER_STREAMS: u32 = 64;
/// A server that says nothing for so long is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Keeps the connection, and the address translation on the way, alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A guess for the first flight; the library's 333 ms makes a lost first packet cost a second.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Packets that the server may let pass before it acknowledges them, within its ack delay: an
/// acknowledgement costs both ends about as much as a small message. Few beside the first window of about
/// twelve, or a long answer on a new connection waits for the ack delay.
const ACK_EVERY_PACKETS: u32 = 4;
/// The socket's own buffers. A process with many clients on one transport gets their answers in
/// bursts, and what does not fit is lost and sent again: 200 clients at the 20 KiB of a first
/// flight. It takes memory only while it is full. The system may grant less.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Whom to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Fingerprint([u8; 32]),
    SystemRoots,
}

/// A UDP socket with its TLS settings, which clients of one process can share; connections of HTTP, over
/// which files go, are shared with it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transport {
    endpoint: Endpoint,
    config: ClientConfig,
    #[cfg(feature = "files")]
    pub(crate) http: Arc<crate::files::HttpClient>,
}

impl Transport {
    /// A transport to the server whose certificate has this SHA-256 fingerprint.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no socket to be had.
    pub fn with_fingerprint(sha256: [u8; 32]) -> Result<Self, ConnectError> {
        Self::new(Trust::Fingerprint(sha256))
    }

    /// A transport to servers that the system's certificate authorities vouch for.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no socket to be had, or the system has no authorities.
    pub fn with_system_roots() -> Result<Self, ConnectError> {
        Self::new(Trust::SystemRoots)
    }

    pub(crate) fn new(trust: Trust) -> Result<Self, ConnectError> {
        let any_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let socket = socket(any_v6).or_else(|_| socket(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))))?;
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))?;
        let tls = tls_config(trust)?;
        Ok(Self {
            endpoint,
            #[cfg(feature = "files")]
            http: Arc::new(crate::files::http_client(tls.clone())),
            config: client_config(tls)?,
        })
    }

    /// A bare QUIC connection to the server at `HOST:PORT`, for programs that speak the protocol
    /// themselves, as a load generator does. Everybody else connects a [`Client`](crate::Client).
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the address cannot be read, or no server that is to be trusted is there.
    pub async fn connect(&self, address: &str) -> Result<quinn::Connection, ConnectError> {
        let bad = || ConnectError::BadAddress(address.to_owned());
        let host = address.rsplit_once(':').ok_or_else(bad)?.0.trim_matches(['[', ']']);
        let resolved = tokio::net::lookup_host(address).await.map_err(|_| bad())?.next().ok_or_else(bad)?;
        let local_v6 = self.endpoint.local_addr()?.is_ipv6();
        let target = match resolved {
            SocketAddr::V4(v4) if local_v6 => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
            other @ (SocketAddr::V4(_) | SocketAddr::V6(_)) => other,
        };
        let connecting = self.endpoint.connect_with(self.config.clone(), target, host).map_err(|_| bad())?;
        connecting.await.map_err(|source| ConnectError::Unreachable {
            address: address.to_owned(),
            source: Box::new(source),
        })
    }
}

fn socket(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // More than the system grants is cut, not refused.
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn tls_config(trust: Trust) -> Result<rustls::ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(match trust {
        Trust::Fingerprint(sha256) => rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { sha256, provider }))
            .with_no_client_auth(),
        Trust::SystemRoots => {
            use rustls_platform_verifier::BuilderVerifierExt as _;
            rustls::ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_platform_verifier()?
                .with_no_client_auth()
        }
    })
}

fn client_config(mut tls: rustls::ClientConfig) -> Result<ClientConfig, ConnectError> {
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let quic = QuicClientConfig::try_from(tls)
        .map_err(|_| ConnectError::Handshake("the TLS settings lack QUIC's initial cipher"))?;
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY_PACKETS));
    let mut transport = TransportConfig::default();
    transport
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(Some(DATAGRAMS_RECEIVED_BYTES))
        .datagram_send_buffer_size(DATAGRAMS_SENT_BYTES)
        .max_concurrent_uni_streams(VarInt::from_u32(SERVER_STREAMS))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .initial_rtt(INITIAL_RTT)
        .ack_frequency_config(Some(acks))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IDLE_TIMEOUT.try_into().unwrap_or_else(|_| VarInt::from_u32(30_000).into())));
    let mut config = ClientConfig::new(Arc::new(quic));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// Accepts one certificate, by its fingerprint, whatever its name and dates say. That its owner
/// is at the other end is still proved by the handshake's signature.
#[derive(Debug)]
struct Pinned {
    sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if Sha256::digest(end_entity.as_ref()).as_slice() == self.sha256 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
