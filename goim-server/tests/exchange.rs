//! Messages from one client to another, through everything.

mod support;

use goim_core::Seq;
use goim_proto::{
    Call, Commit, ConversationArgument, Member, Members, Position, ProfileUpdate, Reply, UserList,
};
use support::{RawClient, TestServer, mint};

#[tokio::test]
async fn a_message_reaches_every_member_and_rides_along_with_its_notification() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let group = alice.group(vec![bob.me()]).await;
    bob.announced(group, Seq::FIRST).await;

    let sent = alice.text(group, "hello").await.unwrap();
    assert_eq!((sent.seq, sent.count, sent.duplicate), (Seq::new(2), 1, false));
    bob.announced(group, sent.seq).await;
    assert_eq!(bob.inlined(group), [1, 2]);
    assert_eq!(bob.texts(group, 0).await, ["hello"]);

    let answer = bob.text(group, "hi").await.unwrap();
    alice.announced(group, answer.seq).await;
    assert_eq!(alice.texts(group, 1).await, ["hello", "hi"]);
}

#[tokio::test]
async fn a_direct_chat_is_opened_once_whoever_opens_it() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let (a, b) = (alice.me(), bob.me());
    assert_eq!(alice.direct(b).await.unwrap_err().code, goim_proto::ErrorCode::Forbidden);
    alice.befriend(&mut bob).await;
    let (one, two) = tokio::join!(alice.direct(b), bob.direct(a));
    assert_eq!(one.clone().unwrap(), two.unwrap());
    let chat = one.unwrap();
    let sent = alice.text(chat, "psst").await.unwrap();
    bob.announced(chat, sent.seq).await;
    assert_eq!(bob.texts(chat, 0).await, ["psst"]);
}

#[tokio::test]
async fn g9_a_removed_member_reads_up_to_his_removal_and_writes_no_more() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let group = alice.group(vec![bob.me()]).await;
    alice.text(group, "before").await.unwrap();
    let removal = Member { conversation: group, user: bob.me(), client_msg_id: mint() };
    let Reply::Sent(removed) = alice.call(Call::RemoveMember(removal)).await.unwrap() else { panic!() };
    alice.text(group, "behind his back").await.unwrap();
    bob.announced(group, removed.seq).await;
    assert_eq!(bob.texts(group, 0).await, ["before"]);
    let refused = bob.text(group, "still here").await.unwrap_err();
    assert_eq!(refused.code, goim_proto::ErrorCode::NotMember);

    // Let in again, he does not learn what was said in between.
    let addition = Members { conversation: group, users: vec![bob.me()], client_msg_id: mint() };
    let Reply::Sent(added) = alice.call(Call::AddMembers(addition)).await.unwrap() else { panic!() };
    let last = alice.text(group, "welcome back").await.unwrap();
    bob.announced(group, last.seq).await;
    assert_eq!(bob.texts(group, 0).await, ["before", "welcome back"]);
    assert!(!bob.inlined(group).contains(&(added.seq.as_u64() - 1)));
    let leave = Call::Leave(ConversationArgument { conversation: group });
    assert!(matches!(bob.call(leave).await.unwrap(), Reply::Sent(_)));
}

#[tokio::test]
async fn g5_a_device_that_comes_back_is_told_what_it_missed() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::hello(server.addr()).await;
    let session = bob.register("bob").await;
    bob.authenticate(&session.access_token).await;
    bob.sync().await;
    let group = alice.group(vec![bob.me()]).await;
    let first = alice.text(group, "one").await.unwrap();
    bob.announced(group, first.seq).await;
    let offsets = vec![Position { conversation: group, seq: first.seq }];
    let committed = bob.call(Call::Commit(Commit { offsets, ..Commit::default() })).await.unwrap();
    assert!(matches!(committed, Reply::Committed(committed) if committed.refused.is_empty()));
    drop(bob);

    let second = alice.text(group, "two").await.unwrap();
    let mut bob = RawClient::hello(server.addr()).await;
    bob.authenticate(&session.access_token).await;
    let synced = bob.sync().await;
    let item = synced.items.iter().find(|item| item.conversation == group).unwrap();
    assert_eq!((item.offset, item.head), (first.seq, second.seq));
    assert_eq!(bob.texts(group, item.offset.as_u64()).await, ["two"]);
    let third = alice.text(group, "three").await.unwrap();
    bob.announced(group, third.seq).await;
}

#[tokio::test]
async fn g1_acknowledged_messages_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = goim_server::Server::start(support::config(&dir, |_| {})).await.unwrap();
    let fingerprint = server.fingerprint();
    let mut alice = RawClient::hello(server.quic_addr()).await;
    let session = alice.register("alice").await;
    alice.authenticate(&session.access_token).await;
    alice.sync().await;
    let group = alice.group(vec![]).await;
    alice.text(group, "still there?").await.unwrap();
    server.shutdown().await;

    let server = goim_server::Server::start(support::config(&dir, |_| {})).await.unwrap();
    assert_eq!(server.fingerprint(), fingerprint);
    let mut alice = RawClient::hello(server.quic_addr()).await;
    alice.authenticate(&session.access_token).await;
    alice.sync().await;
    assert_eq!(alice.texts(group, 0).await, ["still there?"]);
}

/// Whoever pulls from beyond the head has not been sent what will be there.
#[tokio::test]
async fn g5_a_pull_beyond_the_head_silences_nothing() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let group = alice.group(vec![bob.me()]).await;
    bob.announced(group, Seq::FIRST).await;
    assert!(bob.pull(group, 1_000_000).await.unwrap().entries.is_empty());
    let sent = alice.text(group, "still there?").await.unwrap();
    bob.announced(group, sent.seq).await;
}

/// An ack never waits behind a page of profiles either.
#[tokio::test]
async fn a_large_answer_to_any_call_comes_beside_the_control_stream() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut users = Vec::new();
    for n in 0..20 {
        let mut bot = alice.bot(server.addr(), &format!("bot {n}")).await;
        let update = ProfileUpdate { bio: Some("x".repeat(512)), ..ProfileUpdate::default() };
        bot.call(Call::UpdateProfile(update)).await.unwrap();
        users.push(bot.me());
    }
    let profiles = Call::Profiles(UserList { users: users.clone() });
    let Reply::Profiles(few) = alice.call(profiles).await.unwrap() else { panic!() };
    assert_eq!((few.profiles.len(), alice.large_replies), (20, 1));
    let profiles = Call::Profiles(UserList { users: users[..1].to_vec() });
    assert!(alice.call(profiles).await.is_ok());
    assert_eq!(alice.large_replies, 1, "a small one does not");
}
