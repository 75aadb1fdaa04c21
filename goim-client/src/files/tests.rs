//! What the SDK does with a door that says what a test has it say.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use goim_proto::ErrorCode;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::download::Wanted;
use super::*;
use crate::shared::Tokens;
use crate::{Transport, shared};

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);
const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const FACE: &str = "/v1/avatars/ba7816bf";

fn door(address: &str, stall_timeout: Duration) -> Door {
    trusting([0; 32], address, stall_timeout)
}

fn trusting(sha256: [u8; 32], address: &str, stall_timeout: Duration) -> Door {
    let options = Client::builder("nowhere:1").instance("one").http(address).stall_timeout(stall_timeout);
    let transport = Transport::with_fingerprint(sha256).unwrap();
    Door::new(&options, Arc::clone(&transport.http)).unwrap().unwrap()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// Reads a request up to the end of its head.
async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap().to_lowercase()
}

/// A door that gives every request this answer, and closes.
async fn saying(answer: &'static str) -> Door {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    door(&address, DEADLINE)
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("nothing came for too long")
}

async fn fetch(door: &Door, range: Wanted) -> Result<Download, FileError> {
    in_time(door.download(FACE, None, HASH, range)).await
}

fn all() -> Wanted {
    Wanted::new(&(..)).unwrap()
}

async fn fetch_from(answer: &'static str) -> Result<Bytes, FileError> {
    fetch(&saying(answer).await, all()).await?.into_bytes(100).await
}

#[tokio::test]
async fn what_breaks_off_is_an_error_and_no_shorter_file() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(fetch_from(whole).await.unwrap(), "abc");
    let half = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\nab";
    let mut broken = fetch(&saying(half).await, all()).await.unwrap();
    assert_eq!(broken.next().await.unwrap().unwrap(), "ab");
    assert!(matches!(broken.next().await, Some(Err(FileError::Disconnected(_)))));
    let other = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\nabd";
    assert!(matches!(fetch_from(other).await, Err(FileError::Corrupt)));
    assert!(matches!(fetch_from("HTTP/1.1 200").await, Err(FileError::Disconnected(_))));
}

/// A part, with another framing than its length.
async fn part_from(answer: &'static str) -> Result<Bytes, FileError> {
    let part = fetch(&saying(answer).await, Wanted::new(&(1..=3)).unwrap()).await;
    part?.into_bytes(100).await
}

#[tokio::test]
async fn how_much_comes_is_counted() {
    let short = "HTTP/1.1 206 Part\r\ncontent-type: image/png\r\ncontent-range: bytes 1-3/9\r\n\
                 content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbc\r\n0\r\n\r\n";
    let got = part_from(short).await;
    assert!(matches!(got, Err(FileError::Disconnected(_))), "{got:?}");
    let long = "HTTP/1.1 206 Part\r\ncontent-type: image/png\r\ncontent-range: bytes 1-3/9\r\n\
                content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbcde\r\n0\r\n\r\n";
    let got = part_from(long).await;
    assert!(matches!(got, Err(FileError::UnexpectedAnswer { status: 206 })), "{got:?}");
}

#[tokio::test]
async fn what_is_no_answer_of_the_server_s_is_no_file_and_no_refusal() {
    for (answer, expected) in [
        ("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", 302),
        ("HTTP/1.1 413 Too Large\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", 413),
        ("HTTP/1.1 403 No\r\ncontent-type: application/problem+json\r\ncontent-length: 2\r\n\r\n{}", 403),
        (
            "HTTP/1.1 404 No\r\ncontent-type: application/json\r\ncontent-length: 33\r\n\r\n\
             {\"code\":\"NotFound\",\"detail\":\"no\"}",
            404,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200),
        ("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\nabc", 200),
        ("HTTP/1.1 206 Part\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\nabc", 206),
    ] {
        let got = fetch_from(answer).await;
        assert!(matches!(got, Err(FileError::UnexpectedAnswer { status }) if status == expected), "{got:?}");
    }
    // Asked for a part, it gives all: whoever goes on behind what he has would have it twice.
    let whole = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\nabc";
    let got = fetch(&saying(whole).await, Wanted::new(&(1..)).unwrap()).await;
    assert!(matches!(got, Err(FileError::UnexpectedAnswer { status: 200 })), "{got:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_file_is_bounded() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let begin = b"HTTP/1.1 500 Oh\r\ncontent-type: application/problem+json\r\n\r\n";
        stream.write_all(begin).await.unwrap();
        while stream.write_all(&[b' '; 4_096]).await.is_ok() {}
    });
    let got = fetch(&door(&address, DEADLINE), all()).await;
    assert!(matches!(got, Err(FileError::UnexpectedAnswer { status: 500 })), "{got:?}");
}

