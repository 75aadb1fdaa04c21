//! Profiles, the search for people, passwords and devices.

use std::sync::Arc;

use goim_core::{DeviceId, UserId};
use goim_proto::{Gender, ProfileUpdate};
use goim_server::store::{SearchKey, Store};
use rand::RngExt as _;

use crate::backend::Backend;
use crate::fixtures::{bots_of, seeded};
use crate::on_both_stores;

async fn person(store: &Arc<dyn Store>, name: &str) -> UserId {
    store.create_user(name, Some("hash"), None, 1).await.expect("an answer").expect("a free name").user
}

fn nickname(nickname: &str) -> ProfileUpdate {
    ProfileUpdate { nickname: Some(nickname.into()), ..ProfileUpdate::default() }
}

async fn updates(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    let bot =
        store.create_user("bot", None, Some(bots_of(anna)), 1).await.expect("an answer").expect("a bot").user;
    let fresh = store.profiles(&[bot, UserId::new(4_711), anna]).await.expect("profiles");
    assert_eq!(
        fresh.iter().map(|one| (one.user, one.version, one.bot)).collect::<Vec<_>>(),
        [(anna, 1, false), (bot, 1, true)]
    );
    let all = ProfileUpdate {
        nickname: Some("Ännchen 🦊".into()),
        avatar: Some("img-1".into()),
        gender: Some(Gender::Female),
        bio: Some("a\nb".into()),
    };
    let update = async |update: &ProfileUpdate| {
        let updated = store.update_profile(anna, update).await.expect("an answer").expect("a profile");
        (updated.profile, updated.changed)
    };
    let changed = update(&all).await;
    let read = store.profiles(&[anna]).await.expect("profiles").remove(0);
    assert_eq!(changed, (read.clone(), true));
    assert_eq!(
        (read.nickname.as_str(), read.avatar.as_str(), read.bio.as_str()),
        ("Ännchen 🦊", "img-1", "a\nb")
    );
    assert_eq!((read.gender, read.version), (Gender::Female, 2));
    assert_eq!(update(&all).await, (read.clone(), false));
    assert_eq!(update(&ProfileUpdate::default()).await, (read, false));
    let one = ProfileUpdate { bio: Some(String::new()), ..ProfileUpdate::default() };
    let (one, changed) = update(&one).await;
    assert_eq!(
        (one.nickname.as_str(), one.bio.as_str(), one.version, changed),
        ("Ännchen 🦊", "", 3, true),
        "the rest stays"
    );
    assert_eq!(store.update_profile(UserId::new(4_711), &all).await.expect("an answer"), None);
}

/// Reads the whole list in pages; each holds no more than it may.
async fn search(store: &Arc<dyn Store>, prefix: &str, limit: u32) -> Vec<(String, UserId)> {
    let mut all = Vec::new();
    let mut after = SearchKey::default();
    loop {
        let page = store.search_users(prefix, &after, limit).await.expect("a page");
        assert!(page.len() <= limit as usize);
        all.extend(page.iter().map(|(key, profile)| (key.clone(), profile.user)));
        match page.last() {
            Some((key, profile)) if page.len() == limit as usize => after = (key.clone(), profile.user),
            _ => return all,
        }
    }
}

async fn searches(backend: &Backend) {
    let mut rng = seeded("searches");
    let store = backend.open().await;
    let letters = ["a", "B", "ä", "猫", "%", "_", "-"];
    let mut keys = Vec::new();
    for n in 0..60 {
        let mut word = || (0..3).map(|_| letters[rng.random_range(0..letters.len())]).collect::<String>();
        let (name, nick) = (format!("{}{n}", word()), word());
        let user = person(&store, &name).await;
        store.update_profile(user, &nickname(&nick)).await.expect("an answer");
        keys.extend([(name.to_ascii_lowercase(), user), (nick.to_ascii_lowercase(), user)]);
    }
    keys.sort();
    keys.dedup();
    for prefix in ["a", "ab", "ä", "猫", "%", "_", "b%", "nobody", "a\u{301}"] {
        let expected: Vec<_> = keys.iter().filter(|(key, _)| key.starts_with(prefix)).cloned().collect();
        for limit in [1, 3, 100] {
            assert_eq!(search(&store, prefix, limit).await, expected, "{prefix:?} by {limit}");
        }
    }
}

