//! G4: what one device sends to one conversation stands there in the order of the calls.

use std::collections::VecDeque;
use std::sync::Arc;

use goim_client::{Client, Content, ConversationId, ErrorCode, MemoryStore, SendError, Sending, UserId};
use rand::RngExt as _;

use crate::backend::Backend;
use crate::fixtures::{answered, mint_at, now_ms, scaled, seeded, send, until};
use crate::log::{text_of, whole_log};
use crate::on_both_stores;
use crate::proxy::{Faults, Proxy};
use crate::world::{World, bots, connected};

/// The texts of one sender, in the order of the log.
async fn texts_of(backend: &Backend, conversation: ConversationId, sender: UserId) -> Vec<String> {
    let log = whole_log(backend, conversation).await;
    log.iter().filter(|entry| entry.sender == sender).filter_map(|entry| text_of(&entry.body)).collect()
}

async fn send_numbers(
    client: &Client,
    conversation: ConversationId,
    numbers: std::ops::Range<usize>,
) -> Vec<Sending> {
    let mut sendings = Vec::new();
    for n in numbers {
        sendings.push(send(client, conversation, n.to_string()).await);
    }
    sendings
}

fn numbers(until: usize) -> Vec<String> {
    (0..until).map(|n| n.to_string()).collect()
}

/// The answers come with seqs that grow; returns the last.
async fn are_in_order(mut last: u64, sendings: impl IntoIterator<Item = Sending>) -> u64 {
    for sending in sendings {
        let seq = answered(sending).await.expect("stored").seq.as_u64();
        assert!(last < seq, "{seq} was given behind {last}");
        last = seq;
    }
    last
}

/// Through a network that loses, doubles and reorders, and from node to node in the middle.
async fn bad_network(backend: &Backend) {
    let mut rng = seeded("sends through a bad network");
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let tokens = bots(&owner, 2).await;
    let members: Vec<_> = tokens.iter().map(|bot| bot.user).collect();
    let group = owner.create_group("group", &members).await.expect("a group");
    let proxy = Proxy::start(&mut rng, nodes[0].place().address, Faults::BAD).await;
    let client = connected(nodes[0].place().by(proxy.address).bot(&tokens[0], "")).await;
    // Somebody else's entries come in between, so that lanes on both nodes are out of date.
    let rival = connected(nodes[1].place().bot(&tokens[1], "")).await;
    let total = scaled(300);
    let mut unanswered = VecDeque::new();
    let (mut next, mut last, mut cuts) = (0, 0, 0);
    while next < total {
        let more = rng.random_range(1..40).min(total - next);
        unanswered.extend(send_numbers(&client, group, next..next + more).await);
        drop(send(&rival, group, "rival").await);
        next += more;
        if rng.random_bool(0.7) {
            // Cut when some of them are answered and others are on their way.
            let some = rng.random_range(0..unanswered.len());
            last = are_in_order(last, unanswered.drain(..some)).await;
            cuts += 1;
            proxy.cut_over(nodes[cuts % 2].place().address);
        } else {
            proxy.move_on();
        }
    }
    are_in_order(last, unanswered).await;
    assert!(cuts > 0, "nothing was cut, so nothing was tested");
    assert_eq!(texts_of(backend, group, tokens[0].user).await, numbers(total));
}

/// Through a server that stops without a word and comes back, over and over.
async fn restarts(backend: &Backend) {
    let mut rng = seeded("sends through restarts");
    let world = World::new(backend);
    let mut node = world.node().await;
    let owner = node.place().person("owner").await;
    let group = owner.create_group("group", &[]).await.expect("a group");
    let mut sendings = Vec::new();
    for _ in 0..scaled(4) {
        let next = sendings.len();
        sendings.extend(send_numbers(&owner, group, next..next + rng.random_range(20..100)).await);
        // Stopped when some of them are stored, and more are on their way.
        let enough = next + rng.random_range(0..10);
        until("sends that are stored", async || {
            texts_of(backend, group, owner.session().expect("a session").user).await.len() > enough
        })
        .await;
        node = node.restart(&world).await;
    }
    let total = sendings.len();
    are_in_order(0, sendings).await;
    assert_eq!(texts_of(backend, group, owner.session().expect("a session").user).await, numbers(total));
}

/// Some are refused for now, and those behind them might be taken: they wait.
async fn not_now(backend: &Backend) {
    let world = World::new(backend);
    // A token comes every ten milliseconds, for whichever message is there just then.
    let node = world.node_with(|config| config.limits.sends_per_s = 100).await;
    let owner = node.place().person("owner").await;
    let me = owner.session().expect("a session").user;
    let group = owner.create_group("group", &[]).await.expect("a group");
    let total = 200 + scaled(100);
    are_in_order(0, send_numbers(&owner, group, 0..total).await).await;
    assert_eq!(texts_of(backend, group, me).await, numbers(total));
}

/// One that is refused for good fails alone: those before and behind it stand in order.
async fn refused_alone(backend: &Backend) {
    const MONTH_MS: u64 = 31 * 24 * 3_600 * 1_000;
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let me = owner.session().expect("a session").user;
    let group = owner.create_group("group", &[]).await.expect("a group");
    let mut sendings = Vec::new();
    for n in 0..60_u64 {
        if n % 7 == 3 {
            let id = mint_at(now_ms() - MONTH_MS);
            let refused = owner.send_as(group, id, Content::text("too late")).await.expect("a good text");
            sendings.push((true, refused));
        } else {
            sendings.push((false, send(&owner, group, n.to_string()).await));
        }
    }
    let mut last = 0;
    for (refused, sending) in sendings {
        match answered(sending).await {
            Ok(sent) if !refused => {
                assert!(last < sent.seq.as_u64());
                last = sent.seq.as_u64();
            }
            Err(SendError::Refused(error)) if refused => assert_eq!(error.code, ErrorCode::IdTooOld),
            other => panic!("refused: {refused}, yet {other:?}"),
        }
    }
    let expected: Vec<_> = (0..60_u64).filter(|n| n % 7 != 3).map(|n| n.to_string()).collect();
    assert_eq!(texts_of(backend, group, me).await, expected);
}

/// A program that dies with a full outbox: the next one sends it, in order, before its own.
async fn next_program(backend: &Backend) {
    let mut rng = seeded("an outbox that outlives its program");
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let proxy = Proxy::start(&mut rng, node.place().address, Faults::NONE).await;
    let store = Arc::new(MemoryStore::default());
    let program = async || {
        let builder = node.place().by(proxy.address).bot(token, "");
        connected(builder.local_store(Arc::<MemoryStore>::clone(&store))).await
    };
    let first = program().await;
    let sendings = send_numbers(&first, group, 0..50).await;
    drop(sendings);
    until("the first of them", async || !texts_of(backend, group, token.user).await.is_empty()).await;
    proxy.set(Faults::DARK);
    drop(send_numbers(&first, group, 50..100).await);
    drop(first);
    proxy.set(Faults::NONE);
    let second = program().await;
    are_in_order(0, send_numbers(&second, group, 100..150).await).await;
    assert_eq!(texts_of(backend, group, token.user).await, numbers(150));
}

on_both_stores! {
    super::bad_network as g4_sends_keep_their_order_through_a_bad_network_and_a_change_of_node,
    super::restarts as g4_sends_keep_their_order_through_restarts,
    super::not_now as g4_what_is_refused_for_now_is_not_overtaken,
    super::refused_alone as g4_a_message_refused_for_good_fails_alone,
    super::next_program as g4_an_outbox_keeps_its_order_in_the_next_program,
}
