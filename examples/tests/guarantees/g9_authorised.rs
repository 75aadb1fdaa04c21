//! G9: every entry was allowed by the state before it, and nobody is given one outside his ranges.

use futures_util::{FutureExt as _, StreamExt as _};
use goim_client::{CallError, Client, ConversationId, ErrorCode, SendError, Sending, Seq, UserId};
use rand::RngExt as _;

use crate::backend::Backend;
use crate::fixtures::{answered, in_time, say, scaled, seeded, send};
use crate::log::{next, read, text_of, whole_log};
use crate::on_both_stores;
use crate::world::{World, bots, connected};

fn code<T: std::fmt::Debug>(result: Result<T, CallError>) -> ErrorCode {
    result.expect_err("refused").code().expect("refused by the server")
}

async fn send_refused(client: &Client, conversation: ConversationId) -> ErrorCode {
    match answered(send(client, conversation, "let me in").await).await {
        Err(SendError::Refused(error)) => error.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// Whatever somebody who is no member asks for, he gets nothing and changes nothing.
async fn gets_nothing(eve: &Client, conversation: ConversationId, others: &[UserId]) {
    let refused = [ErrorCode::NotMember, ErrorCode::NotFound, ErrorCode::Forbidden];
    assert!(refused.contains(&send_refused(eve, conversation).await));
    assert!(refused.contains(&code(eve.pull(conversation, Seq::ZERO, 0).await)));
    assert!(refused.contains(&code(eve.history(conversation, None, 0).await)));
    assert!(refused.contains(&code(eve.members(conversation, UserId::default(), 0).await)));
    assert!(refused.contains(&code(eve.rename(conversation, "mine").await)));
    assert!(refused.contains(&code(eve.leave(conversation).await)));
    let me = eve.session().expect("a session").user;
    assert!(refused.contains(&code(eve.add_members(conversation, &[me]).await)));
    for other in others {
        assert!(refused.contains(&code(eve.remove_member(conversation, *other).await)));
    }
    assert_eq!(in_time("the heads", eve.heads(&[conversation])).await.expect("an answer"), []);
    eve.commit(conversation, Seq::FIRST);
    assert!(refused.contains(&code(eve.mark_read(conversation, Seq::FIRST).await)));
}

async fn strangers(backend: &Backend) {
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let tokens = bots(&owner, 3).await;
    let group = owner.create_group("group", &[tokens[0].user]).await.expect("a group");
    let chat = owner.open_direct(tokens[0].user).await.expect("a chat");
    let inbox = owner.session().expect("a session").inbox;
    let owner_id = owner.session().expect("a session").user;
    for place in [group, chat] {
        say(&owner, place, "secret").await;
    }
    for (node, token) in nodes.iter().zip(&tokens[1..]) {
        let eve = connected(node.place().bot(token, "")).await;
        let mut all = eve.messages();
        let mut subscriptions = [eve.subscribe(group), eve.subscribe(chat), eve.subscribe(inbox)];
        for place in [group, chat, inbox] {
            gets_nothing(&eve, place, &[owner_id, tokens[0].user]).await;
            say(&owner, group, "another secret").await;
        }
        // Something that she may read comes to her node later than all of it.
        let own = owner.create_group("with eve", &[token.user]).await.expect("a group");
        say(&owner, own, "hello").await;
        loop {
            let message = next(&mut all).await;
            assert_ne!(message.text().as_deref(), Some("secret"));
            let hers = [own, eve.session().expect("a session").inbox];
            assert!(hers.contains(&message.conversation), "given {message:?}");
            if message.text().as_deref() == Some("hello") {
                break;
            }
        }
        for subscription in &mut subscriptions {
            assert_eq!(subscription.next().now_or_never(), None, "given something");
        }
    }
    let raw = backend.raw().await;
    let eves = format!("({}, {})", tokens[1].user, tokens[2].user);
    for (table, of) in [("members", "user_id"), ("read_markers", "user_id"), ("messages", "sender")] {
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE {of} IN {eves} AND conversation IN ({group}, {chat}, {inbox})"
        );
        assert_eq!(raw.number(&sql).await, 0, "in {table}");
    }
    assert_eq!(whole_log(backend, group).await.len(), 2 + 6);
}

/// A member who sends from two devices on two nodes is removed and let in again, over and over.
/// Nothing of his stands behind his removal, and neither device is given what was said without him.
async fn removal_races(backend: &Backend) {
    let mut rng = seeded("a removal against sends from two devices");
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let tokens = bots(&owner, 2).await;
    let victim = tokens[0].user;
    let group = owner.create_group("group", &[victim, tokens[1].user]).await.expect("a group");
    let other = connected(nodes[1].place().bot(&tokens[1], "")).await;
    let devices = [
        connected(nodes[0].place().bot(&tokens[0], "here")).await,
        connected(nodes[1].place().bot(&tokens[0], "there")).await,
    ];
    let mut readers = devices.each_ref().map(|device| device.subscribe(group));
    // The seqs between which he is out, both his to see.
    let mut out: Vec<(u64, u64)> = Vec::new();
    let mut read_to = 0;
    for round in 0..scaled(5) {
        let mut sendings: Vec<Sending> = Vec::new();
        let turn = rng.random_range(1..20);
        let mut removal = None;
        for n in 0..20 {
            for device in &devices {
                sendings.push(send(device, group, format!("{n} in {round}")).await);
            }
            drop(send(&other, group, "between").await);
            if n == turn {
                let owner = owner.clone();
                removal = Some(tokio::spawn(async move { owner.remove_member(group, victim).await }));
            }
        }
        let removed = in_time("the removal", removal.expect("one of the turns")).await.expect("no panic");
        let removed = removed.expect("removed").seq.as_u64();
        for sending in sendings {
            match answered(sending).await {
                Ok(sent) => assert!(sent.seq.as_u64() < removed, "behind his removal"),
                Err(SendError::Refused(error)) => assert_eq!(error.code, ErrorCode::NotMember),
                Err(error) => panic!("{error}"),
            }
        }
        say(&other, group, "without him").await;
        assert_eq!(send_refused(&devices[1], group).await, ErrorCode::NotMember);
        for reader in &mut readers {
            read_but(reader, &out, read_to, removed).await;
        }
        let back = in_time("his return", owner.add_members(group, &[victim])).await.expect("added");
        out.push((removed, back.seq.as_u64()));
        for reader in &mut readers {
            assert_eq!(next(reader).await.seq(), back.seq);
        }
        read_to = back.seq.as_u64();
    }
    for (seq, entry) in (1..).zip(&whole_log(backend, group).await) {
        let outside = out.iter().any(|(removed, back)| (*removed..*back).contains(&seq));
        assert!(!outside || entry.sender != victim, "his entry {seq} stands where he was out");
    }
    for device in &devices {
        let seqs: Vec<_> = pulled(device, group).await;
        let hidden = seqs.iter().filter(|seq| out.iter().any(|(r, b)| r < *seq && *seq < b)).count();
        assert_eq!(hidden, 0, "a pull shows what was said without him");
    }
}

/// Reads on to `last`, over what was said without the reader.
async fn read_but(reader: &mut goim_client::Subscription, out: &[(u64, u64)], after: u64, last: u64) {
    for seq in after + 1..=last {
        if !out.iter().any(|(removed, back)| *removed < seq && seq < *back) {
            assert_eq!(next(reader).await.seq().as_u64(), seq);
        }
    }
}

/// All seqs that pulls give.
async fn pulled(client: &Client, conversation: ConversationId) -> Vec<u64> {
    let (mut after, mut seqs) = (Seq::ZERO, Vec::new());
    loop {
        let page = in_time("a pull", client.pull(conversation, after, 7)).await.expect("he was a member");
        seqs.extend(page.entries.iter().map(|entry| entry.seq.as_u64()));
        if page.through >= page.head {
            return seqs;
        }
        after = page.through;
    }
}

/// A member who is added later sees the log from the entry that added him, by every way.
async fn added_later(backend: &Backend) {
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let tokens = bots(&owner, 2).await;
    let group = owner.create_group("group", &[]).await.expect("a group");
    for n in 0..20 {
        say(&owner, group, format!("secret {n}")).await;
    }
    // One is there when he is added, the other one comes afterwards.
    let there = connected(nodes[1].place().bot(&tokens[0], "")).await;
    let mut reader = there.subscribe(group);
    let users = [tokens[0].user, tokens[1].user];
    let added = in_time("the addition", owner.add_members(group, &users)).await.expect("added").seq;
    let last = say(&owner, group, "welcome").await.seq;
    let later = connected(nodes[0].place().bot(&tokens[1], "")).await;
    let mut later_reader = later.subscribe(group);
    for (client, reader) in [(&there, &mut reader), (&later, &mut later_reader)] {
        read(reader, added.as_u64() - 1, last.as_u64()).await;
        assert_eq!(pulled(client, group).await, [added.as_u64(), last.as_u64()]);
        let history = in_time("history", client.history(group, None, 0)).await.expect("a member").entries;
        let texts: Vec<_> = history.iter().filter_map(|entry| text_of(&entry.body)).collect();
        assert_eq!(texts, ["welcome"]);
    }
}

on_both_stores! {
    super::strangers as g9_who_is_no_member_reads_nothing_and_writes_nothing,
    super::removal_races as g9_nothing_of_a_removed_member_stands_behind_his_removal,
    super::added_later as g9_a_member_added_later_sees_only_from_his_entry,
}
