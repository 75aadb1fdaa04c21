//! Several committers on the same conversations, each believing that it owns them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goim_core::lane::Offer;
use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_server::store::Store;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use crate::backend::Backend;
use crate::checker::{check, is_dense};
use crate::committer::{Committer, Outcome, check_published};
use crate::faults::Faults;
use crate::fixtures::{AS_SERVED, addition, group, new_id, removal, scaled, seeded, text, users};
use crate::ledger::Ledger;
use crate::on_both_stores;
use crate::workload::{self, Device};

/// Devices for each of the users in each of the conversations.
pub(crate) fn devices(conversations: &[ConversationId], users: &[UserId]) -> Vec<Device> {
    let mut devices = Vec::new();
    for (n, conversation) in conversations.iter().enumerate() {
        // The first conversation is hot: everybody has two devices there.
        for copy in 0..if n == 0 { 2 } else { 1 } {
            for user in users {
                let device = DeviceId::new(10 * user.as_u64() + copy + 1);
                devices.push(Device { user: *user, device, conversation: *conversation });
            }
        }
    }
    devices
}

pub(crate) async fn committers(backend: &Backend, count: usize, faults: Faults) -> Vec<Arc<Committer>> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(Arc::new(Committer::start(backend.open().await, faults)));
    }
    all
}

async fn race(backend: &Backend, count: usize, mut rng: StdRng) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(4);
    let mut conversations = Vec::new();
    for _ in 0..5 {
        conversations.push(group(&store, &ledger, &users).await);
    }
    let committers = committers(backend, count, Faults::NONE).await;
    let done = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(watch(Arc::clone(&store), conversations[0], Arc::clone(&done)));
    workload::run(&mut rng, &committers, &ledger, &devices(&conversations, &users), scaled(30)).await;
    done.store(true, Ordering::Relaxed);
    watcher.await.expect("readers saw no gap");
    check_published(backend, &ledger, &committers).await;
}

/// Reads a log while it grows: what is readable is always 1, 2, 3, … without a gap.
async fn watch(store: Arc<dyn Store>, conversation: ConversationId, done: Arc<AtomicBool>) {
    let mut offset = Seq::ZERO;
    while !done.load(Ordering::Relaxed) {
        let entries = store.entries(conversation, offset, 100, 1 << 20).await.expect("entries");
        for entry in entries {
            assert_eq!(entry.seq, offset.next(), "became readable before its predecessor");
            offset = entry.seq;
        }
        let heads = store.heads(&[conversation]).await.expect("a head");
        assert!(heads[0].head >= offset, "an entry became readable before the head");
        tokio::task::yield_now().await;
    }
}

async fn two_committers(backend: &Backend) {
    race(backend, 2, seeded("two committers")).await;
}

async fn three_committers(backend: &Backend) {
    race(backend, 3, seeded("three committers")).await;
}

/// The same sends are offered to two committers at the same moment.
async fn same_sends_through_two(backend: &Backend) {
    let mut rng = seeded("the same sends through two committers");
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(3);
    let conversations = [group(&store, &ledger, &users).await, group(&store, &ledger, &users).await];
    let committers = committers(backend, 2, Faults::NONE).await;
    for _ in 0..scaled(40) {
        let mut answers = Vec::new();
        for _ in 0..10 {
            let conversation = *conversations.choose(&mut rng).expect("two");
            let sender = *users.choose(&mut rng).expect("three");
            let (client_msg_id, entry) = (new_id(), text("to both"));
            // Each is a device of its own: with two committers there is no order between two sends
            // of which neither names the other.
            let device = DeviceId::new(rng.random_range(100..u64::MAX / 4));
            let key = (conversation, sender, client_msg_id);
            ledger.offered(key, device, &entry.body);
            for committer in &committers {
                let entry = entry.clone();
                let retry = rng.random_bool(0.5);
                let offer = Offer {
                    ticket: (),
                    conversation,
                    sender,
                    device,
                    client_msg_id,
                    after: None,
                    retry,
                    epoch: AS_SERVED,
                    entry,
                };
                answers.push((key, committer.offer(offer).await));
            }
        }
        for (key, answer) in answers {
            let outcome = answer.await;
            let fine = matches!(outcome, Outcome::Committed { .. } | Outcome::Duplicate { .. });
            assert!(fine, "{key:?} got {outcome:?}");
            ledger.answered(key, outcome);
        }
    }
    check(backend, &ledger).await;
    let stored: u64 = store.heads(&conversations).await.expect("heads").iter().map(|h| h.head.as_u64()).sum();
    assert_eq!(stored, 2 + 10 * u64::try_from(scaled(40)).expect("few"), "each is stored once");
}

