//! Entries that cannot be taken, predecessors that are not there, logs whose beginning is gone,
//! and stores without room.

use std::time::Duration;

use goim_core::lane::{AppendResult, Offer, Unavailable};
use goim_core::{ClientMsgId, DeviceId, Seq, UserId};
use goim_proto::Start;
use goim_server::store::{self, EntryDraft, OffsetCommit, Options, StoreError};
use rand::RngExt as _;

use crate::backend::Backend;
use crate::checker::check;
use crate::committer::{Committer, Outcome};
use crate::faults::Faults;
use crate::fixtures::{
    AS_SERVED, append_texts, batch, group, new_id, oversized, scaled, seeded, text, users,
};
use crate::ledger::{Key, Ledger};
use crate::on_both_stores;

const DEVICE: DeviceId = DeviceId::new(7);

fn offer(key: Key, after: Option<ClientMsgId>, entry: EntryDraft) -> Offer<EntryDraft, ()> {
    let (conversation, sender, client_msg_id) = key;
    Offer {
        ticket: (),
        conversation,
        sender,
        device: DEVICE,
        client_msg_id,
        after,
        retry: false,
        epoch: AS_SERVED,
        entry,
    }
}

/// Retention removes entries and never touches the head, even when it removes all of them.
async fn old_entries_deleted(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    append_texts(&store, &ledger, conversation, users[0], Seq::FIRST, 9).await;
    let raw = backend.raw().await;
    raw.execute(&format!("DELETE FROM messages WHERE conversation = {conversation}")).await;
    let committer = Committer::start(backend.open().await, Faults::NONE);
    for seq in 11..=13 {
        let outcome =
            committer.offer(offer((conversation, users[0], new_id()), None, text("on"))).await.await;
        assert!(
            matches!(outcome, Outcome::Committed { seq: s, count, .. } if s == Seq::new(seq) && count == seq - 1),
            "the head comes from the entries that are left: {outcome:?}"
        );
    }
    assert_eq!(raw.head(conversation).await, Seq::new(13));
    let page = store.pull(users[0], conversation, Seq::ZERO, 100, 1 << 20).await.expect("a page");
    assert_eq!(page.entries.first().map(|entry| entry.seq), Some(Seq::new(11)));
    assert_eq!((page.through, page.head), (Seq::new(13), Seq::new(13)));
}

/// One entry that the tables refuse, among others: it alone is rejected.
async fn data_refused(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(2);
    let conversation = group(&store, &ledger, &users).await;
    let second = group(&store, &ledger, &users).await;
    let committer = Committer::start(backend.open().await, Faults::NONE);
    let mut answers = Vec::new();
    for n in 0..60 {
        let place = if n % 3 == 0 { second } else { conversation };
        let bad = n % 20 == 13;
        let key = (place, users[usize::from(bad)], new_id());
        let entry = if bad { oversized() } else { text("good") };
        ledger.offered(key, DEVICE, &entry.body);
        answers.push((key, bad, committer.offer(offer(key, None, entry)).await));
    }
    for (key, bad, answer) in answers {
        let outcome = answer.await;
        let fair =
            if bad { outcome == Outcome::Rejected } else { matches!(outcome, Outcome::Committed { .. }) };
        assert!(fair, "{key:?} got {outcome:?}");
        ledger.answered(key, outcome);
    }
    check(backend, &ledger).await;
}

/// The statement itself: an entry over the limit is a fault of the data, and nothing is written.
async fn data_is_told_apart(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    let mut lane = store.lane_connection().await.expect("a connection");
    let entries = [(new_id(), text("good")), (new_id(), oversized())];
    let result = lane.append(&batch(conversation, Seq::FIRST, 0, users[0], entries)).await;
    assert_eq!(result, AppendResult::Data);
    check(backend, &ledger).await;
    let entries = [(new_id(), text("stale"))];
    let result = lane.append(&batch(conversation, Seq::new(5), 4, users[0], entries)).await;
    assert_eq!(result, AppendResult::Written { stale: vec![conversation] });
    check(backend, &ledger).await;
}

