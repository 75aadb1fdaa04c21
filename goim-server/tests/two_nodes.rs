//! Two nodes on one store: each finds what the other committed by comparing heads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::{Call, Member, Members, Reply};
use goim_server::Server;
use support::{RawClient, config, mint};

async fn add(client: &mut RawClient, conversation: ConversationId, user: UserId) -> Seq {
    let members = Members { conversation, users: vec![user], client_msg_id: mint() };
    sent(client.call(Call::AddMembers(members)).await.unwrap())
}

async fn remove(client: &mut RawClient, conversation: ConversationId, user: UserId) -> Seq {
    let member = Member { conversation, user, client_msg_id: mint() };
    sent(client.call(Call::RemoveMember(member)).await.unwrap())
}

fn sent(reply: Reply) -> Seq {
    let Reply::Sent(sent) = reply else { panic!("{reply:?}") };
    sent.seq
}

/// A group of which the second node hears only by comparing heads, so often. A member of it goes,
/// is talked about, and comes back, again and again: nothing of the talk may ride along to him.
async fn come_and_go(catch_up_interval_ms: u64, rounds: usize) {
    let dir = tempfile::tempdir().unwrap();
    let often = |config: &mut goim_server::Config| config.catch_up_interval_ms = Some(catch_up_interval_ms);
    let here = Server::start(config(&dir, often)).await.unwrap();
    let there = Server::start(config(&dir, often)).await.unwrap();
    let mut alice = RawClient::user(here.quic_addr(), "alice").await;
    let mut witness = RawClient::user(there.quic_addr(), "witness").await;
    let mut bob = RawClient::user(there.quic_addr(), "bob").await;
    let user = bob.me();
    let group = alice.group(vec![witness.me(), user]).await;

    let mut not_his: Vec<Seq> = Vec::new();
    for _ in 0..rounds {
        let out = remove(&mut alice, group, user).await;
        bob.announced(group, out).await;
        not_his.push(talk(&mut alice, group).await);
        // The other node has it in memory when he comes back.
        witness.announced(group, *not_his.last().unwrap()).await;
        add(&mut alice, group, user).await;
        remove(&mut alice, group, user).await;
        not_his.push(talk(&mut alice, group).await);
        let back = add(&mut alice, group, user).await;
        bob.announced(group, back).await;
    }
    let leaked: Vec<_> =
        bob.inlined(group).into_iter().filter(|seq| not_his.contains(&Seq::new(*seq))).collect();
    assert!(leaked.is_empty(), "{leaked:?} rode along and are not his to see");
    here.shutdown().await;
    there.shutdown().await;
}

async fn talk(alice: &mut RawClient, group: ConversationId) -> Seq {
    alice.text(group, "behind his back").await.unwrap().seq
}

/// Each time it is a race between what the other node hears of first, the inbox or the group.
#[tokio::test]
async fn g9_who_comes_and_goes_unheard_gets_nothing_from_between() {
    // Twice a round he is let in, which is done 100 times at most.
    come_and_go(3, 45).await;
}

/// The other node hears of the coming, the going and the coming back at once.
#[tokio::test]
async fn g9_who_comes_and_goes_in_one_batch_gets_nothing_from_between() {
    come_and_go(100, 10).await;
}