/// A member is removed through one committer while he sends through the other: nothing of his
/// stands behind his removal, and nobody else is refused.
async fn removal_against_send(backend: &Backend) {
    let mut rng = seeded("a removal against a send");
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(3);
    let (owner, victim, other) = (users[0], users[1], users[2]);
    let conversation = group(&store, &ledger, &users).await;
    let committers = committers(backend, 2, Faults::NONE).await;
    let device = |user: UserId| DeviceId::new(10 * user.as_u64());
    for round in 0..scaled(25) {
        let mut answers = Vec::new();
        let turn = rng.random_range(0..20);
        for n in 0..20 {
            let mut offers = vec![(1, victim, text("still here")), (0, other, text("hello"))];
            if n == turn {
                offers.push((0, owner, removal(victim)));
            }
            for (through, sender, entry) in offers {
                let key = (conversation, sender, new_id());
                ledger.offered(key, device(sender), &entry.body);
                answers.push((key, committers[through].offer(offer_of(key, device(sender), entry)).await));
            }
        }
        for (key, answer) in answers {
            let outcome = answer.await;
            let refused = matches!(outcome, Outcome::Refused(_)) && key.1 == victim;
            assert!(refused || matches!(outcome, Outcome::Committed { .. }), "{key:?} got {outcome:?}");
            ledger.answered(key, outcome);
        }
        nothing_behind_removal(backend, conversation, victim, round).await;
        let back = (conversation, owner, new_id());
        let entry = addition(&[victim]);
        ledger.offered(back, device(owner), &entry.body);
        let outcome = committers[0].offer(offer_of(back, device(owner), entry)).await.await;
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        ledger.answered(back, outcome);
    }
    check(backend, &ledger).await;
}

fn offer_of(
    (conversation, sender, client_msg_id): crate::ledger::Key,
    device: DeviceId,
    entry: goim_server::store::EntryDraft,
) -> Offer<goim_server::store::EntryDraft, ()> {
    Offer {
        ticket: (),
        conversation,
        sender,
        device,
        client_msg_id,
        after: None,
        retry: false,
        epoch: AS_SERVED,
        entry,
    }
}

async fn nothing_behind_removal(
    backend: &Backend,
    conversation: ConversationId,
    victim: UserId,
    round: usize,
) {
    let raw = backend.raw().await;
    let entries = raw.entries(conversation).await;
    is_dense(conversation, &entries, raw.head(conversation).await);
    let removed = removal(victim).body;
    let last = entries.iter().rposition(|entry| entry.body == removed).expect("the removal is stored");
    let behind = entries[last..].iter().filter(|entry| entry.sender == victim).count();
    assert_eq!(behind, 0, "round {round}: a removed member's text behind his removal");
}

on_both_stores! {
    super::two_committers as g2_two_committers_believe_that_they_own_the_same_conversations,
    super::three_committers as g2_three_committers_believe_that_they_own_the_same_conversations,
    super::same_sends_through_two as g3_the_same_sends_through_two_committers_are_stored_once,
    super::removal_against_send as g9_a_removal_races_with_sends,
}