/// A send whose predecessor is not there is out of order, whoever committed what.
async fn broken_after(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(2);
    let conversation = group(&store, &ledger, &users).await;
    let committers = [
        Committer::start(backend.open().await, Faults::NONE),
        Committer::start(backend.open().await, Faults::NONE),
    ];
    let key = |id: ClientMsgId, user: UserId| (conversation, user, id);
    let [first, second, third] = [new_id(), new_id(), new_id()];
    for (id, user) in [(first, users[0]), (second, users[0]), (third, users[0])] {
        ledger.offered(key(id, user), DEVICE, &text("in order").body);
    }
    let send = async |n: usize, id, user, after| {
        let outcome = committers[n].offer(offer(key(id, user), after, text("in order"))).await.await;
        ledger.answered(key(id, user), outcome.clone());
        outcome
    };
    assert_eq!(
        send(0, second, users[0], Some(first)).await,
        Outcome::OutOfOrder,
        "its predecessor is nowhere"
    );
    assert!(matches!(send(0, first, users[0], None).await, Outcome::Committed { .. }));
    let through_other = send(1, second, users[0], Some(first)).await;
    assert!(
        matches!(through_other, Outcome::Committed { .. }),
        "its predecessor is stored: {through_other:?}"
    );
    let of_another = send(0, new_id(), users[1], Some(first)).await;
    assert_eq!(of_another, Outcome::OutOfOrder, "somebody else's send is nobody's predecessor");
    // Pipelined behind one that is refused for good, and behind one that is rejected.
    let refused = new_id();
    ledger.offered(key(refused, users[0]), DEVICE, &oversized().body);
    let bad = committers[0].offer(offer(key(refused, users[0]), None, oversized())).await;
    let behind = committers[0].offer(offer(key(third, users[0]), Some(refused), text("in order"))).await;
    assert_eq!(bad.await, Outcome::Rejected);
    assert_eq!(behind.await, Outcome::OutOfOrder, "its predecessor was rejected");
    assert!(matches!(send(0, third, users[0], None).await, Outcome::Committed { .. }));
    check(backend, &ledger).await;
}

/// A conversation that does not exist.
async fn no_such_conversation(backend: &Backend) {
    let store = backend.open().await;
    let committer = Committer::start(store, Faults::NONE);
    let nowhere = (goim_core::ConversationId::new(4_711), users(1)[0], new_id());
    assert_eq!(
        committer.offer(offer(nowhere, None, text("hello?"))).await.await,
        Outcome::NoSuchConversation
    );
}

/// A store without room refuses writes with a clear error, serves reads, loses nothing, and goes on
/// when there is room again.
async fn full(backend: &Backend) {
    let ledger = Ledger::default();
    let users = users(1);
    let roomy = backend.open().await;
    let conversation = group(&roomy, &ledger, &users).await;
    append_texts(&roomy, &ledger, conversation, users[0], Seq::FIRST, 5).await;
    let raw = backend.raw().await;
    let store = if backend.is_postgres() {
        // What the server says when its disk is full, from where it would say it.
        raw.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'disk' USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER no_room BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION no_room();",
        )
        .await;
        backend.open().await
    } else {
        let pages = raw.number("PRAGMA page_count").await + 5;
        let limit = Options { sqlite_pages_max: u32::try_from(pages).ok(), ..Options::default() };
        store::open(&backend.url(), limit).await.expect("the store opens")
    };
    let committer = Committer::start(store.clone(), Faults::NONE);
    let mut refused = 0;
    for n in 0..60 {
        let key = (conversation, users[0], new_id());
        let entry = text(&"x".repeat(4_000));
        ledger.offered(key, DEVICE, &entry.body);
        let outcome = committer.offer(offer(key, None, entry)).await.await;
        let full = outcome == Outcome::Unavailable(Unavailable::StoreFull);
        assert!(full || matches!(outcome, Outcome::Committed { .. }), "send {n} got {outcome:?}");
        refused += usize::from(full);
        ledger.answered(key, outcome);
    }
    assert!(refused > 10, "the store was never full");
    let page = store.pull(users[0], conversation, Seq::ZERO, 100, 1 << 20).await.expect("reads go on");
    assert_eq!(page.through, raw.head(conversation).await);
    if backend.is_postgres() {
        raw.execute("DROP TRIGGER no_room ON messages").await;
    }
    let again = Committer::start(if backend.is_postgres() { store } else { roomy }, Faults::NONE);
    let key = (conversation, users[0], new_id());
    let entry = text("room again");
    ledger.offered(key, DEVICE, &entry.body);
    let outcome = again.offer(offer(key, None, entry)).await.await;
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    ledger.answered(key, outcome);
    check(backend, &ledger).await;
}

