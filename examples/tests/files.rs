//! Files through the SDK, to a server and back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use goim_client::{
    Client, ClientBuilder, ConnectError, Content, ErrorCode, Event, FileError, FileSource, ProfileUpdate,
    UserId,
};
use goim_server::{Config, Server};
use tokio::io::AsyncReadExt as _;

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);
const AVATAR_BYTES_MAX: u64 = 1_000;
const ATTACHMENT_BYTES_MAX: u64 = 16 << 20;

async fn server(folder: &tempfile::TempDir) -> Server {
    let mut config = Config {
        quic_listen: "127.0.0.1:0".parse().unwrap(),
        api_listen: Some("127.0.0.1:0".parse().unwrap()),
        data_dir: folder.path().to_path_buf(),
        ..Config::default()
    };
    config.uploads.avatar_bytes_max = AVATAR_BYTES_MAX;
    config.uploads.attachment_bytes_max = ATTACHMENT_BYTES_MAX;
    Server::start(config).await.unwrap()
}

fn builder(server: &Server) -> ClientBuilder {
    Client::builder(server.quic_addr().to_string()).fingerprint(server.fingerprint())
}

fn with_files(server: &Server) -> ClientBuilder {
    builder(server).http(format!("http://{}", server.api_addr().unwrap()))
}

async fn person(server: &Server, name: &str) -> (Client, UserId) {
    let client = with_files(server).connect().await.unwrap();
    let mut events = client.events();
    let info = client.register(name, "a long enough password").await.unwrap().info;
    // What is older than his first list is history to him.
    while !matches!(events.next().await.unwrap(), Event::Connected) {}
    (client, info.user)
}

/// A picture as far as its first bytes go.
fn picture(own: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", own.as_bytes()].concat()
}

/// A picture of no round size, no two pages of which are the same.
fn large() -> Bytes {
    let pages = (0_u32..3 << 20).flat_map(u32::to_le_bytes);
    picture("").into_iter().chain(pages).collect()
}

fn pieces(content: &Bytes) -> FileSource {
    let pieces: Vec<_> = content.chunks(100_000).map(|piece| Ok(content.slice_ref(piece))).collect();
    FileSource::stream(stream::iter(pieces))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_uploaded_sent_and_fetched_by_who_reads_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let ((ada, _), (ben, ben_id)) = (person(&server, "ada").await, person(&server, "ben").await);
    let group = ada.create_group("tea", &[ben_id]).await.unwrap();
    let mut messages = ben.subscribe(group);
    let content = large();
    let stored = ada.upload_attachment(group, content.clone()).await.unwrap();
    assert_eq!((stored.media_type.as_str(), stored.bytes), ("image/png", content.len() as u64));
    ada.send(group, stored.clone().into_content("tea.png")).await.unwrap().await.unwrap();
    let image = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Content::Image(image) = messages.next().await.unwrap().content() {
                return image;
            }
        }
    });
    let image = image.await.expect("no picture came");
    assert_eq!((image.name.as_str(), image.size), ("tea.png", stored.bytes));

    let fetched = ben.download_attachment(group, &image.key, ..).await.unwrap();
    assert_eq!((fetched.media_type(), fetched.bytes()), ("image/png", stored.bytes));
    let chunks: Vec<Bytes> = fetched.try_collect().await.unwrap();
    assert!(chunks.len() > 1 && chunks.concat() == content);
    let part = ben.download_attachment(group, &image.key, 5..5_242_890).await.unwrap();
    assert_eq!((part.first(), part.bytes(), part.file_bytes()), (5, 5_242_885, stored.bytes));
    let mut read = Vec::new();
    part.into_reader().read_to_end(&mut read).await.unwrap();
    assert!(read == content[5..5_242_890]);
    let end = ben.download_attachment(group, &image.key, stored.bytes - 3..stored.bytes * 2).await.unwrap();
    assert_eq!(end.into_bytes(3).await.unwrap(), content[content.len() - 3..], "a range may go on behind it");
    let beyond = ben.download_attachment(group, &image.key, stored.bytes..).await;
    assert_eq!(beyond.unwrap_err().code(), Some(ErrorCode::BadArgument));

    // The same, from whatever gives it.
    let path = folder.path().join("tea.png");
    std::fs::write(&path, &content).unwrap();
    let reader = FileSource::reader(std::io::Cursor::new(content.clone()));
    for source in [pieces(&content), reader, FileSource::open(&path).await.unwrap()] {
        assert_eq!(ada.upload_attachment(group, source).await.unwrap(), stored);
    }

    ada.remove_attachment(group, &image.key).await.unwrap();
    let gone = ben.download_attachment(group, &image.key, ..).await.unwrap_err();
    assert_eq!(gone.code(), Some(ErrorCode::NotFound));
    assert_eq!(ada.remove_attachment(group, &image.key).await.unwrap_err().code(), Some(ErrorCode::NotFound));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_shows_an_avatar() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let (ada, _) = person(&server, "ada").await;
    let token = ada.create_bot("teapot").await.unwrap();
    let bot = with_files(&server).token(token.token).instance("one").connect().await.unwrap();
    let face = picture("teapot");
    let stored = bot.upload_avatar(face.clone()).await.unwrap();
    let update = ProfileUpdate { avatar: Some(stored.hash), ..ProfileUpdate::default() };
    let profile = bot.update_profile(update).await.unwrap();
    let seen = ada.download_avatar(&profile.avatar, ..).await.unwrap();
    assert_eq!(seen.media_type(), "image/png");
    assert_eq!(seen.into_bytes(AVATAR_BYTES_MAX).await.unwrap(), face);
    let seen = ada.download_avatar(&profile.avatar, ..).await.unwrap();
    assert!(matches!(seen.into_bytes(10).await, Err(FileError::TooLong { bytes_max: 10, .. })));
    server.shutdown().await;
}

