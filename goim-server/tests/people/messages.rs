//! What messages carry, and what is done to them: edits, recalls, reactions.

mod deletions;
mod races;
mod receipts;

use goim_core::{ConversationId, Entry, Seq, UserId};
use goim_proto::content::{Blank, Edited, EncodedContent, Reacted, Recalled};
use goim_proto::{
    BlankReason, Call, Content, Edit, Error, ErrorCode, FileContent, History, HistoryPage, ImageContent,
    Member, React, Reactions, Recall, References, Reply, Role, SetRole, TextContent,
};

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::{RawClient, TestServer, mint};
use crate::world::{code, server};

/// A person and bots of hers, each with a connection to one of the nodes in turn.
pub(crate) async fn people<const N: usize>(nodes: &[&TestServer]) -> [RawClient; N] {
    let mut factory = RawClient::user(nodes[0].addr(), "factory").await;
    let mut bots = Vec::new();
    for n in 0..N {
        bots.push(factory.bot(nodes[n % nodes.len()].addr(), &format!("bot {n}")).await);
    }
    bots.try_into().unwrap_or_else(|_| unreachable!())
}

pub(crate) fn edit(conversation: ConversationId, seq: Seq, text: &str) -> Call {
    let body = Content::text(text).encode();
    Call::Edit(Edit { conversation, seq, client_msg_id: mint(), body })
}

pub(crate) fn recall(conversation: ConversationId, seq: Seq) -> Call {
    Call::Recall(Recall { conversation, seq, client_msg_id: mint() })
}

pub(crate) fn react(conversation: ConversationId, seq: Seq, emoji: &str, set: bool) -> Call {
    Call::React(React { conversation, seq, emoji: emoji.into(), set, client_msg_id: mint() })
}

pub(crate) async fn seq(client: &mut RawClient, call: Call) -> Result<Seq, Error> {
    match client.call(call).await? {
        Reply::Sent(sent) => Ok(sent.seq),
        other => panic!("{other:?}"),
    }
}

async fn history(client: &mut RawClient, conversation: ConversationId) -> HistoryPage {
    let history = History { conversation, ..History::default() };
    match client.call(Call::History(history)).await.unwrap() {
        Reply::History(page) => page,
        other => panic!("{other:?}"),
    }
}

fn said(entries: &[Entry<bytes::Bytes>]) -> Vec<Content> {
    entries.iter().map(|entry| Content::decode(&entry.body).unwrap()).collect()
}

/// Everything that a reader gets behind an offset.
async fn pulled(client: &mut RawClient, conversation: ConversationId, after: u64) -> Vec<Content> {
    said(&client.pull(conversation, after).await.unwrap().entries)
}

fn blank() -> Content {
    Content::Blank(Blank { reason: BlankReason::Recalled })
}

fn edited(seq: Seq, content: &Content) -> Content {
    Content::Edited(Edited { seq, body: EncodedContent(content.encode()) })
}

async fn contents(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let conversation = ada.group(vec![ben.me()]).await;
    let first = ada.text(conversation, "tea?").await.unwrap().seq;
    let references = Some(References { reply_to: first, mentions_all: false, mentions: vec![ada.me()] });
    let key = String::from("up-1");
    let sent = [
        Content::Text(TextContent { text: "yes".into(), references: references.clone() }),
        Content::Image(ImageContent { key: key.clone(), width: 640, references, ..ImageContent::default() }),
        Content::File(FileContent { key, name: "menu.pdf".into(), size: 9, ..FileContent::default() }),
    ];
    for content in &sent {
        ben.send_body(conversation, mint(), content.encode()).await.unwrap();
    }
    assert_eq!(pulled(&mut ada, conversation, first.as_u64()).await, sent);
    let many = References { mentions: (1..=101).map(UserId::new).collect(), ..References::default() };
    for (wrong, expected) in [
        (Content::Image(ImageContent::default()), ErrorCode::BadContent),
        (blank(), ErrorCode::BadContent),
        (edited(first, &Content::text("no")), ErrorCode::BadContent),
        (
            Content::Text(TextContent { text: "all of you".into(), references: Some(many) }),
            ErrorCode::TooLarge,
        ),
        (Content::File(FileContent { key: "x".repeat(129), ..FileContent::default() }), ErrorCode::TooLarge),
    ] {
        let refused = ben.send_body(conversation, mint(), wrong.encode()).await;
        assert_eq!(refused.unwrap_err().code, expected, "{wrong:?}");
    }
}

