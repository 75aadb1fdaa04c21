//! Messages through the SDK: every method once, and what a reader sees of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use futures_util::StreamExt;
use goim_client::{
    BlankReason, Client, Content, ConversationId, ConversationUpdate, Event, References, Seq, Subscription,
    TextContent, UserId,
};
use goim_server::{Config, Server};

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

async fn person(server: &Server, name: &str) -> (Client, UserId) {
    let address = server.quic_addr().to_string();
    let client = Client::builder(address).fingerprint(server.fingerprint()).connect().await.unwrap();
    let mut events = client.events();
    let info = client.register(name, "a long enough password").await.unwrap().info;
    // What is older than his first list is history to him.
    while !matches!(events.next().await.unwrap(), Event::Connected) {}
    (client, info.user)
}

async fn next(entries: &mut Subscription) -> Content {
    let message = tokio::time::timeout(DEADLINE, entries.next()).await;
    message.expect("nothing came").expect("the client was closed").content()
}

/// The newest message in its current form: content, when it was edited, reactions.
async fn shown(client: &Client, conversation: ConversationId) -> (Content, u64, Vec<(String, u64, bool)>) {
    let page = client.history(conversation, None, 1).await.unwrap();
    let content = Content::decode(&page.entries[0].body).unwrap();
    let form = page.forms.into_iter().next().unwrap_or_default();
    let reactions = form.reactions.into_iter().map(|one| (one.emoji, one.count, one.own));
    (content, form.edited_at_ms, reactions.collect())
}

/// Where something is found, as soon as it is.
async fn found(client: &Client, conversation: ConversationId, query: &str) -> Vec<Seq> {
    let there = async {
        loop {
            let page = client.search_messages(query, Some(conversation), "", 10).await.unwrap();
            if !page.messages.is_empty() {
                return page.messages.iter().map(|found| found.entry.seq).collect();
            }
            // A user may search so often.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, there).await.expect("it is not found")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_edited_reacted_to_and_recalled() {
    let dir = tempfile::tempdir().unwrap();
    let quic_listen = "127.0.0.1:0".parse().unwrap();
    let config = Config { quic_listen, data_dir: dir.path().to_path_buf(), ..Config::default() };
    let server = Server::start(config).await.unwrap();
    let ((ada, author), (ben, user)) = (person(&server, "ada").await, person(&server, "ben").await);
    let group = ada.create_group("tea", &[user]).await.unwrap();
    let mut entries = ben.subscribe(group);
    assert!(matches!(next(&mut entries).await, Content::GroupCreated(_)));

    let references = Some(References { mentions: vec![user], ..References::default() });
    let text = Content::Text(TextContent { text: "tea?".into(), references });
    let seq = ada.send(group, text.clone()).await.unwrap().await.unwrap().seq;
    assert_eq!(next(&mut entries).await, text);
    let better = Content::text("coffee?");
    let edited = ada.edit(group, seq, &better).await.unwrap();
    assert!(matches!(next(&mut entries).await, Content::Edited(edit) if edit.body.0 == better.encode()));
    ben.react(group, seq, "☕").await.unwrap();
    assert!(matches!(next(&mut entries).await, Content::Reacted(reacted) if reacted.set));
    let coffee = vec![("☕".to_owned(), 1, true)];
    assert_eq!(shown(&ben, group).await, (better, edited.at_ms, coffee));
    ben.unreact(group, seq, "☕").await.unwrap();
    assert!(matches!(next(&mut entries).await, Content::Reacted(reacted) if !reacted.set));
    ben.mark_read(group, seq).await.unwrap();
    let readers = ada.readers(group, seq).await.unwrap();
    assert_eq!((readers.read, readers.unread), (vec![user], vec![]), "and its sender is neither");
    let pin = ConversationUpdate { conversation: group, pinned: Some(true), ..ConversationUpdate::default() };
    ben.update_conversation(pin).await.unwrap();
    let page = ben.conversations(ConversationId::default(), 0).await.unwrap();
    let item = page.items.into_iter().find(|item| item.conversation == group).unwrap();
    assert_eq!((item.last.map(|last| last.seq), item.unread, item.pinned), (Some(seq), 0, true));
    assert_eq!(found(&ben, group, "coff").await, [seq]);
    assert_eq!(ben.search_messages("tea", None, "", 0).await.unwrap().messages, [], "it was edited");
    ada.recall(group, seq).await.unwrap();
    assert_eq!(ben.search_messages("coffee", None, "", 0).await.unwrap().messages, []);
    assert!(matches!(next(&mut entries).await, Content::Recalled(recalled) if recalled.seq == seq));
    ben.delete_for_me(group, &[seq]).await.unwrap();
    let (left, ..) = shown(&ben, group).await;
    assert!(matches!(left, Content::Blank(blank) if blank.reason == BlankReason::Deleted));
    ben.request_friend(author, "").await.unwrap();
    ada.answer_friend(user, true).await.unwrap();
    let direct = ada.open_direct(user).await.unwrap();
    ben.mark_read(direct, Seq::FIRST).await.unwrap();
    assert_eq!(ada.receipt(direct).await.unwrap().read, Seq::FIRST);
    let (left, edited_at_ms, reactions) = shown(&ada, group).await;
    assert!(matches!(left, Content::Blank(blank) if blank.reason == BlankReason::Recalled));
    assert_eq!((edited_at_ms, reactions), (0, vec![]));
    server.shutdown().await;
}
