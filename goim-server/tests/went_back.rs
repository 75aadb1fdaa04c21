//! A store that went back while clients read: what one connection is told is of one log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "other frames are of no interest")]

#[path = "conformance/backend.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod backend;
mod support;

use std::fmt::Write as _;

use backend::{Backend, Raw};
use bytes::{Bytes, BytesMut};
use goim_core::{ConversationId, Entry, Epoch, Seq};
use goim_proto::{
    Authenticate, Call, ClientFrame, Content, History, HistoryPage, Pull, Pulled, Reply, ReplyTo, Request,
    ServerFrame, encode_frame,
};
use goim_server::Server;
use support::{Came, RawClient, config, mint};
use tokio::sync::mpsc;

/// Up to here both logs are the same.
const KEPT: u64 = 5;
const HEAD: u64 = 12;

/// Puts a log back, and another end of it in the place of what is gone.
async fn go_back(raw: &Raw, group: ConversationId, sender: &RawClient) {
    raw.take_back(group, Seq::new(KEPT)).await;
    raw.new_epoch().await;
    for seq in KEPT + 1..=HEAD {
        let body = Content::text(format!("after {seq}")).encode();
        let hex = body.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let (sender, id) = (sender.me(), mint());
        raw.execute(&format!(
            "INSERT INTO messages (conversation, seq, sender, client_msg_id, kind, count, at, body) \
             VALUES ({group}, {seq}, {sender}, '{id}', 1, {seq} - 1, 0, '\\x{hex}')"
        ))
        .await;
    }
    raw.execute(&format!("UPDATE conversations SET head = {HEAD}, count = {HEAD} - 1 WHERE id = {group}"))
        .await;
}

fn texts(entries: &[Entry<Bytes>]) -> impl Iterator<Item = String> {
    let text = |entry: &Entry<Bytes>| Content::decode(&entry.body).unwrap().as_text().map(str::to_owned);
    entries.iter().filter_map(text)
}

fn is_of_before(entries: &[Entry<Bytes>]) {
    texts(entries).for_each(|text| assert!(text.starts_with("before"), "{text:?} is of another epoch"));
}

/// Reads the same again and again, by all ways, until the server ends the connection; says what it
/// is answered. Returns the code of the close.
async fn read_on(
    mut client: RawClient,
    epoch: Epoch,
    group: ConversationId,
    answered: mpsc::UnboundedSender<()>,
) -> u64 {
    let calls: [Call; 2] = [
        Call::History(History { conversation: group, ..History::default() }),
        Call::Pull(Pull { conversation: group, after: Seq::FIRST, limit: 0 }),
    ];
    for (id, call) in (1_000..).zip(calls.into_iter().cycle()) {
        let mut frame = BytesMut::new();
        encode_frame(&ClientFrame::Request(Request { id, call }), &mut frame).unwrap();
        // Whether it may still be written is for the server to say.
        let _ = client.send.as_mut().unwrap().write_all(&frame).await;
        loop {
            match client.come().await {
                Came::Closed(code) => return code,
                Came::Frame(ServerFrame::Notification(notification)) => {
                    assert_eq!(notification.epoch, epoch);
                    is_of_before(&notification.entries);
                }
                Came::Frame(ServerFrame::Reply(ReplyTo { reply, .. })) => {
                    match reply {
                        Reply::History(HistoryPage { entries, .. }) => is_of_before(&entries),
                        Reply::Pulled(Pulled { entries, epoch: told, .. }) => {
                            assert_eq!(told, epoch);
                            is_of_before(&entries);
                        }
                        _ => {}
                    }
                    // Nobody may listen any more.
                    let _ = answered.send(());
                    break;
                }
                Came::Frame(_) => {}
            }
        }
    }
    unreachable!("calls without end");
}

/// Heads are never compared here: it is the first connection to the store that finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g6_a_connection_is_told_nothing_of_the_log_that_a_store_went_back_to() {
    let backend = Backend::postgres().await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(config(&dir, |config| {
        config.store = Some(backend.url());
        config.catch_up_interval_ms = Some(0);
    }));
    let server = server.await.unwrap();
    let address = server.quic_addr();
    let (mut alice, before) = RawClient::hello_with(address, None).await;
    let token = alice.register("alice").await.access_token;
    alice.authenticate(&token).await;
    alice.sync().await;
    let group = alice.group(Vec::new()).await;
    for seq in 2..=HEAD - 2 {
        alice.text(group, &format!("before {seq}")).await.unwrap();
    }
    let (answered, mut answers) = mpsc::unbounded_channel();
    let mut readers = tokio::task::JoinSet::new();
    let authenticate = Authenticate { token, instance: String::new() };
    for _ in 0..4 {
        let (mut reader, welcome) = RawClient::hello_with(address, Some(authenticate.clone())).await;
        assert_eq!(welcome.epoch, before.epoch);
        reader.sync().await;
        readers.spawn(read_on(reader, welcome.epoch, group, answered.clone()));
    }
    for _ in 0..40 {
        answers.recv().await.unwrap();
    }
    let (mut late, _) = RawClient::hello_with(address, None).await;
    backend.lost_and_back(async |raw| go_back(raw, group, &alice).await).await;
    while let Some(code) = readers.join_next().await {
        assert_eq!(code.unwrap(), 200, "they are to come again");
    }

    let (mut reader, welcome) = RawClient::hello_with(address, Some(authenticate.clone())).await;
    assert!(welcome.epoch > before.epoch);
    // A connection of before has no session of now.
    late.request(Call::Authenticate(authenticate)).await;
    while let Came::Frame(frame) = late.come().await {
        assert!(matches!(frame, ServerFrame::GoAway(_)), "{frame:?}");
    }
    assert_eq!(late.close_code().await, 200);
    reader.sync().await;
    let pulled = reader.pull(group, KEPT).await.unwrap();
    let after: Vec<_> = (KEPT + 1..=HEAD).map(|seq| format!("after {seq}")).collect();
    assert_eq!((texts(&pulled.entries).collect::<Vec<_>>(), pulled.epoch), (after, welcome.epoch));
    server.shutdown().await;
    backend.finish().await;
}
