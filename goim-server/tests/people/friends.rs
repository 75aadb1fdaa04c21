//! Requests, friends, blocks, and who may open a direct chat.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goim_core::{Seq, UserId};
use goim_proto::content::{FriendAnswered, FriendRequested};
use goim_proto::{
    AnswerFriend, Audience, Call, Content, CreateGroup, ErrorCode, FriendRequest, Heads, ListFriendRequests,
    ListUsers, Members, Reply, RequestFriend, RequestState, SetRemark, SettingsUpdate, UserArgument,
};

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::{RawClient, mint};
use crate::world::{code, done, inbox, server};

/// What is sent by somebody who should have been stopped long since.
const SENDS_MAX: usize = 10_000;

fn request(user: UserId, greeting: &str) -> Call {
    Call::RequestFriend(RequestFriend { user, greeting: greeting.into() })
}

fn answer(user: UserId, accept: bool) -> Call {
    Call::AnswerFriend(AnswerFriend { user, accept })
}

fn block(user: UserId) -> Call {
    Call::Block(UserArgument { user })
}

async fn requests(client: &mut RawClient, sent: bool) -> Vec<FriendRequest> {
    let list = ListFriendRequests { sent, ..ListFriendRequests::default() };
    let Reply::FriendRequests(page) = client.call(Call::ListFriendRequests(list)).await.unwrap() else {
        panic!()
    };
    page.requests
}

async fn friends(client: &mut RawClient) -> Vec<(UserId, String)> {
    let Reply::Friends(page) = client.call(Call::ListFriends(ListUsers::default())).await.unwrap() else {
        panic!()
    };
    page.friends.into_iter().map(|friend| (friend.user, friend.remark)).collect()
}

/// Both nodes deliver what is due, and each notice arrives once.
async fn friendship(backend: &Backend) {
    let one_friend = |config: &mut goim_server::Config| config.limits.friends_max = 1;
    let (here, there) = (server(backend, one_friend).await, server(backend, one_friend).await);
    let mut alice = RawClient::user(here.addr(), "alice").await;
    let mut bob = RawClient::user(there.addr(), "bob").await;
    let (a, b) = (alice.me(), bob.me());
    assert_eq!(alice.direct(b).await.unwrap_err().code, ErrorCode::Forbidden);
    for _ in 0..2 {
        done(&mut alice, request(b, "tea?\n🍵")).await;
    }
    let requested = Content::FriendRequested(FriendRequested { greeting: "tea?\n🍵".into() });
    assert_eq!(inbox(&mut bob, 1).await, [(a, requested)]);
    assert_eq!(requests(&mut bob, false).await[0].user, a);
    done(&mut bob, answer(a, false)).await;
    let answered = |accepted| Content::FriendAnswered(FriendAnswered { accepted });
    assert_eq!(inbox(&mut alice, 1).await, [(b, answered(false))]);
    assert_eq!(friends(&mut alice).await, []);
    assert_eq!(code(bob.call(answer(a, true)).await), ErrorCode::NotFound);

    // Asked the other way round and then back, the second is the answer to the first.
    done(&mut bob, request(a, "")).await;
    done(&mut alice, request(b, "")).await;
    assert_eq!(inbox(&mut bob, 2).await[1], (a, answered(true)));
    assert_eq!(requests(&mut bob, true).await[0].state, RequestState::Accepted);
    assert_eq!(friends(&mut alice).await, [(b, String::new())]);
    assert_eq!(friends(&mut bob).await, [(a, String::new())]);
    done(&mut alice, request(b, "")).await;
    for _ in 0..2 {
        done(&mut bob, answer(a, true)).await;
    }
    assert_eq!(code(bob.call(answer(a, false)).await), ErrorCode::NotFound, "they are friends");

    let remark = |remark: &str| Call::SetRemark(SetRemark { user: b, remark: remark.into() });
    done(&mut alice, remark("Bobby")).await;
    assert_eq!(code(alice.call(remark("a\0b")).await), ErrorCode::BadName);
    assert_eq!(friends(&mut alice).await, [(b, "Bobby".into())]);
    let chat = alice.direct(b).await.unwrap();
    for _ in 0..2 {
        done(&mut alice, Call::DeleteFriend(UserArgument { user: b })).await;
    }
    assert_eq!(friends(&mut bob).await, []);
    done(&mut bob, answer(a, false)).await;
    assert_eq!(code(bob.call(answer(a, true)).await), ErrorCode::NotFound);
    assert_eq!(bob.direct(a).await, Ok(chat), "the chat that they have stays");
}

