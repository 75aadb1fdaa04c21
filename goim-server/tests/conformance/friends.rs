//! Friends, requests, blocks.

use std::sync::Arc;

use bytes::Bytes;
use goim_core::lane::AppendResult;
use goim_core::{Seq, UserId};
use goim_proto::{Audience, RequestState, SettingsUpdate};
use goim_server::store::{EntryKind, Notice, Store};

use crate::backend::Backend;
use crate::fixtures::{ANY_NUMBER, asked_for, batch, bots_of, new_id, text};
use crate::on_both_stores;

async fn person(store: &Arc<dyn Store>, name: &str) -> UserId {
    store.create_user(name, Some("hash"), None, 1).await.expect("an answer").expect("a free name").user
}

fn notice(kind: i16) -> Notice {
    Notice { kind: EntryKind(kind), body: Bytes::from_static(b"notice") }
}

/// Whom inboxes are owed something, by whom, and which kind.
async fn owed(store: &Arc<dyn Store>) -> Vec<(UserId, UserId, i16)> {
    let rows = store.due(100).await.expect("due rows");
    assert!(rows.iter().all(|row| row.body.as_deref() == Some(b"notice") && row.seq == Seq::ZERO));
    rows.iter().map(|row| (row.user, row.sender, row.kind.0)).collect()
}

async fn requests(backend: &Backend) {
    let store = backend.open().await;
    let (anna, bert) = (person(&store, "anna").await, person(&store, "bert").await);
    let ask = async |greeting: &str| {
        store.request_friend(anna, bert, greeting, Some(&notice(66)), ANY_NUMBER, 5).await.expect("asked");
    };
    tokio::join!(ask("hi"), ask("hi"), ask("hi"), ask("hi"));
    assert_eq!(owed(&store).await, [(bert, anna, 66)], "asked at once, it is one request");
    let sent = store.friend_requests(anna, true, u64::MAX, 10).await.expect("requests");
    assert_eq!((sent.len(), sent[0].user, sent[0].state, sent[0].at_ms), (1, bert, RequestState::Open, 5));
    let relation = store.relation(bert, anna).await.expect("an answer").expect("a user");
    assert!(relation.is_asked && !relation.asked && !relation.friends);
    let reject = store.answer_friend(bert, anna, false, &notice(67), u64::MAX, 6).await.expect("an answer");
    assert!(reject);
    assert!(
        !store.answer_friend(bert, anna, true, &notice(67), u64::MAX, 6).await.expect("an answer"),
        "it was answered"
    );
    assert_eq!(owed(&store).await, [(bert, anna, 66), (anna, bert, 67)]);
    ask("again").await;
    let received = store.friend_requests(bert, false, u64::MAX, 10).await.expect("requests");
    assert_eq!((received.len(), received[0].greeting.as_str()), (1, "again"));
    assert!(received[0].number > sent[0].number, "it is a new one");
    let accept =
        async || store.answer_friend(bert, anna, true, &notice(67), u64::MAX, 7).await.expect("an answer");
    let (one, other) = tokio::join!(accept(), accept());
    assert!(one != other, "it is answered once");
    assert_eq!(owed(&store).await.len(), 4);
    let relation = store.relation(anna, bert).await.expect("an answer").expect("a user");
    assert!(relation.friends && !relation.asked);
    assert_eq!(store.relation(anna, UserId::new(4_711)).await.expect("an answer"), None);
}

/// Both ask at once, and one answer settles both requests.
async fn crossed(backend: &Backend) {
    let store = backend.open().await;
    let (anna, bert) = (person(&store, "anna").await, person(&store, "bert").await);
    store.request_friend(anna, bert, "", Some(&notice(66)), ANY_NUMBER, 1).await.expect("asked");
    store.request_friend(bert, anna, "", Some(&notice(66)), ANY_NUMBER, 1).await.expect("asked");
    assert!(store.answer_friend(bert, anna, true, &notice(67), u64::MAX, 2).await.expect("an answer"));
    for user in [anna, bert] {
        let sent = store.friend_requests(user, true, u64::MAX, 10).await.expect("requests");
        assert_eq!(sent[0].state, RequestState::Accepted);
        assert_eq!(store.friends(user, UserId::new(0), 10).await.expect("friends").len(), 1);
    }
}

