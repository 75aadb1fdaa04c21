//! Chats through HTTP alone.

use serde_json::json;

use crate::backend::Backend;
use crate::client::{Http, id, message, server};
use crate::on_both_stores;

async fn a_whole_chat(backend: &Backend) {
    let server = server(backend).await;
    let (ada, ben) = (Http::user(&server, "ada").await, Http::user(&server, "ben").await);
    let mut events = ben.events().await;
    let direct = ada.befriend(&ben).await;
    let messages = format!("/v1/conversations/{direct}/messages");

    let hello = message(id(), "hello");
    let sent = ada.post(&messages, &hello).await.ok();
    assert_eq!((&sent["seq"], &sent["duplicate"]), (&json!("2"), &json!(false)));
    let again = ada.post(&messages, &hello).await.ok();
    assert_eq!(again["duplicate"], true);
    assert_eq!((&again["seq"], &again["at_ms"], &again["count"]), (&sent["seq"], &sent["at_ms"], &json!(1)));

    events.reached(&direct, 2).await;
    let pulled = ben.get(&format!("/v1/conversations/{direct}/entries?after=0")).await.ok();
    assert_eq!(pulled["entries"][0]["body"], json!({ "DirectOpened": { "user": ben.user } }));
    assert_eq!(pulled["entries"][1]["body"], json!({ "Text": { "text": "hello", "references": null } }));
    assert_eq!((&pulled["through"], &pulled["head"]), (&json!("2"), &json!("2")));

    let two = json!([
        { "conversation": direct, "client_msg_id": id(), "body": { "Text": { "text": "one" } } },
        { "conversation": direct, "client_msg_id": id(), "body": { "Text": { "text": "" } } },
        { "conversation": direct, "client_msg_id": id(), "body": { "Custom": { "kind": "k", "data": "AAE=" } } },
    ]);
    let answers = ben.post("/v1/messages", &two).await.ok();
    assert_eq!(answers[0]["Sent"]["seq"], "3");
    assert_eq!(answers[1]["Error"]["code"], "EmptyText");
    assert_eq!(answers[2]["Sent"]["seq"], "4");

    let history = ada.get(&format!("{messages}?limit=2")).await.ok();
    let bodies: Vec<_> = history["entries"].as_array().unwrap().iter().map(|entry| &entry["body"]).collect();
    assert_eq!(
        bodies,
        [
            &json!({ "Custom": { "kind": "k", "data": "AAE=" } }),
            &json!({ "Text": { "text": "one", "references": null } })
        ]
    );
    let older = ada.get(&format!("{messages}?limit=2&before=3")).await.ok();
    assert_eq!(older["entries"][0]["seq"], "2");

    let offsets = json!({ "offsets": [{ "conversation": direct, "seq": "4" }, { "conversation": direct, "seq": "9" }] });
    let committed = ada.json("PUT", "/v1/offsets", &offsets).await.ok();
    assert_eq!(committed["refused"], json!([{ "conversation": direct, "code": "OffsetBeyondHead" }]));
    ada.json("PUT", &format!("/v1/conversations/{direct}/read-marker"), &json!({ "seq": "3" })).await.ok();
    let heads = ada.get(&format!("/v1/heads?conversations={direct}&conversations=999")).await.ok();
    assert_eq!((&heads["items"][0]["offset"], &heads["items"][0]["read_marker"]), (&json!("4"), &json!("3")));
    let synced = ada.post("/v1/sync", &json!({})).await.ok();
    let listed =
        synced["items"].as_array().unwrap().iter().any(|item| item["conversation"] == direct.as_str());
    assert!(!listed, "it has been handled: {synced}");
}

async fn events_of_what_moved(backend: &Backend) {
    let server = server(backend).await;
    let (ada, ben) = (Http::user(&server, "ada").await, Http::user(&server, "ben").await);
    ben.post("/v1/sync", &json!({})).await.ok();
    let group = ada.group(&[&ben]).await;
    ada.say(&group, "before anybody listens").await;

    // A stream begins with what its device has not handled.
    let mut events = ben.events().await;
    events.reached(&group, 2).await;
    ada.say(&group, "while somebody listens").await;
    assert_eq!(events.reached(&group, 3).await["head"], "3");
    drop(events);
    ada.say(&group, "while nobody listens").await;
    ben.json("PUT", "/v1/offsets", &json!({ "offsets": [{ "conversation": group, "seq": "3" }] })).await.ok();
    let mut events = ben.events().await;
    assert_eq!(events.reached(&group, 4).await["head"], "4");

    // A conversation that he is added to is one of them from then on; one that he was put out of, no more.
    let other = ada.group(&[&ben]).await;
    events.reached(&other, 1).await;
    let out = format!("/v1/groups/{group}/members/{}?client_msg_id={}", ben.user, id());
    let removed = ada.ask("DELETE", &out, &[], "").await.ok();
    assert_eq!(removed["seq"], "5");
    events.reached(&group, 5).await;
    ada.say(&group, "not for ben").await;
    ada.say(&other, "for ben").await;
    assert_eq!(events.reached(&other, 2).await["head"], "2");

    ben.ask("DELETE", "/v1/session", &[], "").await.ok();
    let (name, data) = loop {
        let next = events.next().await.expect("the last event says why");
        if next.0 != "head" {
            break next;
        }
        assert!(next.1["conversation"] != group.as_str(), "he was told of what he may not see: {next:?}");
    };
    assert_eq!((name.as_str(), &data["code"]), ("end", &json!("BadToken")));
    assert_eq!(events.next().await, None);
    assert_eq!(ben.get("/v1/session").await.problem(), (401, "BadToken".into()));
}

