//! G2: seqs are 1, 2, 3, … and become readable in that order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goim_client::{Client, ConversationId, Seq};
use goim_core::Entry;

use crate::backend::Backend;
use crate::fixtures::{answered, in_time, scaled, send};
use crate::log::{is_log, read, whole_log};
use crate::on_both_stores;
use crate::world::{World, bots, connected};

/// Reads a log over and over while it grows: what is readable is a beginning of it, whole.
async fn watch(
    client: Client,
    conversation: ConversationId,
    done: Arc<AtomicBool>,
) -> Vec<Entry<bytes::Bytes>> {
    let mut all: Vec<Entry<bytes::Bytes>> = Vec::new();
    loop {
        let was_done = done.load(Ordering::Relaxed);
        let after = Seq::new(all.len() as u64);
        let page = in_time("a pull", client.pull(conversation, after, 0)).await.expect("a member reads");
        for entry in page.entries {
            assert_eq!(entry.seq.as_u64(), all.len() as u64 + 1, "readable before the one before it");
            all.push(entry);
        }
        assert_eq!(page.through.as_u64(), all.len() as u64, "passed over something");
        assert!(page.head >= page.through);
        if was_done && page.through >= page.head {
            return all;
        }
    }
}

/// Clients on two nodes send to the same two conversations at once.
async fn at_once(backend: &Backend) {
    const BOTS: usize = 6;
    let texts = scaled(40);
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let tokens = bots(&owner, BOTS).await;
    let members: Vec<_> = tokens.iter().map(|bot| bot.user).collect();
    let mut groups = Vec::new();
    for _ in 0..2 {
        groups.push(owner.create_group("group", &members).await.expect("a group"));
    }
    let mut clients = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        clients.push(connected(nodes[n % 2].place().bot(token, "")).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let watchers: Vec<_> = [0, 1, 0, 1]
        .iter()
        .zip(&clients)
        .map(|(group, client)| tokio::spawn(watch(client.clone(), groups[*group], Arc::clone(&done))))
        .collect();
    let mut senders = Vec::new();
    for (n, client) in clients.iter().cloned().enumerate() {
        let groups = groups.clone();
        senders.push(tokio::spawn(async move {
            let mut sendings = Vec::new();
            for text in 0..texts {
                sendings.push(send(&client, groups[text % 2], format!("{text} of {n}")).await);
            }
            for sending in sendings {
                assert!(!answered(sending).await.expect("stored").duplicate);
            }
        }));
    }
    for sender in senders {
        sender.await.expect("a client that sent everything");
    }
    // The last heads reach the other node a little later.
    let each = (BOTS * texts / 2 + 1) as u64;
    for client in &clients {
        read(&mut client.subscribe(groups[0]), 0, each).await;
    }
    done.store(true, Ordering::Relaxed);
    for (watcher, group) in watchers.into_iter().zip([0, 1, 0, 1]) {
        let seen = watcher.await.expect("a reader saw no gap");
        let log = whole_log(backend, groups[group]).await;
        assert_eq!(log.len() as u64, each);
        assert_eq!(seen, log[..seen.len()], "what was readable is a beginning of the log");
    }
    let messages = read(&mut clients[5].subscribe(groups[1]), 0, each).await;
    is_log(&messages, &whole_log(backend, groups[1]).await);
}

on_both_stores! {
    super::at_once as g2_clients_on_two_nodes_make_a_log_without_a_gap,
}