/// Who accept each other at once are friends, and one of the two answers is the one that counts.
async fn accepted_at_once(backend: &Backend) {
    let store = backend.open().await;
    for round in 0..30 {
        let (anna, bert) =
            (person(&store, &format!("a{round}")).await, person(&store, &format!("b{round}")).await);
        store.request_friend(anna, bert, "", None, ANY_NUMBER, 1).await.expect("asked");
        store.request_friend(bert, anna, "", None, ANY_NUMBER, 1).await.expect("asked");
        let accept = |user, from| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.answer_friend(user, from, true, &notice(67), u64::MAX, 2).await })
        };
        let (one, other) = (accept(anna, bert), accept(bert, anna));
        let answers =
            [one, other].map(|answer| async { answer.await.expect("an answer").expect("no deadlock") });
        let [one, other] = answers;
        let (one, other) = tokio::join!(one, other);
        assert!(one != other, "one answer settles both");
        for user in [anna, bert] {
            assert_eq!(store.friends(user, UserId::new(0), 10).await.expect("friends").len(), 1);
        }
    }
}

/// A request of somebody who was no friend yet when he was looked at.
async fn asked_too_late(backend: &Backend) {
    let store = backend.open().await;
    let (anna, bert) = (person(&store, "anna").await, person(&store, "bert").await);
    let ask = async |from, to| {
        store.request_friend(from, to, "", Some(&notice(66)), ANY_NUMBER, 1).await.expect("an answer");
    };
    let accept =
        async || store.answer_friend(anna, bert, true, &notice(67), u64::MAX, 2).await.expect("an answer");
    ask(bert, anna).await;
    assert!(accept().await);
    let told = owed(&store).await;
    for (from, to) in [(anna, bert), (bert, anna)] {
        ask(from, to).await;
        nothing_open(&store, from, to).await;
    }
    assert_eq!(owed(&store).await, told);
    let sent = store.friend_requests(bert, true, u64::MAX, 10).await.expect("requests");
    assert_eq!(sent[0].state, RequestState::Accepted, "what came of his first one is kept");
    assert!(store.delete_friend(anna, bert).await.expect("an answer"));
    ask(bert, anna).await;
    assert!(accept().await, "they may be friends again");
}

/// Who accepts while both of the two ask once more leaves no request between friends.
async fn asked_while_accepted(backend: &Backend) {
    let store = backend.open().await;
    for round in 0..30 {
        let (anna, bert) =
            (person(&store, &format!("a{round}")).await, person(&store, &format!("b{round}")).await);
        store.request_friend(bert, anna, "", None, ANY_NUMBER, 1).await.expect("asked");
        let ask = |from, to| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.request_friend(from, to, "", None, ANY_NUMBER, 2).await })
        };
        let accept = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.answer_friend(anna, bert, true, &notice(67), u64::MAX, 3).await })
        };
        let (one, other) = (ask(anna, bert), ask(bert, anna));
        assert!(accept.await.expect("an end").expect("no deadlock"));
        for asked in [one, other] {
            asked.await.expect("an end").expect("no deadlock");
        }
        nothing_open(&store, anna, bert).await;
    }
}

/// Two are friends, and no request of one to the other is open.
async fn nothing_open(store: &Arc<dyn Store>, one: UserId, other: UserId) {
    let relation = store.relation(one, other).await.expect("an answer").expect("a user");
    assert!(relation.friends && !relation.asked && !relation.is_asked, "{relation:?}");
}

