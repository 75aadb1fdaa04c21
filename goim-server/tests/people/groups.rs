//! Roles, mutes, policies, applications, and the end of a group.

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::content::{ApplicationMade, ApplicationRejected};
use goim_proto::{
    AnswerApplication, Application, ApplyToGroup, Call, Content, ConversationArgument, CreateGroup, Error,
    ErrorCode, FindGroup, GroupAct, GroupChange, GroupInfo, History, HistoryFrom, JoinPolicy,
    ListApplications, Member, Members, MuteMember, Reply, RequestState, Role, SetRole, UpdateGroup,
    UserArgument,
};

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::{RawClient, TestServer, mint};
use crate::world::{code, done, inbox, server};

/// A person who makes bots, and four of them.
async fn people(server: &TestServer) -> [RawClient; 4] {
    let mut factory = RawClient::user(server.addr(), "factory").await;
    let mut bots = Vec::new();
    for name in ["owner", "one", "two", "three"] {
        bots.push(factory.bot(server.addr(), name).await);
    }
    bots.try_into().unwrap_or_else(|_| unreachable!())
}

async fn seq(client: &mut RawClient, call: Call) -> Result<Seq, Error> {
    match client.call(call).await? {
        Reply::Sent(sent) => Ok(sent.seq),
        other => panic!("{other:?}"),
    }
}

fn change(conversation: ConversationId, change: GroupChange) -> Call {
    Call::UpdateGroup(UpdateGroup { conversation, client_msg_id: mint(), change })
}

fn policy(policy: JoinPolicy) -> GroupChange {
    GroupChange { policy: Some(policy), ..GroupChange::default() }
}

fn act(conversation: ConversationId) -> GroupAct {
    GroupAct { conversation, client_msg_id: mint() }
}

fn mute(conversation: ConversationId, user: UserId, muted: bool) -> Call {
    Call::MuteMember(MuteMember { conversation, user, muted, client_msg_id: mint() })
}

async fn group(client: &mut RawClient, conversation: ConversationId) -> GroupInfo {
    let info = Call::GroupInfo(ConversationArgument { conversation });
    let Reply::Group(group) = client.call(info).await.unwrap() else { panic!() };
    group
}

async fn found(client: &mut RawClient, number: u64) -> Result<GroupInfo, ErrorCode> {
    match client.call(Call::FindGroup(FindGroup { number })).await {
        Ok(Reply::Group(group)) => Ok(group),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code),
    }
}

async fn applications(client: &mut RawClient, conversation: ConversationId) -> Vec<Application> {
    let list = ListApplications { conversation, ..ListApplications::default() };
    let Reply::Applications(page) = client.call(Call::ListApplications(list)).await.unwrap() else {
        panic!()
    };
    page.applications
}

async fn text_code(client: &mut RawClient, conversation: ConversationId) -> Option<ErrorCode> {
    client.text(conversation, "hello").await.err().map(|error| error.code)
}