async fn edits(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let conversation = ada.group(vec![ben.me()]).await;
    let first = ada.text(conversation, "tea?").await.unwrap();
    let wrong = Call::Edit(Edit {
        conversation,
        seq: first.seq,
        client_msg_id: mint(),
        body: Content::File(FileContent { key: "k".into(), ..FileContent::default() }).encode(),
    });
    assert_eq!(code(ada.call(wrong).await), ErrorCode::BadArgument);
    assert_eq!(code(ada.call(edit(conversation, first.seq, "")).await), ErrorCode::EmptyText);
    assert_eq!(code(ben.call(edit(conversation, first.seq, "beer?")).await), ErrorCode::Forbidden);
    for none in [Seq::ZERO, Seq::FIRST, Seq::new(99)] {
        assert_eq!(code(ada.call(edit(conversation, none, "beer?")).await), ErrorCode::NotFound, "{none:?}");
    }
    seq(&mut ada, edit(conversation, first.seq, "coffee?")).await.unwrap();
    let last = edit(conversation, first.seq, "cocoa?");
    let at = seq(&mut ada, last.clone()).await.unwrap();
    assert_eq!(seq(&mut ada, last).await, Ok(at), "a repetition finds the first");
    assert_eq!(at, first.seq.plus(2));
    let texts = ["tea?", "coffee?", "cocoa?"].map(Content::text);
    let log = [texts[0].clone(), edited(first.seq, &texts[1]), edited(first.seq, &texts[2])];
    assert_eq!(pulled(&mut ben, conversation, 1).await, log, "sync is by entries");
    let page = history(&mut ben, conversation).await;
    assert_eq!(said(&page.entries), [texts[2].clone()], "history is by messages");
    assert_eq!(page.entries[0].at_ms, first.at_ms);
    assert_eq!((page.forms.len(), page.forms[0].seq), (1, first.seq));
    assert!(page.forms[0].edited_at_ms >= first.at_ms);
    let second = ben.text(conversation, "yes").await.unwrap();
    assert_eq!(second.count, 2, "edits count as no messages");
}

async fn too_late(backend: &Backend) {
    let none = |config: &mut goim_server::Config| {
        (config.limits.edit_age_max_ms, config.limits.recall_age_max_ms) = (0, 0);
    };
    let server = server(backend, none).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let conversation = ada.group(vec![ben.me()]).await;
    let first = ben.text(conversation, "tea?").await.unwrap().seq;
    assert_eq!(code(ben.call(edit(conversation, first, "beer?")).await), ErrorCode::Forbidden);
    assert_eq!(code(ben.call(recall(conversation, first)).await), ErrorCode::Forbidden);
    assert_eq!(pulled(&mut ben, conversation, 1).await, [Content::text("tea?")]);
    seq(&mut ada, recall(conversation, first)).await.expect("the owner's time never ends");
}

/// From memory on the node that committed it and on another one, and from the store.
async fn recalls(backend: &Backend) {
    let often = |config: &mut goim_server::Config| config.catch_up_interval_ms = Some(20);
    let (here, there) = (server(backend, often).await, server(backend, often).await);
    let [mut ada, mut ben, mut eve] = people(&[&here, &there, &here]).await;
    let conversation = ada.group(vec![ben.me(), eve.me()]).await;
    let first = ben.text(conversation, "secret").await.unwrap();
    let second = seq(&mut ben, edit(conversation, first.seq, "more secret")).await.unwrap();
    seq(&mut eve, react(conversation, first.seq, "👀", true)).await.unwrap();
    for reader in [&mut ada, &mut ben, &mut eve] {
        reader.announced(conversation, second.next()).await;
    }
    assert_eq!(pulled(&mut ada, conversation, 1).await[0], Content::text("secret"), "it is kept");
    assert_eq!(code(eve.call(recall(conversation, first.seq)).await), ErrorCode::Forbidden);
    let again = recall(conversation, first.seq);
    let at = seq(&mut ben, again.clone()).await.unwrap();
    assert_eq!(seq(&mut ben, again).await, Ok(at), "a repetition finds the first");
    let rows = backend.open().await.entries(conversation, Seq::FIRST, 9, 1 << 20).await.unwrap();
    assert_eq!(said(&rows)[..2], [blank(), edited(first.seq, &blank())], "in the store");
    for reader in [&mut ada, &mut ben, &mut eve] {
        reader.announced(conversation, at).await;
        let log = reader.pull(conversation, 1).await.unwrap().entries;
        let reacted = Reacted { seq: first.seq, emoji: "👀".into(), set: true };
        let left = [
            blank(),
            edited(first.seq, &blank()),
            Content::Reacted(reacted),
            Content::Recalled(Recalled { seq: first.seq }),
        ];
        assert_eq!(said(&log), left);
        assert_eq!((log[0].sender, log[0].count, log[0].at_ms), (log[1].sender, 1, first.at_ms));
        let page = history(reader, conversation).await;
        assert_eq!((said(&page.entries), page.forms), (vec![blank()], vec![]));
    }
    for call in [
        edit(conversation, first.seq, "once more"),
        recall(conversation, first.seq),
        react(conversation, first.seq, "👀", true),
    ] {
        assert_eq!(code(ben.call(call).await), ErrorCode::NotFound, "it was recalled");
    }
    let role = SetRole { conversation, user: eve.me(), role: Role::Admin, client_msg_id: mint() };
    seq(&mut ada, Call::SetRole(role)).await.unwrap();
    let owners = ada.text(conversation, "boss").await.unwrap().seq;
    seq(&mut eve, recall(conversation, owners)).await.expect("an admin recalls any");
}

