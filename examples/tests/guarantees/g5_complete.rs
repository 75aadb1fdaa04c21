//! G5: a reader is handed every entry once and in order, whatever the network does, and goes on
//! behind its committed offset after a crash.

use goim_client::{Client, CommitPolicy, Content, ConversationId, Seq};
use rand::RngExt as _;

use crate::backend::Backend;
use crate::fixtures::{answered, in_time, scaled, seeded, send};
use crate::log::{is_log, next, read, whole_log};
use crate::on_both_stores;
use crate::proxy::{Faults, Proxy};
use crate::world::{World, bots, connected};

/// Sends so many texts of all sizes, not all at once.
async fn talk(client: Client, conversation: ConversationId, texts: usize) {
    let mut unanswered = Vec::new();
    for n in 0..texts {
        // One in ten rides along with no notification.
        let size = if n % 10 == 0 { 3_000 } else { 20 };
        unanswered.push(send(&client, conversation, format!("{n} {}", "x".repeat(size))).await);
        if n % 3 == 0 || n + 1 == texts {
            for sending in unanswered.drain(..) {
                answered(sending).await.expect("stored");
            }
        }
    }
}

/// Reads behind a proxy that loses, doubles and reorders, whose connections are cut and moved.
async fn bad_network(backend: &Backend) {
    let mut rng = seeded("reading through a bad network");
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let tokens = bots(&owner, 2).await;
    let members: Vec<_> = tokens.iter().map(|bot| bot.user).collect();
    let group = owner.create_group("group", &members).await.expect("a group");
    let texts = scaled(300);
    let proxy = Proxy::start(&mut rng, nodes[0].place().address, Faults::BAD).await;
    let reader = connected(nodes[0].place().by(proxy.address).bot(&tokens[0], "")).await;
    let mut messages = reader.subscribe(group);
    let talkers = [
        tokio::spawn(talk(owner.clone(), group, texts / 2)),
        tokio::spawn(talk(connected(nodes[1].place().bot(&tokens[1], "")).await, group, texts / 2)),
    ];
    let last = texts as u64 + 1;
    let mut all = Vec::new();
    let mut cuts = 0;
    while (all.len() as u64) < last {
        let before = all.len() as u64;
        all.extend(read(&mut messages, before, (before + rng.random_range(1..40)).min(last)).await);
        match rng.random_range(0..3) {
            0 => proxy.move_on(),
            1 => {
                cuts += 1;
                proxy.cut_over(nodes[cuts % 2].place().address);
            }
            _ => {}
        }
    }
    for talker in talkers {
        talker.await.expect("everything is sent");
    }
    let log = whole_log(backend, group).await;
    is_log(&all, &log);
}

/// A reader that says itself what it has handled, and crashes at random.
async fn crashes(backend: &Backend) {
    let mut rng = seeded("a reader that crashes");
    let world = World::new(backend);
    let mut node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let texts = scaled(100);
    let talker = tokio::spawn(talk(owner.clone(), group, texts));
    let (last, mut committed, mut lives) = (texts as u64 + 1, 0, 0);
    while committed < last {
        let client = connected(node.place().bot(token, "").commit_policy(CommitPolicy::Manual)).await;
        let mut messages = client.subscribe(group);
        let taken = (committed + rng.random_range(1..40)).min(last);
        // The first one is the one behind the committed offset: read checks.
        read(&mut messages, committed, taken).await;
        let handled = rng.random_range(committed..=taken);
        client.commit(group, Seq::new(handled));
        in_time("the commit", client.committed()).await.expect("a client that lives");
        committed = handled;
        drop((messages, client));
        lives += 1;
        if lives % 4 == 0 {
            node = node.restart(&world).await;
        }
    }
    talker.await.expect("everything is sent");
}

/// A reader for whom asking for the next one means that he is done with the last.
async fn crashes_on_next(backend: &Backend) {
    let mut rng = seeded("a reader that commits by going on, and crashes");
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let texts = scaled(60);
    talk(owner.clone(), group, texts).await;
    let last = texts as u64 + 1;
    let (mut began, mut seen) = (1, 0);
    while seen < last {
        let client = connected(node.place().bot(token, "")).await;
        let mut messages = client.subscribe(group);
        let first = next(&mut messages).await.seq().as_u64();
        // The one that he died with at the latest.
        assert!((began..=seen.max(1)).contains(&first), "{first} came, after {began} and up to {seen}");
        began = first;
        let until = (first + rng.random_range(1..20)).min(last);
        read(&mut messages, first, until).await;
        seen = seen.max(until);
        if rng.random_bool(0.5) {
            in_time("the commit", client.committed()).await.expect("a client that lives");
        }
    }
}

