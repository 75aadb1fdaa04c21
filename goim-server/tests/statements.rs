//! No list costs a query for each of its items: statements are counted as the store sends them, for
//! few items and for many.
//!
//! A test binary of its own: whatever else used a store here would be counted too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

#[path = "conformance/backend.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod backend;
#[path = "conformance/common.rs"]
#[allow(dead_code, reason = "the stores' own suite uses all of it")]
mod common;

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use backend::Backend;
use common::on_both_stores;
use goim_core::lane::{AppendResult, Expect, Row};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Seq, UserId};
use goim_proto::{Content, ProfileUpdate};
use goim_server::store::{
    Applications, Effect, EntryBatch, EntryDraft, EntryKind, Notice, OpenLimit, Query, Search, SearchKey,
    SearchPlace, Store, StoreResult, Which,
};
use tokio::sync::{Mutex, MutexGuard};
use tracing::{Event, Metadata, Subscriber, span};

/// Where sqlx tells of each statement.
const STATEMENTS: &str = "sqlx::query";
/// As many open requests and applications as one likes.
const ANY_NUMBER: OpenLimit = OpenLimit { most: u64::MAX, after_ms: 0 };
static SEEN: AtomicUsize = AtomicUsize::new(0);

/// Counts statements.
struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == STATEMENTS
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        SEEN.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// One test at a time is counted.
async fn alone() -> MutexGuard<'static, ()> {
    static TURN: OnceLock<Mutex<()>> = OnceLock::new();
    let turn = TURN.get_or_init(|| {
        tracing::subscriber::set_global_default(Counter).expect("the only subscriber");
        Mutex::new(())
    });
    turn.lock().await
}

/// SQLite's thread may tell of a call's last statement after its answer, when the next call is counted,
/// and a pool may open a connection meanwhile. So each is called so often, and the median counts.
const CALLS: usize = 11;

/// How many statements the store sends for a call, and what the last one brought.
macro_rules! counted {
    ($call:expr) => {{
        let mut counts = [0; CALLS];
        let mut items = Vec::new();
        for count in &mut counts {
            let before = SEEN.load(Ordering::SeqCst);
            items = $call.await.expect("an answer");
            *count = SEEN.load(Ordering::SeqCst) - before;
        }
        counts.sort_unstable();
        (counts[CALLS / 2], items.len())
    }};
}

/// Asserts that a list of one takes as many statements as the list of many, and that both are full.
macro_rules! assert_constant {
    ($name:literal, $one:expr, $many:expr, $count:expr) => {{
        let ((few, one), (lots, many)) = (counted!($one), counted!($many));
        assert_eq!((one, many), (1, $count), $name);
        assert!(few > 0, concat!($name, " was not counted"));
        assert_eq!(few, lots, concat!($name, " takes more statements for more items"));
    }};
}

async fn person(store: &Arc<dyn Store>, name: &str) -> UserId {
    store.create_user(name, Some("hash"), None, 1).await.unwrap().expect("a free name").user
}

async fn people(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let mut users = Vec::new();
    for n in 0..30 {
        let user = person(&store, &format!("user {n}")).await;
        let nickname = Some(format!("u{n}"));
        store.update_profile(user, &ProfileUpdate { nickname, ..ProfileUpdate::default() }).await.unwrap();
        store.create_device(users.first().copied().unwrap_or(user), "phone", 1).await.unwrap();
        users.push(user);
    }
    let (start, first) = (SearchKey::default(), DeviceId::new(0));
    assert_constant!("profiles", store.profiles(&users[..1]), store.profiles(&users), 30);
    assert_constant!(
        "search_users",
        store.search_users("u", &start, 1),
        store.search_users("u", &start, 60),
        60
    );
    assert_constant!("devices", store.devices(users[0], first, 1), store.devices(users[0], first, 100), 30);
}

async fn friends(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let user = person(&store, "user").await;
    let notice = Notice { kind: EntryKind(66), body: bytes::Bytes::new() };
    for n in 0..30 {
        let other = person(&store, &format!("other {n}")).await;
        store.request_friend(other, user, "", None, ANY_NUMBER, 1).await.unwrap();
        store.request_friend(user, other, "", None, ANY_NUMBER, 1).await.unwrap();
        store.answer_friend(user, other, true, &notice, u64::MAX, 1).await.unwrap();
        store.set_block(other, user, true, u64::MAX).await.unwrap();
        store.set_block(user, person(&store, &format!("blocked {n}")).await, true, u64::MAX).await.unwrap();
    }
    let (nobody, newest) = (UserId::new(0), u64::MAX);
    assert_constant!("friends", store.friends(user, nobody, 1), store.friends(user, nobody, 100), 30);
    assert_constant!("blocked", store.blocked(user, nobody, 1), store.blocked(user, nobody, 100), 30);
    for sent in [false, true] {
        assert_constant!(
            "friend_requests",
            store.friend_requests(user, sent, newest, 1),
            store.friend_requests(user, sent, newest, 100),
            30
        );
    }
}

