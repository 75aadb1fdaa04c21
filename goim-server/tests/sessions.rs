//! Sessions: how they are opened, renewed and ended; and what operators see.

mod support;

use std::time::Duration;

use goim_proto::{Authenticate, Call, ErrorCode, Refresh, Reply, ServerFrame, UserArgument};
use support::http::get;
use support::{Came, RawClient, TestServer};
use tokio::time::Instant;

async fn is_ended(client: &mut RawClient) -> ErrorCode {
    loop {
        match client.come().await {
            Came::Frame(ServerFrame::GoAway(_) | ServerFrame::Notification(_)) => {}
            Came::Closed(code) => return ErrorCode::from_code(code),
            Came::Frame(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_use() {
    let server = TestServer::start().await;
    let mut client = RawClient::hello(server.addr()).await;
    let first = client.register("alice").await;
    let refresh = |token: &str| Call::Refresh(Refresh { refresh_token: token.into() });
    let Reply::Session(second) = client.call(refresh(&first.refresh_token)).await.unwrap() else { panic!() };
    assert_eq!(second.info, first.info);
    let used = client.call(refresh(&first.refresh_token)).await.unwrap_err();
    assert_eq!(used.code, ErrorCode::BadToken);
    client.authenticate(&second.access_token).await;
    let mistaken = Authenticate { token: second.refresh_token, instance: String::new() };
    assert_eq!(client.call(Call::Authenticate(mistaken)).await.unwrap_err().code, ErrorCode::BadToken);
}

#[tokio::test]
async fn a_session_ends_with_its_token_unless_it_is_renewed() {
    let server = TestServer::with(|config| {
        config.access_token_ttl_s = 4;
        config.revocation_interval_ms = 100;
    })
    .await;
    let mut stays = RawClient::hello(server.addr()).await;
    let mut goes = RawClient::hello(server.addr()).await;
    let session = stays.register("alice").await;
    stays.authenticate(&session.access_token).await;
    goes.authenticate(&session.access_token).await;
    let renew = Call::Refresh(Refresh { refresh_token: session.refresh_token });
    // Renewed later than it was opened, so that it lasts longer.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let Reply::Session(renewed) = stays.call(renew).await.unwrap() else { panic!() };
    stays.authenticate(&renewed.access_token).await;
    assert_eq!(is_ended(&mut goes).await, ErrorCode::BadToken);
    stays.sync().await;
    assert_eq!(is_ended(&mut stays).await, ErrorCode::BadToken);
}

#[tokio::test]
async fn a_revoked_device_is_out_within_five_seconds_and_stays_out() {
    let server = TestServer::start().await;
    let mut alice = RawClient::hello(server.addr()).await;
    let session = alice.register("alice").await;
    alice.authenticate(&session.access_token).await;
    let (mut second, _) = RawClient::hello_with(
        server.addr(),
        Some(Authenticate { token: session.access_token.clone(), instance: String::new() }),
    )
    .await;
    let start = Instant::now();
    alice.request(Call::Logout).await;
    assert_eq!(is_ended(&mut second).await, ErrorCode::BadToken);
    assert!(start.elapsed() < Duration::from_secs(5));
    let token = Authenticate { token: session.access_token, instance: String::new() };
    let (_, welcome) = RawClient::hello_with(server.addr(), Some(token)).await;
    assert_eq!(welcome.refused.unwrap().code, ErrorCode::BadToken);
}

#[tokio::test]
async fn only_its_owner_revokes_a_bot() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut eve = RawClient::user(server.addr(), "eve").await;
    let mut bot = alice.bot(server.addr(), "bot").await;
    let revoke = Call::RevokeBot(UserArgument { user: bot.me() });
    assert_eq!(eve.call(revoke.clone()).await.unwrap_err().code, ErrorCode::NotFound);
    bot.sync().await;
    assert_eq!(alice.call(revoke).await.unwrap(), Reply::Done);
    assert_eq!(is_ended(&mut bot).await, ErrorCode::BadToken);
}

#[tokio::test]
async fn a_connection_speaks_for_one_device_for_its_life() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let other = alice.register("bob").await;
    let switch = Authenticate { token: other.access_token, instance: String::new() };
    assert_eq!(alice.call(Call::Authenticate(switch)).await.unwrap_err().code, ErrorCode::Forbidden);
}

#[tokio::test]
async fn a_flood_of_guesses_is_slowed_down_and_calls_go_on() {
    let server = TestServer::with(|config| config.limits.logins_per_s = 1).await;
    let mut client = RawClient::hello(server.addr()).await;
    let guess = || Call::Refresh(Refresh { refresh_token: "goim_r_guess".into() });
    let mut refused = None;
    for _ in 0..40 {
        let error = client.call(guess()).await.unwrap_err();
        if error.code == ErrorCode::RateLimited {
            refused = Some(error);
            break;
        }
    }
    assert!(refused.unwrap().retry_after_ms.is_some());
    assert_eq!(client.call(Call::Ping).await.unwrap(), Reply::Done);
}

#[tokio::test]
async fn operators_see_health_and_counts() {
    let server = TestServer::with(|config| config.http_listen = Some(([127, 0, 0, 1], 0).into())).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let group = alice.group(vec![]).await;
    alice.text(group, "count me").await.unwrap();
    let addr = server.server.http_addr().unwrap();
    assert!(get(addr, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(addr, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(addr, "/metrics").await;
    assert!(metrics.contains("\ngoim_connections_open 1\n"), "{metrics}");
    assert!(metrics.contains("\ngoim_sends_committed_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_stopping_server_says_good_bye() {
    let server = TestServer::start().await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let (stopped, ended) = tokio::join!(server.server.shutdown(), is_ended(&mut alice));
    let () = stopped;
    assert_eq!(ended, ErrorCode::Unavailable);
}