/// Whoever calls goes away at any moment: what others write afterwards is there for everybody.
async fn calls_dropped(backend: &Backend) {
    let mut rng = seeded("calls that are dropped");
    let store = backend.open().await;
    let ledger = Ledger::default();
    let user = store.create_user("anna", None, None, 1).await.expect("an answer").expect("a free name").user;
    let conversation = group(&store, &ledger, &[user]).await;
    append_texts(&store, &ledger, conversation, user, Seq::FIRST, 60).await;
    let device = store.create_device(user, "phone", 1).await.expect("a device");
    let raw = backend.raw().await;
    let epoch = store.epoch().await.expect("an epoch");
    for seq in 1..=60 {
        for _ in 0..scaled(8) {
            let moment = Duration::from_micros(rng.random_range(0..1_500));
            let start = store.start_device(user, device, Start::Now);
            // Whether it was in time is of no matter.
            let _ = tokio::time::timeout(moment, start).await;
        }
        // On as many connections as there are.
        for phone in 0..8 {
            let device = DeviceId::new(device.as_u64() + phone);
            let offset = OffsetCommit { device, user, conversation, seq: Seq::new(seq), epoch };
            assert_eq!(store.commit_offsets(&[offset]).await.expect("committed"), []);
            let sql = format!(
                "SELECT count(*) FROM offsets WHERE device = {device} AND conversation = {conversation} \
                 AND seq >= {seq}"
            );
            assert_eq!(raw.number(&sql).await, 1, "{seq} was committed and is not there");
        }
    }
}

/// A store that would not flush is refused unless that is asked for.
#[tokio::test]
async fn g1_a_store_that_does_not_flush_is_refused() {
    let backend = Backend::postgres().await;
    drop(backend.open().await);
    let raw = backend.raw().await;
    let database = raw.name().await;
    raw.execute(&format!("ALTER DATABASE {database} SET synchronous_commit = off")).await;
    let refused = store::open(&backend.url(), Options::default()).await;
    assert!(matches!(refused, Err(StoreError::NotDurable { setting: "synchronous_commit" })), "{refused:?}");
    let allowed = Options { unsafe_allowed: true, ..Options::default() };
    store::open(&backend.url(), allowed).await.expect("the unsafe store is asked for");
    backend.finish().await;
}

/// What SQLite keeps in memory, or in a file that goes with the connection, is on no disk.
#[tokio::test]
async fn g1_a_store_that_is_on_no_disk_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:", "sqlite://"] {
        let refused = store::open(url, Options::default()).await;
        assert!(matches!(refused, Err(StoreError::NoFile)), "{url}: {refused:?}");
    }
}

on_both_stores! {
    super::old_entries_deleted as g2_the_head_does_not_come_from_the_entries_that_are_left,
    super::data_refused as an_entry_that_the_store_cannot_take_is_rejected_alone,
    super::data_is_told_apart as bad_data_and_stale_batches_write_nothing,
    super::broken_after as g4_sends_with_a_broken_after_are_out_of_order,
    super::no_such_conversation as a_conversation_that_does_not_exist_is_named_so,
    super::calls_dropped as g6_a_committed_offset_is_there_though_other_calls_were_dropped,
    super::full as g1_a_full_store_refuses_writes_and_loses_nothing,
}
