//! What a server refuses, and how it says so.

use serde_json::{Value, json};

use crate::backend::Backend;
use crate::client::{Http, credentials, id, message, server};
use crate::on_both_stores;
use crate::support::unique;

const JSON: &str = "content-type: application/json";

async fn refused_arguments(backend: &Backend) {
    let server = server(backend).await;
    let ada = Http::user(&server, "ada").await;
    let group = ada.group(&[]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let bad = |code: &str| (400, code.to_owned());

    for broken in ["{", "[]", "7", "null", r#""text""#, "\u{0}", r#"{"a":1}{"b":2}"#] {
        assert_eq!(
            ada.ask("POST", &messages, &[JSON], broken).await.problem(),
            bad("BadArgument"),
            "{broken}"
        );
    }
    let send = |change: Value| {
        let mut send = message(id(), "hello");
        send.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        send
    };
    for (change, code) in [
        (json!({ "body": null }), "BadArgument"),
        (json!({ "body": "hello" }), "BadArgument"),
        (json!({ "body": {} }), "BadArgument"),
        (json!({ "body": { "Text": { "text": null } } }), "BadArgument"),
        (json!({ "body": { "Text": { "text": "" } } }), "EmptyText"),
        (json!({ "body": { "Text": {} } }), "EmptyText"),
        (json!({ "body": { "Text": { "text": "x".repeat(65_537) } } }), "TextTooLong"),
        (json!({ "body": { "Renamed": { "name": "mine" } } }), "BadContent"),
        (json!({ "body": { "Custom": { "kind": "k", "data": "?" } } }), "BadArgument"),
        (json!({ "client_msg_id": null }), "BadArgument"),
        (json!({ "client_msg_id": "7" }), "BadArgument"),
        (json!({ "client_msg_id": "00000000-0000-0000-0000-000000000000" }), "BadId"),
        (json!({ "client_msg_id": "018bcfe5-6805-7505-8505-050505050505" }), "IdTooOld"),
        (json!({ "retry": "yes" }), "BadArgument"),
        (json!({ "after": 7 }), "BadArgument"),
    ] {
        assert_eq!(ada.post(&messages, &send(change.clone())).await.problem(), bad(code), "{change}");
    }
    let without = json!({ "body": { "Text": { "text": "hello" } } });
    assert_eq!(ada.post(&messages, &without).await.problem(), bad("BadId"));

    for path in ["-1", "+1", "x", "1.0", "99999999999999999999", "%00", "%ff", "0x1"] {
        let path = format!("/v1/groups/{path}");
        assert_eq!(ada.get(&path).await.problem(), bad("BadArgument"), "{path}");
    }
    for query in ["limit=-1", "limit=", "limit=x", "limit=4294967296", "limit=1&limit=2", "before=-1"] {
        let path = format!("{messages}?{query}");
        assert_eq!(ada.get(&path).await.problem(), bad("BadArgument"), "{path}");
    }
    for query in ["", "query=%3F", "query=tea&before=x", "query=tea&query=tea", "query=tea&conversation=x"] {
        let path = format!("/v1/search?{query}");
        assert_eq!(ada.get(&path).await.problem(), bad("BadArgument"), "{path}");
    }
    // Numbers over the range of ids name nothing; what is not an argument is passed over.
    assert_eq!(ada.get("/v1/groups/9999999999999999999").await.problem(), (403, "NotMember".into()));
    ada.get(&format!("{messages}?later=1")).await.ok();
    ada.post(&messages, &send(json!({ "later": [1], "conversation": "99" }))).await.ok();
}

async fn refused_people(backend: &Backend) {
    let server = server(backend).await;
    let nobody = Http::nobody(&server);
    let (ada, eve) = (Http::user(&server, "ada").await, Http::user(&server, "eve").await);
    let group = ada.group(&[]).await;
    let register = |name: Value, password: Value| json!({ "name": name, "password": password });
    for (name, password, code) in [
        (json!("a\u{7}b"), json!("correct horse"), "BadName"),
        (json!(" a"), json!("correct horse"), "BadName"),
        (json!("x".repeat(65)), json!("correct horse"), "BadName"),
        (json!(""), json!("correct horse"), "BadName"),
        (json!(unique("a")), json!("short"), "WeakPassword"),
        (json!(unique("a")), json!(7), "BadArgument"),
    ] {
        let answer = nobody.post("/v1/accounts", &register(name.clone(), password)).await;
        assert_eq!(answer.problem(), (400, code.into()), "{name}");
        assert!(!answer.body.contains("correct horse"));
    }
    let name = unique("taken");
    nobody.post("/v1/accounts", &credentials(&name)).await.ok();
    assert_eq!(nobody.post("/v1/accounts", &credentials(&name)).await.problem(), (409, "NameTaken".into()));
    let wrong = json!({ "name": name, "password": "battery staple" });
    assert_eq!(nobody.post("/v1/sessions", &wrong).await.problem(), (401, "BadCredentials".into()));

    let shows = |token: &str| Http { token: Some(token.into()), ..nobody.clone() };
    for token in ["", "x", "goim_a_00", "goim_b_00", "goim_r_00"] {
        let answer = shows(token).get("/v1/friends").await;
        assert_eq!(answer.problem(), (401, "BadToken".into()), "{token}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let basic = nobody.ask("GET", "/v1/friends", &["authorization: Basic eDp5"], "").await;
    assert_eq!(basic.problem(), (401, "BadToken".into()));

    let others = [
        eve.get(&format!("/v1/conversations/{group}/entries")).await,
        eve.get(&format!("/v1/conversations/{group}/messages")).await,
        eve.post(&format!("/v1/conversations/{group}/messages"), &message(id(), "hello")).await,
        eve.get(&format!("/v1/groups/{group}")).await,
    ];
    for answer in others {
        assert_eq!(answer.problem(), (403, "NotMember".into()));
    }
    let devices = ada.get("/v1/devices").await.ok();
    let device = format!("/v1/devices/{}", devices["devices"][0]["device"].as_str().unwrap());
    assert_eq!(eve.ask("DELETE", &device, &[], "").await.problem(), (404, "NotFound".into()));
}

async fn refused_requests(backend: &Backend) {
    let server = server(backend).await;
    let ada = Http::user(&server, "ada").await;
    let profile = json!({ "nickname": "x" }).to_string();
    for kind in [&[][..], &["content-type: text/plain"], &["content-type: application/jsonp"]] {
        let answer = ada.ask("PATCH", "/v1/profile", kind, &profile).await;
        assert_eq!(answer.problem(), (415, "BadArgument".into()), "{kind:?}");
    }
    ada.ask("PATCH", "/v1/profile", &["content-type: Application/JSON; charset=utf-8"], &profile).await.ok();
    let huge = format!(r#"{{"nickname":"{}"}}"#, "x".repeat(300 << 10));
    assert_eq!(ada.ask("PATCH", "/v1/profile", &[JSON], &huge).await.problem(), (413, "TooLarge".into()));
    let deep = "[".repeat(100_000);
    assert_eq!(ada.ask("PATCH", "/v1/profile", &[JSON], &deep).await.problem(), (400, "BadArgument".into()));
    let many: Vec<_> = (0..101).map(|_| message(id(), "x")).collect();
    assert_eq!(ada.post("/v1/messages", &json!(many)).await.problem(), (413, "TooLarge".into()));
    let long = format!("x: {}", "x".repeat(20 << 10));
    assert_eq!(ada.ask("GET", "/v1/ping", &[&long], "").await.status, 431);
    let many = "conversations=1&".repeat(401);
    assert_eq!(ada.get(&format!("/v1/heads?{many}")).await.problem(), (413, "TooLarge".into()));
    assert_eq!(ada.get("/v1/nowhere").await.problem(), (404, "UnknownCall".into()));
    let wrong_method = ada.ask("DELETE", "/v1/friends", &[], "").await;
    assert_eq!(wrong_method.problem(), (405, "UnknownCall".into()));
    assert_eq!(wrong_method.header("allow"), Some("GET,HEAD"));
    assert_eq!(ada.get("/metrics").await.status, 404, "what operators look at is elsewhere");
}

async fn guesses(backend: &Backend) {
    let server = crate::support::TestServer::with(|config| {
        config.store = Some(backend.url());
        config.limits.logins_per_s = 1;
        config.limits.requests_per_s = 1;
        config.limits.sends_per_s = 1;
        config.api_listen = Some(([127, 0, 0, 1], 0).into());
    });
    let server = server.await;
    let ada = Http::user(&server, "ada").await;
    let limited = async |ask: &dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = crate::client::Answer>>>| {
        // More than all the burst and what may come meanwhile.
        for _ in 0..1_000 {
            let answer = ask().await;
            if answer.status == 429 {
                assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
                return;
            }
        }
        panic!("as often as one likes");
    };
    let asker = ada.clone();
    limited(&move || {
        let ada = asker.clone();
        Box::pin(async move { ada.get("/v1/session").await })
    })
    .await;
    let nobody = Http::nobody(&server);
    limited(&move || {
        let nobody = nobody.clone();
        Box::pin(async move { nobody.post("/v1/sessions", &credentials("nobody")).await })
    })
    .await;
}

on_both_stores! {
    super::refused_arguments as arguments_that_are_none_are_refused,
    super::refused_people as g9_people_who_may_not_are_refused,
    super::refused_requests as requests_that_are_none_are_refused,
    super::guesses as whoever_asks_too_often_is_told_when_to_come_again,
}
