//! Lists of conversations: where each stands, what is unread, how it is kept.

use goim_core::{ConversationId, Epoch, Seq, UserId};
use goim_proto::content::Blank;
use goim_proto::{
    BlankReason, Call, Commit, Content, ConversationItem, ConversationKind, ConversationPage,
    ConversationUpdate, Edit, ErrorCode, ListConversations, Member, Members, MessageList, Position,
    References, Rename, Reply, Sync, TextContent,
};

use crate::backend::Backend;
use crate::messages::{edit, people, react, recall, seq};
use crate::on_both_stores;
use crate::support::{RawClient, mint};
use crate::world::{code, device, done, inbox, server};

async fn page(client: &mut RawClient, after: ConversationId, limit: u32) -> ConversationPage {
    match client.call(Call::ListConversations(ListConversations { after, limit })).await.unwrap() {
        Reply::Conversations(page) => page,
        other => panic!("{other:?}"),
    }
}

async fn item(client: &mut RawClient, conversation: ConversationId) -> ConversationItem {
    let page = page(client, ConversationId::default(), 0).await;
    let item = page.items.into_iter().find(|item| item.conversation == conversation);
    item.unwrap_or_else(|| panic!("{conversation} is not listed"))
}

/// Unread, and how many of those mention him.
async fn unread(client: &mut RawClient, conversation: ConversationId) -> (u64, u64) {
    let item = item(client, conversation).await;
    (item.unread, item.mentioned)
}

fn last(item: &ConversationItem) -> Option<(Seq, Content)> {
    item.last.as_ref().map(|entry| (entry.seq, Content::decode(&entry.body).unwrap()))
}

async fn read(client: &mut RawClient, conversation: ConversationId, seq: Seq) {
    done(client, Call::MarkRead(Position { conversation, seq })).await;
}

async fn standing(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let direct = ada.direct(ben.me()).await.unwrap();
    let group = ada.group(vec![ben.me()]).await;
    let raw = backend.raw().await;
    raw.execute(&format!("UPDATE group_settings SET avatar = 'up-1' WHERE conversation = {group}")).await;
    let first = ada.text(group, "tea?").await.unwrap().seq;
    let second = ada.text(group, "now").await.unwrap().seq;
    seq(&mut ben, react(group, first, "🍵", true)).await.unwrap();
    let head = seq(&mut ada, edit(group, second, "now!")).await.unwrap();
    let listed = item(&mut ben, group).await;
    assert_eq!(last(&listed), Some((second, Content::text("now!"))), "in its current form");
    let expected = ConversationItem {
        conversation: group,
        kind: ConversationKind::Group,
        title: "group".into(),
        avatar: "up-1".into(),
        head,
        unread: 2,
        last: listed.last.clone(),
        ..ConversationItem::default()
    };
    assert_eq!(listed, expected);
    let listed = item(&mut ben, direct).await;
    let (kind, peer) = (ConversationKind::Direct, ada.me());
    let expected = ConversationItem {
        conversation: direct,
        kind,
        peer,
        head: Seq::FIRST,
        ..ConversationItem::default()
    };
    assert_eq!(listed, expected);
    assert_eq!(item(&mut ada, direct).await.peer, ben.me());

    let offsets = vec![Position { conversation: group, seq: second }];
    ben.call(Call::Commit(Commit { offsets, epoch: Epoch::default() })).await.unwrap();
    for (at, left) in [(Seq::ZERO, 2), (first, 1), (head, 0)] {
        read(&mut ben, group, at).await;
        let listed = item(&mut ben, group).await;
        assert_eq!((listed.offset, listed.read_marker, listed.unread), (second, at, left));
    }
    // As the tables were before they had the count.
    raw.execute("UPDATE read_markers SET count = 0").await;
    let migration = include_str!("../../migrations/sqlite/0008_conversations.sql");
    raw.execute(&migration[migration.find("UPDATE read_markers").unwrap()..]).await;
    assert_eq!(unread(&mut ben, group).await, (0, 0), "it is filled in");

    seq(&mut ada, recall(group, second)).await.unwrap();
    let blank = |reason| Content::Blank(Blank { reason });
    let gone = Some((second, blank(BlankReason::Recalled)));
    assert_eq!(last(&item(&mut ben, group).await), gone);
    done(&mut ben, Call::DeleteForMe(MessageList { conversation: group, seqs: vec![second] })).await;
    assert_eq!(last(&item(&mut ben, group).await), Some((second, blank(BlankReason::Deleted))));
    assert_eq!(last(&item(&mut ada, group).await), gone, "and for nobody else");

    let mut pages = vec![page(&mut ben, ConversationId::default(), 2).await];
    assert!(pages[0].more);
    pages.push(page(&mut ben, pages[0].items[1].conversation, 2).await);
    let ids: Vec<_> = pages.iter().flat_map(|page| &page.items).map(|item| item.conversation).collect();
    assert_eq!((ids, pages[1].more), (vec![ben.session.as_ref().unwrap().inbox, direct, group], false));
}

