//! A server on a store of a test's own, and people who use it.

use goim_core::{Seq, UserId};
use goim_proto::{Authenticate, Call, Content, Credentials, Error, ErrorCode, Reply, ServerFrame, Session};
use goim_server::Config;

use crate::backend::Backend;
use crate::support::{Came, RawClient, TestServer};

/// Starts a server on this store that lets a test register and make bots as often as it likes.
pub(crate) async fn server(backend: &Backend, change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.store = Some(backend.url());
        config.limits.logins_per_s = 10_000;
        config.limits.bots_max = 10_000;
        change(config);
    })
    .await
}

pub(crate) fn login(name: &str, password: &str) -> Call {
    Call::Login(Credentials { name: name.into(), password: password.into(), device_name: "phone".into() })
}

/// Another device of somebody's, with a session.
pub(crate) async fn device(server: &TestServer, name: &str, password: &str) -> (RawClient, Session) {
    let mut client = RawClient::hello(server.addr()).await;
    let reply = client.call(login(name, password)).await.unwrap();
    let Reply::Session(session) = reply else { panic!("{reply:?}") };
    client.authenticate(&session.access_token).await;
    client.sync().await;
    (client, session)
}

/// A connection that speaks for one instance of a bot, if its token is good.
pub(crate) async fn instance(server: &TestServer, token: &str, instance: &str) -> RawClient {
    let authenticate = Authenticate { token: token.into(), instance: instance.into() };
    RawClient::hello_with(server.addr(), Some(authenticate)).await.0
}

/// Waits until the server has ended a session; with which code.
pub(crate) async fn ended(client: &mut RawClient) -> ErrorCode {
    loop {
        match client.come().await {
            Came::Frame(ServerFrame::GoAway(_) | ServerFrame::Notification(_) | ServerFrame::Reply(_)) => {}
            Came::Closed(code) => return ErrorCode::from_code(code),
            Came::Frame(other) => panic!("{other:?}"),
        }
    }
}

/// The code of a refusal.
pub(crate) fn code(answer: Result<Reply, Error>) -> ErrorCode {
    answer.expect_err("it was allowed").code
}

/// Makes a call that is answered by `Done`.
pub(crate) async fn done(client: &mut RawClient, call: Call) {
    assert_eq!(client.call(call).await, Ok(Reply::Done));
}

/// Waits until an inbox has so many entries; who wrote each, and what.
pub(crate) async fn inbox(client: &mut RawClient, entries: u64) -> Vec<(UserId, Content)> {
    let inbox = client.session.as_ref().unwrap().inbox;
    client.announced(inbox, Seq::new(entries)).await;
    let pulled = client.pull(inbox, 0).await.unwrap();
    assert_eq!(pulled.head, Seq::new(entries), "no entry too many");
    pulled.entries.iter().map(|entry| (entry.sender, Content::decode(&entry.body).unwrap())).collect()
}
