//! The index of messages: what is found, by whom, and that nothing is left of what is not to be read.

mod pages;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::content::{Edited, EncodedContent, Recalled};
use goim_proto::{Content, FileContent, MessageList, MessagePage};
use goim_server::store::{
    Effect, EntryDraft, EntryKind, MessageAct, Notice, Query, Search, SearchPlace, Store, StoreError, Target,
};

use crate::backend::{Backend, Raw};
use crate::fixtures::{addition, append, batch, group, new_id, removal, text, users};
use crate::ledger::Ledger;
use crate::on_both_stores;

/// A group of some users, and how far it is.
struct Room {
    store: Arc<dyn Store>,
    conversation: ConversationId,
    owner: UserId,
    head: Seq,
    count: u64,
}

impl Room {
    async fn new(store: &Arc<dyn Store>, users: &[UserId]) -> Self {
        let conversation = group(store, &Ledger::default(), users).await;
        Self { store: Arc::clone(store), conversation, owner: users[0], head: Seq::FIRST, count: 0 }
    }

    async fn append(&mut self, entries: impl IntoIterator<Item = EntryDraft>) -> Seq {
        let entries: Vec<_> = entries.into_iter().map(|entry| (new_id(), entry)).collect();
        let batch = batch(self.conversation, self.head, self.count, self.owner, entries);
        append(&self.store, &batch).await;
        self.count = batch.expects[0].count;
        self.head = self.head.plus(batch.expects[0].n);
        self.head
    }

    async fn say(&mut self, said: &str) -> Seq {
        self.append([text(said)]).await
    }

    fn on(&self, seq: Seq, kind: i16, content: &Content, act: MessageAct) -> EntryDraft {
        let target = Target { seq, seen: self.head, own: true, late: false, objection: None };
        EntryDraft {
            kind: EntryKind(kind),
            body: content.encode(),
            effect: Effect::OnMessage { target, act },
        }
    }

    async fn edit(&mut self, seq: Seq, said: &str) -> Seq {
        let body = Content::text(said).encode();
        let content = Content::Edited(Edited { seq, body: EncodedContent(body.clone()) });
        self.append([self.on(seq, 44, &content, MessageAct::Edit { body, mentions: Vec::new() })]).await
    }

    async fn recall(&mut self, seq: Seq) -> Seq {
        self.append([self.on(seq, 45, &Content::Recalled(Recalled { seq }), MessageAct::Recall)]).await
    }

    async fn index(&self) {
        index(&self.store, &[self.conversation]).await;
    }
}

/// Indexes until nothing is left.
async fn index(store: &Arc<dyn Store>, conversations: &[ConversationId]) {
    let mut left = conversations.to_vec();
    while !left.is_empty() {
        left = store.index(&left).await.expect("an index");
    }
}

async fn page(
    store: &Arc<dyn Store>,
    user: UserId,
    query: &str,
    (conversation, next, limit): (Option<ConversationId>, &str, u32),
) -> Result<MessagePage, StoreError> {
    let query = Query::parse(query).expect("a query");
    let before =
        if next.is_empty() { SearchPlace::NEWEST } else { SearchPlace::parse(next).expect("a place") };
    store.search(&Search { user, query: &query, conversation, before, limit, bytes_max: 1 << 20 }).await
}

fn places(page: &MessagePage) -> Vec<(ConversationId, Seq)> {
    page.messages.iter().map(|found| (found.conversation, found.entry.seq)).collect()
}

/// Where a user finds something, newest first.
async fn found(store: &Arc<dyn Store>, user: UserId, query: &str) -> Vec<u64> {
    let page = page(store, user, query, (None, "", 100)).await.expect("a page");
    page.messages.iter().map(|found| found.entry.seq.as_u64()).collect()
}

async fn rows(raw: &Raw, room: &Room, seq: Seq) -> i64 {
    let conversation = room.conversation;
    raw.number(&format!(
        "SELECT count(*) FROM message_words WHERE conversation = {conversation} AND seq = {seq}"
    ))
    .await
}