async fn conversations(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let user = person(&store, "user").await;
    let device = store.create_device(user, "phone", 1).await.unwrap();
    // An inbox is a conversation as good as any, and needs no committer.
    let mut mine = vec![store.user(user).await.unwrap().expect("the user").inbox];
    let raw = backend.raw().await;
    for n in 0..30 {
        let other = person(&store, &format!("other {n}")).await;
        let inbox = store.user(other).await.unwrap().expect("a user").inbox;
        raw.execute(&format!(
            "INSERT INTO members (conversation, user_id, from_seq, role) VALUES ({inbox}, {user}, 1, 3)"
        ))
        .await;
        mine.push(inbox);
    }
    raw.execute("UPDATE conversations SET head = 1").await;
    assert_constant!(
        "reader_states_of",
        store.reader_states_of(user, device, &mine[..1]),
        store.reader_states_of(user, device, &mine),
        31
    );
    let first = ConversationId::new(0);
    assert_constant!(
        "reader_states",
        store.reader_states(user, device, &[], first, Which::All, 1),
        store.reader_states(user, device, &[], first, Which::All, 100),
        31
    );
}

/// 500 groups of a user, from id 1,000 on, each with a message that mentions him.
async fn groups_with_a_message(backend: &Backend, store: &Arc<dyn Store>, user: UserId, body: &[u8]) {
    let other = person(store, "other").await;
    let (raw, ids) = (backend.raw().await, 1_000..1_500_u64);
    let rows = |row: &dyn Fn(u64) -> String| ids.clone().map(row).collect::<Vec<_>>().join(", ");
    let groups = rows(&|id| format!("({id}, 2, {other})"));
    raw.execute(&format!("INSERT INTO conversations (id, kind, creator) VALUES {groups}")).await;
    let members = rows(&|id| format!("({id}, {user}, 1, 3)"));
    raw.execute(&format!("INSERT INTO members (conversation, user_id, from_seq, role) VALUES {members}"))
        .await;
    let expects = ids.clone().map(ConversationId::new);
    let expects: Vec<_> = expects
        .map(|conversation| Expect { conversation, base: Seq::ZERO, rev: 0, n: 2, count: 1, at_ms: 1 })
        .collect();
    let row = |conversation, seq, kind, count, effect| Row {
        conversation,
        seq: Seq::new(seq),
        sender: other,
        device: DeviceId::new(1),
        client_msg_id: ClientMsgId::mint(seq, &[0; 10]),
        count,
        at_ms: 1,
        entry: EntryDraft { kind: EntryKind(kind), body: bytes::Bytes::copy_from_slice(body), effect },
    };
    let rows = expects.iter().map(|expect| expect.conversation).flat_map(|id| {
        let mention = Effect::Mention { users: vec![user] };
        [row(id, 1, 32, 0, Effect::None), row(id, 2, 1, 1, mention)]
    });
    let batch = EntryBatch { rows: rows.collect(), expects, effects: true };
    let mut lane = store.lane_connection().await.unwrap();
    assert_eq!(lane.append(&batch).await, AppendResult::Written { stale: Vec::new() });
}

/// The list of somebody who is in 500 groups, in each of which a message mentions him.
async fn list(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let user = person(&store, "user").await;
    let device = store.create_device(user, "phone", 1).await.unwrap();
    groups_with_a_message(backend, &store, user, b"tea").await;
    let after = ConversationId::new(999);
    let list = async |limit| -> StoreResult<_> {
        Ok(store.conversations(user, device, after, limit, 1 << 20).await?.items)
    };
    assert_constant!("conversations", list(1), list(500), 500);
    for item in list(500).await.unwrap() {
        let last = item.last.as_ref().map(|last| last.body.as_ref());
        assert_eq!((item.unread, item.mentioned, last), (1, 1, Some(&b"tea"[..])));
    }
}

/// What somebody finds who is in 500 groups, in each of which a message has the word.
async fn search(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let user = person(&store, "user").await;
    let ids: Vec<_> = (1_000..1_500).map(ConversationId::new).collect();
    groups_with_a_message(backend, &store, user, &Content::text("tea").encode()).await;
    // Each takes the two entries of all that it is given.
    for ids in ids.chunks(32) {
        assert_eq!(store.index(ids).await.unwrap(), []);
    }
    let query = Query::parse("tea").unwrap();
    let search = async |limit| -> StoreResult<_> {
        let (conversation, before, bytes_max) = (None, SearchPlace::NEWEST, 1 << 20);
        let search = Search { user, query: &query, conversation, before, limit, bytes_max };
        Ok(store.search(&search).await?.messages)
    };
    assert_constant!("search", search(1), search(500), 500);
    // Nothing is left of these.
    let index = async |count: usize| -> StoreResult<_> {
        store.index(&ids[..count]).await?;
        Ok(ids[..count].to_vec())
    };
    assert_constant!("index", index(1), index(64), 64);
}

