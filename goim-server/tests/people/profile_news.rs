//! Who is told that somebody has another profile.

use goim_core::UserId;
use goim_proto::{Call, CreateBot, Ephemeral, ListUsers, ProfileChanged, ProfileUpdate, Reply, UserArgument};

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::RawClient;
use crate::typing::people;
use crate::world::{done, instance, server};

async fn change(client: &mut RawClient, nickname: &str) -> u64 {
    let update = ProfileUpdate { nickname: Some(nickname.into()), ..ProfileUpdate::default() };
    let reply = client.call(Call::UpdateProfile(update)).await.unwrap();
    let Reply::Profiles(list) = reply else { panic!("{reply:?}") };
    list.profiles[0].version
}

fn changed(user: UserId, version: u64) -> Ephemeral {
    Ephemeral::ProfileChanged(ProfileChanged { user, version })
}

/// Waits until somebody is told of a version of a profile, and of older ones of it before at most.
async fn told(client: &mut RawClient, user: UserId, version: u64) {
    let mut last = 0;
    while last < version {
        let ephemeral = client.passing().await;
        let Ephemeral::ProfileChanged(news) = ephemeral else { panic!("{ephemeral:?}") };
        assert!(news.user == user && news.version > last && news.version <= version, "{news:?} after {last}");
        last = news.version;
    }
}

/// What would be told wrongly would come before the next event, for which each waits.
async fn friends_who_are_here(backend: &Backend, datagrams: bool) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben, mut cyd, mut dan, mut eve] = people(&server, datagrams).await;
    for friend in [&mut ben, &mut cyd, &mut dan] {
        ada.befriend(friend).await;
    }
    for other in [&mut cyd, &mut dan, &mut eve] {
        ben.befriend(other).await;
    }
    ada.group(vec![cyd.me(), dan.me(), eve.me()]).await;
    done(&mut cyd, Call::Block(UserArgument { user: ada.me() })).await;
    done(&mut ada, Call::Block(UserArgument { user: dan.me() })).await;

    assert_eq!(change(&mut ada, "Countess").await, 2);
    assert_eq!(ben.passing().await, changed(ada.me(), 2));
    assert_eq!(change(&mut ada, "Countess").await, 2, "nothing that ben, of all, would hear again");
    change(&mut ben, "Benny").await;
    for friend in [&mut ada, &mut cyd, &mut dan, &mut eve] {
        assert_eq!(friend.passing().await, changed(ben.me(), 2), "the first that any of them hears");
    }

    done(&mut cyd, Call::Unblock(UserArgument { user: ada.me() })).await;
    done(&mut ada, Call::DeleteFriend(UserArgument { user: ben.me() })).await;
    change(&mut ada, "Lady").await;
    assert_eq!(cyd.passing().await, changed(ada.me(), 3));
    change(&mut eve, "Evelyn").await;
    assert_eq!(ben.passing().await, changed(eve.me(), 2), "he is her friend no more");
}

async fn in_datagrams(backend: &Backend) {
    friends_who_are_here(backend, true).await;
}

async fn on_the_stream(backend: &Backend) {
    friends_who_are_here(backend, false).await;
}

async fn many_changes(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben] = people(&server, true).await;
    ada.befriend(&mut ben).await;
    let mut version = 0;
    for n in 0..50 {
        version = change(&mut ada, &format!("Ada {n}")).await;
    }
    told(&mut ben, ada.me(), version).await;
}

async fn another_node(backend: &Backend) {
    let (here, there) = (server(backend, |_| {}).await, server(backend, |_| {}).await);
    let mut owner = RawClient::user(here.addr(), "owner").await;
    let mut ada = owner.bot(here.addr(), "ada").await;
    let made = owner.call(Call::CreateBot(CreateBot { name: "ben".into() })).await.unwrap();
    let Reply::BotToken(ben) = made else { panic!("{made:?}") };
    let (mut near, mut far) =
        (instance(&here, &ben.token, "near").await, instance(&there, &ben.token, "far").await);
    ada.befriend(&mut near).await;
    near.sync().await;
    far.sync().await;
    change(&mut ada, "Countess").await;
    assert_eq!(near.passing().await, changed(ada.me(), 2));
    let reply = far.call(Call::ListFriends(ListUsers::default())).await.unwrap();
    let Reply::Friends(page) = reply else { panic!("{reply:?}") };
    assert_eq!((page.friends[0].user, page.friends[0].version), (ada.me(), 2));
}

on_both_stores! {
    super::in_datagrams as g9_a_changed_profile_is_told_to_friends_who_are_here_and_to_nobody_else,
    super::on_the_stream as changed_profiles_are_told_to_those_who_take_no_datagrams,
    super::many_changes as of_many_changes_the_last_is_told,
    super::another_node as on_another_node_the_version_is_in_the_list,
}
