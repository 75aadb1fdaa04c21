//! Two nodes on one store: each finds what the other committed by comparing heads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::{Call, Member, Members, Reply};
use goim_server::Server;
use support::{RawClient, config, mint};

/// How often somebody comes and goes: each time it is a race between what the other node hears of
/// first, his inbox or the group.
const ROUNDS: usize = 60;

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

#[tokio::test]
async fn g9_nothing_that_was_said_while_he_was_out_rides_along_when_he_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let fast = |config: &mut goim_server::Config| config.catch_up_interval_ms = Some(3);
    let here = Server::start(config(&dir, fast)).await.unwrap();
    let there = Server::start(config(&dir, fast)).await.unwrap();
    let mut alice = RawClient::user(here.quic_addr(), "alice").await;
    let mut witness = RawClient::user(there.quic_addr(), "witness").await;
    let mut bob = RawClient::user(there.quic_addr(), "bob").await;
    let bob_s = bob.me();
    let group = alice.group(vec![witness.me(), bob_s]).await;

    let mut not_his: Vec<Seq> = Vec::new();
    for round in 0..ROUNDS {
        let out = remove(&mut alice, group, bob_s).await;
        bob.announced(group, out).await;
        for _ in 0..3 {
            not_his.push(alice.text(group, "behind his back").await.unwrap().seq);
        }
        // The other node has them in memory when he comes back.
        witness.announced(group, *not_his.last().unwrap()).await;
        let back = add(&mut alice, group, bob_s).await;
        if round % 2 == 0 {
            let last = remove(&mut alice, group, bob_s).await;
            bob.announced(group, last).await;
            let again = add(&mut alice, group, bob_s).await;
            bob.announced(group, again).await;
        } else {
            bob.announced(group, back).await;
        }
    }
    let leaked: Vec<_> =
        bob.inlined(group).into_iter().filter(|seq| not_his.contains(&Seq::new(*seq))).collect();
    assert!(leaked.is_empty(), "{leaked:?} rode along and are not his to see");
    here.shutdown().await;
    there.shutdown().await;
}