async fn lists(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    let mut others = Vec::new();
    for n in 0..5 {
        let other = person(&store, &format!("other {n}")).await;
        store.request_friend(other, anna, &n.to_string(), None, ANY_NUMBER, n).await.expect("asked");
        others.push(other);
    }
    assert_eq!(owed(&store).await, [], "no notice, nothing owed");
    let first = store.friend_requests(anna, false, u64::MAX, 3).await.expect("requests");
    assert_eq!(first.iter().map(|one| one.user).collect::<Vec<_>>(), [others[4], others[3], others[2]]);
    let rest = store.friend_requests(anna, false, first[2].number, 3).await.expect("requests");
    assert_eq!(rest.iter().map(|one| one.user).collect::<Vec<_>>(), [others[1], others[0]]);
    for other in &others {
        assert!(store.answer_friend(anna, *other, true, &notice(67), u64::MAX, 9).await.expect("an answer"));
    }
    assert!(store.set_remark(anna, others[1], "Benny").await.expect("an answer"));
    let update = goim_proto::ProfileUpdate { bio: Some("new".into()), ..Default::default() };
    store.update_profile(others[1], &update).await.expect("an answer");
    let page = store.friends(anna, UserId::new(0), 2).await.expect("friends");
    let seen: Vec<_> =
        page.iter().map(|one| (one.user, one.remark.as_str(), one.version, one.since_ms)).collect();
    assert_eq!(seen, [(others[0], "", 1, 9), (others[1], "Benny", 2, 9)]);
    let page = store.friends(anna, others[1], 10).await.expect("friends");
    assert_eq!(page.iter().map(|one| one.user).collect::<Vec<_>>(), others[2..]);
    assert!(store.delete_friend(others[2], anna).await.expect("an answer"));
    assert!(!store.delete_friend(anna, others[2]).await.expect("an answer"), "it ended for both");
    assert!(!store.set_remark(anna, others[2], "x").await.expect("an answer"));
    assert_eq!(store.friends(anna, UserId::new(0), 10).await.expect("friends").len(), 4);
}

/// A block is found stale by an append that was judged without it, and loaded with the next revision.
async fn blocks(backend: &Backend) {
    let store = backend.open().await;
    let (anna, bert) = (person(&store, "anna").await, person(&store, "bert").await);
    let direct = store.direct_chat(anna, bert).await.expect("a chat");
    let lane_store = Arc::clone(&store);
    let closed_to = async || {
        let load = asked_for(direct, bert);
        let loaded = lane_store.load(&load).await.expect("an answer").expect("a chat");
        (loaded.rev, loaded.settings.closed_to)
    };
    let nobody = UserId::new(0);
    assert_eq!(closed_to().await, (0, [nobody; 2]));
    for _ in 0..2 {
        store.set_block(anna, bert, true, u64::MAX).await.expect("blocked");
        assert_eq!(closed_to().await, (1, [bert, nobody]), "once is enough");
    }
    let mut lane = store.lane_connection().await.expect("a connection");
    let late = batch(direct, Seq::ZERO, 0, bert, [(new_id(), text("late"))]);
    assert_eq!(lane.append(&late).await, AppendResult::Written { stale: vec![direct] });
    store.set_block(bert, anna, true, u64::MAX).await.expect("blocked");
    let (rev, mut both) = closed_to().await;
    both.sort_unstable();
    assert_eq!((rev, both), (2, [anna, bert]));
    let relation = store.relation(anna, bert).await.expect("an answer").expect("a user");
    assert!(relation.blocks && relation.blocked);
    assert_eq!(relation.direct, None, "it was never opened");
    for (user, other) in [(anna, bert), (bert, anna), (bert, anna)] {
        store.set_block(user, other, false, u64::MAX).await.expect("unblocked");
    }
    assert_eq!(closed_to().await, (4, [nobody; 2]));
    let mut others = Vec::new();
    for n in 0..4 {
        let other = person(&store, &format!("other {n}")).await;
        store.request_friend(other, anna, "", None, ANY_NUMBER, 1).await.expect("asked");
        store.set_block(anna, other, true, u64::MAX).await.expect("blocked");
        others.push(other);
    }
    assert_eq!(store.blocked(anna, nobody, 3).await.expect("users"), others[..3]);
    assert_eq!(store.blocked(anna, others[2], 3).await.expect("users"), others[3..]);
    let received = store.friend_requests(anna, false, u64::MAX, 10).await.expect("requests");
    assert_eq!(received, [], "whom she blocks she does not hear");
    let raw = backend.raw().await;
    assert_eq!(raw.number("SELECT count(*) FROM direct_chats").await, 1, "a block makes no chat");
}

