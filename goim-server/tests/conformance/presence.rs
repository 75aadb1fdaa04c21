//! Which devices are connected, to which node, and since when that is stale.

use goim_core::{DeviceId, UserId};
use goim_server::store::{Seen, Store};

use crate::backend::Backend;
use crate::common::on_both_stores;

const HERE: u64 = 1;
const THERE: u64 = 2;

async fn person(store: &dyn Store, name: &str) -> (UserId, DeviceId) {
    let user = store.create_user(name, Some("hash"), None, 1).await.expect("an answer").expect("free").user;
    (user, store.create_device(user, "phone", 1).await.expect("a device"))
}

/// What a user knows of himself, if what was seen at 10 or before is stale.
async fn own(store: &dyn Store, user: UserId) -> Option<(bool, bool, u64)> {
    let seen = store.seen(user, &[user], 10).await.expect("an answer");
    let own = |seen: &Seen| (seen.here, seen.away, seen.last_ms);
    seen.first().map(own)
}

async fn devices(backend: &Backend) {
    let store = backend.open().await;
    let (user, phone) = person(&*store, "anna").await;
    let tablet = store.create_device(user, "tablet", 1).await.expect("a device");
    let note = async |device, here, node, now_ms| {
        store.note_devices(&[device], here, node, now_ms, 10).await.expect("noted");
    };
    store.set_away(phone, true).await.expect("an answer");
    assert_eq!(own(&*store, user).await, None, "nobody has seen him");
    note(phone, true, HERE, 5).await;
    assert_eq!(own(&*store, user).await, Some((false, false, 5)), "the node does not note him any more");
    note(phone, true, HERE, 20).await;
    assert_eq!(own(&*store, user).await, Some((true, false, 20)));
    store.set_away(phone, true).await.expect("an answer");
    note(phone, true, HERE, 21).await;
    assert_eq!(own(&*store, user).await, Some((true, true, 21)), "still away a minute later");
    note(tablet, true, THERE, 22).await;
    assert_eq!(own(&*store, user).await, Some((true, false, 22)), "he is at the other one");
    note(tablet, false, THERE, 23).await;
    assert_eq!(own(&*store, user).await, Some((true, true, 23)));
    note(phone, true, THERE, 24).await;
    note(phone, false, HERE, 25).await;
    assert_eq!(own(&*store, user).await, Some((true, true, 24)), "he has gone from here to there");
    note(phone, false, THERE, 26).await;
    assert_eq!(own(&*store, user).await, Some((false, false, 26)));
    note(phone, true, HERE, 27).await;
    assert_eq!(own(&*store, user).await, Some((true, false, 27)), "who comes back is there");
}

on_both_stores! {
    super::devices as a_user_is_here_while_a_node_notes_one_of_his_devices,
}