async fn an_event_of_typing(backend: &Backend) {
    let server = server(backend).await;
    let (ada, ben) = (Http::user(&server, "ada").await, Http::user(&server, "ben").await);
    ben.post("/v1/sync", &json!({})).await.ok();
    let group = ada.group(&[&ben]).await;
    let mut events = ben.events().await;
    events.reached(&group, 1).await;
    ada.post(&format!("/v1/conversations/{group}/typing"), &json!({})).await;
    let (name, data) = loop {
        let next = events.next().await.expect("an event");
        if next.0 != "head" {
            break next;
        }
    };
    assert_eq!((name.as_str(), data), ("typing", json!({ "conversation": group, "user": ada.user })));
}

async fn an_event_of_a_profile(backend: &Backend) {
    let server = server(backend).await;
    let (ada, ben) = (Http::user(&server, "ada").await, Http::user(&server, "ben").await);
    ben.post("/v1/sync", &json!({})).await.ok();
    ada.befriend(&ben).await;
    let mut events = ben.events().await;
    ada.json("PATCH", "/v1/profile", &json!({ "nickname": "Countess" })).await.ok();
    let news = async {
        loop {
            let (name, data) = events.next().await.expect("an event");
            if name != "head" {
                break (name, data);
            }
        }
    };
    assert_eq!(news.await, ("profile".into(), json!({ "user": ada.user, "version": 2 })));
}

async fn a_list_is_answered_in_full_once(backend: &Backend) {
    let server = server(backend).await;
    let ada = Http::user(&server, "ada").await;
    let group = ada.group(&[]).await;
    let path = format!("/v1/conversations/{group}/members");
    let first = ada.get(&path).await;
    let tag = format!("if-none-match: {}", first.header("etag").unwrap());
    let same = ada.ask("GET", &path, &[&tag], "").await;
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    let ben = Http::user(&server, "ben").await;
    let add = json!({ "users": [ben.user], "client_msg_id": id() });
    ada.post(&format!("/v1/groups/{group}/members"), &add).await.ok();
    let changed = ada.ask("GET", &path, &[&tag], "").await;
    assert_eq!(changed.ok()["members"].as_array().unwrap().len(), 2);
    // In pages, each behind the last item of the one before.
    let page = ada.get(&format!("{path}?limit=1")).await.ok();
    assert_eq!((&page["members"][0]["user"], &page["more"]), (&json!(ada.user), &json!(true)));
    let page = ada.get(&format!("{path}?limit=2&after={}", ada.user)).await.ok();
    assert_eq!((&page["members"][0]["user"], &page["more"]), (&json!(ben.user), &json!(false)));
}

async fn a_bot_s_instances(backend: &Backend) {
    let server = server(backend).await;
    let ada = Http::user(&server, "ada").await;
    let made = ada.post("/v1/bots", &json!({ "name": crate::support::unique("bot") })).await.ok();
    let bot = Http { token: made["token"].as_str().map(str::to_owned), ..Http::nobody(&server) };
    let device = |answer: crate::client::Answer| answer.ok()["device"].clone();
    let first = device(bot.get("/v1/session").await);
    assert_eq!(device(bot.ask("GET", "/v1/session", &["goim-instance: default"], "").await), first);
    let mut instances = vec![first];
    for instance in ["two", "büro"] {
        let named = format!("goim-instance: {instance}");
        let own = device(bot.ask("GET", "/v1/session", &[&named], "").await);
        assert!(!instances.contains(&own), "{instance} is an instance of its own");
        instances.push(own);
    }
}

on_both_stores! {
    super::a_whole_chat as two_people_chat_through_http_alone,
    super::events_of_what_moved as g5_events_say_what_moved_and_begin_with_what_is_not_handled,
    super::an_event_of_typing as typing_is_an_event,
    super::an_event_of_a_profile as a_changed_profile_is_an_event,
    super::a_list_is_answered_in_full_once as a_list_that_has_not_changed_is_not_answered_again,
    super::a_bot_s_instances as a_bot_names_its_instance_in_a_header,
}