/// How many wait for a lock in this database.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Whoever blocks somebody who makes their direct chat at that moment waits for it, and raises its
/// revision. (A file has one writer at a time.)
async fn block_against_opening(backend: &Backend) {
    if !backend.is_postgres() {
        return;
    }
    let store = backend.open().await;
    let (anna, bert) = (person(&store, "anna").await, person(&store, "bert").await);
    let (making, looking) = (backend.raw().await, backend.raw().await);
    making
        .execute(&format!(
            "BEGIN; SELECT id FROM users WHERE id = {anna} FOR NO KEY UPDATE; \
             INSERT INTO conversations (id, kind, creator) VALUES (4711, 1, {bert}); \
             INSERT INTO direct_chats (low, high, conversation) VALUES ({anna}, {bert}, 4711)"
        ))
        .await;
    let block = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.set_block(anna, bert, true, u64::MAX).await })
    };
    while !block.is_finished() && looking.number(WAITING).await == 0 {
        tokio::task::yield_now().await;
    }
    making.execute("COMMIT").await;
    block.await.expect("an end").expect("blocked");
    assert_eq!(looking.number("SELECT rev FROM conversations WHERE id = 4711").await, 1);
}

async fn settings(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    let bot =
        store.create_user("bot", None, Some(bots_of(anna)), 1).await.expect("an answer").expect("a bot").user;
    let of = async |user, direct_from| {
        let update = SettingsUpdate { direct_from, ..SettingsUpdate::default() };
        let settings = store.update_settings(user, &update).await.expect("an answer").expect("a user");
        assert_eq!(settings.groups_from, Audience::Everybody);
        settings.direct_from
    };
    assert_eq!(of(anna, None).await, Audience::Friends);
    assert_eq!(of(bot, None).await, Audience::Everybody);
    assert_eq!(of(anna, Some(Audience::Everybody)).await, Audience::Everybody);
    let relation = store.relation(bot, anna).await.expect("an answer").expect("a user");
    assert_eq!((relation.direct_from, relation.owns), (Audience::Everybody, true));
    assert!(store.relation(anna, bot).await.expect("an answer").expect("a user").owns);
    let nobody = store.update_settings(UserId::new(4_711), &SettingsUpdate::default()).await;
    assert_eq!(nobody.expect("an answer"), None);
}

/// Somebody chose who adds him to groups, or blocks who wants to; one of a list is enough.
async fn additions(backend: &Backend) {
    let store = backend.open().await;
    let (anna, bert) = (person(&store, "anna").await, person(&store, "bert").await);
    let bot =
        store.create_user("bot", None, Some(bots_of(anna)), 1).await.expect("an answer").expect("a bot").user;
    let other = person(&store, "other").await;
    let refused =
        async |user, added: &[UserId]| store.keeps_out_of_groups(user, added).await.expect("an answer");
    assert!(!refused(bert, &[anna, bot, other]).await);
    assert!(!refused(bert, &[]).await);
    for user in [anna, bot] {
        let update = SettingsUpdate { groups_from: Some(Audience::Friends), ..SettingsUpdate::default() };
        let settings = store.update_settings(user, &update).await.expect("an answer").expect("a user");
        assert_eq!(settings.groups_from, Audience::Friends);
        assert!(refused(bert, &[other, user]).await);
    }
    assert!(!refused(anna, &[bot]).await && !refused(bot, &[anna]).await, "owner and bot");
    store.request_friend(bert, anna, "", None, ANY_NUMBER, 1).await.expect("asked");
    assert!(store.answer_friend(anna, bert, true, &notice(67), u64::MAX, 1).await.expect("an answer"));
    assert!(!refused(bert, &[anna]).await, "a friend");
    store.set_block(anna, bert, true, u64::MAX).await.expect("blocked");
    assert!(refused(bert, &[other, anna]).await);
    assert!(!refused(anna, &[bert]).await && !refused(bert, &[other]).await);
}

on_both_stores! {
    super::requests as a_request_is_open_once_and_answered_once,
    super::crossed as requests_that_cross_are_settled_together,
    super::accepted_at_once as who_accept_each_other_at_once_are_friends,
    super::asked_too_late as friends_have_no_request_open_between_them,
    super::asked_while_accepted as who_asks_while_he_is_accepted_leaves_no_request_open,
    super::lists as friends_and_requests_come_in_pages,
    super::blocks as g9_a_block_makes_the_lane_s_belief_stale,
    super::additions as an_account_says_who_may_add_to_groups_and_a_block_holds_there_too,
    super::block_against_opening as g9_a_block_waits_for_who_opens_the_chat,
    super::settings as an_account_says_who_may_open_a_direct_chat,
}