/// Members hear of everything from the log, on another node too, and nobody's inbox tells of it.
async fn roles_and_mutes(backend: &Backend) {
    let (here, there) = (server(backend, |_| {}).await, server(backend, |_| {}).await);
    let [mut owner, mut one, mut two, _] = people(&here).await;
    let mut factory = crate::world::device(&there, "factory", "correct horse").await.0;
    let conversation = owner.group(vec![one.me(), two.me(), factory.me()]).await;
    let role = |user, role| Call::SetRole(SetRole { conversation, user, role, client_msg_id: mint() });
    assert_eq!(code(one.call(role(two.me(), Role::Admin)).await), ErrorCode::Forbidden);
    assert_eq!(code(owner.call(role(one.me(), Role::Owner)).await), ErrorCode::BadArgument);
    seq(&mut owner, role(one.me(), Role::Admin)).await.unwrap();
    seq(&mut one, mute(conversation, two.me(), true)).await.unwrap();
    assert_eq!(text_code(&mut two, conversation).await, Some(ErrorCode::Forbidden));
    assert_eq!(code(one.call(mute(conversation, owner.me(), true)).await), ErrorCode::Forbidden);
    assert_eq!(text_code(&mut factory, conversation).await, None, "the other node loads it");
    let all = |muted| change(conversation, GroupChange { muted: Some(muted), ..GroupChange::default() });
    seq(&mut one, all(true)).await.unwrap();
    assert_eq!(
        text_code(&mut factory, conversation).await,
        Some(ErrorCode::Forbidden),
        "what it knew is stale"
    );
    assert_eq!(text_code(&mut one, conversation).await, None);
    seq(&mut one, all(false)).await.unwrap();
    seq(&mut two, Call::Leave(ConversationArgument { conversation })).await.unwrap();
    let back = Members { conversation, users: vec![two.me()], client_msg_id: mint() };
    seq(&mut one, Call::AddMembers(back)).await.unwrap();
    assert_eq!(text_code(&mut two, conversation).await, Some(ErrorCode::Forbidden), "muted as before");
    let last = seq(&mut one, mute(conversation, two.me(), false)).await.unwrap();
    assert_eq!(text_code(&mut two, conversation).await, None);
    let transfer = |user| Call::TransferGroup(Member { conversation, user, client_msg_id: mint() });
    assert_eq!(code(one.call(transfer(two.me())).await), ErrorCode::Forbidden);
    let after = seq(&mut owner, transfer(two.me())).await.unwrap();
    assert!(after > last);
    factory.announced(conversation, after).await;
    let log = factory.pull(conversation, 0).await.unwrap();
    let contents: Vec<_> = log.entries.iter().map(|entry| Content::decode(&entry.body).unwrap()).collect();
    let owner_changed =
        |content: &Content| matches!(content, Content::OwnerChanged(to) if to.user == two.me());
    assert!(contents.last().is_some_and(owner_changed));
    let info = group(&mut two, conversation).await;
    assert_eq!((info.owner, info.role, info.members), (two.me(), Role::Owner, 4));
    assert_eq!(group(&mut owner, conversation).await.role, Role::Admin);
    assert_eq!(inbox(&mut factory, 1).await.len(), 1, "nothing but that she was added");
}

async fn policies(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut owner, mut one, mut two, mut three] = people(&server).await;
    let conversation = owner.group(vec![]).await;
    let number = group(&mut owner, conversation).await.number;
    let news = GroupChange {
        announcement: Some("tea\nat four".into()),
        avatar: Some("img".into()),
        ..policy(JoinPolicy::InviteOnly)
    };
    seq(&mut owner, change(conversation, news)).await.unwrap();
    let join = || Call::JoinGroup(act(conversation));
    let apply = || Call::ApplyToGroup(ApplyToGroup { conversation, comment: "me too".into() });
    assert_eq!(found(&mut one, number).await, Err(ErrorCode::NotFound), "by invitation only");
    assert_eq!(code(one.call(join()).await), ErrorCode::NotFound);
    assert_eq!(code(one.call(apply()).await), ErrorCode::NotFound);
    assert_eq!(found(&mut owner, number).await.map(|group| group.announcement), Ok("tea\nat four".into()));

    seq(&mut owner, change(conversation, policy(JoinPolicy::Open))).await.unwrap();
    let card = found(&mut one, number).await.unwrap();
    assert_eq!((card.name.as_str(), card.avatar.as_str(), card.announcement.as_str()), ("group", "img", ""));
    assert_eq!(card.conversation, conversation);
    assert_eq!(code(one.call(apply()).await), ErrorCode::BadArgument);
    let again = join();
    let joined = seq(&mut one, again.clone()).await.unwrap();
    assert_eq!(seq(&mut one, again).await, Ok(joined), "a repetition finds the first");
    assert_eq!(code(one.call(join()).await), ErrorCode::BadArgument);
    let text = owner.text(conversation, "welcome").await.unwrap();
    one.announced(conversation, text.seq).await;
    assert_eq!(one.texts(conversation, 0).await, ["welcome"]);

    seq(&mut owner, change(conversation, policy(JoinPolicy::Approval))).await.unwrap();
    assert_eq!(code(two.call(join()).await), ErrorCode::BadArgument);
    let answer = |user, accept| {
        Call::AnswerApplication(AnswerApplication { conversation, user, accept, client_msg_id: mint() })
    };
    assert_eq!(code(owner.call(answer(two.me(), true)).await), ErrorCode::NotFound, "he did not apply");
    for _ in 0..2 {
        done(&mut two, apply()).await;
    }
    done(&mut three, apply()).await;
    let made = ApplicationMade { conversation, comment: "me too".into() };
    let told = inbox(&mut owner, 3).await;
    assert_eq!(told[1..], [two.me(), three.me()].map(|user| (user, Content::ApplicationMade(made.clone()))));
    assert_eq!(applications(&mut owner, conversation).await.len(), 2);
    assert_eq!(code(one.call(answer(two.me(), true)).await), ErrorCode::Forbidden, "a plain member");
    assert_eq!(code(two.call(answer(two.me(), true)).await), ErrorCode::NotMember);
    let accept = answer(two.me(), true);
    for _ in 0..2 {
        done(&mut owner, accept.clone()).await;
    }
    done(&mut owner, answer(three.me(), false)).await;
    assert_eq!(code(owner.call(answer(three.me(), true)).await), ErrorCode::NotFound);
    let rejected = Content::ApplicationRejected(ApplicationRejected { conversation });
    assert_eq!(inbox(&mut three, 1).await, [(owner.me(), rejected)]);
    assert!(matches!(inbox(&mut two, 1).await[0].1, Content::AddedTo(_)));
    let own = applications(&mut three, ConversationId::default()).await;
    assert_eq!((own.len(), own[0].state), (1, RequestState::Rejected));
    assert_eq!(text_code(&mut two, conversation).await, None);
    assert_eq!(text_code(&mut three, conversation).await, Some(ErrorCode::NotMember));
}

