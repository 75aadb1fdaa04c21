//! A store that went back: a restored backup, or the promotion of a replica that lagged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use goim_core::lane::Offer;
use goim_core::{ConversationId, DeviceId, Epoch, Seq, UserId};
use goim_proto::ErrorCode;
use goim_server::store::{EntryKind, Notice, OffsetCommit, StoreError, StoreResult, Which};
use tokio::time::timeout;

use crate::backend::Backend;
use crate::checker::check;
use crate::committer::{Committer, Outcome};
use crate::faults::Faults;
use crate::fixtures::{append_texts, group, new_id, text, users};
use crate::ledger::Ledger;
use crate::on_both_stores;

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// A committer that remembers what is gone stores it anew when it is sent again, from the head
/// that the store has now.
async fn went_back(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    let before = store.epoch().await.expect("an epoch");
    let committer = Committer::start(Arc::clone(&store), Faults::NONE);
    let ids: Vec<_> = (0..10).map(|_| new_id()).collect();
    let send = async |n: usize, epoch: Epoch, retry: bool| {
        let entry = text(&format!("text {n}"));
        ledger.offered((conversation, users[0], ids[n]), DeviceId::new(7), &entry.body);
        let offer = Offer {
            ticket: (),
            conversation,
            sender: users[0],
            device: DeviceId::new(7),
            client_msg_id: ids[n],
            after: None,
            retry,
            epoch,
            entry,
        };
        committer.offer(offer).await.await
    };
    for n in 0..10 {
        assert!(matches!(send(n, before, false).await, Outcome::Committed { .. }));
    }
    backend.raw().await.take_back(conversation, Seq::new(5)).await;
    let after = store.new_epoch().await.expect("a new epoch");
    assert!(after > before);
    store.gate().serve(after);
    committer.begin_epoch(after);
    for n in 0..10 {
        let outcome = send(n, after, true).await;
        let kept = n < 4;
        let fair = match outcome {
            Outcome::Duplicate { seq, .. } => kept && seq == Seq::new(n as u64 + 2),
            Outcome::Committed { seq, .. } => !kept && seq == Seq::new(n as u64 + 2),
            _ => false,
        };
        assert!(fair, "text {n} got {outcome:?}");
    }
    committer.stop().await;
    assert_eq!(committer.published_in(), [[before].repeat(10), [after].repeat(6)].concat());
    check(backend, &ledger).await;
}

/// An offset of the log that is no more does not count in the one that took its place, though that
/// has come as far meanwhile.
async fn offsets_of_before(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    let before = store.epoch().await.expect("an epoch");
    append_texts(&store, &ledger, conversation, users[0], Seq::FIRST, 9).await;
    let (user, device) = (users[0], DeviceId::new(7));
    let commit = async |seq: u64, epoch: Epoch| {
        let offset = OffsetCommit { device, user, conversation, seq: Seq::new(seq), epoch };
        store.commit_offsets(&[offset]).await.expect("an answer")
    };
    assert_eq!(commit(3, before).await, []);
    backend.raw().await.take_back(conversation, Seq::new(5)).await;
    let after = store.new_epoch().await.expect("a new epoch");
    store.gate().serve(after);
    append_texts(&store, &ledger, conversation, users[0], Seq::new(5), 5).await;
    assert_eq!(commit(9, before).await, [(0, ErrorCode::OtherEpoch)]);
    let states = store
        .reader_states(user, device, &[], ConversationId::default(), Which::All, 10)
        .await
        .expect("states");
    assert_eq!(states.iter().map(|state| state.item.offset).collect::<Vec<_>>(), [Seq::new(3)]);
    assert_eq!(commit(9, after).await, []);
}