#[tokio::test]
async fn what_stands_still_ends_with_an_error() {
    let (listener, address) = listen().await;
    let silent = door(&address, Duration::from_millis(50));
    assert!(matches!(fetch(&silent, all()).await, Err(FileError::Stalled)));
    let given = tokio::spawn(async move {
        // The request from before may be here, too.
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
            let begin = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\na";
            let _ = stream.write_all(begin.as_bytes()).await;
            tokio::spawn(async move { stream.read_u8().await });
        }
    });
    let patient = door(&address, Duration::from_secs(1));
    let mut slow = fetch(&patient, all()).await.unwrap();
    assert_eq!(slow.next().await.unwrap().unwrap(), "a");
    assert!(matches!(in_time(slow.next()).await, Some(Err(FileError::Stalled))));
    given.abort();
}

/// Nobody takes what is sent: so no more is read of it than what is on its way.
#[tokio::test]
async fn an_upload_is_read_as_it_goes() {
    let (listener, address) = listen().await;
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let endless = stream::repeat(Bytes::from_static(&[7; 65_536])).map(move |chunk| {
        counted.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok(chunk)
    });
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        stream
    });
    let door = door(&address, Duration::from_secs(1));
    let upload = door.upload(AVATARS, None, FileSource::stream(endless));
    assert!(matches!(in_time(upload).await, Err(FileError::Stalled)));
    drop(server.await.unwrap());
    assert!(read.load(Ordering::Relaxed) < 16 << 20, "{read:?}");
}

#[tokio::test]
async fn what_is_refused_is_not_sent() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        let problem = r#"{"code":"NotMember","detail":"no","status":403,"retry_after_ms":null}"#;
        let length = problem.len();
        let answer = format!(
            "HTTP/1.1 403 No\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\n\r\n{problem}"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        (head, rest)
    });
    let door = door(&address, DEADLINE);
    let refused = in_time(door.upload(AVATARS, Some("secret".into()), vec![7; 1_000].into())).await;
    assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::NotMember));
    let (head, rest) = in_time(server).await.unwrap();
    for line in
        ["expect: 100-continue", "content-length: 1000", "authorization: bearer secret", "goim-instance: one"]
    {
        assert!(head.contains(line), "{head}");
    }
    assert_eq!(rest, b"");
}

/// An upload to a door that never asks for it and takes it for `abc`, and what came there.
async fn sent(file: FileSource) -> (Result<StoredFile, FileError>, Vec<u8>) {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => body.push(byte),
                Err(_) => return body,
            }
        }
        let stored = format!(r#"{{"hash":"{HASH}","media_type":"image/png","bytes":3}}"#);
        let answer = format!("HTTP/1.1 201 Yes\r\ncontent-length: {}\r\n\r\n{stored}", stored.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        body
    });
    let door = door(&address, DEADLINE);
    (in_time(door.upload(AVATARS, None, file)).await, in_time(server).await.unwrap())
}

#[tokio::test]
async fn who_is_never_asked_for_a_file_sends_it_all_the_same() {
    let (stored, body) = sent(FileSource::reader(&b"abc"[..])).await;
    let expected = StoredFile { hash: HASH.into(), media_type: "image/png".into(), bytes: 3 };
    assert_eq!(stored.unwrap(), expected);
    assert_eq!(body, b"3\r\nabc\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_upload_that_was_changed_on_its_way_is_none() {
    for other in [&b"abd"[..], b"abcd"] {
        let (stored, _) = sent(FileSource::reader(other)).await;
        assert!(matches!(stored, Err(FileError::Corrupt)), "{stored:?}");
    }
}

#[tokio::test]
async fn a_file_that_shrinks_is_not_sent_as_whole() {
    let shrunk = FileSource { bytes: Some(9), ..FileSource::reader(&b"abc"[..]) };
    let (stored, _) = sent(shrunk).await;
    assert!(matches!(stored, Err(FileError::Source(_))), "{stored:?}");
}

#[tokio::test]
async fn what_comes_in_one_piece_is_sent_in_many() {
    let pieces = FileSource::stream(stream::iter([Ok(Bytes::from(vec![7; 200_000]))])).chunks;
    let pieces: Vec<_> = pieces.try_collect().await.unwrap();
    assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [65_536, 65_536, 65_536, 3_392]);
}