/// All of somebody's conversations in one stream, some of which he is let into only meanwhile.
async fn all_conversations(backend: &Backend) {
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let reader = connected(nodes[1].place().bot(token, "")).await;
    // An inbox is read from its head at the first list, which may be any of these moments.
    let inbox = reader.session().expect("a session").inbox;
    let mut messages = reader.messages();
    let mut expected = Vec::new();
    for n in 0..10_u64 {
        let group = owner.create_group("group", &[token.user]).await.expect("a group");
        for text in 0..n {
            answered(owner.send(group, Content::text(text.to_string())).await.expect("kept"))
                .await
                .expect("stored");
        }
        expected.push((group, n + 1));
    }
    let mut seen = std::collections::BTreeMap::new();
    while expected.iter().any(|(group, last)| seen.get(group) != Some(last)) {
        let message = next(&mut messages).await;
        if message.conversation == inbox {
            continue;
        }
        let before = seen.insert(message.conversation, message.seq().as_u64()).unwrap_or(0);
        assert_eq!(message.seq().as_u64(), before + 1, "in {}", message.conversation);
    }
}

/// A subscription that takes the place of another goes on where that one was.
async fn one_after_the_other(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let group = owner.create_group("group", &[]).await.expect("a group");
    talk(owner.clone(), group, 10).await;
    let mut messages = owner.subscribe(group);
    read(&mut messages, 0, 4).await;
    // Made before the other one is dropped.
    messages = owner.subscribe(group);
    // The fourth was taken and not handled.
    read(&mut messages, 3, 11).await;
    talk(owner.clone(), group, 10).await;
    read(&mut messages, 11, 21).await;
    drop(messages);
    let mut messages = owner.subscribe(group);
    talk(owner.clone(), group, 10).await;
    read(&mut messages, 20, 31).await;
}

/// A program that also pulls by itself: what an answer told is not announced any more, and its
/// subscription hears of it all the same.
async fn own_pulls(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let reader = connected(node.place().bot(token, "")).await;
    let mut messages = reader.subscribe(group);
    read(&mut messages, 0, 1).await;
    for round in 0..scaled(20) as u64 {
        let last = 1 + 5 * (round + 1);
        let pull_on = async {
            let mut after = Seq::ZERO;
            while after < Seq::new(last) {
                after = in_time("a pull", reader.pull(group, after, 0)).await.expect("a member").through;
            }
        };
        tokio::join!(talk(owner.clone(), group, 5), pull_on);
        read(&mut messages, last - 5, last).await;
    }
}

/// A device that is up to date and comes back is told of nothing; what it sends then is its own to
/// read all the same.
async fn own_message_first(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let bot = connected(node.place().bot(token, "")).await;
    let mut messages = bot.subscribe(group);
    read(&mut messages, 0, 1).await;
    drop(messages);
    bot.commit(group, Seq::new(1));
    in_time("the commit", bot.committed()).await.expect("a client that lives");
    in_time("the end", bot.close()).await;

    let bot = connected(node.place().bot(token, "")).await;
    let mut messages = bot.messages();
    let sent = answered(bot.send(group, Content::text("here again")).await.expect("kept")).await;
    let message = loop {
        let message = next(&mut messages).await;
        if message.conversation == group {
            break message;
        }
    };
    assert_eq!(message.seq(), sent.expect("stored").seq);
}

/// Who reads one conversation by itself takes nothing from who reads all, and gives it back.
async fn one_beside_all(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let group = owner.create_group("group", &[]).await.expect("a group");
    let mut all = owner.messages();
    let mut one = owner.subscribe(group);
    talk(owner.clone(), group, 10).await;
    read(&mut one, 0, 11).await;
    drop(one);
    talk(owner.clone(), group, 5).await;
    // The eleventh was taken and not handled.
    let mut seqs = Vec::new();
    while seqs.last() != Some(&16) {
        let message = next(&mut all).await;
        if message.conversation == group {
            seqs.push(message.seq().as_u64());
        }
    }
    assert_eq!(seqs, (11..=16).collect::<Vec<_>>());
}

on_both_stores! {
    super::own_message_first as g5_a_device_that_is_up_to_date_reads_its_own_next_message,
    super::one_beside_all as g5_who_reads_one_conversation_and_who_reads_all_share_them,
    super::own_pulls as g5_a_subscription_misses_nothing_of_what_its_program_pulls_itself,
    super::bad_network as g5_a_reader_on_a_bad_network_gets_every_entry_once_in_order,
    super::crashes as g5_a_reader_that_crashes_goes_on_behind_its_committed_offset,
    super::crashes_on_next as g5_a_reader_that_commits_by_going_on_misses_nothing,
    super::all_conversations as g5_conversations_that_appear_meanwhile_are_read_whole,
    super::one_after_the_other as g5_a_subscription_goes_on_where_the_one_before_it_was,
}
