//! Who is seen to be there, and by whom.

use std::time::{Duration, Instant};

use goim_core::UserId;
use goim_proto::{
    Call, ErrorCode, Member, Presence, PresenceState, Reply, SetPresence, SettingsUpdate, UserArgument,
    UserList, Viewers,
};
use tokio::time::sleep;

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::{DEADLINE, RawClient, mint};
use crate::world::{code, device, done, server};

const PASSWORD: &str = "correct horse";

async fn presences(client: &mut RawClient, users: &[UserId]) -> Vec<Presence> {
    match client.call(Call::Presences(UserList { users: users.to_vec() })).await.unwrap() {
        Reply::Presences(list) => list.presences,
        other => panic!("{other:?}"),
    }
}

async fn state(client: &mut RawClient, user: UserId) -> PresenceState {
    presences(client, &[user]).await[0].state
}

/// Devices that come and go are noted once a second.
async fn becomes(client: &mut RawClient, user: UserId, expected: PresenceState) {
    let since = Instant::now();
    loop {
        let now = state(client, user).await;
        if now == expected {
            return;
        }
        assert!(since.elapsed() < DEADLINE, "{now:?}, and never {expected:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn let_see(client: &mut RawClient, viewers: Viewers) {
    let update = SettingsUpdate { presence_to: Some(viewers), ..SettingsUpdate::default() };
    let Reply::Settings(settings) = client.call(Call::UpdateSettings(update)).await.unwrap() else {
        panic!()
    };
    assert_eq!(settings.presence_to, viewers);
}

async fn away(client: &mut RawClient, away: bool) {
    done(client, Call::SetPresence(SetPresence { away })).await;
}

async fn of_devices(backend: &Backend) {
    let (here, there) = (server(backend, |_| {}).await, server(backend, |_| {}).await);
    let mut ada = RawClient::user(here.addr(), "ada").await;
    let mut ben = RawClient::user(there.addr(), "ben").await;
    let user = ada.me();
    ada.befriend(&mut ben).await;
    becomes(&mut ben, user, PresenceState::Online).await;
    away(&mut ada, true).await;
    assert_eq!(state(&mut ben, user).await, PresenceState::Away);
    let (tablet, _) = device(&here, "ada", PASSWORD).await;
    becomes(&mut ben, user, PresenceState::Online).await;
    drop(tablet);
    becomes(&mut ben, user, PresenceState::Away).await;
    away(&mut ada, false).await;
    assert_eq!(state(&mut ben, user).await, PresenceState::Online);
    let before = presences(&mut ben, &[user]).await[0].last_seen_ms;
    here.server.shutdown().await;
    let last = presences(&mut ben, &[user]).await[0].clone();
    assert_eq!(last.state, PresenceState::Offline, "a node that stops says who has gone");
    assert!(before > 1_700_000_000_000 && last.last_seen_ms >= before);
}

async fn to_whom(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut ada = RawClient::user(server.addr(), "ada").await;
    let [mut friend, mut fellow, mut stranger] = [
        RawClient::user(server.addr(), "friend").await,
        RawClient::user(server.addr(), "fellow").await,
        RawClient::user(server.addr(), "stranger").await,
    ];
    let (user, nobody) = (ada.me(), UserId::new(4_711));
    let group = ada.group(vec![fellow.me()]).await;
    ada.befriend(&mut friend).await;
    becomes(&mut ada, user, PresenceState::Online).await;

    let unknown = |user| Presence { user, ..Presence::default() };
    let (online, hidden) = (PresenceState::Online, PresenceState::default());
    for (viewers, by_friend, by_fellow) in [
        (Viewers::Fellows, online, online),
        (Viewers::Friends, online, hidden),
        (Viewers::Nobody, hidden, hidden),
    ] {
        let_see(&mut ada, viewers).await;
        assert_eq!(state(&mut friend, user).await, by_friend, "{viewers:?}");
        assert_eq!(state(&mut fellow, user).await, by_fellow, "{viewers:?}");
        // Nobody can tell who hides from who was never there.
        assert_eq!(presences(&mut stranger, &[nobody, user]).await, [unknown(nobody), unknown(user)]);
        assert_eq!(state(&mut ada, user).await, online, "she sees herself");
    }
    let_see(&mut ada, Viewers::Fellows).await;
    ada.call(Call::Block(UserArgument { user: friend.me() })).await.unwrap();
    assert_eq!(presences(&mut friend, &[user]).await, [unknown(user)], "a block hides");
    let gone = Member { conversation: group, user: fellow.me(), client_msg_id: mint() };
    ada.call(Call::RemoveMember(gone)).await.unwrap();
    assert_eq!(presences(&mut fellow, &[user]).await, [unknown(user)], "a fellow no more");

    let many = Call::Presences(UserList { users: vec![user; 101] });
    assert_eq!(code(ada.call(many).await), ErrorCode::TooLarge);
    let strange = SettingsUpdate { presence_to: Some(Viewers::Unknown(9)), ..SettingsUpdate::default() };
    assert_eq!(code(ada.call(Call::UpdateSettings(strange)).await), ErrorCode::BadArgument);
}

on_both_stores! {
    super::of_devices as a_user_is_there_while_one_of_his_devices_is,
    super::to_whom as g9_presence_is_for_whom_its_user_chose,
}
