//! Users, devices and tokens.

use std::sync::Arc;

use goim_core::{DeviceId, UserId};
use goim_proto::ConversationKind;
use goim_server::store::{NewConversation, Store};

use crate::backend::Backend;
use crate::fixtures::{bots_of, new_id, now_ms};
use crate::on_both_stores;

async fn person(store: &Arc<dyn Store>, name: &str) -> UserId {
    store.create_user(name, Some("hash"), None, now_ms()).await.expect("an answer").expect("a free name").user
}

async fn names(backend: &Backend) {
    let store = backend.open().await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            store.create_user("anna", Some("hash"), None, 1).await.expect("an answer")
        }));
    }
    let mut made = Vec::new();
    for task in tasks {
        made.extend(task.await.expect("an answer"));
    }
    assert_eq!(made.len(), 1, "one of those who want a name at once gets it");
    let found = store.user_by_name("anna").await.expect("an answer").expect("a user");
    assert_eq!(found, made[0]);
    assert_eq!(store.user(found.user).await.expect("an answer"), Some(found.clone()));
    let inbox = store.conversation(found.inbox).await.expect("an answer").expect("an inbox");
    assert_eq!(inbox.kind, ConversationKind::Inbox);
    assert_eq!(store.ranges(found.user, found.inbox).await.expect("ranges").len(), 1);
    assert_eq!(store.user_by_name("ann").await.expect("an answer"), None);
    let other = person(&store, "bert").await;
    let mut existing =
        store.existing_users(&[found.user, other, UserId::new(4_711)]).await.expect("an answer");
    existing.sort_unstable();
    assert_eq!(existing, [found.user, other]);
}

async fn devices(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    let phone = store.create_device(anna, "phone", 1).await.expect("a device");
    let laptop = store.create_device(anna, "laptop", 1).await.expect("a device");
    assert_ne!(phone, laptop);
    let bot =
        store.create_user("anna-bot", None, Some(bots_of(anna)), 1).await.expect("an answer").expect("a bot");
    assert_eq!(bot.owner, Some(anna));
    store.put_bot_token(b"token", bot.user).await.expect("kept");
    let device = async |instance| store.bot_device(b"token", instance, 1).await.expect("an answer");
    let row = device("one").await.expect("a device");
    assert_eq!((row.user, row.inbox, row.revoked), (bot.user, bot.inbox, false));
    assert_eq!(device("one").await, Some(row), "it finds its offsets again");
    assert_ne!(device("two").await, Some(row));
    let instance = row.device;
    store.put_refresh_token(b"of the phone", phone, 1_000).await.expect("kept");
    store.revoke_device(phone).await.expect("revoked");
    assert!(store.device(phone).await.expect("an answer").is_some_and(|device| device.revoked));
    assert!(store.take_refresh_token(b"of the phone", 1).await.expect("an answer").is_none());
    let gone = DeviceId::new(4_711);
    let revoked = store.revoked_devices(&[phone, laptop, gone, instance]).await.expect("an answer");
    assert_eq!(revoked, [phone, gone]);
    store.revoke_bot(bot.user).await.expect("revoked");
    assert_eq!(store.revoked_devices(&[instance]).await.expect("an answer"), [instance]);
    assert_eq!(device("one").await, None);
    store.put_bot_token(b"token", bot.user).await.expect("kept");
    assert!(device("one").await.expect("a device").revoked, "it stays out");
}

async fn tokens(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    let phone = store.create_device(anna, "phone", 1).await.expect("a device");
    store.put_refresh_token(b"hash", phone, 1_000).await.expect("kept");
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(
            async move { store.take_refresh_token(b"hash", 999).await.expect("an answer") },
        ));
    }
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.expect("an answer"));
    }
    assert_eq!(taken.iter().map(|device| device.device).collect::<Vec<_>>(), [phone], "a token is used once");
    store.put_refresh_token(b"late", phone, 1_000).await.expect("kept");
    assert_eq!(store.take_refresh_token(b"late", 1_000).await.expect("an answer"), None, "it had ended");
}

/// An instance that comes while its bot is revoked is out with it.
async fn revoked_meanwhile(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    for round in 0..50 {
        let name = format!("bot {round}");
        let bot = store
            .create_user(&name, None, Some(bots_of(anna)), 1)
            .await
            .expect("an answer")
            .expect("a bot")
            .user;
        store.put_bot_token(name.as_bytes(), bot).await.expect("kept");
        let come = {
            let (store, name) = (Arc::clone(&store), name.clone());
            tokio::spawn(async move { store.bot_device(name.as_bytes(), "one", 1).await })
        };
        let revoke = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.revoke_bot(bot).await })
        };
        let (came, revoked) = (come.await.expect("an end"), revoke.await.expect("an end"));
        revoked.expect("no deadlock");
        if let Some(row) = came.expect("no deadlock") {
            assert_eq!(store.revoked_devices(&[row.device]).await.expect("an answer"), [row.device]);
        }
    }
}

async fn conversations(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    let new = NewConversation {
        kind: ConversationKind::Group,
        creator: anna,
        client_msg_id: new_id(),
        title: "twice".into(),
    };
    let first = store.create_conversation(&new).await.expect("a conversation");
    assert_eq!(
        store.create_conversation(&new).await.expect("a conversation"),
        first,
        "a repetition finds it"
    );
    let other = NewConversation { client_msg_id: new_id(), ..new };
    assert_ne!(store.create_conversation(&other).await.expect("a conversation"), first);
}

on_both_stores! {
    super::names as a_name_belongs_to_one_user,
    super::devices as devices_are_found_again_and_revoked,
    super::tokens as tokens_are_used_once_and_end,
    super::revoked_meanwhile as no_instance_outlives_its_bot_s_revocation,
    super::conversations as making_a_conversation_twice_makes_one,
}
