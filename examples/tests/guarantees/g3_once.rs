//! G3: a message is stored at most once, whoever sends it again and where.

use std::sync::Arc;

use goim_client::{
    BotToken, Client, ClientMsgId, CommitPolicy, Content, ConversationId, ErrorCode, MemoryStore, Message,
    SendError, Sending, Sent,
};

use crate::backend::Backend;
use crate::fixtures::{answered, in_time, mint_at, now_ms, say};
use crate::log::{next, read, text_of, whole_log};
use crate::on_both_stores;
use crate::world::{Place, World, bots, connected};

async fn send_as(
    client: &Client,
    conversation: ConversationId,
    id: ClientMsgId,
    text: &str,
) -> Result<Sent, SendError> {
    answered(client.send_as(conversation, id, Content::text(text)).await.expect("a good text")).await
}

/// One id with ever other content: twice in a row, through two nodes at once, pipelined by one
/// client, and after a restart.
async fn same_id(backend: &Backend) {
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let here = connected(nodes[0].place().bot(token, "here")).await;
    let there = connected(nodes[1].place().bot(token, "there")).await;

    let mut firsts = Vec::new();
    for round in 0..20 {
        let id = here.mint();
        let text = |n: u32| format!("copy {n} of {round}");
        let (texts, two_more) = ([text(0), text(1)], [text(2), text(3)]);
        let copies = if round % 2 == 0 {
            let (one, two) =
                tokio::join!(send_as(&here, group, id, &texts[0]), send_as(&there, group, id, &texts[1]));
            [one.expect("stored"), two.expect("stored")]
        } else {
            [
                send_as(&here, group, id, &texts[0]).await.expect("stored"),
                send_as(&there, group, id, &texts[1]).await.expect("stored"),
            ]
        };
        assert_eq!(copies[0].seq, copies[1].seq, "stored twice");
        assert!(copies[0].duplicate != copies[1].duplicate, "one is the first: {copies:?}");
        let first = usize::from(copies[0].duplicate);
        // Two more by one client, the second before the first is answered.
        let third = here.send_as(group, id, Content::text(two_more[0].as_str())).await.expect("a good text");
        let fourth = here.send_as(group, id, Content::text(two_more[1].as_str())).await.expect("a good text");
        for copy in [answered(third).await, answered(fourth).await] {
            let copy = copy.expect("stored");
            assert_eq!((copy.seq, copy.duplicate), (copies[0].seq, true));
            assert_eq!((copy.at_ms, copy.count), (copies[first].at_ms, copies[first].count));
        }
        firsts.push((id, copies[0].seq, texts[first].clone()));
    }
    drop(here);
    let [node, other] = nodes;
    let node = node.restart(&world).await;
    drop(other);
    let again = connected(node.place().bot(token, "here")).await;
    for (id, seq, _) in &firsts {
        let copy = send_as(&again, group, *id, "after the restart").await.expect("stored");
        assert_eq!((copy.seq, copy.duplicate), (*seq, true));
    }
    // Another sender's id is another id.
    assert!(!send_as(&owner, group, firsts[0].0, "mine").await.expect("stored").duplicate);
    let log = whole_log(backend, group).await;
    assert_eq!(log.len(), firsts.len() + 2);
    for (id, seq, text) in firsts {
        let entry = log.iter().find(|entry| entry.client_msg_id == id).expect("it is stored");
        assert_eq!((entry.seq, text_of(&entry.body)), (seq, Some(text)), "the first content stands");
    }
}

/// How far a bot gets with a message before it dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// It has not answered.
    Silent,
    /// It has answered and does not know whether the answer arrived.
    Unsure,
    /// The answer is stored, and its offset is not.
    Uncommitted,
}

/// One life of a bot that answers whatever is said to it, and dies at a message.
async fn live(place: Place, token: &BotToken, group: ConversationId, death: (u64, Death)) -> Client {
    let client = connected(place.bot(token, "").commit_policy(CommitPolicy::Manual)).await;
    let mut messages = client.subscribe(group);
    loop {
        let message = next(&mut messages).await;
        if message.sender() == token.user || message.text().is_none() {
            client.commit(group, message.seq());
            continue;
        }
        let dies_at = |wanted: u64| message.seq().as_u64() >= wanted;
        match death {
            (seq, Death::Silent) if dies_at(seq) => return client,
            (seq, Death::Unsure) if dies_at(seq) => {
                drop(reply(&client, &message).await);
                return client;
            }
            (seq, Death::Uncommitted) if dies_at(seq) => {
                answered(reply(&client, &message).await).await.expect("stored");
                return client;
            }
            _ => {}
        }
        answered(reply(&client, &message).await).await.expect("stored");
        client.commit(group, message.seq());
        in_time("the commit", client.committed()).await.expect("a client that lives");
    }
}

