//! What a user may have so much of, and not a piece more, however many want it at once.

use std::sync::Arc;

use bytes::Bytes;
use goim_core::{ConversationId, UserId};
use goim_proto::RequestState;
use goim_server::store::{BotOwner, EntryKind, Notice, OpenLimit, Store, StoreError, StoreResult};

use crate::backend::Backend;
use crate::fixtures::{ANY_NUMBER, new_id};
use crate::on_both_stores;

/// So much may be had.
const MOST: u64 = 3;
/// So many want it at once.
const RIVALS: u64 = 12;

/// Somebody, and others whom he has to do with.
async fn people(store: &Arc<dyn Store>) -> (UserId, Vec<UserId>) {
    let mut all = Vec::new();
    for _ in 0..=RIVALS {
        let made = store.create_user(&new_id().to_string(), Some("hash"), None, 1).await;
        all.push(made.expect("an answer").expect("a free name").user);
    }
    // His id is lesser than some of theirs, and greater than others.
    (all.remove(all.len() / 2), all)
}

fn notice() -> Notice {
    Notice { kind: EntryKind(66), body: Bytes::from_static(b"notice") }
}

/// Does all at once, and says how many were done. The others have to be refused for the limit.
async fn done<F>(rivals: impl Iterator<Item = F>) -> u64
where
    F: Future<Output = StoreResult<()>> + Send + 'static,
{
    let rivals: Vec<_> = rivals.map(tokio::spawn).collect();
    let mut done = 0;
    for rival in rivals {
        match rival.await.expect("an end") {
            Ok(()) => done += 1,
            Err(StoreError::TooMany) => {}
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
    done
}

async fn bots(store: &Arc<dyn Store>) {
    let (anna, _) = people(store).await;
    let owner = BotOwner { user: anna, bots_max: MOST };
    let make = |_| {
        let store = Arc::clone(store);
        async move { store.create_user(&new_id().to_string(), None, Some(owner), 1).await.map(drop) }
    };
    assert_eq!(done((0..RIVALS).map(make)).await, MOST);
}

async fn friends(store: &Arc<dyn Store>) {
    let (anna, others) = people(store).await;
    for other in &others {
        for (from, to) in [(anna, *other), (*other, anna)] {
            store.request_friend(from, to, "", None, ANY_NUMBER, 1).await.expect("asked");
        }
    }
    // She accepts some, some accept her.
    let accept = |(n, other): (usize, &UserId)| {
        let (store, other) = (Arc::clone(store), *other);
        let (user, from) = if n % 2 == 0 { (anna, other) } else { (other, anna) };
        async move { store.answer_friend(user, from, true, &notice(), MOST, 2).await.map(drop) }
    };
    assert_eq!(done(others.iter().enumerate().map(accept)).await, MOST);
    let friends = store.friends(anna, UserId::new(0), 100).await.expect("friends");
    assert_eq!(friends.len() as u64, MOST);
    // Whom there is no room for still waits.
    let left = others.iter().find(|other| friends.iter().all(|friend| friend.user != **other)).unwrap();
    assert!(store.delete_friend(anna, friends[0].user).await.expect("an answer"));
    assert!(store.answer_friend(anna, *left, true, &notice(), MOST, 3).await.expect("there is room"));
}

/// Whoever has more friends than he may by now, for he was allowed more, adds none by accepting one of
/// them.
async fn friends_already(backend: &Backend) {
    let store = backend.open().await;
    let (anna, others) = people(&store).await;
    let accept = async |other, most| {
        store.request_friend(other, anna, "", None, ANY_NUMBER, 1).await.expect("asked");
        store.answer_friend(anna, other, true, &notice(), most, 2).await
    };
    for other in &others[..2] {
        assert!(accept(*other, 2).await.expect("there is room"));
    }
    backend.raw().await.execute("UPDATE friend_requests SET state = 1").await;
    assert!(store.answer_friend(anna, others[0], true, &notice(), 1, 3).await.expect("one more is no more"));
    assert!(matches!(accept(others[2], 1).await, Err(StoreError::TooMany)));
    let sent = store.friend_requests(others[0], true, u64::MAX, 10).await.expect("requests");
    assert_eq!(sent[0].state, RequestState::Accepted);
}

async fn blocks(store: &Arc<dyn Store>) {
    let (anna, others) = people(store).await;
    let set = |other: UserId, block| {
        let store = Arc::clone(store);
        async move { store.set_block(anna, other, block, MOST).await }
    };
    assert_eq!(done(others.iter().map(|other| set(*other, true))).await, MOST);
    let blocked = store.blocked(anna, UserId::new(0), 100).await.expect("users");
    assert_eq!(blocked.len() as u64, MOST);
    set(blocked[0], true).await.expect("once more is no more");
    set(blocked[0], false).await.expect("there is room");
    set(blocked[0], true).await.expect("for one");
}

async fn requests(store: &Arc<dyn Store>) {
    let (anna, others) = people(store).await;
    let ask = |other: UserId, after_ms| {
        let store = Arc::clone(store);
        let limit = OpenLimit { most: MOST, after_ms };
        async move { store.request_friend(anna, other, "", Some(&notice()), limit, 5).await }
    };
    assert_eq!(done(others.iter().map(|other| ask(*other, 4))).await, MOST);
    let sent = store.friend_requests(anna, true, u64::MAX, 100).await.expect("requests");
    assert_eq!(sent.len() as u64, MOST);
    ask(sent[0].user, 4).await.expect("once more is no more");
    let due = store.due(1_000).await.expect("due rows");
    let told = due.iter().filter(|row| row.sender == anna).count();
    assert_eq!(told as u64, MOST, "nobody hears of what is refused");
    assert_eq!(done(others.iter().map(|other| ask(*other, 5))).await, RIVALS, "old ones do not count");
}

async fn applications(store: &Arc<dyn Store>) {
    let (anna, _) = people(store).await;
    let apply = |n, after_ms| {
        let store = Arc::clone(store);
        let limit = OpenLimit { most: MOST, after_ms };
        let group = ConversationId::new(1_000 + n);
        async move { store.apply_to_group(group, anna, "", &notice(), limit, 5).await }
    };
    assert_eq!(done((0..RIVALS).map(|n| apply(n, 4))).await, MOST);
    assert_eq!(done((0..RIVALS).map(|n| apply(n, 5))).await, RIVALS, "old ones do not count");
}

async fn limits(backend: &Backend) {
    let store = backend.open().await;
    // In the first round a pool has to open its connections, and rivals hardly meet.
    for _ in 0..6 {
        bots(&store).await;
        friends(&store).await;
        blocks(&store).await;
        requests(&store).await;
        applications(&store).await;
    }
}

on_both_stores! {
    super::limits as a_user_has_so_much_and_no_more_by_wanting_it_at_once,
    super::friends_already as who_has_too_many_friends_adds_none_by_accepting_one_of_them,
}