async fn bad_requests(backend: &Backend) {
    let server = server(backend, |config| config.limits.open_requests_max = 2).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let own = alice.me();
    let mut users = Vec::new();
    for name in ["one", "two", "three"] {
        users.push(alice.bot(server.addr(), name).await.me());
    }
    for (wrong, expected) in [
        (request(own, ""), ErrorCode::BadArgument),
        (request(UserId::new(4_711), ""), ErrorCode::NotFound),
        (request(users[0], &"x".repeat(257)), ErrorCode::TooLarge),
        (request(users[0], "a\0b"), ErrorCode::BadArgument),
        (block(own), ErrorCode::BadArgument),
        (block(UserId::new(4_711)), ErrorCode::NotFound),
        (answer(users[0], true), ErrorCode::NotFound),
    ] {
        assert_eq!(code(alice.call(wrong.clone()).await), expected, "{wrong:?}");
    }
    done(&mut alice, request(users[0], "")).await;
    done(&mut alice, request(users[1], "")).await;
    assert_eq!(code(alice.call(request(users[2], "")).await), ErrorCode::TooLarge);
    done(&mut alice, request(users[0], "")).await;
    let strange = Some(Audience::Unknown(3));
    for strange in [
        SettingsUpdate { direct_from: strange, ..SettingsUpdate::default() },
        SettingsUpdate { groups_from: strange, ..SettingsUpdate::default() },
    ] {
        assert_eq!(code(alice.call(Call::UpdateSettings(strange)).await), ErrorCode::BadArgument);
    }
}