/// Live and by `History`, for somebody who joins when the history is read from the start.
async fn history(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut owner, one, mut two, _] = people(&server).await;
    let conversation = owner.group(vec![one.me()]).await;
    owner.text(conversation, "first").await.unwrap();
    let open = GroupChange { history: Some(HistoryFrom::Start), ..policy(JoinPolicy::Open) };
    seq(&mut owner, change(conversation, open)).await.unwrap();
    let joined = seq(&mut two, Call::JoinGroup(act(conversation))).await.unwrap();
    owner.text(conversation, "second").await.unwrap();
    let history = |before| Call::History(History { conversation, before: Seq::new(before), limit: 0 });
    let read = async |client: &mut RawClient, before| {
        let Reply::History(page) = client.call(history(before)).await.unwrap() else { panic!() };
        let text = |body: &[u8]| Content::decode(body).unwrap().as_text().unwrap().to_owned();
        page.entries.iter().map(|entry| text(&entry.body)).collect::<Vec<_>>()
    };
    assert_eq!(read(&mut two, 0).await, ["second", "first"]);
    let pulled = two.pull(conversation, 0).await.unwrap();
    assert_eq!(pulled.entries[0].seq, joined, "what he is handed begins with his joining");
    let remove = Member { conversation, user: two.me(), client_msg_id: mint() };
    seq(&mut owner, Call::RemoveMember(remove)).await.unwrap();
    owner.text(conversation, "behind his back").await.unwrap();
    assert_eq!(read(&mut two, 0).await, ["second", "first"]);
}

async fn dismissal(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut owner, mut one, mut two, _] = people(&server).await;
    let conversation = owner.group(vec![one.me()]).await;
    owner.text(conversation, "good bye").await.unwrap();
    seq(&mut owner, change(conversation, policy(JoinPolicy::Open))).await.unwrap();
    let number = group(&mut one, conversation).await.number;
    let leave = || Call::Leave(ConversationArgument { conversation });
    assert_eq!(code(owner.call(leave()).await), ErrorCode::Forbidden);
    assert_eq!(code(one.call(Call::DismissGroup(act(conversation))).await), ErrorCode::Forbidden);
    let end = seq(&mut owner, Call::DismissGroup(act(conversation))).await.unwrap();
    one.announced(conversation, end).await;
    for client in [&mut owner, &mut one] {
        assert_eq!(text_code(client, conversation).await, Some(ErrorCode::Forbidden));
        assert!(group(client, conversation).await.dismissed);
        assert_eq!(client.texts(conversation, 0).await, ["good bye"]);
    }
    assert_eq!(found(&mut two, number).await, Err(ErrorCode::NotFound));
    assert_eq!(code(two.call(Call::JoinGroup(act(conversation))).await), ErrorCode::NotFound);
    seq(&mut owner, leave()).await.expect("there is nothing left to own");
    seq(&mut one, leave()).await.unwrap();
}

