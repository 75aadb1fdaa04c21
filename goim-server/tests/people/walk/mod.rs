//! Who may make which call: every call and every other operation, made by everybody, and what each is
//! answered.

mod door;
mod operations;
mod scene;
mod table;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use goim_proto::{Call, Content, Decode as _, Encode as _, GoAwayReason, Reply, ReplyTo, ServerFrame};
use serde_json::{Value, json};

use self::door::Door;
use self::operations::OPERATIONS;
use self::scene::{Cast, Scene};
use self::table::CALLS;
use crate::backend::Backend;
use crate::client::{Answer, Http};
use crate::on_both_stores;
use crate::support::issuer::{Signer, trusting_file};
use crate::support::tables::rows;
use crate::support::{RawClient, TestServer, unique};
use crate::world::{instance, server};

/// Who calls, in the order of the tables' columns.
const CALLERS: [&str; 9] =
    ["nobody", "revoked", "stranger", "blocked", "removed", "muted", "member", "admin", "owner"];

/// What is asked for by name, how that is made, and what everybody is answered:
/// `.` done, `U` Unauthenticated, `M` NotMember, `F` Forbidden, `N` NotFound, `A` BadArgument,
/// `T` BadToken.
type Row<T> = (&'static str, fn(&Scene) -> T, &'static str);

fn letter(refusal: Option<&str>) -> &'static str {
    match refusal {
        None => ".",
        Some("Unauthenticated") => "U",
        Some("NotMember") => "M",
        Some("Forbidden") => "F",
        Some("NotFound") => "N",
        Some("BadArgument") => "A",
        Some("BadToken") => "T",
        Some(other) => panic!("the table has no letter for {other}"),
    }
}

/// What the protocol's page says that a call is answered by.
fn reply_to(call: &str) -> &'static str {
    let calls = rows(include_str!("../../../../docs/PROTOCOL.md"), "`Call`");
    calls.into_iter().find(|row| row[1] == call).map(|row| row[3]).unwrap()
}

