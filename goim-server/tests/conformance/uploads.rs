//! Uploads: content is kept once, counted for whoever brought it, and deleted when it is nobody's.

use std::sync::Arc;

use goim_core::{ConversationId, UserId};
use goim_proto::ProfileUpdate;
use goim_server::store::{Keeping, NewUpload, Store, StoredObject};

use crate::backend::Backend;
use crate::on_both_stores;

const TEA: Option<ConversationId> = Some(ConversationId::new(301));

async fn person(store: &Arc<dyn Store>, name: &str) -> UserId {
    store.create_user(name, Some("hash"), None, 1).await.expect("an answer").expect("a free name").user
}

/// Content that came to a place.
fn came(hash: &str, place: &str, bytes: u64) -> StoredObject {
    StoredObject { hash: hash.into(), media_type: "image/png".into(), bytes, place: place.into() }
}

async fn keep(
    store: &Arc<dyn Store>,
    user: UserId,
    conversation: Option<ConversationId>,
    object: &StoredObject,
    at_ms: u64,
) -> Keeping {
    store.begin_upload(&object.place, 1_000).await.expect("noted");
    let upload = NewUpload { object: object.clone(), conversation, user, at_ms };
    store.keep_upload(&upload, 100).await.expect("an answer")
}

async fn garbage(store: &Arc<dyn Store>, now_ms: u64) -> Vec<String> {
    let mut places = store.claim_garbage(now_ms, 100).await.expect("places");
    places.sort();
    places
}

async fn kept_once(backend: &Backend) {
    let store = backend.open().await;
    let (ada, ben) = (person(&store, "ada").await, person(&store, "ben").await);
    let (first, second) = (came("aa", "p1", 60), came("aa", "p2", 60));
    assert_eq!(keep(&store, ada, TEA, &first, 5).await, Keeping::Kept);
    assert_eq!(store.uploaded("aa", TEA).await.expect("an answer"), Some(first.clone()));
    assert_eq!(store.uploaded("aa", None).await.expect("an answer"), None, "it is no avatar");
    let other = Some(ConversationId::new(302));
    assert_eq!(store.uploaded("aa", other).await.expect("an answer"), None, "nor elsewhere");
    assert_eq!(keep(&store, ben, other, &second, 5).await, Keeping::Known);
    assert_eq!(
        store.uploaded("aa", other).await.expect("an answer"),
        Some(first),
        "it stays where it came first"
    );
    for user in [ada, ben] {
        assert_eq!(store.uploaded_bytes(user).await.expect("bytes"), 60, "it counts for both");
    }
    assert_eq!(garbage(&store, 999).await, [""; 0], "none yet");
    assert_eq!(garbage(&store, 1_000).await, ["p2"]);
    store.forget_place("p2").await.expect("forgotten");
    assert_eq!(garbage(&store, 1_000).await, [""; 0]);
}

async fn so_much(backend: &Backend) {
    let store = backend.open().await;
    let ada = person(&store, "ada").await;
    assert_eq!(keep(&store, ada, TEA, &came("aa", "p1", 60), 5).await, Keeping::Kept);
    assert_eq!(keep(&store, ada, TEA, &came("bb", "p2", 41), 5).await, Keeping::TooMuch);
    assert_eq!(store.uploaded("bb", TEA).await.expect("an answer"), None);
    assert_eq!(keep(&store, ada, TEA, &came("aa", "p3", 60), 5).await, Keeping::Known, "no byte more");
    assert_eq!(keep(&store, ada, None, &came("cc", "p4", 40), 5).await, Keeping::Kept);
    assert_eq!(store.uploaded_bytes(ada).await.expect("bytes"), 100);
}

/// All at once, from several nodes: together no more than there is room for.
async fn so_much_at_once(backend: &Backend) {
    let stores = [backend.open().await, backend.open().await, backend.open().await, backend.open().await];
    for round in 0..10 {
        let user = person(&stores[0], &format!("user-{round}")).await;
        let keepings = (0..8).map(|n| {
            let store = Arc::clone(&stores[n % 4]);
            let object = came(&format!("{round}-{n}"), &format!("place-{round}-{n}"), 30);
            tokio::spawn(async move { keep(&store, user, TEA, &object, 5).await })
        });
        let mut kept = 0;
        for keeping in keepings.collect::<Vec<_>>() {
            kept += usize::from(keeping.await.expect("an end") == Keeping::Kept);
        }
        assert_eq!((kept, stores[0].uploaded_bytes(user).await.expect("bytes")), (3, 90));
    }
}

async fn too_late(backend: &Backend) {
    let store = backend.open().await;
    let ada = person(&store, "ada").await;
    let object = came("aa", "p1", 10);
    store.begin_upload("p1", 1_000).await.expect("noted");
    assert_eq!(garbage(&store, 2_000).await, ["p1"]);
    let upload = NewUpload { object: object.clone(), conversation: TEA, user: ada, at_ms: 5 };
    assert_eq!(store.keep_upload(&upload, 100).await.expect("an answer"), Keeping::TooLate);
    assert_eq!(store.uploaded("aa", TEA).await.expect("an answer"), None);
    assert_eq!(garbage(&store, 2_000).await, ["p1"], "until it is deleted");
    // What was kept is not garbage, whoever says so.
    assert_eq!(keep(&store, ada, TEA, &came("aa", "p2", 10), 5).await, Keeping::Kept);
    store.discard_place("p2").await.expect("an answer");
    store.begin_upload("p3", 1_000).await.expect("noted");
    store.discard_place("p3").await.expect("an answer");
    assert_eq!(garbage(&store, 1).await, ["p3"]);
}

