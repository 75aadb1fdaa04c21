//! What one client makes a server hold is counted in bytes and has a cap (G7), seen by a client that
//! misbehaves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use goim_proto::frame::frame_with;
use goim_proto::{Call, ClientFrame, Content, Request, Send, encode};
use support::http::gauge;
use support::{DEADLINE, RawClient, TestServer, mint};
use tokio::time::{sleep, timeout};

/// What may wait to be written to one client, and the answer that went beyond it.
const ANSWER_BYTES_MAX: u64 = (256 << 10) + 1_024;
/// What may wait to be committed of one client, and the send that went beyond it.
const SEND_BYTES_MAX: u64 = (256 << 10) + 1_024;
/// More than all windows between a client and a server together.
const FLOOD_BYTES: usize = 64 << 20;

fn encoded(id: u64, call: Call) -> BytesMut {
    let mut frame = BytesMut::new();
    let request = ClientFrame::Request(Request { id, call });
    frame_with(&mut frame, |buffer| encode(&request, buffer)).unwrap();
    frame
}

/// Writes the same over and over for as long as it is taken; how much was.
fn flood(client: &mut RawClient, frame: &[u8]) -> (Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let written = Arc::new(AtomicUsize::new(0));
    // Whole frames, about 64 KiB of them at once.
    let chunk = frame.repeat((64 << 10) / frame.len());
    let mut stream = client.send.take().unwrap();
    let count = Arc::clone(&written);
    let task = tokio::spawn(async move {
        while count.load(Ordering::Relaxed) < FLOOD_BYTES && stream.write_all(&chunk).await.is_ok() {
            count.fetch_add(chunk.len(), Ordering::Relaxed);
        }
    });
    (written, task)
}

/// Waits until nothing more is taken: the server has stopped to read.
async fn held_back(written: &AtomicUsize) -> usize {
    timeout(DEADLINE, async {
        let (mut before, mut still) = (0, 0);
        loop {
            sleep(Duration::from_millis(50)).await;
            let now = written.load(Ordering::Relaxed);
            still = if now == before && now > 0 { still + 1 } else { 0 };
            if still == 10 {
                return now;
            }
            before = now;
        }
    })
    .await
    .expect("the server reads on and on")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_who_reads_no_answers_is_held_back_and_nobody_else() {
    let server = TestServer::with(|config| config.http_listen = Some(([127, 0, 0, 1], 0).into())).await;
    let http = server.server.http_addr().unwrap();
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let group = bob.group(vec![]).await;
    let (written, task) = flood(&mut alice, &encoded(9, Call::Ping));
    let before = held_back(&written).await;
    assert!(before < FLOOD_BYTES / 8, "{before} bytes were taken");
    let waiting = gauge(http, "answer_bytes_held").await;
    assert!((1..=ANSWER_BYTES_MAX).contains(&waiting), "{waiting} bytes of answers wait");
    timeout(Duration::from_secs(5), bob.text(group, "still quick")).await.unwrap().unwrap();
    // She is not cut off: as soon as she reads, she is read on.
    timeout(DEADLINE, async {
        while written.load(Ordering::Relaxed) == before {
            alice.come().await;
        }
    })
    .await
    .unwrap();
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_sends_that_wait_for_the_store_are_bounded_by_their_bytes() {
    let server = TestServer::with(|config| config.http_listen = Some(([127, 0, 0, 1], 0).into())).await;
    let http = server.server.http_addr().unwrap();
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;
    let body = Content::text("x".repeat(8_000)).encode();
    let mut frames = Vec::new();
    for n in 0..1_000 {
        let send = Send { conversation: group, client_msg_id: mint(), body: body.clone(), ..Send::default() };
        frames.push(encoded(100 + n, Call::Send(send)));
    }
    let mut stream = alice.send.take().unwrap();
    let writes = tokio::spawn(async move {
        for frame in frames {
            stream.write_all(&frame).await.unwrap();
        }
        stream
    });
    let mut highest = 0;
    let mut answered = 0;
    while answered < 1_000 {
        highest = highest.max(gauge(http, "send_bytes_held").await);
        // A few at a time, so that it is looked at often.
        for _ in 0..20 {
            alice.reply(100 + answered).await.unwrap();
            answered += 1;
        }
    }
    writes.await.unwrap();
    assert!(highest > 0, "it was never looked at in time");
    // The one that went beyond.
    assert!(highest <= SEND_BYTES_MAX + 8_500, "{highest} bytes waited");
}