/// Last messages that do not all fit a page.
async fn long_messages(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada] = people(&[&server]).await;
    let mut groups = Vec::new();
    for _ in 0..6 {
        groups.push(ada.group(vec![]).await);
        ada.text(groups[groups.len() - 1], &"x".repeat(60 << 10)).await.unwrap();
    }
    let inbox = ada.session.as_ref().unwrap().inbox;
    let first = page(&mut ada, inbox, 0).await;
    assert_eq!((first.items.len(), first.more), (4, true));
    let rest = page(&mut ada, first.items[3].conversation, 0).await;
    assert_eq!((rest.items.len(), rest.more), (2, false));
    let all: Vec<_> = first.items.iter().chain(&rest.items).collect();
    assert_eq!(all.iter().map(|item| item.conversation).collect::<Vec<_>>(), groups);
    assert!(all.iter().all(|item| item.last.is_some()));
}

async fn late_or_left(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben, mut eve] = people(&[&server]).await;
    let group = ada.group(vec![ben.me()]).await;
    let user = eve.me();
    let add = || Call::AddMembers(Members { conversation: group, users: vec![user], client_msg_id: mint() });
    for text in ["one", "two", "three"] {
        ada.text(group, text).await.unwrap();
    }
    say(&mut ada, group, &[user], false).await;
    ada.call(add()).await.unwrap();
    let listed = item(&mut eve, group).await;
    assert_eq!((listed.unread, listed.mentioned, last(&listed)), (0, 0, None), "it was before her time");
    let hers = ada.text(group, "for eve").await.unwrap().seq;
    assert_eq!((unread(&mut eve, group).await, unread(&mut ben, group).await), ((1, 0), (5, 0)));

    let remove = Member { conversation: group, user, client_msg_id: mint() };
    let removed = seq(&mut ada, Call::RemoveMember(remove)).await.unwrap();
    let rename = Rename { conversation: group, name: "without eve".into(), client_msg_id: mint() };
    ada.call(Call::Rename(rename)).await.unwrap();
    say(&mut ada, group, &[], true).await;
    let listed = item(&mut eve, group).await;
    let seen = Some((hers, Content::text("for eve")));
    assert_eq!((listed.head, listed.unread, listed.mentioned, last(&listed)), (removed, 1, 0, seen.clone()));
    assert_eq!((listed.title.as_str(), listed.avatar.as_str()), ("", ""));
    assert_eq!(item(&mut ben, group).await.title, "without eve");

    ada.call(add()).await.unwrap();
    let listed = item(&mut eve, group).await;
    assert_eq!(
        (listed.unread, listed.mentioned, last(&listed)),
        (0, 0, seen),
        "what was before is behind her"
    );
    read(&mut eve, group, hers).await;
    assert_eq!(unread(&mut eve, group).await, (0, 0));
    let again = ada.text(group, "eve again").await.unwrap().seq;
    let listed = item(&mut eve, group).await;
    assert_eq!((listed.unread, last(&listed).unwrap().0), (1, again));
}

fn mentioning(users: &[UserId], all: bool) -> Content {
    let references = References { mentions_all: all, mentions: users.to_vec(), ..References::default() };
    Content::Text(TextContent { text: "hey".into(), references: Some(references) })
}

async fn say(client: &mut RawClient, conversation: ConversationId, users: &[UserId], all: bool) -> Seq {
    client.send_body(conversation, mint(), mentioning(users, all).encode()).await.unwrap().seq
}