/// Whoever wants to join while the group is closed is in before that, or never.
async fn join_against_policy(backend: &Backend) {
    let (here, there) = (server(backend, |_| {}).await, server(backend, |_| {}).await);
    let [mut owner, ..] = people(&here).await;
    let mut factory = crate::world::device(&there, "factory", "correct horse").await.0;
    for round in 0..10 {
        let conversation = owner.group(vec![]).await;
        seq(&mut owner, change(conversation, policy(JoinPolicy::Open))).await.unwrap();
        let mut joiner = factory.bot(there.addr(), &format!("joiner {round}")).await;
        let (closed, joined) = tokio::join!(
            seq(&mut owner, change(conversation, policy(JoinPolicy::InviteOnly))),
            seq(&mut joiner, Call::JoinGroup(act(conversation))),
        );
        match joined {
            Ok(joined) => assert!(joined < closed.unwrap(), "he joined a group that was closed"),
            Err(refused) => assert!([ErrorCode::Forbidden, ErrorCode::NotFound].contains(&refused.code)),
        }
    }
}

async fn bad_changes(backend: &Backend) {
    let server = server(backend, |config| config.limits.group_members_max = 2).await;
    let [mut owner, mut one, mut two, _] = people(&server).await;
    let conversation = owner.group(vec![one.me()]).await;
    let none = GroupChange::default();
    for (wrong, expected) in [
        (none.clone(), ErrorCode::BadArgument),
        (GroupChange { avatar: Some("a b".into()), ..none.clone() }, ErrorCode::BadArgument),
        (GroupChange { announcement: Some("x".repeat(4_097)), ..none.clone() }, ErrorCode::TooLarge),
        (GroupChange { announcement: Some("a\0b".into()), ..none.clone() }, ErrorCode::BadArgument),
        (GroupChange { policy: Some(JoinPolicy::Unknown(4)), ..none.clone() }, ErrorCode::BadArgument),
        (GroupChange { history: Some(HistoryFrom::Unknown(0)), ..none }, ErrorCode::BadArgument),
    ] {
        assert_eq!(code(owner.call(change(conversation, wrong.clone())).await), expected, "{wrong:?}");
    }
    assert_eq!(code(owner.call(mute(conversation, two.me(), true)).await), ErrorCode::NotFound);
    seq(&mut owner, change(conversation, policy(JoinPolicy::Open))).await.unwrap();
    assert_eq!(code(two.call(Call::JoinGroup(act(conversation))).await), ErrorCode::TooLarge);
    let long = ApplyToGroup { conversation, comment: "x".repeat(257) };
    assert_eq!(code(two.call(Call::ApplyToGroup(long)).await), ErrorCode::TooLarge);
    for number in [0, 1, u64::MAX, i64::MAX as u64] {
        assert_eq!(found(&mut one, number).await, Err(ErrorCode::NotFound));
    }
    let other = one.direct(owner.me()).await.unwrap();
    assert_eq!(code(one.call(change(other, policy(JoinPolicy::Open))).await), ErrorCode::Forbidden);
}

/// Whoever else lets him in: a user is in so many conversations, his inbox among them.
async fn full_users(backend: &Backend) {
    let server = server(backend, |config| config.limits.conversations_per_user_max = 3).await;
    let [mut owner, mut one, ..] = people(&server).await;
    let (conversation, full) = (owner.group(vec![]).await, one.me());
    seq(&mut owner, change(conversation, policy(JoinPolicy::Approval))).await.unwrap();
    for _ in 0..2 {
        one.group(vec![]).await;
    }
    done(&mut one, Call::ApplyToGroup(ApplyToGroup { conversation, comment: String::new() })).await;
    let (accept, client_msg_id) = (true, mint());
    for call in [
        Call::CreateGroup(CreateGroup { name: "another".into(), members: vec![full], client_msg_id }),
        Call::AddMembers(Members { conversation, users: vec![full], client_msg_id }),
        Call::AnswerApplication(AnswerApplication { conversation, user: full, accept, client_msg_id }),
        Call::OpenDirect(UserArgument { user: full }),
    ] {
        assert_eq!(code(owner.call(call.clone()).await), ErrorCode::TooLarge, "{call:?}");
    }
    owner.group(vec![]).await;
}