/// Otherwise the server would keep a part as the whole.
#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_end_has_none() {
    let pieces = [Ok(Bytes::from_static(b"abc")), Err(std::io::Error::other("a bad disk"))];
    let (stored, body) = sent(FileSource::stream(stream::iter(pieces))).await;
    assert!(matches!(stored, Err(FileError::Source(_))), "{stored:?}");
    assert!(!body.ends_with(b"0\r\n\r\n"), "{body:?}");
}

#[tokio::test]
async fn an_upload_that_is_dropped_has_no_end() {
    let (listener, address) = listen().await;
    let door = door(&address, DEADLINE);
    let piece = stream::iter([Ok(Bytes::from_static(b"abc"))]).chain(stream::pending());
    let upload = tokio::spawn(async move { door.upload(AVATARS, None, FileSource::stream(piece)).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    head(&mut stream).await;
    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    let mut body = [0; 8];
    stream.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"3\r\nabc\r\n");
    upload.abort();
    let mut rest = Vec::new();
    let _ = in_time(stream.read_to_end(&mut rest)).await;
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_file_of_this_machine_is_sent_as_long_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "abc").unwrap();
    let source = FileSource::open(&path).await.unwrap();
    assert_eq!(source.bytes, Some(3));
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"def").unwrap();
    let read: Vec<Bytes> = source.chunks.try_collect().await.unwrap();
    assert_eq!(read.concat(), b"abc");
    assert!(FileSource::open(folder.path().join("none")).await.is_err());
}

/// Answers one request over TLS, if the handshake succeeds; with the fingerprint of its certificate.
fn over_tls() -> ([u8; 32], String) {
    let made = rcgen::generate_simple_self_signed(["elsewhere".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let fingerprint = Sha256::digest(&certificate).into();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(Arc::new(tls)).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut tcp);
        let mut request = [0; 1_024];
        if stream.read(&mut request).is_ok() {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\nabc");
        }
    });
    (fingerprint, address)
}

#[tokio::test]
async fn a_door_is_trusted_as_the_server_is() {
    let (fingerprint, address) = over_tls();
    let got = fetch(&trusting(fingerprint, &address, DEADLINE), all()).await.unwrap();
    assert_eq!(got.into_bytes(3).await.unwrap(), "abc");
    let (_, address) = over_tls();
    let got = fetch(&trusting(fingerprint, &address, DEADLINE), all()).await;
    assert!(matches!(got, Err(FileError::Unreachable { .. })), "{got:?}");
}

#[tokio::test]
async fn a_token_that_is_over_is_waited_for() {
    let tokens = |access: &str, expires_ms| {
        Some(Tokens { access: access.into(), expires_ms: Some(expires_ms), refresh: Some("once".into()) })
    };
    let shared = Arc::new(shared::Shared::new(Client::builder("nowhere:1"), tokens("old", 0)));
    let waits = Arc::clone(&shared);
    let waiting = tokio::spawn(async move { waits.access_token().await });
    // The client's task is told, and brings a new one.
    in_time(shared.wake.notified()).await;
    assert!(!waiting.is_finished());
    shared.state().tokens = tokens("new", u64::MAX);
    shared.progress.notify_waiters();
    assert_eq!(in_time(waiting).await.unwrap().unwrap().as_deref(), Some("new"));
    shared.state().ended = true;
    assert!(matches!(shared.access_token().await, Err(FileError::Closed)));
}

#[test]
fn what_names_a_file_leads_to_no_other_place() {
    assert_eq!(path_of(AVATARS, HASH).unwrap(), format!("/v1/avatars/{HASH}"));
    let up = format!("{}/../../../v1/session", &HASH[..44]);
    assert_eq!(up.len(), HASH.len());
    for name in ["", "../session", &HASH[1..], &HASH.to_uppercase(), &format!("{HASH}?"), &up] {
        assert!(matches!(path_of(AVATARS, name), Err(FileError::BadHash(_))), "{name}");
    }
}

#[test]
fn what_was_uploaded_is_sent_as_what_it_is() {
    let stored = |media_type: &str| StoredFile { hash: HASH.into(), media_type: media_type.into(), bytes: 3 };
    let picture = stored("image/png").into_content("tea.png");
    let shown = ImageContent {
        key: HASH.into(),
        name: "tea.png".into(),
        media_type: "image/png".into(),
        size: 3,
        ..ImageContent::default()
    };
    assert_eq!(picture, Content::Image(shown));
    let notes = stored("text/plain").into_content("");
    let file =
        FileContent { key: HASH.into(), media_type: "text/plain".into(), size: 3, ..FileContent::default() };
    assert_eq!(notes, Content::File(file));
}