async fn settings(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut bob = RawClient::user(server.addr(), "bob").await;
    let mut bot = alice.bot(server.addr(), "bot").await;
    let (a, b) = (alice.me(), bob.me());
    bob.direct(bot.me()).await.expect("everybody talks to a bot");
    bot.direct(a).await.expect("a bot talks to its owner");
    assert_eq!(bot.direct(UserId::new(4_711)).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(alice.direct(b).await.unwrap_err().code, ErrorCode::Forbidden);
    let open = SettingsUpdate { direct_from: Some(Audience::Everybody), ..SettingsUpdate::default() };
    let Reply::Settings(settings) = bob.call(Call::UpdateSettings(open)).await.unwrap() else { panic!() };
    assert_eq!(settings.direct_from, Audience::Everybody);
    alice.direct(b).await.expect("bob allows it");
}

/// The blocked one writes through another node as fast as he can: nothing of his stands behind the
/// block's answer, and nothing tells of the block.
async fn a_block(backend: &Backend) {
    let (here, there) = (server(backend, |_| {}).await, server(backend, |_| {}).await);
    let mut alice = RawClient::user(here.addr(), "alice").await;
    let mut bob = RawClient::user(there.addr(), "bob").await;
    let (a, b) = (alice.me(), bob.me());
    alice.befriend(&mut bob).await;
    let chat = alice.direct(b).await.unwrap();
    for _ in 0..5 {
        let started = Arc::new(AtomicBool::new(false));
        let writing = tokio::spawn({
            let started = Arc::clone(&started);
            async move {
                for _ in 0..SENDS_MAX {
                    if let Err(refused) = bob.text(chat, "still here").await {
                        return (bob, refused);
                    }
                    started.store(true, Ordering::SeqCst);
                }
                panic!("he was never refused");
            }
        });
        while !started.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        done(&mut alice, block(b)).await;
        let blocked_at = head(&mut alice, chat).await;
        let refused;
        (bob, refused) = writing.await.unwrap();
        assert_eq!(refused.code, ErrorCode::Forbidden);
        assert_eq!(head(&mut alice, chat).await, blocked_at, "something slipped in behind the block");
        alice.text(chat, "only she writes").await.expect("she is not blocked");
        done(&mut alice, Call::Unblock(UserArgument { user: b })).await;
        bob.text(chat, "at once").await.expect("she takes them again");
    }
    let log = bob.pull(chat, 0).await.unwrap();
    let mut said = log.entries.iter().map(|entry| Content::decode(&entry.body).unwrap());
    assert!(matches!(said.next(), Some(Content::DirectOpened(_))));
    assert!(said.all(|content| content.as_text().is_some()), "an entry betrays the block");
    assert_eq!(friends(&mut bob).await, [(a, String::new())]);
}

async fn head(client: &mut RawClient, conversation: goim_core::ConversationId) -> Seq {
    let heads = Heads { conversations: vec![conversation] };
    let Reply::Heads(list) = client.call(Call::Heads(heads)).await.unwrap() else { panic!() };
    list.items[0].head
}

async fn a_block_is_not_told(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let mut alice = RawClient::user(server.addr(), "alice").await;
    let mut eve = RawClient::user(server.addr(), "eve").await;
    let (a, e) = (alice.me(), eve.me());
    let stranger = eve.direct(a).await.unwrap_err();
    done(&mut alice, block(e)).await;
    let Reply::Blocked(page) = alice.call(Call::ListBlocked(ListUsers::default())).await.unwrap() else {
        panic!()
    };
    assert_eq!(page.users, [e]);
    assert_eq!(eve.direct(a).await.unwrap_err(), stranger);
    done(&mut eve, request(a, "let me in")).await;
    assert_eq!(requests(&mut eve, true).await[0].state, RequestState::Open);
    assert_eq!(requests(&mut alice, false).await, []);
    assert_eq!(alice.direct(e).await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(code(alice.call(request(e, "")).await), ErrorCode::BadArgument);

    // Added to a group she is as little as somebody who lets friends do that.
    let mut hermit = alice.bot(server.addr(), "hermit").await;
    let friends_only = SettingsUpdate { groups_from: Some(Audience::Friends), ..SettingsUpdate::default() };
    hermit.call(Call::UpdateSettings(friends_only)).await.unwrap();
    let conversation = eve.group(vec![]).await;
    let create = |user| {
        Call::CreateGroup(CreateGroup { name: "trap".into(), members: vec![user], client_msg_id: mint() })
    };
    let add = |user| Call::AddMembers(Members { conversation, users: vec![user], client_msg_id: mint() });
    for adding in [&create as &dyn Fn(UserId) -> Call, &add] {
        let closed = eve.call(adding(hermit.me())).await.unwrap_err();
        assert_eq!(closed.code, ErrorCode::Forbidden);
        assert_eq!(eve.call(adding(a)).await.unwrap_err(), closed);
    }

    // What comes next in her inbox is the first thing there.
    done(&mut alice, Call::Unblock(UserArgument { user: e })).await;
    let group = eve.group(vec![a]).await;
    let inbox = inbox(&mut alice, 1).await;
    assert!(matches!(&inbox[0].1, Content::AddedTo(place) if place.conversation == group), "{inbox:?}");
}

on_both_stores! {
    super::friendship as a_request_and_its_answer_arrive_once_and_make_friends,
    super::bad_requests as requests_that_make_no_sense_are_refused_and_their_number_is_bounded,
    super::settings as a_direct_chat_is_opened_by_whom_the_settings_allow,
    super::a_block as g9_a_block_takes_effect_between_two_entries,
    super::a_block_is_not_told as a_block_is_not_told,
}
