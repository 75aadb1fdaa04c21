//! The same id more than once: in one batch, unmarked, by the hundred.

use std::time::Duration;

use goim_core::lane::{AppendResult, LaneLimits, Offer};
use goim_core::{DeviceId, Seq};
use tokio::time::timeout;

use crate::backend::Backend;
use crate::checker::check;
use crate::committer::{Committer, Outcome};
use crate::faults::Faults;
use crate::fixtures::{AS_SERVED, append_texts, batch, group, new_id, text, users};
use crate::ledger::{Key, Ledger, place};
use crate::on_both_stores;

const DEVICE: DeviceId = DeviceId::new(7);
/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(10);

fn offer(
    (conversation, sender, client_msg_id): Key,
    retry: bool,
) -> Offer<goim_server::store::EntryDraft, ()> {
    let entry = text("text again");
    Offer {
        ticket: (),
        conversation,
        sender,
        device: DEVICE,
        client_msg_id,
        after: None,
        retry,
        epoch: AS_SERVED,
        entry,
    }
}

/// The statement itself: a batch with the same id twice is refused whole, as is one with an id
/// that is stored, and nothing of either is written.
async fn in_one_batch(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(2);
    let conversation = group(&store, &ledger, &users).await;
    let stored = append_texts(&store, &ledger, conversation, users[0], Seq::FIRST, 3).await;
    let mut lane = store.lane_connection().await.expect("a connection");
    let head = Seq::new(4);
    let twice = new_id();
    for ids in [[twice, twice], [new_id(), stored[1]]] {
        let entries = ids.map(|id| (id, text("twice")));
        let result = lane.append(&batch(conversation, head, 3, users[0], entries)).await;
        assert_eq!(result, AppendResult::Duplicate);
        check(backend, &ledger).await;
    }
    // The id belongs to its sender; another sender's is another id. And the lane goes on.
    let entry = text("mine");
    ledger.offered((conversation, users[1], stored[1]), DEVICE, &entry.body);
    let result = lane.append(&batch(conversation, head, 3, users[1], [(stored[1], entry)])).await;
    assert_eq!(result, AppendResult::Written { stale: Vec::new() });
    check(backend, &ledger).await;
}

/// Offers of one id while the first waits: one is committed, the others are told of it.
async fn offered_at_once(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    let committer = Committer::start(store, Faults::NONE);
    let key = (conversation, users[0], new_id());
    ledger.offered(key, DEVICE, &text("text again").body);
    let mut answers = Vec::new();
    for n in 0..20 {
        answers.push(committer.offer(offer(key, n % 2 == 1)).await);
    }
    for answer in answers {
        let outcome = answer.await;
        assert_eq!(place(&outcome).map(|place| place.0), Some(Seq::new(2)), "{outcome:?}");
        ledger.answered(key, outcome);
    }
    check(backend, &ledger).await;
}

/// A stored id that nobody marks as a retry, in a batch with others: it alone is told so.
async fn unmarked(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(2);
    let conversation = group(&store, &ledger, &users).await;
    let stored = append_texts(&store, &ledger, conversation, users[0], Seq::FIRST, 3).await;
    // A committer that has not seen them.
    let committer = Committer::start(backend.open().await, Faults::NONE);
    let mut answers = Vec::new();
    for n in 0..10 {
        let key = (conversation, users[1], new_id());
        ledger.offered(key, DEVICE, &text("text again").body);
        answers.push((key, committer.offer(offer(key, false)).await));
        if n == 5 {
            let key = (conversation, users[0], stored[1]);
            answers.push((key, committer.offer(offer(key, false)).await));
        }
    }
    for (key, answer) in answers {
        let outcome = answer.await;
        if key.1 == users[0] {
            assert!(
                matches!(outcome, Outcome::Duplicate { seq, unmarked: true, .. } if seq == Seq::new(3)),
                "{outcome:?}"
            );
        } else {
            assert!(matches!(outcome, Outcome::Committed { .. }), "{key:?} got {outcome:?}");
        }
        ledger.answered(key, outcome);
    }
    check(backend, &ledger).await;
}

/// A sender who does nothing but repeat, unmarked, to committers that remember nothing: others get
/// through, and only he is told to pay.
async fn spammer(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(3);
    let conversation = group(&store, &ledger, &users).await;
    let stored = append_texts(&store, &ledger, conversation, users[0], Seq::FIRST, 40).await;
    for _ in 0..5 {
        let committer = Committer::start(backend.open().await, Faults::NONE);
        let mut answers = Vec::new();
        for id in &stored {
            let spam = (conversation, users[0], *id);
            let fresh = (conversation, users[1], new_id());
            ledger.offered(fresh, DEVICE, &text("text again").body);
            for key in [spam, fresh] {
                answers.push((key, committer.offer(offer(key, false)).await));
            }
        }
        for (key, answer) in answers {
            let outcome = answer.await;
            match &outcome {
                Outcome::Committed { .. } => assert_eq!(key.1, users[1]),
                Outcome::Duplicate { unmarked, .. } => assert!(*unmarked && key.1 == users[0]),
                other => panic!("{key:?} got {other:?}"),
            }
            ledger.answered(key, outcome);
        }
    }
    check(backend, &ledger).await;
}

/// A lane with room for one takes the rest as it answers, also where no append ends meanwhile: the
/// batch that it drafts answers everything that it took.
async fn with_room_for_one(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    // So that nothing but an answer makes it go on.
    let limits = LaneLimits { waiting_bytes_max: 1, wait_max: 10 * DEADLINE, ..LaneLimits::default() };
    let committer = Committer::start_with(store, Faults::NONE, limits);
    let key = (conversation, users[0], new_id());
    ledger.offered(key, DEVICE, &text("text again").body);
    ledger.answered(key, committer.offer(offer(key, false)).await.await);
    for answer in committer.offer_all((0..20).map(|_| offer(key, true)).collect()).await {
        let outcome = timeout(DEADLINE, answer).await.expect("a lane that takes what it has room for");
        assert!(matches!(outcome, Outcome::Duplicate { .. }), "{outcome:?}");
        ledger.answered(key, outcome);
    }
    check(backend, &ledger).await;
}

on_both_stores! {
    super::with_room_for_one as g7_what_a_lane_has_no_room_for_waits_for_its_answers_and_no_longer,
    super::in_one_batch as g3_a_duplicate_inside_one_batch_is_refused_with_it,
    super::offered_at_once as g3_second_copies_that_wait_share_the_first_one_s_place,
    super::unmarked as g3_an_unmarked_duplicate_is_answered_and_nobody_else_suffers,
    super::spammer as g3_a_duplicate_spamming_sender_stops_nobody,
}
