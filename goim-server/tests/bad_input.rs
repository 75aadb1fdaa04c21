//! What clients get wrong, by mistake or on purpose: each gets a typed error or is held back, and
//! nobody else suffers.

mod support;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use goim_core::{ClientMsgId, ConversationId, Seq};
use goim_proto::frame::frame_with;
use goim_proto::limits::{FRAME_BYTES_MAX, TEXT_BYTES_MAX};
use goim_proto::{
    Authenticate, Call, ClientFrame, Commit, Content, ErrorCode, Heads, Hello, Position, Pull, Reply, Send,
    ServerFrame, decode, encode,
};
use support::{Came, DEADLINE, RawClient, TestServer, credentials, mint, mint_at, now_ms};
use tokio::time::timeout;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// The connection ends, after a `GoAway`, with this code; another client is served all the same.
async fn ends_with(client: &mut RawClient, code: ErrorCode) {
    let mut told = false;
    loop {
        match client.come().await {
            Came::Frame(ServerFrame::GoAway(_)) => told = true,
            Came::Frame(_) => {}
            Came::Closed(closed) => {
                assert_eq!(ErrorCode::from_code(closed), code);
                assert!(told, "closed without a word");
                return;
            }
        }
    }
}

#[tokio::test]
async fn frames_that_are_none_end_the_connection_and_no_other() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;

    let oversized = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes();
    let cases: [(&str, &[u8], ErrorCode); 5] = [
        ("empty", &[0, 0, 0, 0], ErrorCode::BadFrame),
        ("oversized", &oversized, ErrorCode::TooLarge),
        ("not an array", &[0, 0, 0, 1, 0xc0], ErrorCode::BadFrame),
        ("a truncated array", &[0, 0, 0, 2, 0x92, 0x02], ErrorCode::BadFrame),
        ("an unknown frame", &[0, 0, 0, 3, 0x91, 0xcc, 0xc8], ErrorCode::BadFrame),
    ];
    for (what, bytes, code) in cases {
        let mut client = RawClient::hello(server.addr()).await;
        client.raw(bytes).await;
        println!("{what}");
        ends_with(&mut client, code).await;
    }
    alice.text(group, "nobody noticed").await.unwrap();
}

#[tokio::test]
async fn random_bytes_never_harm_the_server() {
    let server = TestServer::start().await;
    let seed = std::env::var("GOIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    println!("GOIM_SEED={seed}");
    let mut state = seed;
    let mut next = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    for _ in 0..20 {
        let mut client = RawClient::hello(server.addr()).await;
        let noise: Vec<u8> = (0..64).flat_map(|_| next().to_be_bytes()).collect();
        // Once in a long while it is a frame, and what follows that is passed over.
        if decode::<ClientFrame>(&noise).is_ok_and(|frame| !matches!(frame, ClientFrame::Unknown(_))) {
            continue;
        }
        let mut bytes = BytesMut::new();
        frame_with(&mut bytes, |buffer| buffer.extend_from_slice(&noise)).unwrap();
        client.raw(&bytes).await;
        ends_with(&mut client, ErrorCode::BadFrame).await;
    }
    // In datagrams it is as if it had been lost.
    let mut alice = RawClient::user(server.addr(), "alice").await;
    for length in 0..200 {
        let noise: Vec<u8> = (0..length / 8 + 1).flat_map(|_| next().to_be_bytes()).take(length).collect();
        let mut datagram = BytesMut::new();
        if length % 2 == 0 {
            frame_with(&mut datagram, |buffer| buffer.extend_from_slice(&noise)).unwrap();
        } else {
            datagram.extend_from_slice(&noise);
        }
        alice.connection.send_datagram(datagram.freeze()).unwrap();
    }
    let group = alice.group(vec![]).await;
    alice.text(group, "nothing happened").await.unwrap();
}

#[tokio::test]
async fn a_frame_that_is_cut_off_does_nothing() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;
    let send = Send {
        conversation: group,
        client_msg_id: mint(),
        body: Content::text("cut off").encode(),
        ..Send::default()
    };
    let mut frame = BytesMut::new();
    encode_request(&mut frame, 1_000, Call::Send(send));
    for end in [1, 3, 4, 5, frame.len() / 2, frame.len() - 1] {
        let mut bob = RawClient::user(server.addr(), &format!("bob-{end}")).await;
        bob.raw(&frame[..end]).await;
        bob.send.take().unwrap().finish().unwrap();
        assert!(matches!(bob.come().await, Came::Closed(_)), "cut off at {end}");
    }
    alice.raw(&frame[..frame.len() - 1]).await;
    alice.connection.close(0_u32.into(), b"");
    let mut carol = RawClient::user(server.addr(), "carol").await;
    let other = carol.group(vec![]).await;
    carol.text(other, "nobody noticed").await.unwrap();
}