async fn mentions(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben, mut eve] = people(&[&server]).await;
    let group = ada.group(vec![ben.me(), eve.me()]).await;
    let (b, e) = (ben.me(), eve.me());
    ada.text(group, "nobody").await.unwrap();
    let id = mint();
    let first = ada.send_body(group, id, mentioning(&[UserId::new(0), b, b], false).encode()).await.unwrap();
    ada.send_body(group, id, mentioning(&[b], false).encode()).await.unwrap();
    let all = say(&mut ada, group, &[b], true).await;
    assert_eq!(unread(&mut ben, group).await, (3, 2), "each message once");
    assert_eq!(unread(&mut eve, group).await, (3, 1));
    assert_eq!(unread(&mut ada, group).await, (0, 0), "she wrote them, and mentions nobody who is she");
    read(&mut ben, group, first.seq).await;
    assert_eq!(unread(&mut ben, group).await, (1, 1));

    let to = |seq, content: &Content| {
        Call::Edit(Edit { conversation: group, seq, client_msg_id: mint(), body: content.encode() })
    };
    ada.call(to(all, &mentioning(&[e], false))).await.unwrap();
    assert_eq!(unread(&mut ben, group).await, (1, 0), "he is not mentioned any more");
    assert_eq!(unread(&mut eve, group).await, (3, 1));
    ada.call(to(all, &mentioning(&[], true))).await.unwrap();
    assert_eq!(unread(&mut ben, group).await, (1, 1));
    done(&mut ben, Call::DeleteForMe(MessageList { conversation: group, seqs: vec![all] })).await;
    assert_eq!(unread(&mut ben, group).await, (1, 0), "he has deleted it");
    assert_eq!(unread(&mut eve, group).await, (3, 1));
    seq(&mut ada, recall(group, all)).await.unwrap();
    assert_eq!(unread(&mut eve, group).await, (3, 0), "it was recalled");
    assert_eq!(
        backend.raw().await.number("SELECT count(*) FROM mentions").await,
        1,
        "and of others the rows stay"
    );
}

async fn kept(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut ada = RawClient::user(server.addr(), "ada").await;
    let mut ben = ada.bot(server.addr(), "ben").await;
    let mut eve = ada.bot(server.addr(), "eve").await;
    let (mut tablet, _) = device(&server, "ada", "correct horse").await;
    let group = ada.group(vec![ben.me()]).await;
    let first = ben.text(group, "tea?").await.unwrap().seq;
    let as_is = ConversationUpdate { conversation: group, ..ConversationUpdate::default() };
    let kept = async |client: &mut RawClient| {
        let item = item(client, group).await;
        (item.muted, item.pinned, item.hidden)
    };
    let update = |update: &ConversationUpdate| Call::UpdateConversation(update.clone());
    let mute = ConversationUpdate { muted: Some(true), ..as_is.clone() };
    for _ in 0..2 {
        done(&mut ada, update(&mute)).await;
    }
    let pin = ConversationUpdate { pinned: Some(true), ..as_is.clone() };
    done(&mut tablet, update(&pin)).await;
    assert_eq!(kept(&mut ada).await, (true, true, false));
    let hide = ConversationUpdate { hidden: Some(true), ..as_is.clone() };
    done(&mut ada, update(&hide)).await;
    seq(&mut ben, react(group, first, "🍵", true)).await.unwrap();
    assert_eq!(kept(&mut tablet).await, (true, true, true), "a reaction is no message");
    assert_eq!(kept(&mut ben).await, (false, false, false), "it is hers");
    let said = |content: &ConversationUpdate| Content::ConversationUpdated(content.clone());
    let told: Vec<_> = inbox(&mut tablet, 4).await.into_iter().map(|(_, content)| content).collect();
    assert_eq!(told[1..], [said(&mute), said(&pin), said(&hide)], "each once");

    ben.text(group, "anybody?").await.unwrap();
    assert_eq!(kept(&mut ada).await, (true, true, false), "a message brings it back");
    done(&mut ada, update(&hide)).await;
    assert_eq!(kept(&mut tablet).await, (true, true, true));
    let show = ConversationUpdate { muted: Some(false), hidden: Some(false), ..as_is };
    done(&mut tablet, update(&show)).await;
    assert_eq!(kept(&mut ada).await, (false, true, false));
    assert_eq!(code(eve.call(update(&mute)).await), ErrorCode::NotMember);
    let remove = Member { conversation: group, user: ben.me(), client_msg_id: mint() };
    seq(&mut ada, Call::RemoveMember(remove)).await.unwrap();
    done(&mut ben, update(&hide)).await;
    ada.text(group, "behind his back").await.unwrap();
    assert_eq!(kept(&mut ben).await, (false, false, true), "he is told of nothing any more");
}

