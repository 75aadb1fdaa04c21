//! Every operation once, in one story.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::backend::Backend;
use crate::client::{Http, MINT, credentials, hash_of, id, message, server_with};
use crate::on_both_stores;
use crate::support::issuer::{Signer, claims, trusting_file};
use crate::support::{DEADLINE, unique};

/// Makes requests and keeps which operations they were.
struct Walk {
    document: Value,
    done: BTreeSet<String>,
}

impl Walk {
    /// Makes a request of an operation as the document has it, which has to succeed as that says.
    async fn step(&mut self, who: &Http, operation: &str, path: &[&str], query: &str, body: Value) -> Value {
        let (template, method, described) = find(&self.document, operation);
        let mut values = path.iter();
        let parts = template.split('/').map(|part| match part.starts_with('{') {
            true => values.next().unwrap_or_else(|| panic!("{operation} takes {part}")),
            false => part,
        });
        let path = format!("{}{query}", parts.collect::<Vec<_>>().join("/"));
        let answer = match method.as_str() {
            "get" | "delete" => who.ask(&method.to_uppercase(), &path, &[], "").await,
            _ => who.json(&method.to_uppercase(), &path, &body).await,
        };
        let value = answer.ok();
        assert!(described["responses"].get(answer.status.to_string()).is_some(), "{operation}: {answer:?}");
        self.done.insert(operation.to_owned());
        value
    }
}