async fn reply(client: &Client, message: &Message) -> Sending {
    let text = format!("to {}", message.seq());
    client.reply(message, Content::text(text)).await.expect("a good text")
}

/// A bot that dies between a message and its commit is handed the message again, answers it again,
/// and has answered once.
async fn bot_dies(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let mut asked = Vec::new();
    let deaths = [Death::Silent, Death::Unsure, Death::Uncommitted];
    for death in deaths.into_iter().cycle().take(6) {
        let question = say(&owner, group, format!("{death:?}?")).await;
        asked.push(question.seq);
        let dead = in_time("a death", live(node.place(), token, group, (question.seq.as_u64(), death))).await;
        drop(dead);
        // The next life answers it, if need be once more, and dies at something else.
        let other = say(&owner, group, "are you there?").await;
        asked.push(other.seq);
        let at = (other.seq.as_u64(), Death::Uncommitted);
        drop(in_time("a life", live(node.place(), token, group, at)).await);
    }
    let mut answers: Vec<_> = whole_log(backend, group)
        .await
        .iter()
        .filter(|entry| entry.sender == token.user)
        .filter_map(|entry| text_of(&entry.body))
        .collect();
    answers.sort_unstable();
    let mut expected: Vec<_> = asked.iter().map(|seq| format!("to {seq}")).collect();
    expected.sort_unstable();
    assert_eq!(answers, expected, "each question is answered once");
}

/// An id too old to know, or from a clock far ahead, is refused for good and spoils nothing.
async fn ids_from_afar(backend: &Backend) {
    const MINUTE_MS: u64 = 60_000;
    const MONTH_MS: u64 = 30 * 24 * 60 * MINUTE_MS;
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let group = owner.create_group("group", &[]).await.expect("a group");
    for (at_ms, refused) in [
        (now_ms() - MONTH_MS - MINUTE_MS, Some(ErrorCode::IdTooOld)),
        (now_ms() - MONTH_MS + MINUTE_MS, None),
        (0, Some(ErrorCode::IdTooOld)),
        (now_ms() + 4 * MINUTE_MS, None),
        (now_ms() + 6 * MINUTE_MS, Some(ErrorCode::IdTooNew)),
        ((1 << 48) - 1, Some(ErrorCode::IdTooNew)),
    ] {
        let sent = send_as(&owner, group, mint_at(at_ms), "from afar").await;
        match (&sent, refused) {
            (Ok(sent), None) => assert!(!sent.duplicate),
            (Err(SendError::Refused(error)), Some(code)) => assert_eq!(error.code, code),
            _ => panic!("an id of {at_ms} got {sent:?}"),
        }
    }
    assert_eq!(whole_log(backend, group).await.len(), 3);
}

/// The outbox of a program that died is sent by the next one: what had arrived is not stored again.
async fn outbox_again(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let mut reader = owner.subscribe(group);
    let store = Arc::new(MemoryStore::default());
    let mut stored = 1;
    for life in 0..5 {
        let client =
            connected(node.place().bot(token, "").local_store(Arc::<MemoryStore>::clone(&store))).await;
        for n in 0..20 {
            // Nobody waits for the answers: some come, some do not.
            drop(client.send(group, Content::text(format!("{n} in life {life}"))).await.expect("kept"));
        }
        stored += 20;
        drop(client);
    }
    let last = connected(node.place().bot(token, "").local_store(store)).await;
    read(&mut reader, 0, stored).await;
    drop(last);
    assert_eq!(whole_log(backend, group).await.len() as u64, stored);
}

on_both_stores! {
    super::same_id as g3_the_same_id_gets_the_first_seq_whatever_its_content_and_way,
    super::bot_dies as g3_a_bot_that_dies_before_it_commits_answers_once,
    super::ids_from_afar as g3_ids_too_old_or_too_new_are_refused,
    super::outbox_again as g3_an_outbox_sent_again_by_the_next_program_is_stored_once,
}
