//! A committer that is stopped while it has something to do.

use std::time::Duration;

use goim_core::DeviceId;
use goim_core::lane::Offer;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::checker::check;
use crate::committer::Committer;
use crate::faults::Faults;
use crate::fixtures::{AS_SERVED, group, new_id, text, users};
use crate::ledger::Ledger;
use crate::on_both_stores;

const DEVICE: DeviceId = DeviceId::new(7);
/// Far longer than what is under way can take.
const DEADLINE: Duration = Duration::from_secs(10);

/// It ends by itself once everything that it was offered is answered.
async fn under_way(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    let committer = Committer::start(store, Faults::NONE);
    let mut answers = Vec::new();
    for _ in 0..20 {
        let (sender, client_msg_id, entry) = (users[0], new_id(), text("last words"));
        let key = (conversation, sender, client_msg_id);
        ledger.offered(key, DEVICE, &entry.body);
        let (after, retry) = (None, false);
        let offer = Offer {
            ticket: (),
            conversation,
            sender,
            device: DEVICE,
            client_msg_id,
            after,
            retry,
            epoch: AS_SERVED,
            entry,
        };
        answers.push((key, committer.offer(offer).await));
    }
    timeout(DEADLINE, committer.stop()).await.expect("a committer that ends when all is answered");
    for (key, answer) in answers {
        ledger.answered(key, answer.await);
    }
    check(backend, &ledger).await;
}

on_both_stores! {
    super::under_way as g1_a_stop_answers_what_is_under_way_and_ends,
}