/// The path and the method of an operation, and what the document says of it.
fn find(document: &Value, operation: &str) -> (String, String, Value) {
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            if described["operationId"] == operation {
                return (path.clone(), method.clone(), described.clone());
            }
        }
    }
    panic!("the document has no {operation}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

async fn accounts(walk: &mut Walk, nobody: &Http, issuer: &Signer) -> Http {
    let name = unique("cyd");
    let none = || Value::Null;
    walk.step(nobody, "Ping", &[], "", none()).await;
    walk.step(nobody, "Register", &[], "", credentials(&name)).await;
    let login = walk.step(nobody, "Login", &[], "", credentials(&name)).await;
    let by_token = json!({ "token": issuer.sign(&claims("eve")), "device_name": "phone" });
    let external = walk.step(nobody, "LoginExternal", &[], "", by_token).await;
    assert_ne!(external["info"]["user"], login["info"]["user"]);
    let refresh = json!({ "refresh_token": login["refresh_token"] });
    let session = walk.step(nobody, "Refresh", &[], "", refresh).await;
    let user = text(&session["info"]["user"]);
    let cyd = Http { token: Some(text(&session["access_token"])), user, ..nobody.clone() };
    assert_eq!(walk.step(&cyd, "Authenticate", &[], "", none()).await["user"], cyd.user.as_str());
    let devices = walk.step(&cyd, "ListDevices", &[], "?limit=10", none()).await;
    assert_eq!(devices["devices"].as_array().unwrap().len(), 2);
    walk.step(&cyd, "RevokeDevice", &[&text(&devices["devices"][0]["device"])], "", none()).await;
    let change = json!({ "password": "correct horse", "new_password": "battery staple" });
    walk.step(&cyd, "ChangePassword", &[], "", change).await;
    let bot = walk.step(&cyd, "CreateBot", &[], "", json!({ "name": unique("bot") })).await;
    walk.step(&cyd, "RevokeBot", &[&text(&bot["user"])], "", none()).await;
    walk.step(&cyd, "UpdateProfile", &[], "", json!({ "nickname": "Cydonia", "gender": "Other" })).await;
    walk.step(&cyd, "UpdateSettings", &[], "", json!({ "direct_from": "Everybody" })).await;
    let profiles = walk.step(&cyd, "Profiles", &[], &format!("?users={}&users=1", cyd.user), none()).await;
    let named = profiles["profiles"].as_array().unwrap().iter().find(|one| one["name"] == name.as_str());
    assert_eq!(named.unwrap()["gender"], "Other");
    assert_eq!(walk.step(&cyd, "FindUser", &[&name], "", none()).await["user"], cyd.user.as_str());
    let found = walk.step(&cyd, "SearchUsers", &[], "?prefix=cydoni&limit=1", none()).await;
    assert_eq!(found["users"][0]["nickname"], "Cydonia");
    cyd
}

async fn friends(walk: &mut Walk, ada: &Http, ben: &Http) {
    let none = || Value::Null;
    walk.step(ada, "RequestFriend", &[], "", json!({ "user": ben.user, "greeting": "hi" })).await;
    let requests = walk.step(ada, "ListFriendRequests", &[], "?sent=true", none()).await;
    assert_eq!(requests["requests"][0]["state"], "Open");
    walk.step(ben, "AnswerFriend", &[&ada.user], "", json!({ "accept": true })).await;
    walk.step(ada, "SetRemark", &[&ben.user], "", json!({ "remark": "neighbour" })).await;
    let friends = walk.step(ada, "ListFriends", &[], "", none()).await;
    assert_eq!(friends["friends"][0]["remark"], "neighbour");
    walk.step(ben, "SetPresence", &[], "", json!({ "away": true })).await;
    let presences = walk.step(ada, "Presences", &[], &format!("?users={}", ben.user), none()).await;
    let never = json!({ "user": ben.user, "state": 0, "last_seen_ms": 0 });
    assert_eq!(presences["presences"], json!([never]), "requests alone are no presence");
    let direct = walk.step(ada, "OpenDirect", &[&ben.user], "", json!({})).await;
    let receipt = walk.step(ada, "Receipt", &[&text(&direct["conversation"])], "", none()).await;
    assert_eq!(receipt, json!({ "delivered": "0", "read": "0" }));
    walk.step(ada, "DeleteFriend", &[&ben.user], "", none()).await;
    walk.step(ada, "Block", &[&ben.user], "", json!({})).await;
    assert_eq!(walk.step(ada, "ListBlocked", &[], "", none()).await["users"], json!([ben.user]));
    walk.step(ada, "Unblock", &[&ben.user], "", none()).await;
}

async fn groups(walk: &mut Walk, ada: &Http, ben: &Http, cyd: &Http) -> String {
    let none = || Value::Null;
    let made = walk.step(ada, "CreateGroup", &[], "", json!({ "name": "tea", "client_msg_id": id() })).await;
    let group = text(&made["conversation"]);
    let change = |change: Value| json!({ "client_msg_id": id(), "change": change });
    let act = || json!({ "client_msg_id": id() });
    walk.step(ada, "UpdateGroup", &[&group], "", change(json!({ "policy": "Open" }))).await;
    let info = walk.step(ada, "GroupInfo", &[&group], "", none()).await;
    let found = walk.step(ben, "FindGroup", &[&info["number"].to_string()], "", none()).await;
    assert_eq!((&found["conversation"], &found["policy"]), (&json!(group), &json!("Open")));
    walk.step(ben, "JoinGroup", &[&group], "", act()).await;
    let add = json!({ "users": [cyd.user], "client_msg_id": id() });
    walk.step(ada, "AddMembers", &[&group], "", add).await;
    let role = json!({ "role": "Admin", "client_msg_id": id() });
    walk.step(ada, "SetRole", &[&group, &ben.user], "", role).await;
    let mute = json!({ "muted": true, "client_msg_id": id() });
    walk.step(ben, "MuteMember", &[&group, &cyd.user], "", mute).await;
    let rename = json!({ "name": "coffee", "client_msg_id": id() });
    walk.step(ben, "Rename", &[&group], "", rename).await;
    let members = walk.step(ada, "ListMembers", &[&group], "", none()).await;
    assert_eq!(
        (&members["members"][1]["role"], &members["members"].as_array().unwrap().len()),
        (&json!("Admin"), &3)
    );
    walk.step(ada, "RemoveMember", &[&group, &cyd.user], &format!("?client_msg_id={}", id()), none()).await;
    walk.step(ada, "UpdateGroup", &[&group], "", change(json!({ "policy": "Approval" }))).await;
    walk.step(cyd, "ApplyToGroup", &[&group], "", json!({ "comment": "again" })).await;
    let query = format!("?conversation={group}");
    let applications = walk.step(ada, "ListApplications", &[], &query, none()).await;
    assert_eq!(applications["applications"][0]["comment"], "again");
    let answer = json!({ "accept": true, "client_msg_id": id() });
    walk.step(ada, "AnswerApplication", &[&group, &cyd.user], "", answer).await;
    group
}

async fn messages(walk: &mut Walk, ada: &Http, ben: &Http, group: &str) {
    let none = || Value::Null;
    let sent = walk.step(ada, "Send", &[group], "", message(id(), "hello")).await;
    change(walk, ada, ben, group, &text(&sent["seq"])).await;
    let mut next = message(id(), "world");
    next["conversation"] = group.into();
    walk.step(ada, "SendAll", &[], "", json!([next])).await;
    let pulled = walk.step(ada, "Pull", &[group], "?after=0&limit=1", none()).await;
    assert_eq!(pulled["entries"].as_array().unwrap().len(), 1);
    walk.step(ada, "History", &[group], "", none()).await;
    walk.step(ada, "MarkRead", &[group], "", json!({ "seq": sent["seq"] })).await;
    let offsets = json!({ "offsets": [{ "conversation": group, "seq": sent["seq"] }] });
    assert_eq!(walk.step(ada, "Commit", &[], "", offsets).await["refused"], json!([]));
    let heads = walk.step(ada, "Heads", &[], &format!("?conversations={group}"), none()).await;
    let number = |value: &Value| text(value).parse::<u64>().unwrap();
    assert_eq!(heads["items"][0]["offset"], sent["seq"]);
    assert!(number(&heads["items"][0]["read_marker"]) >= number(&sent["seq"]), "she wrote more than that");
    walk.step(ada, "UpdateConversation", &[group], "", json!({ "pinned": true })).await;
    let listed = walk.step(ada, "ListConversations", &[], "?limit=50", none()).await;
    let listed =
        listed["items"].as_array().unwrap().iter().find(|item| item["conversation"] == group).unwrap();
    assert_eq!((&listed["pinned"], &listed["hidden"]), (&json!(true), &json!(false)));
    assert_eq!(listed["last"]["body"], json!({ "Text": { "text": "world", "references": null } }));
    found(walk, ada, group, "world").await;
    walk.step(ada, "Sync", &[], "", json!({ "start": "Beginning" })).await;
}

/// Waits until a message is indexed.
async fn found(walk: &mut Walk, ada: &Http, group: &str, word: &str) {
    let query = format!("?query={word}&conversation={group}&limit=5");
    let there = async {
        loop {
            let page = walk.step(ada, "SearchMessages", &[], &query, Value::Null).await;
            if let Some(found) = page["messages"].get(0) {
                return found.clone();
            }
            // An account may search so often.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(DEADLINE, there).await.expect("it is not found");
    assert_eq!(
        (&found["conversation"], &found["entry"]["body"]["Text"]["text"]),
        (&json!(group), &json!(word))
    );
}

async fn files(walk: &mut Walk, ada: &Http, group: &str) {
    let file = b"GIF89a\x01\0\x01\0";
    let of_group = format!("/v1/conversations/{group}/attachments");
    for (target, folder) in [("Avatar", "/v1/avatars"), ("Attachment", &of_group)] {
        let brought = ada.ask_bytes("POST", folder, &[], file).await;
        assert_eq!(brought.status, 201, "{brought:?}");
        let path = format!("{folder}/{}", text(&brought.json()["hash"]));
        assert_eq!(ada.get(&path).await.bytes, file);
        walk.done.extend([format!("Upload{target}"), format!("Download{target}")]);
    }
    let path = format!("{of_group}/{}", hash_of(file));
    assert_eq!(ada.ask("DELETE", &path, &[], "").await.status, 204);
    assert_eq!(ada.get(&path).await.status, 404);
    walk.done.extend(["RemoveAttachment".into()]);
}

async fn sequences(walk: &mut Walk, nobody: &Http) {
    let session = nobody.post("/v1/accounts", &credentials(MINT)).await.ok();
    let mint = Http { token: Some(text(&session["access_token"])), ..nobody.clone() };
    let dense = json!({ "kind": "Dense", "count": 3 });
    let numbers = walk.step(&mint, "Allocate", &["invoices"], "", dense.clone()).await;
    assert_eq!(numbers, json!({ "first": 1, "last": 3 }));
    let numbers = walk.step(&mint, "Allocate", &["invoices"], "", dense).await;
    assert_eq!(numbers, json!({ "first": 4, "last": 6 }), "a repeated call takes others");
}

/// What is done to a message behind it, until it is recalled.
async fn change(walk: &mut Walk, ada: &Http, ben: &Http, group: &str, seq: &str) {
    let none = || Value::Null;
    walk.step(ada, "Edit", &[group, seq], "", message(id(), "hallo")).await;
    let pulled = ada.get(&format!("/v1/conversations/{group}/entries?after={seq}")).await.ok();
    assert_eq!(pulled["entries"][0]["body"]["Edited"]["body"]["Text"]["text"], "hallo");
    let react = json!({ "emoji": "🍵", "set": true, "client_msg_id": id() });
    walk.step(ben, "React", &[group, seq], "", react).await;
    let history = walk.step(ben, "History", &[group], "?limit=1", none()).await;
    assert_eq!(history["entries"][0]["body"]["Text"]["text"], "hallo");
    assert_eq!(history["forms"][0]["seq"], seq);
    assert_eq!(history["forms"][0]["reactions"], json!([{ "emoji": "🍵", "count": 1, "own": true }]));
    walk.step(ben, "MarkRead", &[group], "", json!({ "seq": seq })).await;
    walk.step(ben, "Typing", &[group], "", json!({})).await;
    let readers = walk.step(ada, "Readers", &[group, seq], "", none()).await;
    assert_eq!(readers["read"], json!([ben.user]));
    walk.step(ben, "DeleteForMe", &[group], "", json!({ "seqs": [seq] })).await;
    let deleted = ben.get(&format!("/v1/conversations/{group}/messages?limit=1")).await.ok();
    assert_eq!(deleted["entries"][0]["body"], json!({ "Blank": { "reason": "Deleted" } }));
    walk.step(ada, "Recall", &[group, seq], &format!("?client_msg_id={}", id()), none()).await;
    let recalled = ada.get(&format!("/v1/conversations/{group}/messages?limit=1")).await.ok();
    assert_eq!(recalled["entries"][0]["body"], json!({ "Blank": { "reason": "Recalled" } }));
}

async fn every_operation(backend: &Backend) {
    let (issuer, folder) = (Signer::ec("key"), tempfile::tempdir().unwrap());
    let trusted = trusting_file(folder.path(), &[&issuer]);
    let server = server_with(backend, |config| config.external_login = trusted).await;
    let nobody = Http::nobody(&server);
    let document = nobody.get("/v1/openapi.json").await.ok();
    let mut walk = Walk { document, done: BTreeSet::new() };
    let (ada, ben) = (Http::user(&server, "ada").await, Http::user(&server, "ben").await);
    let cyd = accounts(&mut walk, &nobody, &issuer).await;
    friends(&mut walk, &ada, &ben).await;
    let group = groups(&mut walk, &ada, &ben, &cyd).await;
    messages(&mut walk, &ada, &ben, &group).await;
    files(&mut walk, &ada, &group).await;
    sequences(&mut walk, &nobody).await;
    walk.step(&cyd, "Leave", &[&group], "", json!({})).await;
    let transfer = json!({ "user": ben.user, "client_msg_id": id() });
    walk.step(&ada, "TransferGroup", &[&group], "", transfer).await;
    walk.step(&ben, "DismissGroup", &[&group], &format!("?client_msg_id={}", id()), Value::Null).await;
    walk.step(&ada, "Logout", &[], "", Value::Null).await;

    let paths = walk.document["paths"].as_object().unwrap().values();
    let all = paths.flat_map(|methods| methods.as_object().unwrap().values());
    let all: BTreeSet<_> = all.map(|described| text(&described["operationId"])).collect();
    let left: Vec<_> = all.difference(&walk.done).collect();
    // Which never ends: `chat.rs` has its tests.
    assert_eq!(left, ["Events"]);
}

on_both_stores! { super::every_operation as every_operation_does_what_it_says }
