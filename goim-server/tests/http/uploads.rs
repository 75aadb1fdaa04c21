//! Avatars and attachments: who brings and fetches them, how they are served, and that nothing stays behind.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::Backend;
use crate::client::{Answer, Http, hash_of, id, server_with};
use crate::on_both_stores;
use crate::s3::Bucket;
use crate::support::{DEADLINE, TestServer};

/// A picture as far as its first bytes go, with something of its own behind them.
fn picture(own: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", own.as_bytes()].concat()
}

/// More than two parts, no two pages of which are the same.
fn large() -> Vec<u8> {
    (0_u32..3 << 20).flat_map(u32::to_le_bytes).collect()
}

async fn server(backend: &Backend) -> TestServer {
    server_with(backend, |config| config.uploads.sweep_interval_ms = 20).await
}

impl Http {
    async fn bring(&self, path: &str, content: &[u8]) -> Answer {
        self.ask_bytes("POST", path, &["content-type: image/png"], content).await
    }

    async fn attach(&self, conversation: &str, content: &[u8]) -> Answer {
        self.bring(&format!("/v1/conversations/{conversation}/attachments"), content).await
    }

    async fn attachment(&self, conversation: &str, content: &[u8]) -> Answer {
        self.get(&format!("/v1/conversations/{conversation}/attachments/{}", hash_of(content))).await
    }

    async fn remove(&self, conversation: &str, content: &[u8]) -> Answer {
        let path = format!("/v1/conversations/{conversation}/attachments/{}", hash_of(content));
        self.ask("DELETE", &path, &[], "").await
    }

    async fn avatar(&self, content: &[u8]) -> Answer {
        self.get(&format!("/v1/avatars/{}", hash_of(content))).await
    }
}

/// Every file under a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn avatars(backend: &Backend) {
    let server = server(backend).await;
    let nobody = Http::nobody(&server);
    let (ada, eve) = (Http::user(&server, "ada").await, Http::user(&server, "eve").await);
    let face = picture("ada");
    let brought = ada.bring("/v1/avatars", &face).await;
    assert_eq!(brought.status, 201);
    let hash = hash_of(&face);
    assert_eq!(brought.json(), json!({ "hash": hash, "media_type": "image/png", "bytes": face.len() }));
    ada.json("PATCH", "/v1/profile", &json!({ "avatar": hash })).await.ok();

    let seen = eve.avatar(&face).await;
    assert_eq!((seen.status, &seen.bytes), (200, &face));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", "inline"),
        ("content-length", &face.len().to_string()),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "private, max-age=31536000, immutable"),
        ("accept-ranges", "bytes"),
        ("etag", &format!("\"{hash}\"")),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(nobody.avatar(&face).await.problem(), (401, "Unauthenticated".into()));
    assert_eq!(nobody.bring("/v1/avatars", &face).await.problem(), (401, "Unauthenticated".into()));
    assert_eq!(eve.avatar(b"of nobody").await.problem(), (404, "NotFound".into()));
    for hash in ["x", &hash.to_uppercase(), &format!("{hash}0"), "..%2f..%2fgoim.sqlite"] {
        let answer = eve.get(&format!("/v1/avatars/{hash}")).await;
        assert_eq!(answer.problem(), (400, "BadArgument".into()), "{hash}");
    }
    // It is a picture if it begins like one, whatever it is called.
    for content in [&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], b"<html>", b"%PDF-1.7", b"x"] {
        let refused = ada.bring("/v1/avatars", content).await;
        assert_eq!(refused.problem(), (415, "BadContent".into()), "{content:?}");
        assert_eq!(eve.avatar(content).await.status, 404);
    }
    assert_eq!(ada.bring("/v1/avatars", b"").await.problem(), (400, "BadArgument".into()));
}

