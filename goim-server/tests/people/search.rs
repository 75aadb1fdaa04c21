//! Messages that people look for.

use goim_core::{ConversationId, Seq};
use goim_proto::{
    Call, ErrorCode, GroupChange, HistoryFrom, Member, Members, MessageList, MessagePage, Reply,
    SearchMessages, UpdateGroup,
};
use tokio::time::{Duration, sleep, timeout};

use crate::backend::Backend;
use crate::messages::{edit, people, recall, seq};
use crate::on_both_stores;
use crate::support::{DEADLINE, RawClient, mint};
use crate::world::{code, done, server};

fn search(query: &str) -> SearchMessages {
    SearchMessages { query: query.into(), ..SearchMessages::default() }
}

async fn page(client: &mut RawClient, search: &SearchMessages) -> MessagePage {
    match client.call(Call::SearchMessages(search.clone())).await.unwrap() {
        Reply::FoundMessages(page) => page,
        other => panic!("{other:?}"),
    }
}

/// Where something is found, newest first.
async fn found(client: &mut RawClient, query: &str) -> Vec<(ConversationId, Seq)> {
    let page = page(client, &search(query)).await;
    page.messages.iter().map(|found| (found.conversation, found.entry.seq)).collect()
}

/// Asks until as many are found, which is when they are indexed.
async fn until_found(client: &mut RawClient, query: &str, many: usize) -> Vec<(ConversationId, Seq)> {
    let there = async {
        loop {
            let found = found(client, query).await;
            if found.len() == many {
                return found;
            }
            // An account may ask so often.
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, there).await.unwrap_or_else(|_| panic!("{query:?} is not found {many} times"))
}

/// As many as a test likes.
fn eager(config: &mut goim_server::Config) {
    config.limits.searches_per_s = 1_000;
    config.catch_up_interval_ms = Some(20);
}

async fn own_conversations(backend: &Backend) {
    let (here, there) = (server(backend, eager).await, server(backend, eager).await);
    let [mut ada, mut ben, mut eve] = people(&[&here, &there]).await;
    let tea = ada.group(vec![ben.me()]).await;
    let direct = ada.direct(ben.me()).await.unwrap();
    let first = ada.text(tea, "Grüner TEE, heiß").await.unwrap().seq;
    let second = ben.text(direct, "绿茶好喝").await.unwrap().seq;
    let third = ben.text(tea, "tee und kaffee").await.unwrap().seq;
    assert_eq!(until_found(&mut ada, "tee", 2).await, [(tea, third), (tea, first)]);
    assert_eq!(until_found(&mut ben, "茶", 1).await, [(direct, second)], "through the other node");
    for (query, expected) in [
        ("heiss", vec![(tea, first)]),
        ("kaf tee", vec![]),
        ("tee kaf", vec![(tea, third)]),
        ("好喝", vec![(direct, second)]),
        ("tee 茶", vec![]),
    ] {
        assert_eq!(found(&mut ada, query).await, expected, "{query}");
    }
    for query in ["tee", "茶"] {
        assert_eq!(found(&mut eve, query).await, [], "{query}: she is in neither");
    }
    let one = page(&mut ada, &SearchMessages { limit: 1, ..search("tee") }).await;
    assert_eq!((one.messages.len(), one.messages[0].entry.seq), (1, third));
    let next = page(&mut ada, &SearchMessages { before: one.next, ..search("tee") }).await;
    assert_eq!((next.messages.len(), next.messages[0].entry.seq, next.next.as_str()), (1, first, ""));
    let within = page(&mut ben, &SearchMessages { conversation: direct, ..search("tee") }).await;
    assert_eq!(within.messages, []);
    let foreign = SearchMessages { conversation: tea, ..search("tee") };
    assert_eq!(code(eve.call(Call::SearchMessages(foreign)).await), ErrorCode::NotMember);
}

async fn late_or_left(backend: &Backend) {
    let server = server(backend, eager).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let group = ada.group(vec![]).await;
    let first = ada.text(group, "tea before").await.unwrap().seq;
    let user = ben.me();
    let add = || Call::AddMembers(Members { conversation: group, users: vec![user], client_msg_id: mint() });
    seq(&mut ada, add()).await.unwrap();
    let second = ada.text(group, "tea for ben").await.unwrap().seq;
    let remove = Member { conversation: group, user: ben.me(), client_msg_id: mint() };
    seq(&mut ada, Call::RemoveMember(remove)).await.unwrap();
    let third = ada.text(group, "tea behind his back").await.unwrap().seq;
    until_found(&mut ada, "tea", 3).await;
    assert_eq!(found(&mut ben, "tea").await, [(group, second)], "of his time alone, and that he keeps");
    let change = GroupChange { history: Some(HistoryFrom::Start), ..GroupChange::default() };
    let open = UpdateGroup { conversation: group, client_msg_id: mint(), change };
    seq(&mut ada, Call::UpdateGroup(open)).await.unwrap();
    seq(&mut ada, add()).await.unwrap();
    assert_eq!(found(&mut ben, "tea").await, [(group, third), (group, second), (group, first)]);
    let list = MessageList { conversation: group, seqs: vec![second] };
    done(&mut ben, Call::DeleteForMe(list)).await;
    assert_eq!(found(&mut ben, "tea").await, [(group, third), (group, first)], "he has deleted it");
    assert_eq!(found(&mut ada, "tea").await.len(), 3, "for himself");
}

/// What is answered is done: nobody finds a message by what it said before.
async fn taken_back(backend: &Backend) {
    let server = server(backend, eager).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let group = ada.group(vec![ben.me()]).await;
    for round in 0..10 {
        let (old, new) = (format!("secret{round}"), format!("better{round}"));
        let message = ada.text(group, &old).await.unwrap().seq;
        if round % 2 == 0 {
            until_found(&mut ben, &old, 1).await;
        }
        seq(&mut ada, edit(group, message, &new)).await.unwrap();
        assert_eq!(found(&mut ben, &old).await, [], "round {round}: it was edited");
        if round % 3 == 0 {
            until_found(&mut ben, &new, 1).await;
        }
        seq(&mut ada, recall(group, message)).await.unwrap();
        assert_eq!(found(&mut ben, "better").await, [], "round {round}: it was recalled");
    }
    ada.text(group, "over").await.unwrap();
    until_found(&mut ben, "over", 1).await;
    for query in ["secret", "better"] {
        assert_eq!(found(&mut ben, query).await, [], "nor later");
    }
    assert_eq!(backend.raw().await.number("SELECT count(*) FROM message_words").await, 1);
}

/// A server finds what was said before it could search.
async fn from_the_start(backend: &Backend) {
    let group = {
        let server = server(backend, eager).await;
        let mut ada = RawClient::user(server.addr(), "ada").await;
        let group = ada.group(vec![]).await;
        ada.text(group, "tea of old").await.unwrap();
        server.server.shutdown().await;
        group
    };
    let raw = backend.raw().await;
    for table in ["message_words", "search_offsets"] {
        raw.execute(&format!("DELETE FROM {table}")).await;
    }
    let server = server(backend, eager).await;
    let mut ada = crate::world::device(&server, "ada", "correct horse").await.0;
    assert_eq!(until_found(&mut ada, "old", 1).await, [(group, Seq::new(2))]);
}

/// A server that always has something to index finds what another one left.
async fn left_behind(backend: &Backend) {
    let server = server(backend, eager).await;
    let mut ada = RawClient::user(server.addr(), "ada").await;
    let (quiet, busy) = (ada.group(vec![]).await, ada.group(vec![]).await);
    let message = ada.text(quiet, "tea").await.unwrap().seq;
    until_found(&mut ada, "tea", 1).await;
    let raw = backend.raw().await;
    for table in ["message_words", "search_offsets"] {
        raw.execute(&format!("DELETE FROM {table} WHERE conversation = {quiet}")).await;
    }
    let again = async {
        while found(&mut ada, "tea").await.is_empty() {
            ada.text(busy, "milk").await.unwrap();
            // An account may send so often.
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(DEADLINE, again).await.expect("it is never found again");
    assert_eq!(found(&mut ada, "tea").await, [(quiet, message)]);
}

async fn bounds(backend: &Backend) {
    let server = server(backend, |config| config.limits.searches_per_s = 2).await;
    let mut ada = RawClient::user(server.addr(), "ada").await;
    let words = (0..33).map(|n| format!("w{n} ")).collect::<String>();
    for (wrong, expected) in [
        (search(""), ErrorCode::BadArgument),
        (search(" … "), ErrorCode::BadArgument),
        (search(&"x".repeat(257)), ErrorCode::TooLarge),
        (search(&words), ErrorCode::TooLarge),
        (SearchMessages { before: "yesterday".into(), ..search("tea") }, ErrorCode::BadArgument),
    ] {
        assert_eq!(code(ada.call(Call::SearchMessages(wrong.clone())).await), expected, "{wrong:?}");
    }
    let refused = async {
        loop {
            if let Err(error) = ada.call(Call::SearchMessages(search("tea"))).await {
                return error;
            }
        }
    };
    let refused = timeout(DEADLINE, refused).await.expect("it searches as often as it likes");
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.retry_after_ms.is_some());
}

on_both_stores! {
    super::own_conversations as messages_are_found_in_one_s_own_conversations,
    super::late_or_left as g9_who_came_late_or_left_finds_what_he_may_read,
    super::taken_back as g9_nobody_finds_what_was_edited_or_recalled,
    super::from_the_start as what_was_there_before_the_search_is_found,
    super::left_behind as what_another_node_left_is_found_on_a_busy_one,
    super::bounds as searches_are_bounded,
}
