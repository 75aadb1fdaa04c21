//! G6: committed offsets and read markers never move back, except with the store itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{Stream, StreamExt as _};
use goim_client::{
    Client, CommitPolicy, ConversationId, Event, LocalStore as _, MemoryStore, Position, Seq, SyncItem,
};
use goim_server::store::{self, Options};
use rand::RngExt as _;

use crate::backend::Backend;
use crate::fixtures::{answered, in_time, now_ms, say, scaled, seeded, send, until};
use crate::log::{next, read, text_of, whole_log};
use crate::on_both_stores;
use crate::world::{World, bots, connected};

async fn state(client: &Client, conversation: ConversationId) -> SyncItem {
    let items = in_time("the heads", client.heads(&[conversation])).await.expect("an answer");
    items.into_iter().next().expect("a conversation of his")
}

/// Looks at one number over and over; returns the last.
async fn never_falls(look: impl AsyncFn() -> Seq, done: &AtomicBool) -> Seq {
    let mut highest = Seq::ZERO;
    loop {
        let was_done = done.load(Ordering::Relaxed);
        let now = look().await;
        assert!(now >= highest, "moved back from {highest} to {now}");
        highest = now;
        if was_done {
            return highest;
        }
    }
}

/// Programs that speak for one device and know it at different places, through two nodes.
async fn rivals(backend: &Backend) {
    let mut rng = seeded("rivals commit for one device");
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    for n in 0..40 {
        drop(send(&owner, group, n.to_string()).await);
    }
    assert_eq!(say(&owner, group, "last").await.seq, Seq::new(42));
    let watcher = connected(nodes[0].place().bot(token, "")).await;
    let done = AtomicBool::new(false);
    let commit_all = async {
        let mut highest = 0;
        for round in 0..scaled(12) {
            // It believes what it kept itself, which may be long ago.
            let kept = Arc::new(MemoryStore::default());
            let from = rng.random_range(0..40);
            let offset = Position { conversation: group, seq: Seq::new(from) };
            kept.save_offsets(&[offset]).await.expect("kept");
            let builder = nodes[round % 2].place().bot(token, "").commit_policy(CommitPolicy::Manual);
            let rival = connected(builder.local_store(kept)).await;
            let to = rng.random_range(from + 1..=42);
            read(&mut rival.subscribe(group), from, to).await;
            rival.commit(group, Seq::new(to));
            in_time("the commit", rival.committed()).await.expect("a client that lives");
            highest = highest.max(to);
        }
        done.store(true, Ordering::Relaxed);
        Seq::new(highest)
    };
    let offset = async || state(&watcher, group).await.offset;
    let (highest, last) = tokio::join!(commit_all, never_falls(offset, &done));
    assert_eq!(highest, last);
}

/// An offset beyond the head is refused, whatever a program believes, and spoils nothing.
async fn beyond_the_head(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    say(&owner, group, "two").await;
    let kept = Arc::new(MemoryStore::default());
    kept.save_offsets(&[Position { conversation: group, seq: Seq::new(5) }]).await.expect("kept");
    let client = connected(node.place().bot(token, "").local_store(kept)).await;
    let mut events = client.events();
    let mut messages = client.subscribe(group);
    for n in 3..=8 {
        say(&owner, group, n.to_string()).await;
    }
    // What it holds for read is not given to it; what comes behind is.
    assert_eq!(read(&mut messages, 5, 8).await.len(), 3);
    client.commit(group, Seq::new(99));
    in_time("the commit", client.committed()).await.expect("a client that lives");
    assert_eq!(state(&client, group).await.offset, Seq::new(8), "as far as it was handed out");
    drop((client, messages));
    while let Some(event) = in_time("an event", events.next()).await {
        assert!(!matches!(event, Event::OffsetRefused { .. }), "it never asked for too much");
    }
}

/// Read markers from several devices at once, in any order and from afar.
async fn read_markers(backend: &Backend) {
    let mut rng = seeded("read markers");
    let world = World::new(backend);
    let nodes = [world.node().await, world.node().await];
    let owner = nodes[0].place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    for n in 0..20 {
        drop(send(&owner, group, n.to_string()).await);
    }
    let head = say(&owner, group, "last").await.seq;
    let devices = [
        connected(nodes[0].place().bot(token, "a")).await,
        connected(nodes[1].place().bot(token, "b")).await,
    ];
    let watcher = connected(nodes[1].place().bot(token, "c")).await;
    let done = AtomicBool::new(false);
    let mark_all = async {
        let mut highest = 0;
        for round in 0..scaled(30) {
            let seqs = [rng.random_range(0..20), rng.random_range(0..20)];
            let (one, two) = tokio::join!(
                devices[0].mark_read(group, Seq::new(seqs[0])),
                devices[1].mark_read(group, Seq::new(seqs[1]))
            );
            one.and(two).expect("marked");
            highest = seqs.into_iter().fold(highest, u64::max);
            if round % 10 == 0 {
                assert_eq!(state(&devices[0], group).await.read_marker, Seq::new(highest));
            }
        }
        devices[0].mark_read(group, Seq::new(1_000)).await.expect("marked");
        done.store(true, Ordering::Relaxed);
    };
    let marker = async || state(&watcher, group).await.read_marker;
    let ((), last) = tokio::join!(mark_all, never_falls(marker, &done));
    assert_eq!(last, head, "nobody has read what is not there");
}