async fn attachments(backend: &Backend) {
    let server = server(backend).await;
    let (ada, ben, eve) = (
        Http::user(&server, "ada").await,
        Http::user(&server, "ben").await,
        Http::user(&server, "eve").await,
    );
    let tea = ada.group(&[&ben]).await;
    let page = b"<!DOCTYPE html><script>alert(1)</script>".to_vec();
    let brought = ben.attach(&tea, &page).await.ok();
    assert_eq!(brought["media_type"], "text/html", "its name was image/png");
    let seen = ada.attachment(&tea, &page).await;
    assert_eq!((seen.status, &seen.bytes), (200, &page));
    assert_eq!(seen.header("content-disposition"), Some("attachment"), "it does not open");
    assert_eq!(seen.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    assert_eq!(seen.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(seen.header("cache-control"), Some("private, no-cache"));
    ben.attach(&tea, &picture("tea")).await.ok();
    let shown = ada.attachment(&tea, &picture("tea")).await;
    assert_eq!(shown.header("content-disposition"), Some("inline"));

    // It is nobody else's, and is where it was brought to.
    assert_eq!(eve.attachment(&tea, &page).await.problem(), (403, "NotMember".into()));
    assert_eq!(eve.attach(&tea, &page).await.problem(), (403, "NotMember".into()));
    assert_eq!(eve.attach("4711", &page).await.problem(), (403, "NotMember".into()));
    assert_eq!(eve.attach("x", &page).await.problem(), (400, "BadArgument".into()));
    assert_eq!(eve.avatar(&picture("tea")).await.problem(), (404, "NotFound".into()));
    let other = ada.group(&[&ben, &eve]).await;
    assert_eq!(ben.attachment(&other, &page).await.problem(), (404, "NotFound".into()));
    // Whoever has the same content has it by himself.
    eve.attach(&other, &page).await.ok();
    assert_eq!(ben.attachment(&other, &page).await.status, 200);
    assert_eq!(eve.attachment(&tea, &page).await.problem(), (403, "NotMember".into()));

    let member = |user: &Http| format!("/v1/groups/{tea}/members/{}", user.user);
    let mute = json!({ "muted": true, "client_msg_id": id() });
    ada.json("PUT", &format!("{}/mute", member(&ben)), &mute).await.ok();
    assert_eq!(ben.attach(&tea, &picture("mute")).await.problem(), (403, "Forbidden".into()));
    assert_eq!(ben.attachment(&tea, &page).await.status, 200, "he reads");
    ada.ask("DELETE", &format!("{}?client_msg_id={}", member(&ben), id()), &[], "").await.ok();
    assert_eq!(ben.attachment(&tea, &page).await.problem(), (403, "NotMember".into()));
    assert_eq!(ada.attachment(&tea, &page).await.status, 200, "it outlives who brought it");
    ada.ask("DELETE", &format!("/v1/groups/{tea}?client_msg_id={}", id()), &[], "").await.ok();
    assert_eq!(ada.attach(&tea, &picture("late")).await.problem(), (403, "Forbidden".into()));
    assert_eq!(ada.attachment(&tea, &page).await.status, 200, "a dismissed group is read");

    let direct = ada.befriend(&eve).await;
    ada.attach(&direct, &picture("direct")).await.ok();
    ada.json("PUT", &format!("/v1/blocks/{}", eve.user), &json!({})).await.ok();
    assert_eq!(eve.attach(&direct, &picture("blocked")).await.problem(), (403, "Forbidden".into()));
    assert_eq!(eve.attachment(&direct, &picture("direct")).await.status, 200);
    let session = ada.get("/v1/session").await.ok();
    let inbox = session["inbox"].as_str().unwrap();
    assert_eq!(ada.attach(inbox, &page).await.problem(), (403, "Forbidden".into()));
}

async fn removed(backend: &Backend) {
    let server = server_with(backend, |config| {
        config.uploads.sweep_interval_ms = 20;
        config.uploads.user_bytes_max = 150;
    })
    .await;
    let (ada, ben) = (Http::user(&server, "ada").await, Http::user(&server, "ben").await);
    let tea = ada.group(&[&ben]).await;
    let (file, gone) = (vec![7; 60], (404, "NotFound".to_owned()));
    ben.attach(&tea, &file).await.ok();
    ada.attach(&tea, &file).await.ok();
    let eve = Http::user(&server, "eve").await;
    assert_eq!(eve.remove(&tea, &file).await.problem(), gone, "it is not hers");
    let path = format!("/v1/conversations/{tea}/attachments/xyz");
    assert_eq!(ben.ask("DELETE", &path, &[], "").await.problem(), (400, "BadArgument".into()));
    assert_eq!(ben.remove(&tea, &file).await.status, 204);
    assert_eq!(ben.remove(&tea, &file).await.problem(), gone);
    assert_eq!(ben.attachment(&tea, &file).await.status, 200, "she brought it too");
    ben.attach(&tea, &[8; 60]).await.ok();
    ben.post(&format!("/v1/groups/{tea}/leave"), &json!({ "client_msg_id": id() })).await.ok();
    assert_eq!(ben.remove(&tea, &[8; 60]).await.status, 204, "who left takes his along");
    assert_eq!(ada.attachment(&tea, &[8; 60]).await.problem(), gone);

    let other = eve.group(&[&ada, &ben]).await;
    ben.attach(&other, &[9; 60]).await.ok();
    assert_eq!(ada.remove(&other, &[9; 60]).await.problem(), gone, "she is a member like him");
    assert_eq!(eve.remove(&other, &[9; 60]).await.status, 204, "she owns the group");
    assert_eq!(ben.attachment(&other, &[9; 60]).await.problem(), gone);
    assert_eq!(ada.remove(&tea, &file).await.status, 204);
    let face = picture("ada");
    let hash = ada.bring("/v1/avatars", &face).await.ok()["hash"].clone();
    ada.json("PATCH", "/v1/profile", &json!({ "avatar": hash })).await.ok();
    assert_eq!(ada.remove("0", &face).await.problem(), gone, "an avatar is of no conversation");
    assert_eq!(eve.avatar(&face).await.status, 200);
    let folder = server.dir.path().join("uploads");
    until("the avatar alone is kept", async || files(&folder).len() == 1).await;
}

async fn ranges(ada: &Http, conversation: &str, content: &[u8]) {
    let path = format!("/v1/conversations/{conversation}/attachments/{}", hash_of(content));
    let length = content.len();
    let tag = format!("\"{}\"", hash_of(content));
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=5242870-5242890".to_owned(), 5_242_870, 5_242_890),
        (format!("bytes={}-", length - 3), length - 3, length - 1),
        ("bytes=-5".to_owned(), length - 5, length - 1),
        (format!("bytes=10-{}", length * 2), 10, length - 1),
    ] {
        let part = ada.ask("GET", &path, &[&format!("range: {range}")], "").await;
        assert_eq!(part.status, 206, "{range}");
        assert!(part.bytes == content[first..=last], "{range}");
        let place = format!("bytes {first}-{last}/{length}");
        assert_eq!(part.header("content-range"), Some(place.as_str()));
        assert_eq!(part.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    }
    let beyond = ada.ask("GET", &path, &[&format!("range: bytes={length}-")], "").await;
    assert_eq!(beyond.problem(), (416, "BadArgument".into()));
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{length}").as_str()));
    let known = ada.ask("GET", &path, &[&format!("if-none-match: {tag}")], "").await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));
    assert_eq!(known.header("etag"), Some(tag.as_str()));
    let resumed = [format!("if-range: {tag}"), "range: bytes=1-2".into()];
    let part = ada.ask("GET", &path, &[&resumed[0], &resumed[1]], "").await;
    assert_eq!((part.status, &part.bytes[..]), (206, &content[1..=2]));
    let whole = ada.ask("GET", &path, &["if-range: \"x\"", "range: bytes=1-2"], "").await;
    assert_eq!(whole.status, 200);
    assert!(whole.bytes == content);
    let head = ada.ask("HEAD", &path, &[], "").await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
}