#[tokio::test]
async fn frames_out_of_order_end_the_connection() {
    let server = TestServer::start().await;
    let mut early = RawClient::connect(server.addr()).await;
    early.request(Call::Ping).await;
    ends_with(&mut early, ErrorCode::BadFrame).await;

    let mut twice = RawClient::hello(server.addr()).await;
    twice.write(&ClientFrame::Hello(Hello { version: 1, ..Hello::default() })).await;
    ends_with(&mut twice, ErrorCode::BadFrame).await;

    let mut future = RawClient::connect(server.addr()).await;
    future.write(&ClientFrame::Hello(Hello { version: 2, ..Hello::default() })).await;
    let ServerFrame::Welcome(welcome) = future.frame().await else { panic!("no Welcome") };
    assert_eq!(welcome.refused.unwrap().code, ErrorCode::VersionMismatch);
    ends_with(&mut future, ErrorCode::VersionMismatch).await;
}

#[tokio::test]
async fn an_unknown_call_is_answered_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    let mut client = RawClient::hello(server.addr()).await;
    let unknown = client.call(Call::Unknown(4_711)).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::UnknownCall);
    assert_eq!(client.call(Call::Ping).await.unwrap(), Reply::Done);
}

#[tokio::test]
async fn without_a_session_there_is_nothing_but_accounts() {
    let server = TestServer::start().await;
    let mut client = RawClient::hello(server.addr()).await;
    let body = Content::text("x").encode();
    let refused = client.send_body(ConversationId::new(1), mint(), body).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unauthenticated);
    assert_eq!(client.pull(ConversationId::new(1), 0).await.unwrap_err().code, ErrorCode::Unauthenticated);
    for token in ["", "goim_a_00", "goim_b_00", "Bearer x"] {
        let call = Call::Authenticate(Authenticate { token: token.into(), instance: String::new() });
        assert_eq!(client.call(call).await.unwrap_err().code, ErrorCode::BadToken, "{token:?}");
    }
    let wrong = Authenticate { token: "goim_b_00".into(), instance: String::new() };
    let (mut client, welcome) = RawClient::hello_with(server.addr(), Some(wrong)).await;
    assert_eq!(welcome.refused.unwrap().code, ErrorCode::BadToken);
    client.register("alice").await;
    let again = client.call(Call::Register(support::credentials("alice"))).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::NameTaken);
    let mut mallory = support::credentials("alice");
    mallory.password = "battery staple".into();
    assert_eq!(client.call(Call::Login(mallory)).await.unwrap_err().code, ErrorCode::BadCredentials);
}

#[tokio::test]
async fn g9_who_is_no_member_neither_reads_nor_writes() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut eve = RawClient::user(server.addr(), "eve").await;
    let group = alice.group(vec![]).await;
    alice.text(group, "secret").await.unwrap();
    assert_eq!(eve.text(group, "let me in").await.unwrap_err().code, ErrorCode::NotMember);
    assert_eq!(eve.pull(group, 0).await.unwrap_err().code, ErrorCode::NotMember);
    let place = Position { conversation: group, seq: Seq::FIRST };
    assert_eq!(eve.call(Call::MarkRead(place.clone())).await.unwrap_err().code, ErrorCode::NotMember);
    let offsets = vec![place];
    let Reply::Committed(committed) =
        eve.call(Call::Commit(Commit { offsets, ..Commit::default() })).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(committed.refused[0].code, ErrorCode::NotMember);
    let inbox = alice.session.as_ref().unwrap().inbox;
    assert!(eve.text(inbox, "spoof").await.is_err());
    assert!(eve.pull(inbox, 0).await.is_err());
    assert_eq!(alice.texts(group, 0).await, ["secret"]);
}

