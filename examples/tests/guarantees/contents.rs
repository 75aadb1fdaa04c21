//! Texts come back as they were sent, and a full disk costs nobody a message.

use std::sync::Arc;

use goim_client::{Content, ErrorCode, MemoryStore, Seq};

use crate::backend::Backend;
use crate::fixtures::{in_time, say, send, until};
use crate::log::{is_log, read, text_of, whole_log};
use crate::on_both_stores;
use crate::world::{World, bots, connected};

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Every text that may be sent, by every way out: a subscription, a pull, history.
async fn texts(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let group = owner.create_group("group", &[]).await.expect("a group");
    let mut messages = owner.subscribe(group);
    let texts = [
        "\0".to_owned(),
        "a\0b\0\0c".to_owned(),
        "\u{10ffff}\u{fffd}\u{feff}\u{202e}e\u{301}".to_owned(),
        "'; DROP TABLE messages; --\\ \" \u{1}\u{7f}\r\n".to_owned(),
        "x".repeat(TEXT_BYTES_MAX),
        "\0".repeat(TEXT_BYTES_MAX),
        "\u{1f980}".repeat(TEXT_BYTES_MAX / 4),
    ];
    for text in &texts {
        say(&owner, group, text.as_str()).await;
    }
    for refused in [String::new(), "x".repeat(TEXT_BYTES_MAX + 1), "\u{1f980}".repeat(TEXT_BYTES_MAX / 4 + 1)]
    {
        owner.send(group, Content::text(refused)).await.expect_err("refused before it is sent");
    }
    let last = texts.len() as u64 + 1;
    let read = read(&mut messages, 0, last).await;
    is_log(&read, &whole_log(backend, group).await);
    let read: Vec<_> = read.iter().filter_map(goim_client::Message::text).collect();
    assert_eq!(read, texts);
    // From the store, not from memory.
    let node = node.restart(&world).await;
    let (mut after, mut pulled) = (Seq::ZERO, Vec::new());
    while after < Seq::new(last) {
        // The client may not have noticed the restart yet.
        let Ok(page) = in_time("a pull", owner.pull(group, after, 0)).await else { continue };
        pulled.extend(page.entries.iter().filter_map(|entry| text_of(&entry.body)));
        after = page.through;
    }
    assert_eq!(pulled, texts);
    let history = in_time("history", owner.history(group, None, 0)).await.expect("a member").entries;
    let newest = history.first().and_then(|entry| text_of(&entry.body));
    assert_eq!(newest.as_ref(), texts.last());
    drop(node);
}

/// What PostgreSQL says when its disk is full, from where it would say it.
const NO_ROOM: &str = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN RAISE EXCEPTION 'disk' USING ERRCODE = '53100'; END $$; \
    CREATE TRIGGER no_room BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION no_room();";

/// A store without room: nothing is acknowledged, reads go on, and what waits is sent when there is
/// room again. (SQLite's page limit belongs to a connection: the stores' own suite has that.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_costs_nobody_a_message() {
    let backend = &Backend::postgres().await;
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    let kept = Arc::new(MemoryStore::default());
    let program =
        async || connected(node.place().bot(token, "").local_store(Arc::<MemoryStore>::clone(&kept))).await;
    let client = program().await;
    say(&client, group, "room").await;
    let raw = backend.raw().await;
    raw.execute(NO_ROOM).await;
    let waiting = send(&client, group, "no room").await;
    let refused = owner.rename(group, "no room").await.expect_err("no room");
    assert!(refused.code().is_some_and(ErrorCode::is_retryable), "{refused}");
    assert_eq!(read(&mut client.subscribe(group), 0, 2).await.len(), 2, "reads go on");
    assert_eq!(whole_log(backend, group).await.len(), 2);
    raw.execute("DROP TRIGGER no_room ON messages").await;
    // It would come by itself after a while; a program that starts anew does not wait.
    drop((waiting, client));
    let client = program().await;
    until("what waited", async || whole_log(backend, group).await.len() == 3).await;
    assert_eq!(say(&client, group, "room again").await.seq, Seq::new(4));
    let log = whole_log(backend, group).await;
    let texts: Vec<_> = log.iter().filter_map(|entry| text_of(&entry.body)).collect();
    assert_eq!(texts, ["room", "no room", "room again"]);
}

on_both_stores! {
    super::texts as texts_of_every_kind_come_back_as_they_were_sent,
}