/// With the codes that calls have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_refused_as_calls_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let ((ada, _), (eve, _)) = (person(&server, "ada").await, person(&server, "eve").await);
    let group = ada.create_group("tea", &[]).await.unwrap();
    let hash = ada.upload_attachment(group, picture("tea")).await.unwrap().hash;
    let code = |error: FileError| error.code().unwrap_or_else(|| panic!("{error:?}"));
    let refused = eve.download_attachment(group, &hash, ..).await.unwrap_err();
    assert_eq!(code(refused), ErrorCode::NotMember);
    // Said before a byte is sent, where it is known how many there are, and in the middle otherwise.
    let refused = eve.upload_attachment(group, large()).await.unwrap_err();
    assert_eq!(code(refused), ErrorCode::NotMember);
    let long: Bytes = [large(), large()].concat().into();
    let refused = ada.upload_attachment(group, long.clone()).await.unwrap_err();
    assert_eq!(code(refused), ErrorCode::TooLarge);
    let refused = ada.upload_attachment(group, pieces(&long)).await.unwrap_err();
    assert_eq!(code(refused), ErrorCode::TooLarge);
    let refused = ada.upload_avatar(picture(&"x".repeat(1_000))).await.unwrap_err();
    assert_eq!(code(refused), ErrorCode::TooLarge);
    assert_eq!(code(ada.upload_avatar(&b"%PDF-1.7"[..]).await.unwrap_err()), ErrorCode::BadContent);
    assert_eq!(code(eve.download_avatar(&hash, ..).await.unwrap_err()), ErrorCode::NotFound);
    let nobody = with_files(&server).connect().await.unwrap();
    assert_eq!(code(nobody.download_avatar(&hash, ..).await.unwrap_err()), ErrorCode::Unauthenticated);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_says_what_its_files_lack() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let client = builder(&server).connect().await.unwrap();
    assert!(matches!(client.upload_avatar(picture("")).await, Err(FileError::NoAddress)));
    let refused = builder(&server).http("http://192.0.2.1:8080").connect().await;
    assert!(matches!(refused, Err(ConnectError::PlainHttp(_))), "{refused:?}");
    let refused = builder(&server).http("192.0.2.1:8080").connect().await;
    assert!(matches!(refused, Err(ConnectError::BadHttpAddress(_))), "{refused:?}");
    let allowed = builder(&server).http("http://192.0.2.1:8080").plain_http().connect().await;
    allowed.unwrap().close().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = builder(&server).http(format!("http://{closed}")).connect().await.unwrap();
    let refused = client.upload_avatar(picture("")).await;
    assert!(matches!(refused, Err(FileError::Unreachable { .. })), "{refused:?}");
    server.shutdown().await;
}

/// A server that goes away leaves no part of a file that looks like the whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_whose_server_goes_away_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let (ada, _) = person(&server, "ada").await;
    let group = ada.create_group("tea", &[]).await.unwrap();
    let content = large();
    let hash = ada.upload_attachment(group, content.clone()).await.unwrap().hash;
    let mut coming = ada.download_attachment(group, &hash, ..).await.unwrap();
    let mut bytes = coming.next().await.unwrap().unwrap().len();
    server.shutdown().await;
    let broken = loop {
        match coming.next().await {
            Some(Ok(chunk)) => bytes += chunk.len(),
            end => break end,
        }
    };
    assert!(bytes < content.len(), "all of it was on its way: the file is too small for this test");
    assert!(matches!(broken, Some(Err(FileError::Disconnected(_)))), "{broken:?}");
}
