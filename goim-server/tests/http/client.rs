//! A client that writes HTTP by hand, as a script would with curl.

use std::net::SocketAddr;

use goim_core::ClientMsgId;
use goim_server::Config;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::support::{DEADLINE, TestServer, mint, unique};

/// An account that may take numbers of sequences.
pub(crate) const MINT: &str = "mint";

/// A server with an API that lets a test log in as often as it likes.
pub(crate) async fn server(backend: &Backend) -> TestServer {
    server_with(backend, |_| {}).await
}

pub(crate) async fn server_with(backend: &Backend, change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.store = Some(backend.url());
        config.limits.logins_per_s = 10_000;
        config.sequence_users = vec![MINT.into()];
        config.api_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        change(config);
    })
    .await
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// Reads all that comes.
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        Self::read_until(stream, |_| false).await
    }

    /// Reads until this is all that is wanted, or all that comes.
    pub(crate) async fn read_until(stream: &mut TcpStream, is_all: impl Fn(&[u8]) -> bool) -> Self {
        let mut all = Vec::new();
        let read = async {
            while !is_all(&all) && stream.read_buf(&mut all).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        let read = timeout(DEADLINE, read).await.expect("no answer");
        // Whoever is refused before he has sent all may be cut off behind the answer.
        assert!(read.is_ok() || !all.is_empty(), "no answer: {read:?}");
        let end = all.windows(4).position(|at| at == b"\r\n\r\n").expect("no head");
        let head = String::from_utf8(all[..end].to_vec()).unwrap();
        let bytes = all[end + 4..].to_vec();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Self { status, head, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it is about, if it succeeded.
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The status and the code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["status"], self.status);
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }
}

/// Somebody with a token, or nobody.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub(crate) addr: SocketAddr,
    pub(crate) token: Option<String>,
    pub(crate) user: String,
}

impl Http {
    pub(crate) fn nobody(server: &TestServer) -> Self {
        Self { addr: server.server.api_addr().unwrap(), token: None, user: String::new() }
    }

    /// A new user.
    pub(crate) async fn user(server: &TestServer, name: &str) -> Self {
        let nobody = Self::nobody(server);
        let session = nobody.post("/v1/accounts", &credentials(&unique(name))).await.ok();
        let token = session["access_token"].as_str().map(str::to_owned);
        Self { token, user: session["info"]["user"].as_str().unwrap().to_owned(), ..nobody }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body).await
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(method, path, &["content-type: application/json"], &body.to_string()).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        self.ask_bytes(method, path, headers, body.as_bytes()).await
    }

    pub(crate) async fn ask_bytes(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        Answer::read(&mut self.write(method, path, headers, body).await).await
    }

    /// Sends a body of which it is not said how long it is.
    pub(crate) async fn chunked(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut stream = self.head(method, path, &["transfer-encoding: chunked"]).await;
        for chunk in body.chunks(64 << 10) {
            let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
            // A server that has read enough may close before it has read all.
            let _ = timeout(DEADLINE, stream.write_all(&framed)).await.expect("write blocked");
        }
        let _ = stream.write_all(b"0\r\n\r\n").await;
        Answer::read(&mut stream).await
    }

    /// Begins a request whose body has so many bytes, and sends none of them.
    pub(crate) async fn begin(&self, method: &str, path: &str, headers: &[&str], bytes: usize) -> TcpStream {
        let length = format!("content-length: {bytes}");
        self.head(method, path, &[headers, &[&length]].concat()).await
    }

    /// Sends a request.
    pub(crate) async fn write(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> TcpStream {
        let mut stream = self.begin(method, path, headers, body.len()).await;
        // A server that has read enough may close before it has read all.
        let _ = timeout(DEADLINE, stream.write_all(body)).await.expect("write blocked");
        stream
    }

    async fn head(&self, method: &str, path: &str, headers: &[&str]) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        if let Some(token) = &self.token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        head += "\r\n";
        timeout(DEADLINE, stream.write_all(head.as_bytes())).await.expect("write blocked").unwrap();
        stream
    }

    /// Opens the stream of events, and waits until it is open.
    pub(crate) async fn events(&self) -> Events {
        let stream = self.write("GET", "/v1/events", &[], b"").await;
        let mut events = Events { lines: BufReader::new(stream) };
        let open = async { while events.line().await.expect("no stream") != ": open" {} };
        timeout(DEADLINE, open).await.expect("no stream");
        events
    }

    /// Makes two who chat with each other, whom nobody else knows.
    pub(crate) async fn befriend(&self, other: &Self) -> String {
        self.post("/v1/friend-requests", &json!({ "user": other.user })).await.ok();
        let answer = format!("/v1/friend-requests/{}/answer", self.user);
        other.post(&answer, &json!({ "accept": true })).await.ok();
        let direct = self.json("PUT", &format!("/v1/direct-chats/{}", other.user), &json!({})).await.ok();
        direct["conversation"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn group(&self, members: &[&Self]) -> String {
        let members: Vec<_> = members.iter().map(|member| &member.user).collect();
        let group = json!({ "name": "tea", "members": members, "client_msg_id": id() });
        let made = self.post("/v1/groups", &group).await.ok();
        made["conversation"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn say(&self, conversation: &str, text: &str) -> Value {
        self.post(&format!("/v1/conversations/{conversation}/messages"), &message(id(), text)).await.ok()
    }
}

/// Server-sent events, line by line.
pub(crate) struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).await;
        (read.unwrap_or(0) > 0).then(|| line.trim_end().to_owned())
    }

    /// The name and the data of the next event; none at the stream's end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        // For all lines together: a stream says that it lives before any of them is overdue.
        timeout(DEADLINE, self.next_at_last()).await.expect("nothing came")
    }

    async fn next_at_last(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let line = self.line().await?;
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// Waits until a conversation is said to have reached a head.
    pub(crate) async fn reached(&mut self, conversation: &str, head: u64) -> Value {
        loop {
            let (name, data) = self.next().await.expect("the stream ended");
            assert_eq!(name, "head", "{data}");
            let at: u64 = data["head"].as_str().unwrap().parse().unwrap();
            if data["conversation"] == conversation && at >= head {
                return data;
            }
        }
    }
}

/// What names a file.
pub(crate) fn hash_of(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn id() -> ClientIdText {
    ClientIdText(mint())
}

/// A message id as JSON has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientIdText(ClientMsgId);

impl serde::Serialize for ClientIdText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl std::fmt::Display for ClientIdText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn message(id: ClientIdText, text: &str) -> Value {
    json!({ "client_msg_id": id, "body": { "Text": { "text": text } } })
}

pub(crate) fn credentials(name: &str) -> Value {
    json!({ "name": name, "password": "correct horse" })
}