async fn epoch_changed(events: &mut (impl Stream<Item = Event> + Unpin)) -> Vec<(ConversationId, Seq)> {
    loop {
        let event = in_time("news of the epoch", events.next()).await.expect("a client that lives");
        if let Event::EpochChanged { moved_back, .. } = event {
            return moved_back;
        }
    }
}

/// The store is put back to where it was at an earlier head, as a backup would do.
async fn take_back(backend: &Backend, conversation: ConversationId, head: u64) {
    let raw = backend.raw().await;
    raw.take_back(conversation, Seq::new(head)).await;
    for table in ["offsets", "read_markers"] {
        raw.execute(&format!(
            "UPDATE {table} SET seq = {head} WHERE conversation = {conversation} AND seq > {head}"
        ))
        .await;
    }
    let store = store::open(&backend.url(), Options::default()).await.expect("the store opens");
    store.new_epoch().await.expect("a new epoch");
    store.close().await;
}

/// A store that went back, under a server that runs or while there is none: readers are moved back
/// and told, what they had beyond is not theirs any more, and what was not acknowledged is sent.
async fn store_went_back(backend: &Backend) {
    for running in [false, true] {
        let world = World::new(backend);
        let mut node = world.node().await;
        let name = format!("owner-{running}-{}", now_ms());
        let owner = node.place().person(&name).await;
        let token = in_time("a bot", owner.create_bot(&format!("bot-{name}"))).await.expect("a free name");
        let group = owner.create_group("group", &[token.user]).await.expect("a group");
        let reader = connected(node.place().bot(&token, "")).await;
        let mut messages = reader.subscribe(group);
        for n in 2..=10 {
            say(&owner, group, format!("before {n}")).await;
        }
        read(&mut messages, 0, 10).await;
        reader.commit(group, Seq::new(10));
        in_time("the commit", reader.committed()).await.expect("a client that lives");
        let (mut events, mut owners_events) = (reader.events(), owner.events());
        let waiting = if running {
            take_back(backend, group, 5).await;
            None
        } else {
            let address = node.server.quic_addr();
            drop(node);
            // It goes nowhere before there is a server again.
            let waiting = send(&owner, group, "sent meanwhile").await;
            take_back(backend, group, 5).await;
            node = world.node_with(|config| config.quic_listen = address).await;
            Some(waiting)
        };
        assert_eq!(epoch_changed(&mut events).await, [(group, Seq::new(5))]);
        epoch_changed(&mut owners_events).await;
        let mut seq = 6;
        if let Some(waiting) = waiting {
            assert_eq!(answered(waiting).await.expect("stored").seq, Seq::new(seq));
            assert_eq!(next(&mut messages).await.text().as_deref(), Some("sent meanwhile"));
            seq += 1;
        }
        for n in seq..=9 {
            assert_eq!(say(&owner, group, format!("after {n}")).await.seq, Seq::new(n));
        }
        let after = read(&mut messages, seq - 1, 9).await;
        assert!(after.iter().all(|message| message.text().is_some_and(|text| text.starts_with("after"))));
        // The offset moves on from where it was put.
        reader.commit(group, Seq::new(9));
        until("the offset", async || state(&reader, group).await.offset == Seq::new(9)).await;
        let log = whole_log(backend, group).await;
        assert_eq!((log.len(), text_of(&log[4].body).as_deref()), (9, Some("before 5")));
        drop(node);
    }
}

/// A reader that was away while the store went back and others wrote on, past where he was.
async fn late_reader(backend: &Backend) {
    let world = World::new(backend);
    let node = world.node().await;
    let owner = node.place().person("owner").await;
    let token = &bots(&owner, 1).await[0];
    let group = owner.create_group("group", &[token.user]).await.expect("a group");
    for n in 2..=10 {
        say(&owner, group, format!("before {n}")).await;
    }
    let kept = Arc::new(MemoryStore::default());
    let program =
        async || connected(node.place().bot(token, "").local_store(Arc::<MemoryStore>::clone(&kept))).await;
    let reader = program().await;
    read(&mut reader.subscribe(group), 0, 10).await;
    reader.commit(group, Seq::new(10));
    in_time("the commit", reader.committed()).await.expect("a client that lives");
    until("the offset in its own store", async || {
        kept.offsets().await.expect("kept").contains(&Position { conversation: group, seq: Seq::new(10) })
    })
    .await;
    drop(reader);
    let mut owners_events = owner.events();
    take_back(backend, group, 5).await;
    epoch_changed(&mut owners_events).await;
    for n in 6..=15 {
        assert_eq!(say(&owner, group, format!("after {n}")).await.seq, Seq::new(n));
    }
    let reader = program().await;
    let (mut events, mut messages) = (reader.events(), reader.subscribe(group));
    assert_eq!(epoch_changed(&mut events).await, [(group, Seq::new(5))]);
    let after = read(&mut messages, 5, 15).await;
    assert!(after.iter().all(|message| message.text().is_some_and(|text| text.starts_with("after"))));
}

on_both_stores! {
    super::rivals as g6_an_offset_never_moves_back_whoever_commits,
    super::beyond_the_head as g6_nothing_is_committed_beyond_what_there_is,
    super::read_markers as g6_a_read_marker_never_moves_back_or_beyond_the_head,
    super::late_reader as g6_a_reader_away_while_the_store_went_back_misses_nothing_written_since,
    super::store_went_back as g6_a_store_that_went_back_takes_its_readers_with_it,
}