async fn passwords(backend: &Backend) {
    let store = backend.open().await;
    let anna = person(&store, "anna").await;
    let bert = person(&store, "bert").await;
    let login = async |hash: &str| store.login_device(anna, hash, "phone", 1).await.expect("an answer");
    let (kept, other) = (login("hash").await.expect("a device"), login("hash").await.expect("a device"));
    let of_bert = store.create_device(bert, "phone", 1).await.expect("a device");
    for (hash, device) in [(b"kept ", kept), (b"other", other), (b"bert ", of_bert)] {
        store.put_refresh_token(hash, device, 1_000).await.expect("kept");
    }
    assert!(!store.change_password(anna, kept, "wrong", "new").await.expect("an answer"));
    assert!(store.change_password(anna, kept, "hash", "new").await.expect("an answer"));
    assert_eq!(
        store.user(anna).await.expect("an answer").and_then(|row| row.password_hash),
        Some("new".into())
    );
    assert_eq!(store.revoked_devices(&[kept, other, of_bert]).await.expect("an answer"), [other]);
    assert!(store.take_refresh_token(b"other", 1).await.expect("an answer").is_none());
    assert!(store.take_refresh_token(b"kept ", 1).await.expect("an answer").is_some());
    assert!(store.take_refresh_token(b"bert ", 1).await.expect("an answer").is_some());
    assert_eq!(login("hash").await, None, "the old password makes no device any more");
}

/// Whoever logs in by the old password while it is changed is out, or was in before and is put out.
async fn logins_against_changes(backend: &Backend) {
    let store = backend.open().await;
    for round in 0..20 {
        let user = person(&store, &format!("user-{round}")).await;
        let own = store.create_device(user, "own", 1).await.expect("a device");
        let mut logins = Vec::new();
        for _ in 0..4 {
            let store = Arc::clone(&store);
            logins.push(tokio::spawn(async move { store.login_device(user, "hash", "thief", 1).await }));
        }
        assert!(store.change_password(user, own, "hash", "new").await.expect("an answer"));
        let mut made = Vec::new();
        for login in logins {
            made.extend(login.await.expect("an answer").expect("an answer"));
        }
        assert_eq!(store.revoked_devices(&made).await.expect("an answer"), made);
    }
}

async fn devices(backend: &Backend) {
    let store = backend.open().await;
    let (anna, bert) = (person(&store, "anna").await, person(&store, "bert").await);
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(store.create_device(anna, &format!("device {n}"), 10 + n).await.expect("a device"));
        store.create_device(bert, "his", 1).await.expect("a device");
    }
    store.revoke_device(made.remove(2)).await.expect("revoked");
    let first = store.devices(anna, DeviceId::new(0), 3).await.expect("devices");
    assert_eq!(first.iter().map(|one| one.device).collect::<Vec<_>>(), made[..3]);
    assert_eq!((first[1].name.as_str(), first[1].created_ms), ("device 1", 11));
    let rest = store.devices(anna, first[2].device, 3).await.expect("devices");
    assert_eq!(rest.iter().map(|one| one.device).collect::<Vec<_>>(), made[3..]);
}

on_both_stores! {
    super::updates as a_profile_keeps_what_is_not_given_and_counts_its_changes,
    super::searches as a_search_finds_every_name_and_nickname_in_pages,
    super::passwords as a_new_password_puts_other_devices_out,
    super::logins_against_changes as a_login_never_outruns_a_change_of_the_password,
    super::devices as devices_come_in_pages,
}
