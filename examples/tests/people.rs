//! People, friends, groups and sequences through the SDK: every method once, in the order in which an application
//! would come to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../../goim-server/tests/support/issuer.rs"]
mod issuer;

use std::time::Duration;

use futures_util::StreamExt;
use goim_client::{
    Audience, CallError, Client, Content, ConversationId, DeviceId, ErrorCode, Event, GroupChange,
    HistoryFrom, JoinPolicy, ProfileUpdate, RequestState, Role, SendError, SequenceKind, SettingsUpdate,
    Subscription, UserId,
};
use goim_server::{Config, Server};
use issuer::{Signer, claims, trusting_file};

const PASSWORD: &str = "a long enough password";
/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

async fn client(server: &Server) -> Client {
    let address = server.quic_addr().to_string();
    Client::builder(address).fingerprint(server.fingerprint()).connect().await.unwrap()
}

/// A new user, and what comes into his inbox.
async fn person(server: &Server, name: &str) -> (Client, UserId, Subscription) {
    let client = client(server).await;
    let mut events = client.events();
    let info = client.register(name, PASSWORD).await.unwrap().info;
    // What is older than his first list is history to him.
    while !matches!(events.next().await.unwrap(), Event::Connected) {}
    let inbox = client.subscribe(info.inbox);
    (client, info.user, inbox)
}

async fn next(inbox: &mut Subscription) -> (UserId, Content) {
    let message = tokio::time::timeout(DEADLINE, inbox.next()).await;
    let message = message.expect("nothing came").expect("the client was closed");
    (message.sender(), message.content())
}

async fn send(client: &Client, conversation: ConversationId) -> Result<(), Option<ErrorCode>> {
    match client.send(conversation, Content::text("hello")).await.unwrap().await {
        Ok(_) => Ok(()),
        Err(SendError::Refused(error)) => Err(Some(error.code)),
        Err(_) => Err(None),
    }
}

async fn accounts(server: &Server) {
    let (ada, user, _inbox) = person(server, "ada").await;
    let update = ProfileUpdate { nickname: Some("Countess".into()), ..ProfileUpdate::default() };
    let profile = ada.update_profile(update).await.unwrap();
    assert_eq!(ada.profiles(&[user]).await.unwrap(), std::slice::from_ref(&profile));
    let page = ada.search_users("count", "", 10).await.unwrap();
    assert_eq!((page.users, page.next.as_str()), (vec![profile], ""));
    let phone = client(server).await;
    let lost = phone.login("ada", PASSWORD).await.unwrap().info.device;
    assert_eq!(ada.devices(DeviceId::default(), 0).await.unwrap().devices[1].device, lost);
    let mut events = phone.events();
    ada.revoke_device(lost).await.unwrap();
    assert_eq!(ada.devices(DeviceId::default(), 0).await.unwrap().devices.len(), 1);
    let ended = async { while !matches!(events.next().await.unwrap(), Event::SessionEnded { .. }) {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("the session goes on");
    assert!(
        matches!(phone.login("ada", PASSWORD).await, Err(CallError::Closed)),
        "a client ends with its session"
    );
    assert_ne!(client(server).await.login("ada", PASSWORD).await.unwrap().info.device, lost);
    ada.change_password(PASSWORD, "another long password").await.unwrap();
    let refused = client(server).await.login("ada", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::BadCredentials));
}

async fn external(server: &Server, key: &Signer) {
    let eve = client(server).await;
    let user = eve.login_external(&key.sign(&claims("eve"))).await.unwrap().info.user;
    assert_eq!(eve.profiles(&[user]).await.unwrap()[0].user, user);
    let again = client(server).await.login_external(&key.sign(&claims("eve"))).await.unwrap().info;
    assert_eq!(again.user, user);
    let refused = client(server).await.login_external("a.b.c").await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::BadToken));
}

async fn sequences(server: &Server) {
    let (mint, ..) = person(server, "mint").await;
    assert_eq!(mint.allocate("orders", SequenceKind::Dense, 5).await.unwrap(), 1..=5);
    assert_eq!(mint.allocate("orders", SequenceKind::Dense, 1).await.unwrap(), 6..=6);
    let Err(CallError::Refused(other)) = mint.allocate("orders", SequenceKind::Segmented, 1).await else {
        panic!("a sequence of two kinds")
    };
    assert_eq!(other.code, ErrorCode::BadArgument);
}

