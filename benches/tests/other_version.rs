//! A server that speaks another version of the protocol: a clear error, and no figure.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::net::SocketAddr;
use std::process::Command;

use bytes::{Bytes, BytesMut};
use goim_proto::{ALPN, Error, ErrorCode, PROTOCOL_VERSION, ServerFrame, Welcome, encode_frame};
use quinn::crypto::rustls::QuicServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};

/// An endpoint for one protocol, and the fingerprint of its certificate.
fn endpoint(alpn: &[u8]) -> (quinn::Endpoint, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let fingerprint = Sha256::digest(made.cert.der());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config =
        quinn::ServerConfig::with_crypto(std::sync::Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::server(config, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    (endpoint, fingerprint.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What `chat` says of such a server.
async fn chat(endpoint: &quinn::Endpoint, fingerprint: String) -> String {
    let address = endpoint.local_addr().unwrap().to_string();
    let run = move || {
        Command::new(env!("CARGO_BIN_EXE_goim-bench"))
            .args(["chat", "--users", "2", "--connect", &address, "--fingerprint", &fingerprint])
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_server_that_refuses_our_version_is_quoted() {
    let (endpoint, fingerprint) = endpoint(ALPN);
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        let connection = accepting.accept().await.unwrap().await.unwrap();
        let (mut send, mut receive) = connection.accept_bi().await.unwrap();
        receive.read_chunk(4_096, true).await.unwrap();
        let refused = Error::new(ErrorCode::VersionMismatch, "this server speaks version 99 of the protocol");
        let welcome =
            Welcome { version: PROTOCOL_VERSION + 98, refused: Some(refused), ..Welcome::default() };
        let mut frame = BytesMut::new();
        encode_frame(&ServerFrame::<Bytes>::Welcome(welcome), &mut frame).unwrap();
        send.write_all(&frame).await.unwrap();
        connection.closed().await;
    });
    let said = chat(&endpoint, fingerprint).await;
    assert!(said.contains("speaks version 99"), "{said}");
}

#[tokio::test]
async fn a_server_of_another_protocol_is_no_goim_server() {
    let (endpoint, fingerprint) = endpoint(b"goim/2");
    let accepting = endpoint.clone();
    tokio::spawn(async move { accepting.accept().await.unwrap().await.is_ok() });
    let said = chat(&endpoint, fingerprint).await;
    assert!(said.contains("protocol"), "{said}");
}