async fn orphans(backend: &Backend) {
    let store = backend.open().await;
    let ada = person(&store, "ada").await;
    for (hash, place, conversation) in
        [("aa", "p1", None), ("bb", "p2", None), ("cc", "p3", None), ("cc", "p4", TEA), ("dd", "p5", TEA)]
    {
        keep(&store, ada, conversation, &came(hash, place, 10), 5).await;
    }
    let update = ProfileUpdate { avatar: Some("aa".into()), ..ProfileUpdate::default() };
    store.update_profile(ada, &update).await.expect("an answer");
    assert_eq!(store.sweep_avatars(5, 50, 100).await.expect("an answer"), 0, "none is older");
    assert_eq!(store.sweep_avatars(6, 50, 1).await.expect("an answer"), 1, "not more than so many");
    assert_eq!(store.sweep_avatars(6, 50, 100).await.expect("an answer"), 1);
    let place = async |hash, conversation| {
        store.uploaded(hash, conversation).await.expect("an answer").map(|object| object.place)
    };
    assert_eq!(place("aa", None).await.as_deref(), Some("p1"), "a profile shows it");
    assert_eq!((place("bb", None).await, place("cc", None).await), (None, None));
    assert_eq!(place("cc", TEA).await.as_deref(), Some("p3"), "a conversation has it too");
    assert_eq!(place("dd", TEA).await.as_deref(), Some("p5"));
    assert_eq!(garbage(&store, 50).await, ["p2"]);
    assert_eq!(store.uploaded_bytes(ada).await.expect("bytes"), 30);
}

/// Content that is forgotten is uploaded again at the same time: whoever is told that it is kept has it.
async fn rivals(backend: &Backend) {
    let stores = [backend.open().await, backend.open().await];
    let ada = person(&stores[0], "ada").await;
    for round in 0..30 {
        let hash = format!("aa{round}");
        let (old, new) = (format!("old{round}"), format!("new{round}"));
        assert_eq!(keep(&stores[0], ada, None, &came(&hash, &old, 1), 5).await, Keeping::Kept);
        let store = Arc::clone(&stores[1]);
        // (It fails if it would forget what is kept at this moment, and is repeated.)
        let sweep = tokio::spawn(async move { while store.sweep_avatars(6, 50, 100).await.is_err() {} });
        let store = Arc::clone(&stores[0]);
        store.begin_upload(&new, 1_000).await.expect("noted");
        let upload = NewUpload { object: came(&hash, &new, 1), conversation: None, user: ada, at_ms: 7 };
        let kept = loop {
            // Two who wait for each other: one of them is told to come again.
            if let Ok(kept) = store.keep_upload(&upload, 100).await {
                break kept;
            }
        };
        sweep.await.expect("an end");
        let object = store.uploaded(&hash, None).await.expect("an answer").expect("what was kept");
        let expected = if kept == Keeping::Kept { new } else { old };
        assert_eq!(object.place, expected);
        assert!(!garbage(&store, 50).await.contains(&expected), "{expected} is not garbage");
    }
}

/// Two who take back the same content at once leave nothing behind.
async fn taken_back(backend: &Backend) {
    let stores = [backend.open().await, backend.open().await];
    let users = [person(&stores[0], "ada").await, person(&stores[0], "ben").await];
    let conversations = [301, 302].map(ConversationId::new);
    for round in 0..30 {
        let (hash, place) = (format!("aa{round}"), format!("p{round}"));
        for (user, conversation) in users.iter().zip(conversations) {
            keep(&stores[0], *user, Some(conversation), &came(&hash, &place, 1), 5).await;
        }
        let mut tasks = Vec::new();
        for (store, (user, conversation)) in stores.iter().zip(users.into_iter().zip(conversations)) {
            let (store, hash) = (Arc::clone(store), hash.clone());
            tasks.push(tokio::spawn(async move {
                store.remove_upload(&hash, conversation, Some(user), 50).await.expect("an answer")
            }));
        }
        for task in tasks {
            assert!(task.await.expect("an end"), "it was there");
        }
        assert_eq!(garbage(&stores[0], 50).await, [place.as_str()], "in round {round}");
        stores[0].forget_place(&place).await.expect("forgotten");
    }
}

on_both_stores! {
    super::kept_once as content_is_kept_once_and_belongs_where_it_was_uploaded,
    super::so_much as a_user_keeps_so_many_bytes_and_not_one_more,
    super::so_much_at_once as a_user_keeps_no_more_by_uploading_at_once,
    super::too_late as what_was_claimed_as_garbage_is_not_kept_any_more,
    super::orphans as avatars_that_nobody_shows_are_forgotten,
    super::taken_back as content_that_all_take_back_at_once_is_garbage,
    super::rivals as content_that_is_forgotten_and_kept_at_once_is_there_or_comes_anew,
}