/// Where a folder or a bucket has its files.
async fn kept(server: &TestServer, folder: &Path) {
    let (ada, ben) = (Http::user(server, "ada").await, Http::user(server, "ben").await);
    let (tea, direct) = (ada.group(&[&ben]).await, ada.befriend(&ben).await);
    let content = large();
    let brought = ada.attach(&tea, &content).await.ok();
    assert_eq!(brought["hash"], hash_of(&content).as_str());
    assert_eq!(brought["media_type"], "application/octet-stream");
    ranges(&ben, &tea, &content).await;
    // The same again, by somebody else and elsewhere, is the same.
    ben.attach(&direct, &content).await.ok();
    assert!(ada.attachment(&direct, &content).await.bytes == content);
    until("there is one file", async || files(folder).len() == 1).await;
    assert!(std::fs::read(&files(folder)[0]).unwrap() == content);

    // Avatars that no profile shows are forgotten.
    ada.bring("/v1/avatars", &picture("shown")).await.ok();
    let shown = json!({ "avatar": hash_of(&picture("shown")) });
    ada.json("PATCH", "/v1/profile", &shown).await.ok();
    ada.json("PATCH", "/v1/profile", &json!({ "avatar": "" })).await.ok();
    until("nobody shows it", async || ben.avatar(&picture("shown")).await.status == 404).await;
    until("it is deleted", async || files(folder).len() == 1).await;
    assert!(ben.attachment(&tea, &content).await.bytes == content);

    // Whose bytes are gone, of whoever's fault, is not found.
    let lost = picture("lost");
    ada.attach(&tea, &lost).await.ok();
    let files_of = |content: &[u8]| {
        let all = files(folder).into_iter();
        all.filter(|file| std::fs::read(file).unwrap() == content).collect::<Vec<_>>()
    };
    std::fs::remove_file(&files_of(&lost)[0]).unwrap();
    assert_eq!(ben.attachment(&tea, &lost).await.problem(), (404, "NotFound".into()));

    // Who goes away in the middle leaves nothing.
    let path = format!("/v1/conversations/{tea}/attachments");
    let mut broken = ada.begin("POST", &path, &[], content.len()).await;
    broken.write_all(&content[..content.len() / 2 + 7]).await.unwrap();
    drop(broken);
    let mut broken = ada.begin("POST", "/v1/avatars", &[], 100).await;
    broken.write_all(&picture("half")).await.unwrap();
    drop(broken);
    // Nor does who brings what is refused when most of it is there.
    let long = [content.clone(), content.clone()].concat();
    assert_eq!(ada.attach(&tea, &long).await.problem(), (413, "TooLarge".into()));
    let chunked = ada.chunked("POST", &path, &long).await;
    assert_eq!(chunked.problem(), (413, "TooLarge".into()));
    until("nothing stays behind", async || files(folder).len() == 1).await;
}