async fn friends(server: &Server) {
    let (ben, ben_id, mut ben_inbox) = person(server, "ben").await;
    let (cleo, cleo_id, mut cleo_inbox) = person(server, "cleo").await;
    ben.request_friend(cleo_id, "tea?").await.unwrap();
    let (sender, content) = next(&mut cleo_inbox).await;
    assert_eq!(sender, ben_id);
    assert!(matches!(content, Content::FriendRequested(request) if request.greeting == "tea?"));
    assert_eq!(cleo.friend_requests(None, 0).await.unwrap().requests[0].user, ben_id);
    cleo.answer_friend(ben_id, true).await.unwrap();
    let (sender, content) = next(&mut ben_inbox).await;
    assert!(sender == cleo_id && matches!(content, Content::FriendAnswered(answer) if answer.accepted));
    assert_eq!(ben.sent_friend_requests(None, 0).await.unwrap().requests[0].state, RequestState::Accepted);
    let mut events = cleo.events();
    let update = ProfileUpdate { nickname: Some("Benny".into()), ..ProfileUpdate::default() };
    let version = ben.update_profile(update).await.unwrap().version;
    let news =
        async { while events.next().await.unwrap() != (Event::ProfileChanged { user: ben_id, version }) {} };
    tokio::time::timeout(DEADLINE, news).await.expect("nothing was told");
    ben.set_remark(cleo_id, "Queen").await.unwrap();
    assert_eq!(ben.friends(UserId::default(), 0).await.unwrap().friends[0].remark, "Queen");
    let chat = cleo.open_direct(ben_id).await.unwrap();
    ben.block(cleo_id).await.unwrap();
    assert_eq!(ben.blocked(UserId::default(), 0).await.unwrap().users, [cleo_id]);
    assert_eq!(send(&cleo, chat).await, Err(Some(ErrorCode::Forbidden)));
    ben.unblock(cleo_id).await.unwrap();
    assert_eq!(send(&cleo, chat).await, Ok(()));
    ben.delete_friend(cleo_id).await.unwrap();
    let everybody = SettingsUpdate { direct_from: Some(Audience::Everybody), ..SettingsUpdate::default() };
    assert_eq!(ben.update_settings(everybody).await.unwrap().direct_from, Audience::Everybody);
}

async fn groups(server: &Server) {
    let (dan, dan_id, mut dan_inbox) = person(server, "dan").await;
    let (eva, eva_id, mut eva_inbox) = person(server, "eva").await;
    let (fay, fay_id, _) = person(server, "fay").await;
    let group = dan.create_group("tea", &[]).await.unwrap();
    assert!(matches!(next(&mut dan_inbox).await.1, Content::AddedTo(place) if place.conversation == group));
    let change = GroupChange {
        policy: Some(JoinPolicy::Approval),
        history: Some(HistoryFrom::Start),
        announcement: Some("at four".into()),
        ..GroupChange::default()
    };
    dan.update_group(group, change).await.unwrap();
    send(&dan, group).await.unwrap();
    let number = dan.group(group).await.unwrap().number;
    assert_eq!(eva.find_group(number).await.unwrap().conversation, group);
    eva.apply_to_group(group, "me too").await.unwrap();
    let (sender, content) = next(&mut dan_inbox).await;
    assert!(
        sender == eva_id && matches!(content, Content::ApplicationMade(made) if made.comment == "me too")
    );
    assert_eq!(dan.applications(group, None, 0).await.unwrap().applications[0].user, eva_id);
    dan.answer_application(group, eva_id, true).await.unwrap();
    assert!(matches!(next(&mut eva_inbox).await.1, Content::AddedTo(place) if place.conversation == group));
    assert_eq!(eva.own_applications(None, 0).await.unwrap().applications[0].state, RequestState::Accepted);
    assert_eq!(eva.history(group, None, 0).await.unwrap().entries.len(), 1, "the history from the start");
    let open = GroupChange { policy: Some(JoinPolicy::Open), ..GroupChange::default() };
    dan.update_group(group, open).await.unwrap();
    fay.join_group(group).await.unwrap();
    dan.set_role(group, eva_id, Role::Admin).await.unwrap();
    eva.mute_member(group, fay_id, true).await.unwrap();
    assert_eq!(send(&fay, group).await, Err(Some(ErrorCode::Forbidden)));
    assert!(eva.members(group, eva_id, 0).await.unwrap().members[0].muted);
    dan.transfer_group(group, eva_id).await.unwrap();
    assert_eq!(dan.group(group).await.unwrap().owner, eva_id);
    assert_ne!(eva_id, dan_id);
    eva.dismiss_group(group).await.unwrap();
    assert_eq!(send(&eva, group).await, Err(Some(ErrorCode::Forbidden)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_has_people_friends_groups_and_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let key = Signer::ed("key");
    let config = Config {
        quic_listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: folder.path().into(),
        sequence_users: vec!["mint".into()],
        external_login: trusting_file(folder.path(), &[&key]),
        ..Config::default()
    };
    let server = Server::start(config).await.unwrap();
    accounts(&server).await;
    external(&server, &key).await;
    friends(&server).await;
    groups(&server).await;
    sequences(&server).await;
    server.shutdown().await;
}
