//! What users have behind them, and what it costs to look for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_server::store::{EntryBatch, EntryDraft, Store, Which};

use crate::backend::Backend;
use crate::fixtures::{addition, append, batch, group, new_id, removal, text, users};
use crate::ledger::Ledger;
use crate::on_both_stores;
use crate::readers::{come_and_gone, pull};

async fn read_markers(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let conversation = come_and_gone(&store, &users).await;
    let marker = async || {
        let after = ConversationId::new(conversation.as_u64() - 1);
        store.reader_states(users[1], DeviceId::new(1), &[], after, Which::All, 1).await.expect("states")[0]
            .item
            .read_marker
            .as_u64()
    };
    for (seq, expected) in [(6, 6), (4, 6), (1_000, 11)] {
        store.mark_read(users[1], conversation, Seq::new(seq)).await.expect("an answer");
        assert_eq!(marker().await, expected, "after a mark at {seq}");
    }
}

/// Where a user's marker is in the only conversation, and how many messages are unread.
async fn standing(store: &Arc<dyn Store>, user: UserId) -> (u64, u64) {
    let none = ConversationId::new(0);
    let page = store.conversations(user, DeviceId::new(1), none, 10, 1 << 20).await.expect("a list");
    (page.items[0].read_marker.as_u64(), page.items[0].unread)
}

/// A batch of texts of these senders.
fn texts(conversation: ConversationId, base: u64, count: u64, senders: &[UserId]) -> EntryBatch {
    let entries = senders.iter().map(|_| (new_id(), text("a text")));
    let mut batch = batch(conversation, Seq::new(base), count, senders[0], entries);
    for (row, sender) in batch.rows.iter_mut().zip(senders) {
        row.sender = *sender;
    }
    batch
}

fn one(conversation: ConversationId, base: u64, count: u64, sender: UserId, entry: EntryDraft) -> EntryBatch {
    batch(conversation, Seq::new(base), count, sender, [(new_id(), entry)])
}

async fn own_messages(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(4);
    let [anna, bert, carl, dora] = [0, 1, 2, 3].map(|n| users[n]);
    let conversation = group(&store, &ledger, &[anna, bert, carl]).await;
    append(&store, &texts(conversation, 1, 0, &[anna, anna])).await;
    assert_eq!((standing(&store, anna).await, standing(&store, bert).await), ((3, 0), (0, 2)));

    append(&store, &texts(conversation, 3, 2, &[bert])).await;
    assert_eq!(standing(&store, bert).await, (0, 3), "he had not read what was there");
    append(&store, &texts(conversation, 4, 3, &[anna])).await;
    assert_eq!(standing(&store, anna).await, (3, 2), "nor had she by then");

    store.mark_read(anna, conversation, Seq::MAX).await.expect("an answer");
    append(&store, &texts(conversation, 5, 4, &[anna, anna, bert, anna])).await;
    assert_eq!(standing(&store, anna).await, (7, 2), "up to where somebody else came in between");

    store.mark_read(anna, conversation, Seq::MAX).await.expect("an answer");
    let mut lane = store.lane_connection().await.expect("a connection");
    lane.append(&texts(conversation, 8, 8, &[anna])).await;
    assert_eq!(standing(&store, anna).await, (9, 0), "what was not written was not read");
    drop(lane);

    append(&store, &one(conversation, 9, 8, bert, removal(carl))).await;
    append(&store, &one(conversation, 10, 8, anna, addition(&[dora]))).await;
    append(&store, &texts(conversation, 11, 8, &[anna])).await;
    assert_eq!(standing(&store, anna).await, (12, 0), "no message lay in between");
    assert_eq!(standing(&store, dora).await, (0, 1), "what was there before her is behind her");
    store.mark_read(dora, conversation, Seq::MAX).await.expect("an answer");
    append(&store, &one(conversation, 12, 9, anna, removal(dora))).await;
    append(&store, &texts(conversation, 13, 9, &[anna, bert])).await;
    append(&store, &one(conversation, 15, 11, anna, addition(&[dora]))).await;
    append(&store, &texts(conversation, 16, 11, &[dora])).await;
    assert_eq!(standing(&store, dora).await, (17, 0), "nor does what was said while she was out count");
}

/// What a page costs depends on the page, not on how much lies before it. PostgreSQL alone counts the
/// rows that it fetched; SQLite joins in the order in which it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_costs_what_it_holds_in_postgres() {
    let backend = Backend::postgres().await;
    let store = backend.open().await;
    let users = users(1);
    let conversation = group(&store, &Ledger::default(), &users).await;
    let raw = backend.raw().await;
    let fill = format!(
        "INSERT INTO messages (conversation, seq, sender, client_msg_id, kind, count, at, body) \
         SELECT {conversation}, n, 1, gen_random_uuid(), 1, n - 1, 0, 'text' FROM generate_series(2, 50000) n; \
         UPDATE conversations SET head = 50000, count = 49999 WHERE id = {conversation}; ANALYZE"
    );
    raw.execute(&fill).await;
    // Often enough for a statement's general plan.
    for _ in 0..10 {
        let page = pull(&store, users[0], conversation, 40_000, 20).await;
        let history =
            store.history(users[0], conversation, Seq::new(40_000), 20, 1 << 20).await.expect("a page");
        assert_eq!((page.entries.len(), history.len()), (20, 20));
    }
    store.close().await;
    let fetched = "SELECT COALESCE(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables \
                   WHERE relname LIKE 'messages%'";
    let begun = Instant::now();
    let rows = loop {
        // A connection's own counts come when it has ended.
        let rows = raw.number(fetched).await;
        if rows >= 400 {
            break rows;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing was counted");
        tokio::task::yield_now().await;
    };
    assert!(rows < 1_000, "{rows} rows were fetched for 400");
    backend.finish().await;
}

on_both_stores! {
    super::read_markers as g6_read_markers_never_move_back,
    super::own_messages as whoever_had_read_all_has_read_his_own,
}