async fn in_a_folder(backend: &Backend) {
    let server = server_with(backend, |config| {
        config.uploads.sweep_interval_ms = 20;
        config.uploads.orphans_after_s = 0;
        config.uploads.attachment_bytes_max = 20 << 20;
    })
    .await;
    kept(&server, &server.dir.path().join("uploads")).await;
}

async fn in_a_bucket(backend: &Backend) {
    let bucket = Bucket::serve().await;
    let server = server_with(backend, |config| {
        bucket.set(&mut config.uploads);
        config.uploads.sweep_interval_ms = 20;
        config.uploads.orphans_after_s = 0;
        config.uploads.attachment_bytes_max = 20 << 20;
    })
    .await;
    kept(&server, &bucket.objects()).await;
    assert!(!server.dir.path().join("uploads").exists());
}

/// What a server that died had begun to write is deleted by the next one.
async fn died(backend: &Backend) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("ab");
    std::fs::create_dir(&folder).unwrap();
    let store = backend.open().await;
    for (place, file) in [("abc", "abc"), ("abd", "abd#1"), ("abe", "none")] {
        store.begin_upload(place, 1).await.unwrap();
        std::fs::write(folder.join(file), b"half").unwrap();
    }
    let server = server_with(backend, |config| {
        config.uploads.place = Some(format!("file:{}", dir.path().display()));
        config.uploads.sweep_interval_ms = 20;
    });
    let _server = server.await;
    until("it is deleted", async || files(&folder) == [folder.join("none")]).await;
    until("it is done", async || store.claim_garbage(1, 10).await.unwrap().is_empty()).await;
}

async fn bounds(backend: &Backend) {
    let server = server_with(backend, |config| {
        config.uploads.avatar_bytes_max = 100;
        config.uploads.attachment_bytes_max = 1_000;
        config.uploads.user_bytes_max = 1_600;
        config.uploads.user_at_once_max = 1;
    });
    let server = server.await;
    let (ada, ben) = (Http::user(&server, "ada").await, Http::user(&server, "ben").await);
    let tea = ada.group(&[&ben]).await;
    let path = format!("/v1/conversations/{tea}/attachments");
    let too_large = (413, "TooLarge".to_owned());
    assert_eq!(ada.bring("/v1/avatars", &picture(&"x".repeat(100))).await.problem(), too_large);
    assert_eq!(ada.attach(&tea, &[7; 1_001]).await.problem(), too_large);
    assert_eq!(ada.chunked("POST", &path, &[7; 1_001]).await.problem(), too_large);
    ada.attach(&tea, &[7; 1_000]).await.ok();
    assert_eq!(ada.attach(&tea, &[8; 601]).await.problem(), too_large, "for all together");
    assert_eq!(ada.chunked("POST", &path, &[8; 601]).await.problem(), too_large);
    ben.attach(&tea, &[8; 601]).await.ok();

    // Who is refused goes on sending for a while, and hears why all the same.
    let mut refused = ada.begin("POST", &path, &[], 4 << 20).await;
    refused.readable().await.unwrap();
    refused.write_all(&vec![7; 4 << 20]).await.expect("it was cut off");
    assert_eq!(Answer::read(&mut refused).await.problem(), too_large);

    let mut open = ada.begin("POST", &path, &["expect: 100-continue"], 500).await;
    let mut asked = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    open.read_exact(&mut asked).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"), "it has a place, and is asked for its body");
    let refused = ada.attach(&tea, &[6; 10]).await;
    assert_eq!(refused.problem(), (429, "RateLimited".into()));
    assert!(refused.header("retry-after").is_some());
    ben.attach(&tea, &[5; 10]).await.ok();
    open.write_all(&[9; 500]).await.unwrap();
    assert_eq!(Answer::read(&mut open).await.status, 201);
    ada.attach(&tea, &[6; 10]).await.ok();
}

on_both_stores! {
    super::avatars as an_avatar_is_a_picture_that_everybody_with_an_account_sees,
    super::attachments as g9_an_attachment_is_for_the_members_of_its_conversation,
    super::removed as an_attachment_is_taken_back_by_who_brought_it_or_manages,
    super::in_a_folder as a_file_is_kept_once_and_in_a_folder_by_default,
    super::in_a_bucket as a_file_is_kept_in_a_bucket_of_whatever_speaks_s3,
    super::died as what_a_server_that_died_had_begun_is_deleted,
    super::bounds as uploads_are_bounded,
}
