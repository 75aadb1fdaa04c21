//! Pages of found messages, and their bounds.

use std::time::Duration;

use goim_core::{ConversationId, Seq};
use goim_server::store::{Options, Query, Search, SearchPlace, StoreError, open};

use super::{Room, found, index, page, places};
use crate::backend::Backend;
use crate::fixtures::{text, users};
use crate::on_both_stores;

/// More messages than are looked through one by one, in three groups, found in pages.
async fn pages(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let (mut rooms, mut said) = (Vec::new(), Vec::new());
    for members in [&users[..], &users[..1], &users[..]] {
        rooms.push(Room::new(&store, members).await);
    }
    for n in 0..90 {
        let room = &mut rooms[n % 3];
        let texts = (0..50).map(|k| {
            format!(
                "tea {}{}",
                if k % 10 == 0 { "some " } else { "" },
                if n < 3 && k == 20 { "rare" } else { "" }
            )
        });
        room.append(texts.map(|said| text(&said))).await;
        said.extend((0..50).rev().map(|k| (room.conversation, Seq::new(room.head.as_u64() - k), 49 - k)));
    }
    let conversations: Vec<_> = rooms.iter().map(|room| room.conversation).collect();
    index(&store, &conversations).await;
    // One batch may be of the same millisecond as the next, in another conversation.
    let all = async |user, query: &str, within| {
        let (mut next, mut all, mut pages) = (String::new(), Vec::new(), 0);
        loop {
            let page = page(&store, user, query, (within, &next, 90)).await.expect("a page");
            assert!(page.messages.is_sorted_by_key(|found| std::cmp::Reverse(found.entry.at_ms)));
            all.extend(places(&page));
            pages += 1;
            next = page.next;
            if next.is_empty() {
                return (all, pages);
            }
        }
    };
    let sorted = |places: &[(ConversationId, Seq)]| {
        let mut places = places.to_vec();
        places.sort_unstable();
        places
    };
    let expected = |of: &dyn Fn(ConversationId, u64) -> bool| {
        sorted(
            &said.iter().filter(|(id, _, k)| of(*id, *k)).map(|(id, seq, _)| (*id, *seq)).collect::<Vec<_>>(),
        )
    };
    let (found, pages) = all(users[0], "tea", None).await;
    assert_eq!((sorted(&found), pages), (expected(&|_, _| true), 50), "each once");
    let (found, _) = all(users[1], "some tea", None).await;
    assert_eq!(sorted(&found), expected(&|id, k| id != conversations[1] && k % 10 == 0));
    let (found, _) = all(users[0], "rare", None).await;
    assert_eq!(found.len(), 3, "the oldest of all");
    let (found, _) = all(users[0], "tea", Some(conversations[1])).await;
    assert!(found.is_sorted_by_key(|(_, seq)| std::cmp::Reverse(*seq)));
    assert_eq!(sorted(&found), expected(&|id, _| id == conversations[1]));
}

async fn bytes(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut room = Room::new(&store, &users).await;
    let long = format!("tea {}", "x".repeat(60_000));
    room.append((0..5).map(|_| text(&long))).await;
    room.index().await;
    let query = Query::parse("tea").expect("a query");
    let conversation = None;
    let mut search = Search {
        user: users[0],
        query: &query,
        conversation,
        before: SearchPlace::NEWEST,
        limit: 9,
        bytes_max: 130_000,
    };
    let page = store.search(&search).await.expect("a page");
    assert_eq!((page.messages.len(), page.next.is_empty()), (2, false));
    search.bytes_max = 1;
    assert_eq!(store.search(&search).await.expect("a page").messages.len(), 1, "one goes in any case");
}

/// More matches than can be sorted in a millisecond.
async fn timeout(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut room = Room::new(&store, &users).await;
    for _ in 0..20 {
        room.append((0..500).map(|n| text(&format!("tea {n} {}", if n == 0 { "old" } else { "" })))).await;
    }
    room.index().await;
    let options = Options { search_timeout: Duration::from_millis(1), ..Options::default() };
    let hasty = open(&backend.url(), options).await.expect("the store opens");
    let late = async || page(&hasty, users[0], "old t", (None, "", 100)).await;
    let end = late().await;
    assert!(matches!(end, Err(StoreError::TookTooLong(_))), "{end:?}");
    assert_eq!(found(&store, users[0], "old t").await.len(), 20, "with more time");
    // And what came to nothing leaves nothing behind.
    assert!(late().await.is_err());
    hasty.history(users[0], room.conversation, Seq::MAX, 1_000, 1 << 20).await.expect("history");
    hasty.index(&[room.conversation]).await.expect("an index");
}

on_both_stores! {
    super::pages as pages_of_found_messages_join_up_newest_first,
    super::bytes as a_page_of_found_messages_is_bounded_in_bytes,
    super::timeout as a_search_that_takes_too_long_says_so,
}
