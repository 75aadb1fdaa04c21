//! The QUIC endpoint, with every window and buffer set here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{AckFrequencyConfig, EndpointConfig, MtuDiscoveryConfig, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;

/// Streams that a client may have open: the control stream.
const CLIENT_STREAMS_MAX: u32 = 1;
/// Bytes of the control stream that a client may send ahead of our reading: 100 ms × 2.5 MB/s.
/// A frame may be larger; its head start is read into the frame reader as it comes.
const STREAM_RECEIVE_WINDOW_BYTES: u32 = 256 << 10;
/// One stream, so the same for the connection. What a connection that we don't read pins.
const RECEIVE_WINDOW_BYTES: u32 = CLIENT_STREAMS_MAX * STREAM_RECEIVE_WINDOW_BYTES;
/// Bytes written and not acknowledged by the client: 100 ms × 5 MB/s. What a connection that does
/// not read pins, on all its streams together.
const SEND_WINDOW_BYTES: u64 = 512 << 10;
/// Notifications that wait for the congestion window: 27 packets of 1,200 bytes. The library
/// drops the oldest silently, so the writer looks for space first.
const DATAGRAM_SEND_BUFFER_BYTES: usize = 32 << 10;
/// Acks that wait to be read; about 1,300 of 25 bytes. A lost one is only a retransmission.
const DATAGRAM_RECEIVE_BUFFER_BYTES: usize = 32 << 10;
/// Out-of-order bytes of a handshake: a client's flight is one or two packets.
const CRYPTO_BUFFER_BYTES: usize = 8 << 10;
/// A silent client is gone after this.
const IDLE_TIMEOUT_MS: u32 = 30_000;
/// Two keep-alives may be lost before the idle timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A guess for the first flight; the library's 333 ms makes a lost first packet cost a second.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Every path carries this (RFC 9000, 14).
const INITIAL_MTU_BYTES: u16 = 1_200;
/// Ethernet's 1,500 less IPv6 (40) and UDP (8).
const MTU_BYTES_MAX: u16 = 1_452;
/// Packets that a client may let pass before it acknowledges them, within its ack delay: an
/// acknowledgement costs both ends about as much as a small message. Few beside the first window of about
/// twelve, or a long answer on a new connection waits for the ack delay.
const ACK_EVERY_PACKETS: u32 = 4;
/// Handshakes whose first packet waits to be looked at.
const INCOMING_MAX: usize = 4_096;
/// Bytes that one of them, and all of them, may make us keep.
const INCOMING_BUFFER_BYTES: u64 = 16 << 10;
const INCOMING_BUFFER_TOTAL_BYTES: u64 = 16 << 20;
/// The socket's own buffers: 40 ms × 100 MB/s. What does not fit is lost and sent again. The system
/// may grant less (on Linux `net.core.rmem_max` and `net.core.wmem_max`).
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Opens the endpoint.
///
/// `secret` outlives the process: a server that was killed and is back answers what belongs to its
/// former life with a stateless reset (RFC 9000, 10.3), so that clients come back at once and not
/// after the idle timeout.
///
/// # Errors
/// If the address cannot be bound, or TLS 1.3 is not to be had with these settings.
pub(crate) fn listen(
    address: SocketAddr,
    tls: rustls::ServerConfig,
    secret: &[u8; 32],
) -> io::Result<quinn::Endpoint> {
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport()))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL_BYTES)
        .migration(true);
    let runtime =
        quinn::default_runtime().ok_or_else(|| io::Error::other("a QUIC endpoint needs a tokio runtime"))?;
    quinn::Endpoint::new(endpoint(secret), Some(server), socket(address)?, runtime)
}

fn endpoint(secret: &[u8; 32]) -> EndpointConfig {
    let reset_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    // A connection id of an earlier life has to be known as one of ours to be answered at all.
    let mut half = [0; 8];
    half.copy_from_slice(&secret[..8]);
    let id_key = u64::from_le_bytes(half);
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id_key)));
    config
}

fn socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // More than the system grants is cut, not refused.
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn transport() -> TransportConfig {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MTU_BYTES_MAX);
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY_PACKETS));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(CLIENT_STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_RECEIVE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .datagram_send_buffer_size(DATAGRAM_SEND_BUFFER_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BUFFER_BYTES))
        .crypto_buffer_size(CRYPTO_BUFFER_BYTES)
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .initial_mtu(INITIAL_MTU_BYTES)
        .mtu_discovery_config(Some(mtu))
        .ack_frequency_config(Some(acks));
    transport
}