async fn words(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut room = Room::new(&store, &users).await;
    let file = Content::File(FileContent {
        key: "k".into(),
        name: "Menu 2026.pdf".into(),
        ..FileContent::default()
    });
    let custom =
        Content::Custom(goim_proto::content::CustomContent { kind: "tea".into(), data: "tea".into() });
    let draft = |kind, content: &Content| EntryDraft {
        kind: EntryKind(kind),
        body: content.encode(),
        effect: Effect::None,
    };
    let said = [
        "Green TEA?",
        "no: coffee",
        "我喜欢绿茶",
        "東京タワー",
        "안녕하세요 여러분",
        "it's \"O'Reilly\" & (a|b) \\ *:",
    ];
    room.append(said.map(text)).await;
    room.append([draft(4, &file), draft(2, &custom)]).await;
    room.index().await;
    let expected = [
        ("tea", vec![2]),
        ("te", vec![2]),
        ("tea green", vec![2]),
        ("gree tea", vec![]),
        ("tea coffee", vec![]),
        ("ＣＯＦＦＥＥ", vec![3]),
        ("茶", vec![4]),
        ("绿茶", vec![4]),
        ("我喜欢绿茶", vec![4]),
        ("茶绿", vec![]),
        ("喜 绿", vec![4]),
        ("タワ", vec![5]),
        ("京", vec![5]),
        ("하세요", vec![6]),
        ("여", vec![6]),
        ("o'reilly a", vec![7]),
        ("reilly \\ & | ' \" * : ( )", vec![7]),
        ("pdf", vec![8]),
        ("menu 2026", vec![8]),
        ("nothing", vec![]),
    ];
    for (query, expected) in &expected {
        assert_eq!(found(&store, users[0], query).await, *expected, "{query:?}");
    }
    // What is not recent is found another way.
    for n in 0..9 {
        room.append((0..500).map(|k| text(&format!("so {n} {k}")))).await;
    }
    room.index().await;
    for (query, expected) in &expected {
        assert_eq!(found(&store, users[0], query).await, *expected, "{query:?} of old");
    }
}

/// 1 founding, 2 a text, 3 removal, 4 a text, 5 return, 6 a text: the second user may see 1-3 and 5-6.
async fn ranges(backend: &Backend) {
    let store = backend.open().await;
    let users = users(3);
    let mut room = Room::new(&store, &users[..2]).await;
    room.append([text("tea 2"), removal(users[1]), text("tea 4"), addition(&users[1..2]), text("tea 6")])
        .await;
    let mut other = Room::new(&store, &users[..1]).await;
    other.say("tea 2").await;
    index(&store, &[room.conversation, other.conversation]).await;
    assert_eq!(found(&store, users[0], "tea").await.len(), 4);
    assert_eq!(found(&store, users[1], "tea").await, [6, 2]);
    assert_eq!(found(&store, users[2], "tea").await, [0; 0]);
    let within = async |user, room: &Room| page(&store, user, "tea", (Some(room.conversation), "", 9)).await;
    assert_eq!(within(users[1], &room).await.expect("a page").messages.len(), 2);
    assert!(matches!(within(users[1], &other).await, Err(StoreError::NotMember)));
    assert_eq!(places(&within(users[0], &other).await.expect("a page")), [(other.conversation, Seq::new(2))]);

    let list = MessageList { conversation: room.conversation, seqs: vec![Seq::new(6)] };
    let notice = Notice { kind: EntryKind(70), body: bytes::Bytes::new() };
    store.delete_for(users[1], &list, &notice, 1).await.expect("a deletion");
    assert_eq!(found(&store, users[1], "tea").await, [2], "he has deleted it");
    assert_eq!(found(&store, users[0], "6").await, [6], "for himself");
    // Whoever comes in now reads from the start.
    let raw = backend.raw().await;
    let conversation = room.conversation;
    raw.execute(&format!("UPDATE group_settings SET history = 2 WHERE conversation = {conversation}")).await;
    room.append([addition(&users[2..])]).await;
    assert_eq!(found(&store, users[2], "tea").await, [6, 4, 2]);
}

async fn edits_and_recalls(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut room = Room::new(&store, &users).await;
    let (first, second) = (room.say("tea").await, room.say("tea again").await);
    room.index().await;
    assert_eq!(found(&store, users[0], "tea").await, [3, 2]);
    room.edit(first, "coffee").await;
    assert_eq!(found(&store, users[0], "tea").await, [3], "as soon as the edit is there");
    room.index().await;
    assert_eq!(found(&store, users[0], "coffee").await, [2]);
    room.edit(first, "milk").await;
    room.edit(first, "water").await;
    room.index().await;
    assert_eq!(found(&store, users[0], "water").await, [2], "as it is now");
    assert_eq!(found(&store, users[0], "milk").await, [0; 0]);
    room.edit(second, "secret").await;
    room.recall(second).await;
    room.recall(first).await;
    let raw = backend.raw().await;
    for _ in 0..2 {
        assert_eq!((rows(&raw, &room, first).await, rows(&raw, &room, second).await), (0, 0));
        room.index().await;
    }
    for query in ["tea", "water", "secret"] {
        assert_eq!(found(&store, users[0], query).await, [0; 0], "{query}");
    }
    if !backend.is_postgres() {
        // The triggers have taken it out of there too: FTS5 compares the two and fails where they differ.
        raw.execute(
            "INSERT INTO message_words_by_word (message_words_by_word, rank) VALUES ('integrity-check', 1)",
        )
        .await;
    }
}