/// A page of messages, each edited and with reactions, beside a page of one.
async fn messages(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let user = person(&store, "user").await;
    let inbox = store.user(user).await.unwrap().expect("the user").inbox;
    let raw = backend.raw().await;
    let seqs: Vec<Seq> = (1..=30).map(Seq::new).collect();
    for seq in &seqs {
        raw.execute(&format!("INSERT INTO message_forms VALUES ({inbox}, {seq}, NULL, 7, false)")).await;
        raw.execute(&format!("INSERT INTO reaction_counts VALUES ({inbox}, {seq}, 'x', 2)")).await;
        raw.execute(&format!("INSERT INTO reactions VALUES ({inbox}, {seq}, 'x', {user})")).await;
    }
    assert_constant!("forms", store.forms(user, inbox, &seqs[..1]), store.forms(user, inbox, &seqs), 30);
    let form = &store.forms(user, inbox, &seqs).await.unwrap()[0];
    assert_eq!((form.edited_at_ms, form.reactions[0].count, form.reactions[0].own), (7, 2, true));
}

/// A log of which the user may read each third entry, and the same of which he may read one.
async fn stays(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let raw = backend.raw().await;
    let user = person(&store, "user").await;
    let mut logs = Vec::new();
    for stays in [1, 30] {
        let name = format!("inbox of {stays}");
        let inbox = store.create_user(&name, None, None, 1).await.unwrap().expect("a free name").inbox;
        let rows = (1..=90).map(|seq| Row {
            conversation: inbox,
            seq: Seq::new(seq),
            sender: user,
            device: DeviceId::new(1),
            client_msg_id: ClientMsgId::mint(seq, &[0; 10]),
            count: seq,
            at_ms: seq,
            entry: EntryDraft { kind: EntryKind(1), body: bytes::Bytes::new(), effect: Effect::None },
        });
        let expect = Expect { conversation: inbox, base: Seq::ZERO, rev: 0, n: 90, count: 90, at_ms: 90 };
        let batch = EntryBatch { expects: vec![expect], rows: rows.collect(), effects: false };
        let mut lane = store.lane_connection().await.unwrap();
        assert_eq!(lane.append(&batch).await, AppendResult::Written { stale: Vec::new() });
        for seq in (1..=stays).map(|n| 3 * n) {
            raw.execute(&format!(
                "INSERT INTO members (conversation, user_id, from_seq, until_seq, role) \
                 VALUES ({inbox}, {user}, {seq}, {seq}, 3)"
            ))
            .await;
        }
        logs.push(inbox);
    }
    let pull = async |at: usize| -> StoreResult<_> {
        Ok(store.pull(user, logs[at], Seq::ZERO, 100, 1 << 20).await?.entries)
    };
    assert_constant!("pull", pull(0), pull(1), 30);
    let history = async |at: usize| store.history(user, logs[at], Seq::MAX, 100, 1 << 20).await;
    assert_constant!("history", history(0), history(1), 30);
}

async fn applications(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let (group, notice) = (ConversationId::new(7), Notice { kind: EntryKind(68), body: bytes::Bytes::new() });
    let user = person(&store, "user").await;
    for n in 0..30 {
        store.apply_to_group(group, UserId::new(1_000 + n), "", &notice, ANY_NUMBER, 1).await.unwrap();
        store.apply_to_group(ConversationId::new(100 + n), user, "", &notice, ANY_NUMBER, 1).await.unwrap();
    }
    for which in [Applications::To(group), Applications::Of(user)] {
        assert_constant!(
            "applications",
            store.applications(which, u64::MAX, 1),
            store.applications(which, u64::MAX, 100),
            30
        );
    }
}

async fn presence(backend: &Backend) {
    let _turn = alone().await;
    let store = backend.open().await;
    let user = person(&store, "user").await;
    let notice = Notice { kind: EntryKind(66), body: bytes::Bytes::new() };
    let (mut friends, mut devices) = (Vec::new(), Vec::new());
    for n in 0..30 {
        let other = person(&store, &format!("other {n}")).await;
        store.request_friend(other, user, "", None, ANY_NUMBER, 1).await.unwrap();
        store.answer_friend(user, other, true, &notice, u64::MAX, 1).await.unwrap();
        devices.push(store.create_device(other, "phone", 1).await.unwrap());
        friends.push(other);
    }
    store.note_devices(&devices, true, 1, 20, 10).await.unwrap();
    assert_constant!("friends_to_tell", store.friends_to_tell(user, 1), store.friends_to_tell(user, 100), 30);
    assert_constant!("seen", store.seen(user, &friends[..1], 10), store.seen(user, &friends, 10), 30);
}

on_both_stores! {
    super::presence as no_list_of_who_is_there_costs_a_query_for_each,
    super::applications as no_list_of_applications_costs_a_query_for_each,
    super::friends as no_list_of_friends_costs_a_query_for_each,
    super::conversations as no_list_of_states_costs_a_query_for_each,
    super::list as no_list_of_conversations_costs_a_query_for_each,
    super::search as no_search_costs_a_query_for_each_conversation,
    super::messages as no_page_of_messages_costs_a_query_for_each,
    super::stays as no_page_costs_a_query_for_each_time_that_the_reader_came_and_went,
    super::people as no_list_of_people_costs_a_query_for_each,
}