/// A store that finds itself in another epoch says so, to whoever asks whatever, until its node has
/// forgotten what it knew.
async fn in_another_epoch(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    if backend.is_postgres() {
        // It is found by the first connection that is opened, whatever for.
        backend.lost_and_back(async |raw| raw.new_epoch().await).await;
        let found = async { while store.entries(conversation, Seq::ZERO, 1, 1_000).await.is_ok() {} };
        timeout(DEADLINE, found).await.expect("a connection that is lost");
    } else {
        // A file has no connections to lose: it is found by whoever looks at the epoch.
        backend.raw().await.new_epoch().await;
        assert!(matches!(store.heads(&[conversation]).await, Err(StoreError::WentBack)));
    }
    let epoch = timeout(DEADLINE, async {
        loop {
            // Until it is connected again.
            let _ = store.entries(conversation, Seq::ZERO, 1, 1_000).await;
            if let Some(epoch) = store.gate().went_back().now_or_never() {
                break epoch;
            }
        }
    });
    let epoch = epoch.await.expect("another epoch");
    assert_eq!(epoch, store.epoch().await.expect("an epoch"));
    let went_back =
        |answer: StoreResult<()>| assert!(matches!(answer, Err(StoreError::WentBack)), "{answer:?}");
    let (user, device) = (users[0], DeviceId::new(7));
    went_back(store.entries(conversation, Seq::ZERO, 1, 1_000).await.map(drop));
    went_back(store.memberships(user).await.map(drop));
    went_back(store.mark_read(user, conversation, Seq::FIRST).await.map(drop));
    went_back(
        store
            .commit_offsets(&[OffsetCommit { device, user, conversation, seq: Seq::FIRST, epoch }])
            .await
            .map(drop),
    );
    went_back(store.lane_connection().await.map(drop));
    went_back(store.friends(user, UserId::default(), 1).await.map(drop));
    went_back(store.delete_friend(user, user).await.map(drop));
    went_back(store.group(conversation, user).await.map(drop));
    let notice = Notice { kind: EntryKind(0), body: Bytes::new() };
    went_back(store.reject_application(conversation, user, user, &notice, 0).await.map(drop));
    went_back(store.profiles(&[user]).await.map(drop));
    went_back(store.change_password(user, device, "", "").await.map(drop));
    store.gate().serve(epoch);
    assert_eq!(store.entries(conversation, Seq::ZERO, 1, 1_000).await.expect("entries").len(), 1);
    store.lane_connection().await.expect("a connection");
}

/// A store that finds itself in another cluster or on another timeline begins a new epoch by
/// itself, once, and stays in it.
#[tokio::test]
async fn g6_a_promotion_begins_a_new_epoch() {
    let backend = Backend::postgres().await;
    let first = backend.open().await.epoch().await.expect("an epoch");
    assert_eq!(backend.open().await.epoch().await.expect("an epoch"), first, "a restart is no promotion");
    let raw = backend.raw().await;
    for change in ["timeline = timeline - 1", "cluster = cluster + 1"] {
        let before = raw.epoch().await;
        raw.execute(&format!("UPDATE meta SET {change}")).await;
        let store = backend.open().await;
        let after = store.epoch().await.expect("an epoch");
        assert!(after > before, "{change} goes unnoticed");
        assert_eq!(backend.open().await.epoch().await.expect("an epoch"), after);
    }
    // A lane that lost its connection to the old primary finds the promoted one.
    let store = backend.open().await;
    let before = raw.epoch().await;
    raw.execute("UPDATE meta SET timeline = timeline - 1").await;
    let refused = store.lane_connection().await.err();
    assert!(matches!(refused, Some(StoreError::WentBack)), "a new connection does not look: {refused:?}");
    let after = store.epoch().await.expect("an epoch");
    assert!(after > before);
    store.gate().serve(after);
    store.lane_connection().await.expect("a connection");
    backend.finish().await;
}

on_both_stores! {
    super::in_another_epoch as g6_nothing_is_answered_in_an_epoch_that_is_not_served,
    super::offsets_of_before as g6_an_offset_of_a_log_that_is_no_more_is_refused,
    super::went_back as g6_a_store_that_went_back_takes_again_what_it_lost,
}