/// A recall waits for whoever has read its message to index it; or he reads what the recall left.
async fn recall_while_indexing(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut room = Room::new(&store, &users).await;
    let first = room.say("secret").await;
    let (raw, indexer) = (backend.raw().await, Arc::clone(&store));
    let conversation = [room.conversation];
    let mut held = None;
    if backend.is_postgres() {
        // Whoever is to write the index has read by then, and cannot go on.
        let holder = backend.raw().await;
        holder.execute("BEGIN; LOCK TABLE message_words IN EXCLUSIVE MODE").await;
        held = Some(holder);
    }
    let indexing = tokio::spawn(async move { indexer.index(&conversation).await });
    if held.is_some() {
        waits(&raw, 1).await;
        let rival = backend.open().await.index(&conversation).await.expect("an answer");
        assert_eq!(rival, conversation, "one at a time");
    }
    let recalling = tokio::spawn(async move {
        room.recall(first).await;
        room
    });
    if let Some(holder) = held {
        waits(&raw, 2).await;
        holder.execute("COMMIT").await;
    }
    let room = recalling.await.expect("a recall");
    assert_eq!(rows(&raw, &room, first).await, 0, "nothing is left when the recall is answered");
    indexing.await.expect("a task").expect("an index");
    room.index().await;
    assert_eq!(rows(&raw, &room, first).await, 0, "nor comes back");
}

/// Waits until so many wait for locks.
async fn waits(raw: &Raw, many: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let all = async {
        while raw.number(waiting).await < many {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(4), all).await.expect("nobody waits");
}

/// Two nodes index what comes; an offset never moves back, and in the end all is there once.
async fn rivals(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut rooms = Vec::new();
    for _ in 0..3 {
        rooms.push(Room::new(&store, &users).await);
    }
    let conversations: Vec<_> = rooms.iter().map(|room| room.conversation).collect();
    let raw = backend.raw().await;
    // Whoever looked without a pause would leave the machine no time for what he looks for.
    let (said, heard) = tokio::sync::watch::channel(0);
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..2 {
        // SQLite's is one process' alone.
        let store = if backend.is_postgres() { backend.open().await } else { Arc::clone(&store) };
        let (mut heard, conversations) = (heard.clone(), conversations.clone());
        nodes.spawn(async move {
            while heard.changed().await.is_ok() {
                store.index(&conversations).await.expect("an index");
            }
            index(&store, &conversations).await;
        });
    }
    let write = async move {
        for n in 0..120 {
            let at = n % rooms.len();
            rooms[at].append((0..20).map(|k| text(&format!("tea {n} {k}")))).await;
            said.send_replace(n);
        }
    };
    let watch = async {
        let (mut last, mut heard) = (0, heard);
        while heard.changed().await.is_ok() {
            let offsets =
                raw.number("SELECT CAST(COALESCE(sum(seq), 0) AS bigint) FROM search_offsets").await;
            assert!(offsets >= last, "an offset moved back");
            last = offsets;
        }
    };
    tokio::join!(write, watch);
    nodes.join_all().await;
    assert_eq!(raw.number("SELECT count(*) FROM message_words").await, 2_400);
    let behind = "SELECT count(*) FROM conversations c JOIN search_offsets o ON o.conversation = c.id WHERE o.seq <> c.head";
    assert_eq!(raw.number(behind).await, 0);
    let compared = store.compare_index(ConversationId::default(), 100).await.expect("a comparison");
    assert_eq!((compared.behind, compared.last), (vec![], conversations.last().copied()));
}

async fn comparison(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut conversations = Vec::new();
    for _ in 0..5 {
        conversations.push(Room::new(&store, &users).await.conversation);
    }
    index(&store, &conversations[1..3]).await;
    let (mut after, mut behind) = (ConversationId::default(), Vec::new());
    loop {
        let page = store.compare_index(after, 2).await.expect("a comparison");
        behind.extend(page.behind);
        let Some(last) = page.last else { break };
        after = last;
    }
    assert_eq!(behind, [conversations[0], conversations[3], conversations[4]]);
}

on_both_stores! {
    super::words as both_stores_find_the_same_words,
    super::ranges as g9_nobody_finds_what_he_may_not_read,
    super::edits_and_recalls as nothing_is_found_by_what_it_said_before,
    super::recall_while_indexing as g9_no_recalled_text_is_indexed_behind_its_recall,
    super::rivals as two_nodes_index_each_message_once,
    super::comparison as a_comparison_finds_what_is_not_indexed,
}
