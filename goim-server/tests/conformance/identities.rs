//! Accounts that an issuer outside vouches for.

use std::sync::Arc;

use goim_proto::ConversationKind;
use goim_server::store::ExternalIdentity;

use crate::backend::Backend;
use crate::on_both_stores;

const ADA: ExternalIdentity<'_> = ExternalIdentity { issuer: "https://id.example", subject: "ada" };

async fn identities(backend: &Backend) {
    let store = backend.open().await;
    assert_eq!(store.external_user(ADA).await.expect("an answer"), None);
    let mut tasks = Vec::new();
    for n in 0..8 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            store.create_external_user(ADA, &format!("user {n}"), "Ada", 1).await.expect("an answer")
        }));
    }
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.expect("an answer").expect("a user"));
    }
    assert!(made.iter().all(|user| *user == made[0]), "all of those who come at once get one: {made:?}");
    assert_eq!(store.external_user(ADA).await.expect("an answer"), Some(made[0]));
    let mut named = Vec::new();
    for n in 0..8 {
        named.extend(store.user_by_name(&format!("user {n}")).await.expect("an answer"));
    }
    let [ada] = &named[..] else { panic!("what the others made is left: {named:?}") };
    assert_eq!((ada.user, &ada.password_hash, ada.owner), (made[0], &None, None));
    let inbox = store.conversation(ada.inbox).await.expect("an answer").expect("an inbox");
    assert_eq!(inbox.kind, ConversationKind::Inbox);
    assert_eq!(store.ranges(ada.user, ada.inbox).await.expect("ranges").len(), 1);
    assert_eq!(store.profiles(&[ada.user]).await.expect("an answer")[0].nickname, "Ada");

    let elsewhere = ExternalIdentity { issuer: "https://other.example", ..ADA };
    let other = ExternalIdentity { subject: "Ada", ..ADA };
    assert_eq!(
        store.create_external_user(elsewhere, &ada.name, "", 1).await.expect("an answer"),
        None,
        "taken"
    );
    for identity in [elsewhere, other] {
        assert_eq!(store.external_user(identity).await.expect("an answer"), None, "{identity:?}");
    }
    let made = store.create_external_user(elsewhere, "eve", "", 1).await.expect("an answer");
    assert!(made.is_some_and(|user| user != ada.user));
}

on_both_stores! { super::identities as an_identity_is_one_user_whoever_asks_at_once }