/// What was done is answered as it was, though it would not be allowed by now.
async fn repeated(backend: &Backend) {
    let server = server(backend, |config| {
        config.limits.group_members_max = 3;
        config.limits.conversations_per_user_max = 4;
    })
    .await;
    let [mut owner, mut one, two, mut three] = people(&server).await;
    let create =
        |members| Call::CreateGroup(CreateGroup { name: "group".into(), members, client_msg_id: mint() });
    let founding = create(vec![one.me()]);
    let found = async |owner: &mut RawClient| match owner.call(founding.clone()).await {
        Ok(Reply::Conversation(info)) => info.conversation,
        other => panic!("{other:?}"),
    };
    let conversation = found(&mut owner).await;
    let add = Call::AddMembers(Members { conversation, users: vec![two.me()], client_msg_id: mint() });
    let added = seq(&mut owner, add.clone()).await;
    assert_eq!(seq(&mut owner, add).await, added, "the group is full");
    for _ in 0..2 {
        owner.group(vec![]).await;
    }
    assert_eq!(code(owner.call(create(vec![])).await), ErrorCode::TooLarge);
    assert_eq!(found(&mut owner).await, conversation, "its owner is in as many as he may");

    let leave = Call::Leave(ConversationArgument { conversation });
    seq(&mut one, leave.clone()).await.unwrap();
    seq(&mut owner, change(conversation, policy(JoinPolicy::Approval))).await.unwrap();
    done(&mut three, Call::ApplyToGroup(ApplyToGroup { conversation, comment: String::new() })).await;
    let answer = |accept| {
        let (user, client_msg_id) = (three.me(), mint());
        Call::AnswerApplication(AnswerApplication { conversation, user, accept, client_msg_id })
    };
    let (accept, reject) = (answer(true), answer(false));
    for _ in 0..2 {
        done(&mut owner, accept.clone()).await;
    }
    assert_eq!(code(owner.call(reject.clone()).await), ErrorCode::NotFound, "he is in");
    seq(&mut three, leave).await.unwrap();
    done(&mut owner, accept).await;
    assert_eq!(group(&mut owner, conversation).await.members, 2, "he is not let in again");
    done(&mut owner, reject).await;
}

/// Whoever blocks an applicant does not hear of him.
async fn applied_to_a_blocker(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut owner, mut one, mut two, mut three] = people(&server).await;
    let conversation = owner.group(vec![one.me()]).await;
    seq(&mut owner, change(conversation, policy(JoinPolicy::Approval))).await.unwrap();
    let admin = SetRole { conversation, user: one.me(), role: Role::Admin, client_msg_id: mint() };
    seq(&mut owner, Call::SetRole(admin)).await.unwrap();
    done(&mut owner, Call::Block(UserArgument { user: two.me() })).await;
    for client in [&mut two, &mut three] {
        done(client, Call::ApplyToGroup(ApplyToGroup { conversation, comment: "hear me".into() })).await;
    }
    let from = |told: Vec<(UserId, Content)>| told[1..].iter().map(|(user, _)| *user).collect::<Vec<_>>();
    assert_eq!(from(inbox(&mut one, 3).await), [two.me(), three.me()]);
    assert_eq!(from(inbox(&mut owner, 2).await), [three.me()]);
}

on_both_stores! {
    super::roles_and_mutes as g9_roles_and_mutes_are_judged_between_two_entries,
    super::policies as a_group_s_policy_says_who_gets_in,
    super::history as a_history_is_read_from_joining_or_from_the_start,
    super::dismissal as a_dismissed_group_is_read_and_left,
    super::join_against_policy as g9_nobody_joins_behind_the_entry_that_closed_the_group,
    super::full_users as nobody_is_in_more_conversations_than_the_server_allows,
    super::repeated as a_repeated_call_is_answered_as_the_first,
    super::applied_to_a_blocker as who_blocks_an_applicant_does_not_hear_of_him,
    super::bad_changes as changes_that_make_no_sense_are_refused,
}
