//! Profiles, the search for people, passwords and devices.

use goim_core::{DeviceId, UserId};
use goim_proto::{
    Call, ChangePassword, CreateBot, DeviceArgument, ErrorCode, FoundPage, Gender, ListDevices, Profile,
    ProfileUpdate, Refresh, Reply, SearchUsers, UserList,
};

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::RawClient;
use crate::world::{code, device, ended, instance, login, server};

const PASSWORD: &str = "correct horse";

async fn profiles(client: &mut RawClient, users: &[UserId]) -> Vec<Profile> {
    let reply = client.call(Call::Profiles(UserList { users: users.to_vec() })).await.unwrap();
    let Reply::Profiles(list) = reply else { panic!("{reply:?}") };
    list.profiles
}

async fn found(client: &mut RawClient, prefix: &str, after: &str, limit: u32) -> FoundPage {
    let search = SearchUsers { prefix: prefix.into(), after: after.into(), limit };
    let reply = client.call(Call::SearchUsers(search)).await.unwrap();
    let Reply::Found(page) = reply else { panic!("{reply:?}") };
    page
}

async fn a_profile(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let update = ProfileUpdate { nickname: Some("Queen".into()), ..ProfileUpdate::default() };
    let Reply::Profiles(own) = alice.call(Call::UpdateProfile(update)).await.unwrap() else { panic!() };
    assert_eq!((own.profiles[0].nickname.as_str(), own.profiles[0].version), ("Queen", 2));
    let both = [alice.me(), bob.me()];
    let seen = profiles(&mut bob, &[both[0], UserId::new(4_711), both[1]]).await;
    assert_eq!(seen.iter().map(|one| one.user).collect::<Vec<_>>(), both);
    assert_eq!(seen[0], own.profiles[0]);
    let mut none = ProfileUpdate::default();
    for (wrong, expected) in [
        (ProfileUpdate { nickname: Some("x".repeat(65)), ..none.clone() }, ErrorCode::BadName),
        (ProfileUpdate { nickname: Some("a\0b".into()), ..none.clone() }, ErrorCode::BadName),
        (ProfileUpdate { avatar: Some("x".repeat(129)), ..none.clone() }, ErrorCode::BadArgument),
        (ProfileUpdate { avatar: Some("a b".into()), ..none.clone() }, ErrorCode::BadArgument),
        (ProfileUpdate { gender: Some(Gender::Unknown(9)), ..none.clone() }, ErrorCode::BadArgument),
        (ProfileUpdate { bio: Some("x".repeat(513)), ..none.clone() }, ErrorCode::TooLarge),
        (ProfileUpdate { bio: Some("a\0b".into()), ..none.clone() }, ErrorCode::BadArgument),
    ] {
        assert_eq!(code(alice.call(Call::UpdateProfile(wrong.clone())).await), expected, "{wrong:?}");
    }
    none.bio = Some("עברית\n👩‍👩‍👧".into());
    none.gender = Some(Gender::default());
    assert!(alice.call(Call::UpdateProfile(none)).await.is_ok());
    let many = UserList { users: (1..=101).map(UserId::new).collect() };
    assert_eq!(code(alice.call(Call::Profiles(many)).await), ErrorCode::TooLarge);
}

async fn a_search(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut expected = Vec::new();
    for n in 0..5 {
        let mut bot = alice.bot(server.addr(), &format!("Robot-{n}")).await;
        let nickname = Some(format!("robby {n}"));
        let update = ProfileUpdate { nickname, ..ProfileUpdate::default() };
        bot.call(Call::UpdateProfile(update)).await.unwrap();
        expected.push(bot.me());
    }
    for limit in [0, 1, 2, 3] {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = found(&mut alice, "ROB", &after, limit).await;
            seen.extend(page.users.iter().map(|one| one.user));
            after = page.next;
            if after.is_empty() {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, expected, "each once, by pages of {limit}");
    }
    assert_eq!(found(&mut alice, "robby 3", "", 0).await.users[0].user, expected[3], "by nickname");
    let search = |prefix: &str, after: &str| {
        Call::SearchUsers(SearchUsers { prefix: prefix.into(), after: after.into(), limit: 0 })
    };
    for (prefix, after) in [("", ""), ("a\0", ""), (&"x".repeat(65), ""), ("a", "junk"), ("a", "1:\0")] {
        assert_eq!(
            code(alice.call(search(prefix, after)).await),
            ErrorCode::BadArgument,
            "{prefix:?} {after:?}"
        );
    }
}

async fn a_new_password(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let (mut thief, stolen) = device(&server, "alice", PASSWORD).await;
    let change = |password: &str, new: &str| {
        Call::ChangePassword(ChangePassword { password: password.into(), new_password: new.into() })
    };
    assert_eq!(code(alice.call(change("wrong", "battery staple")).await), ErrorCode::BadCredentials);
    assert_eq!(code(alice.call(change(&"x".repeat(500), "battery staple")).await), ErrorCode::BadCredentials);
    assert_eq!(code(alice.call(change(PASSWORD, "short")).await), ErrorCode::WeakPassword);
    thief.sync().await;
    assert_eq!(alice.call(change(PASSWORD, "battery staple")).await.unwrap(), Reply::Done);
    assert_eq!(ended(&mut thief).await, ErrorCode::BadToken);
    let mut again = RawClient::hello(server.addr()).await;
    let refresh = Call::Refresh(Refresh { refresh_token: stolen.refresh_token });
    assert_eq!(code(again.call(refresh).await), ErrorCode::BadToken);
    assert_eq!(code(again.call(login("alice", PASSWORD)).await), ErrorCode::BadCredentials);
    device(&server, "alice", "battery staple").await;
    alice.sync().await;
    let mut bot = alice.bot(server.addr(), "bot").await;
    assert_eq!(code(bot.call(change(PASSWORD, "battery staple")).await), ErrorCode::Forbidden);
}