async fn reactions(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben, mut eve] = people(&[&server]).await;
    let conversation = ada.group(vec![ben.me()]).await;
    let first = ada.text(conversation, "tea?").await.unwrap().seq;
    for client in [&mut ada, &mut ben] {
        for _ in 0..2 {
            seq(client, react(conversation, first, "🍵", true)).await.unwrap();
        }
    }
    seq(&mut ben, react(conversation, first, "👍🏽", true)).await.unwrap();
    assert_eq!(code(eve.call(react(conversation, first, "🍵", true)).await), ErrorCode::NotMember);
    let long = "x".repeat(33);
    for wrong in ["", long.as_str(), "a\0"] {
        assert_eq!(code(ada.call(react(conversation, first, wrong, true)).await), ErrorCode::BadArgument);
    }
    let shown = async |client: &mut RawClient| {
        let page = history(client, conversation).await;
        let of = page.forms.into_iter().flat_map(|form| form.reactions);
        of.map(|Reactions { emoji, count, own }| (emoji, count, own)).collect::<Vec<_>>()
    };
    let of = |emoji: &str, count, own| (emoji.to_owned(), count, own);
    assert_eq!(shown(&mut ada).await, [of("🍵", 2, true), of("👍🏽", 1, false)], "each user once");
    for _ in 0..2 {
        seq(&mut ada, react(conversation, first, "🍵", false)).await.unwrap();
    }
    seq(&mut ben, react(conversation, first, "👍🏽", false)).await.unwrap();
    assert_eq!(shown(&mut ada).await, [of("🍵", 1, false)]);
    for n in 1..20 {
        seq(&mut ben, react(conversation, first, &format!("{n}"), true)).await.unwrap();
    }
    assert_eq!(code(ben.call(react(conversation, first, "20", true)).await), ErrorCode::TooLarge);
    seq(&mut ada, react(conversation, first, "19", true)).await.expect("one that it has");
    assert_eq!(shown(&mut ada).await.len(), 20);
    assert_eq!(ada.text(conversation, "enough").await.unwrap().count, 2, "reactions count as no messages");
}

/// What a user may not read, he may not touch: not what was said before he came.
async fn unseen(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let conversation = ada.group(vec![]).await;
    let first = ada.text(conversation, "tea?").await.unwrap().seq;
    let add = goim_proto::Members { conversation, users: vec![ben.me()], client_msg_id: mint() };
    seq(&mut ada, Call::AddMembers(add)).await.unwrap();
    assert_eq!(code(ben.call(react(conversation, first, "🍵", true)).await), ErrorCode::NotFound);
    let second = ada.text(conversation, "tea!").await.unwrap().seq;
    seq(&mut ben, react(conversation, second, "🍵", true)).await.unwrap();
    let remove = Member { conversation, user: ben.me(), client_msg_id: mint() };
    seq(&mut ada, Call::RemoveMember(remove)).await.unwrap();
    assert_eq!(code(ben.call(react(conversation, second, "🍵", false)).await), ErrorCode::NotMember);
}

on_both_stores! {
    super::contents as messages_answer_mention_and_carry_files,
    super::edits as a_message_is_edited_by_its_sender_alone,
    super::too_late as a_message_is_edited_and_recalled_in_time_by_its_sender,
    super::recalls as a_recall_leaves_a_blank_in_every_store_and_memory,
    super::reactions as reactions_are_counted_once_for_each_user_and_bounded,
    super::unseen as g9_nobody_touches_a_message_that_he_may_not_read,
}