#[tokio::test]
async fn g6_an_offset_beyond_the_head_is_refused_alone() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;
    let sent = alice.text(group, "two").await.unwrap();
    // In one call, and so in one statement: the highest must not stand for all of them.
    let at = |seq| Position { conversation: group, seq };
    let offsets = vec![at(Seq::FIRST), at(Seq::new(99)), at(sent.seq), at(Seq::FIRST)];
    let Reply::Committed(committed) =
        alice.call(Call::Commit(Commit { offsets, ..Commit::default() })).await.unwrap()
    else {
        panic!()
    };
    let refused: Vec<_> = committed.refused.iter().map(|refused| refused.code).collect();
    assert_eq!(refused, [ErrorCode::OffsetBeyondHead]);
    let heads = Call::Heads(Heads { conversations: vec![group] });
    let Reply::Heads(heads) = alice.call(heads).await.unwrap() else { panic!() };
    assert_eq!(heads.items[0].offset, sent.seq);
}

#[tokio::test]
async fn g6_a_read_marker_is_announced_where_it_stands() {
    let server = TestServer::start().await;
    let mut alice = RawClient::hello(server.addr()).await;
    let session = alice.register("alice").await;
    alice.authenticate(&session.access_token).await;
    alice.sync().await;
    let mut second = RawClient::hello(server.addr()).await;
    second.authenticate(&session.access_token).await;
    second.sync().await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let group = bob.group(vec![alice.me()]).await;
    let sent = bob.text(group, "two").await.unwrap();
    for seq in [Seq::new(1_000), Seq::FIRST] {
        let mark = Call::MarkRead(Position { conversation: group, seq });
        assert_eq!(alice.call(mark).await.unwrap(), Reply::Done);
    }
    // What comes after it is told after it.
    let last = bob.text(group, "three").await.unwrap();
    let told = second.announced(group, last.seq).await;
    assert!(told.iter().all(|notification| notification.read_marker <= sent.seq), "{told:?}");
    assert_eq!(told.last().unwrap().read_marker, sent.seq);
}

#[tokio::test]
async fn what_one_device_sends_others_of_its_user_hear_to_be_read() {
    let server = TestServer::start().await;
    let mut alice = RawClient::hello(server.addr()).await;
    let session = alice.register("alice").await;
    alice.authenticate(&session.access_token).await;
    alice.sync().await;
    let mut other = RawClient::hello(server.addr()).await;
    let login = Call::Login(credentials("alice"));
    let Reply::Session(session) = other.call(login).await.unwrap() else { panic!() };
    other.authenticate(&session.access_token).await;
    other.sync().await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let group = alice.group(vec![bob.me()]).await;
    let sent = alice.text(group, "mine").await.unwrap();
    other.notified(|n| n.conversation == group && n.read_marker == sent.seq).await;
    let last = bob.text(group, "his").await.unwrap();
    let told = alice.announced(group, last.seq).await;
    assert!(told.iter().all(|n| n.read_marker == Seq::ZERO), "what sent it knows: {told:?}");
}

#[tokio::test]
async fn g3_a_reused_id_gets_the_first_seq_whatever_its_content() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;
    let id = mint();
    let first = alice.send_body(group, id, Content::text("first").encode()).await.unwrap();
    let second = alice.send_body(group, id, Content::text("second").encode()).await.unwrap();
    assert_eq!((second.seq, second.duplicate), (first.seq, true));
    assert_eq!(alice.texts(group, 0).await, ["first"]);
}

#[tokio::test]
async fn g3_ids_from_afar_are_refused() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;
    let body = || Content::text("x").encode();
    let ids = [
        (mint_at(now_ms() - 31 * DAY_MS), ErrorCode::IdTooOld),
        (mint_at(now_ms() + DAY_MS), ErrorCode::IdTooNew),
        (ClientMsgId::from_uuid(uuid::Uuid::from_u128(7)), ErrorCode::BadId),
    ];
    for (id, code) in ids {
        assert_eq!(alice.send_body(group, id, body()).await.unwrap_err().code, code);
    }
    assert_eq!(alice.texts(group, 0).await, [""; 0]);
}