/// Somebody whose own offsets are behind those that were committed, and who can send two of them at once:
/// the third conversation is not judged by what the server has.
async fn own_offsets(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut ada = RawClient::user(server.addr(), "ada").await;
    let mut groups = Vec::new();
    for _ in 0..3 {
        groups.push(ada.group(vec![]).await);
    }
    let at = |at: usize, seq: u64| Position { conversation: groups[at], seq: Seq::new(seq) };
    let offsets = vec![at(0, 1), at(1, 1), at(2, 1)];
    ada.call(Call::Commit(Commit { offsets, epoch: Epoch::default() })).await.unwrap();
    let mut pages = async |offsets, after| {
        let sync = Sync { offsets, after, limit: 2, ..Sync::default() };
        let answer = ada.call(Call::Sync(sync)).await.unwrap();
        let Reply::Synced(page) = answer else { panic!("{answer:?}") };
        let moved: Vec<_> = page.items.iter().map(|item| item.conversation).collect();
        (moved, page.more, page.next)
    };
    let before = ConversationId::new(groups[0].as_u64() - 1);
    let first = pages(vec![at(0, 1), at(1, 1)], before).await;
    assert_eq!(first, (vec![], true, groups[1]), "it ends where his offsets do");
    let second = pages(vec![at(2, 0)], groups[1]).await;
    assert_eq!(second, (vec![groups[2]], false, groups[2]));
    let cut = pages(vec![at(0, 0), at(1, 1)], before).await;
    assert_eq!(cut, (vec![groups[0]], true, groups[1]));
    let all = pages(vec![at(2, 0)], before).await;
    assert_eq!(all, (vec![groups[2]], false, groups[2]), "one is fewer than a page has");
}

/// Somebody who is in more conversations than one statement looks at hears of all of them.
async fn many(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut ada = RawClient::user(server.addr(), "ada").await;
    let mut ben = RawClient::user(server.addr(), "ben").await;
    let [ada_id, ben_id] = [&ada, &ben].map(|client| client.session.as_ref().unwrap().user);
    let raw = backend.raw().await;
    let ids = 1_000_000..1_004_200_u64;
    let rows = |row: &dyn Fn(u64) -> String| ids.clone().map(row).collect::<Vec<_>>().join(", ");
    let groups = rows(&|id| format!("({id}, 2, {ben_id})"));
    raw.execute(&format!("INSERT INTO conversations (id, kind, creator) VALUES {groups}")).await;
    for user in [ada_id, ben_id] {
        let members = rows(&|id| format!("({id}, {user}, 1, 3)"));
        let columns = "members (conversation, user_id, from_seq, role)";
        raw.execute(&format!("INSERT INTO {columns} VALUES {members}")).await;
    }
    let [first, last] = [ids.start, ids.end - 1].map(ConversationId::new);
    let page = ada.sync().await;
    assert!(page.items.is_empty() && !page.more, "{page:?}");
    for group in [first, last] {
        let sent = ben.text(group, "hello").await.unwrap();
        ada.announced(group, sent.seq).await;
    }
    let page = ada.sync().await;
    assert_eq!(page.items.iter().map(|item| item.conversation).collect::<Vec<_>>(), [first, last]);
    assert!(!page.more);
}

on_both_stores! {
    super::many as g8_who_is_in_many_conversations_hears_of_all,
    super::own_offsets as a_sync_ends_where_a_client_s_own_offsets_do,
    super::standing as a_list_says_where_each_conversation_stands,
    super::long_messages as a_list_is_cut_where_last_messages_are_too_long,
    super::late_or_left as g9_who_came_late_or_left_is_told_of_his_time_alone,
    super::mentions as unread_mentions_are_counted,
    super::kept as a_conversation_is_kept_alike_on_all_devices,
}