/// The code that a call is refused with, if it is.
async fn refusal(client: &mut RawClient, name: &str, call: Call) -> Option<String> {
    let asked = client.request(call).await;
    loop {
        match client.frame().await {
            ServerFrame::Reply(ReplyTo { id, reply: Reply::Error(error) }) if id == asked => {
                return Some(format!("{:?}", error.code));
            }
            ServerFrame::Reply(ReplyTo { id, reply }) if id == asked => {
                assert!(format!("{reply:?}").starts_with(reply_to(name)), "{name}: {reply:?}");
                return None;
            }
            // Whoever logs out is answered and said good-bye to in either order.
            ServerFrame::GoAway(away) if name == "Logout" && away.reason == GoAwayReason::SessionEnded => {
                return None;
            }
            ServerFrame::Notification(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Refuses JSON that is not a reply of this name, with all of its fields and no others.
fn check_reply(name: &str, value: &Value) {
    let named = json!({ name: value });
    let reply = Reply::<Content>::decode(&named).unwrap_or_else(|error| panic!("{error}: {named}"));
    assert_eq!(reply.encode(serde_json::value::Serializer).unwrap(), named);
}

/// The code that a call is refused with over HTTP, if it is.
fn refusal_of(name: &str, answer: &Answer) -> Option<String> {
    if answer.status >= 300 {
        return Some(answer.problem().1);
    }
    match reply_to(name) {
        "Done" => assert_eq!((answer.status, answer.bytes.len()), (204, 0)),
        reply => check_reply(reply, &answer.ok()),
    }
    None
}

/// Has everybody ask for everything in a table, by what tells with which code it is refused.
async fn walk<T>(
    cast: &mut Cast<'_>,
    table: impl Iterator<Item = Row<T>>,
    ask: impl AsyncFn(&Cast<'_>, usize, &'static str, T) -> Option<String>,
) {
    let mut wrong = Vec::new();
    let mut scene = cast.scene().await;
    for (name, make, expected) in table {
        let mut answered = Vec::new();
        for caller in 0..CALLERS.len() {
            let refusal = ask(cast, caller, name, make(&scene)).await;
            let answer = letter(refusal.as_deref());
            // A token that is no good is refused when a connection says hello, and by HTTP with each request.
            let needs_session = answered == ["U"];
            answered.push(if needs_session && answer == "T" { "U" } else { answer });
            if refusal.is_none() {
                // So that none meets what another left.
                scene = cast.scene().await;
            }
        }
        if answered.join(" ") != *expected {
            wrong.push(format!("{name:<18} expected {expected}, answered {}", answered.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "not as in the table: {CALLERS:?}\n{}", wrong.join("\n"));
}

/// A server that trusts an issuer, with the folder of the issuer's keys.
async fn trusting(backend: &Backend, over_http: bool) -> (TestServer, Signer, tempfile::TempDir) {
    let (issuer, folder) = (Signer::ed("key"), tempfile::tempdir().unwrap());
    let trusted = trusting_file(folder.path(), &[&issuer]);
    let server = server(backend, |config| {
        config.external_login = trusted;
        config.api_listen = over_http.then_some(SocketAddr::from(([127, 0, 0, 1], 0)));
    })
    .await;
    (server, issuer, folder)
}

async fn calls_over_quic(backend: &Backend) {
    let (server, issuer, _folder) = trusting(backend, false).await;
    let mut cast = Cast::gather(&server, &issuer, None).await;
    walk(&mut cast, CALLS.iter().copied(), async |cast, caller, name, call| {
        assert!(format!("{call:?}").starts_with(name), "{name} makes {call:?}");
        // Each on a device that nobody else has.
        let mut client = match cast.token(caller) {
            None => RawClient::hello(cast.server.addr()).await,
            Some(token) => instance(cast.server, token, &unique("device")).await,
        };
        refusal(&mut client, name, call).await
    })
    .await;
}

async fn calls_over_http(backend: &Backend) {
    let (server, issuer, _folder) = trusting(backend, true).await;
    let door = Door::of(&server).await;
    let mut cast = Cast::gather(&server, &issuer, None).await;
    // Its token is that of the request there: it is among the other operations.
    let table = CALLS.iter().filter(|(name, ..)| *name != "Authenticate");
    walk(&mut cast, table.copied(), async |cast, caller, name, call| {
        refusal_of(name, &door.call(cast.token(caller), &call).await)
    })
    .await;
}

async fn other_operations(backend: &Backend) {
    let (server, issuer, _folder) = trusting(backend, true).await;
    let door = Door::of(&server).await;
    let mut cast = Cast::gather(&server, &issuer, Some(Http::nobody(&server))).await;
    walk(&mut cast, OPERATIONS.iter().copied(), async |cast, caller, name, asked| {
        operations::refusal(&door, cast.token(caller), CALLERS[caller], name, asked).await
    })
    .await;
}

#[tokio::test]
async fn every_call_and_every_operation_is_in_a_table() {
    let calls: BTreeSet<_> = CALLS.iter().map(|(name, ..)| *name).collect();
    let known: BTreeSet<_> = Call::<bytes::Bytes>::CODES.iter().map(|(_, name)| *name).collect();
    assert_eq!(calls, known);
    let operations: BTreeSet<_> = OPERATIONS.iter().map(|(name, ..)| *name).collect();
    let backend = Backend::sqlite();
    let (server, ..) = trusting(&backend, true).await;
    let described = Door::of(&server).await.operations();
    let walked: BTreeSet<_> = calls.union(&operations).map(|name| (*name).to_owned()).collect();
    let in_one_alone: Vec<_> = walked.symmetric_difference(&described).collect();
    assert!(in_one_alone.is_empty(), "{in_one_alone:?}");
    assert!(operations.contains("Authenticate"), "its row among the calls is not walked over HTTP");
}

on_both_stores! {
    super::calls_over_quic as g9_every_call_by_everybody_is_answered_as_in_the_table,
    super::calls_over_http as g9_every_call_by_everybody_is_answered_alike_over_http,
    super::other_operations as g9_every_other_operation_by_everybody_is_answered_as_in_the_table,
}