#[tokio::test]
async fn contents_that_cannot_be_are_refused() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;
    let mut not_utf8 = BytesMut::from(&Content::text("xy").encode()[..]);
    let end = not_utf8.len();
    // The last byte says that nothing is referred to, and the one before is the text's last.
    not_utf8[end - 2] = 0xff;
    let bodies = [
        (Content::text("").encode(), ErrorCode::EmptyText),
        (Content::text("x".repeat(TEXT_BYTES_MAX + 1)).encode(), ErrorCode::TextTooLong),
        (not_utf8.freeze(), ErrorCode::NotUtf8),
        (Bytes::from_static(b"\xc1"), ErrorCode::BadContent),
        (Content::MemberLeft.encode(), ErrorCode::BadContent),
    ];
    for (body, code) in bodies {
        assert_eq!(alice.send_body(group, mint(), body).await.unwrap_err().code, code);
    }
    let longest = "x".repeat(TEXT_BYTES_MAX);
    alice.text(group, &longest).await.unwrap();
    alice.text(group, "a\0b").await.unwrap();
    assert_eq!(alice.texts(group, 0).await, [longest.as_str(), "a\0b"]);
}

#[tokio::test]
async fn g7_ten_thousand_sends_without_a_look_at_the_answers_are_held_back_not_lost() {
    const SENDS: usize = 10_000;
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let group = alice.group(vec![]).await;
    let other = bob.group(vec![]).await;
    let mut frames = BytesMut::new();
    for n in 0..SENDS {
        let body = Content::text(format!("{n}")).encode();
        let send = Send { conversation: group, client_msg_id: mint(), body, ..Send::default() };
        encode_request(&mut frames, 1_000 + n as u64, Call::Send(send));
    }
    // Nothing is read here until all is written: what does not fit the windows waits, and the
    // server goes on with what it has.
    let written = timeout(DEADLINE, alice.send.as_mut().unwrap().write_all(&frames)).await;
    timeout(DEADLINE, bob.text(other, "still quick")).await.unwrap().unwrap();
    written.unwrap().unwrap();
    for n in 0..SENDS {
        let reply = alice.reply(1_000 + n as u64).await.unwrap();
        let Reply::Sent(sent) = reply else { panic!("{reply:?}") };
        // In order of the sends, after the group's first entry.
        assert_eq!(sent.seq.as_u64(), n as u64 + 2);
    }
}

#[allow(clippy::unwrap_used, reason = "it fits")]
fn encode_request(frames: &mut BytesMut, id: u64, call: Call) {
    let request = ClientFrame::Request(goim_proto::Request { id, call });
    frame_with(frames, |buffer| encode(&request, buffer)).unwrap();
}

#[tokio::test]
async fn a_client_that_never_acknowledges_is_told_on_the_stream_in_the_end() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    bob.acks = false;
    let group = alice.group(vec![bob.me()]).await;
    let sent = alice.text(group, "hello?").await.unwrap();
    bob.announced(group, sent.seq).await;
    // Told again and again, until it is the stream that tells.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let told = |client: &RawClient| client.notifications.iter().filter(|n| n.conversation == group).count();
    while told(&bob) < 4 && tokio::time::Instant::now() < deadline {
        let _ = timeout(Duration::from_secs(1), bob.come()).await.map(|came| {
            if let Came::Frame(ServerFrame::Notification(notification)) = came {
                bob.notifications.push(notification);
            }
        });
    }
    assert!(told(&bob) >= 4, "told {} times", told(&bob));
    alice.text(group, "never mind").await.unwrap();
}

#[tokio::test]
async fn g7_who_reads_no_answers_holds_up_nobody_else() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let bob = RawClient::user(server.addr(), "bob").await;
    let group = alice.group(vec![bob.me()]).await;
    let text = "x".repeat(60_000);
    for _ in 0..20 {
        alice.text(group, &text).await.unwrap();
    }
    let mut bob = bob;
    let mut frames = BytesMut::new();
    for n in 0..2_000 {
        let pull = Pull { conversation: group, after: Seq::ZERO, limit: 0 };
        encode_request(&mut frames, 1_000 + n, Call::Pull(pull));
    }
    // Asks for gigabytes and reads none of it.
    bob.raw(&frames).await;
    for n in 0..50 {
        timeout(Duration::from_secs(5), alice.text(group, &format!("{n}"))).await.unwrap().unwrap();
    }
    drop(bob);
}