async fn devices(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut eve = RawClient::user(server.addr(), "eve").await;
    let (mut lost, session) = device(&server, "alice", PASSWORD).await;
    let list = Call::ListDevices(ListDevices::default());
    let Reply::Devices(page) = alice.call(list.clone()).await.unwrap() else { panic!() };
    let names: Vec<_> = page.devices.iter().map(|one| (one.device, one.name.as_str())).collect();
    let own = alice.session.as_ref().unwrap().device;
    assert_eq!(names, [(own, "device"), (session.info.device, "phone")]);
    let revoke = |device: DeviceId| Call::RevokeDevice(DeviceArgument { device });
    assert_eq!(code(eve.call(revoke(session.info.device)).await), ErrorCode::NotFound);
    assert_eq!(code(eve.call(revoke(DeviceId::new(4_711))).await), ErrorCode::NotFound);
    lost.sync().await;
    assert_eq!(alice.call(revoke(session.info.device)).await.unwrap(), Reply::Done);
    assert_eq!(ended(&mut lost).await, ErrorCode::BadToken);
    let Reply::Devices(page) = alice.call(list).await.unwrap() else { panic!() };
    assert_eq!(page.devices.iter().map(|one| one.device).collect::<Vec<_>>(), [own]);
}

/// Another node, which hears of the revocation only by looking.
async fn revoked_elsewhere(backend: &Backend) {
    let quickly = |config: &mut goim_server::Config| config.revocation_interval_ms = 50;
    let (here, there) = (server(backend, quickly).await, server(backend, quickly).await);
    // One key, as nodes of one cluster have it.
    let mut alice = RawClient::user(here.addr(), "alice").await;
    let (mut lost, session) = device(&there, "alice", PASSWORD).await;
    let revoke = Call::RevokeDevice(DeviceArgument { device: session.info.device });
    assert_eq!(alice.call(revoke).await.unwrap(), Reply::Done);
    assert_eq!(ended(&mut lost).await, ErrorCode::BadToken);
}

/// A wrong name and a wrong password are answered alike, and limited alike.
async fn guesses(backend: &Backend) {
    let server = server(backend, |config| config.limits.wrong_passwords_per_min = 3).await;
    let mut client = RawClient::hello(server.addr()).await;
    let alice = client.register("alice").await;
    client.register("bob").await;
    for _ in 0..5 {
        assert!(client.call(login("bob", PASSWORD)).await.is_ok(), "who knows the password is not limited");
    }
    let mut answers = Vec::new();
    for name in ["alice", "nobody", "no\0body"] {
        let mut of_name = Vec::new();
        for _ in 0..3 {
            of_name.push(client.call(login(name, "a wrong one")).await.unwrap_err());
        }
        answers.push(of_name);
    }
    assert_eq!(answers[0][0].code, ErrorCode::BadCredentials);
    assert!(answers.iter().flatten().all(|answer| *answer == answers[0][0]), "{answers:?}");
    for name in ["alice", "nobody"] {
        let limited = client.call(login(name, PASSWORD)).await.unwrap_err();
        assert_eq!(limited.code, ErrorCode::RateLimited, "{name}");
        assert!(limited.retry_after_ms.is_some_and(|wait| wait <= 20_000));
    }
    assert!(client.call(login("bob", PASSWORD)).await.is_ok(), "others are not");
    client.authenticate(&alice.access_token).await;
    let (password, new_password) = (PASSWORD.into(), "battery staple".into());
    let change = Call::ChangePassword(ChangePassword { password, new_password });
    assert_eq!(client.call(change).await, Ok(Reply::Done), "nor is who has a session");
}

async fn logged_out_bot(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let Reply::BotToken(bot) = alice.call(Call::CreateBot(CreateBot { name: "bot".into() })).await.unwrap()
    else {
        panic!()
    };
    let mut one = instance(&server, &bot.token, "one").await;
    one.request(Call::Logout).await;
    assert_eq!(ended(&mut one).await, ErrorCode::BadToken);
    assert_eq!(instance(&server, &bot.token, "one").await.session, None, "it stays out");
    assert!(instance(&server, &bot.token, "two").await.session.is_some(), "the token is good");
}

async fn bots(backend: &Backend) {
    let server = server(backend, |config| config.limits.bots_max = 2).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bot = alice.bot(server.addr(), "one").await;
    let create = |name: &str| Call::CreateBot(CreateBot { name: name.into() });
    assert_eq!(code(bot.call(create("child")).await), ErrorCode::Forbidden, "it would outlive its parent");
    let Ok(Reply::BotToken(_)) = alice.call(create("two")).await else { panic!() };
    assert_eq!(code(alice.call(create("three")).await), ErrorCode::TooLarge);
}

on_both_stores! {
    super::a_profile as a_profile_is_changed_by_its_owner_and_read_by_all,
    super::a_search as a_search_finds_each_once_in_pages,
    super::a_new_password as a_new_password_ends_the_sessions_of_other_devices,
    super::devices as a_device_is_listed_and_revoked_by_its_owner_alone,
    super::revoked_elsewhere as a_device_revoked_through_another_node_is_out,
    super::guesses as a_login_tells_nothing_of_who_exists_and_is_limited,
    super::bots as a_person_makes_so_many_bots_and_bots_make_none,
    super::logged_out_bot as an_instance_of_a_bot_that_logs_out_is_out,
}
