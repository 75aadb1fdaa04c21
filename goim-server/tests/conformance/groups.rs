//! What the entries of groups do to the tables, and applications.

use std::sync::Arc;

use bytes::Bytes;
use goim_core::lane::{AppendResult, Offer};
use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_proto::{GroupChange, HistoryFrom, JoinPolicy, RequestState, Role};
use goim_server::Refusal;
use goim_server::store::{Applications, Effect, EntryDraft, EntryKind, Member, Notice, Store};

use crate::backend::Backend;
use crate::committer::{Committer, Outcome};
use crate::faults::Faults;
use crate::fixtures::{
    ANY_NUMBER, AS_SERVED, addition, append, asked_for, batch, group, new_id, removal, text, users,
};
use crate::ledger::Ledger;
use crate::on_both_stores;

/// Appends entries of the first user's behind a head; returns the new head.
async fn happen(
    store: &Arc<dyn Store>,
    conversation: ConversationId,
    head: u64,
    sender: UserId,
    effects: impl IntoIterator<Item = Effect>,
) -> u64 {
    let entries: Vec<_> = effects
        .into_iter()
        .map(|effect| (new_id(), EntryDraft { kind: EntryKind(38), body: Bytes::new(), effect }))
        .collect();
    let next = head + entries.len() as u64;
    append(store, &batch(conversation, Seq::new(head), 0, sender, entries)).await;
    next
}

async fn effects(backend: &Backend) {
    let store = backend.open().await;
    let users = users(3);
    let [owner, one, other] = users[..] else { unreachable!() };
    let conversation = group(&store, &Ledger::default(), &users).await;
    let fresh = store.group(conversation, one).await.expect("an answer").expect("a group");
    assert_eq!((fresh.owner, fresh.members, fresh.role), (owner, 3, Role::Member));
    assert_eq!((fresh.policy, fresh.history), (JoinPolicy::InviteOnly, HistoryFrom::Joining));
    assert_eq!(
        store.group(conversation, UserId::new(7)).await.expect("an answer").map(|g| g.role),
        Some(Role::default())
    );
    let change = GroupChange {
        avatar: Some("img".into()),
        announcement: Some("hear".into()),
        policy: Some(JoinPolicy::Open),
        history: None,
        muted: Some(true),
    };
    let head = happen(
        &store,
        conversation,
        1,
        owner,
        [
            Effect::SetRole { user: one, role: Role::Admin },
            Effect::SetMuted { user: other, muted: true },
            Effect::Change(change),
            Effect::Change(GroupChange { announcement: Some(String::new()), ..GroupChange::default() }),
        ],
    )
    .await;
    let row = store.group(conversation, one).await.expect("an answer").expect("a group");
    assert_eq!((row.avatar.as_str(), row.announcement.as_str(), row.role), ("img", "", Role::Admin));
    assert_eq!((row.policy, row.muted, row.dismissed), (JoinPolicy::Open, true, false));
    let loaded = store.load(&asked_for(conversation, other)).await.expect("an answer").expect("a group");
    assert_eq!((loaded.settings.group.policy, loaded.settings.group.muted), (JoinPolicy::Open, true));
    assert!(loaded.members[0].1.is_some_and(|member| member.muted));
    let members = store.members(conversation, UserId::new(0), 10).await.expect("members");
    assert_eq!(
        members.iter().map(|m| (m.role, m.muted)).collect::<Vec<_>>(),
        [(Role::Owner, false), (Role::Admin, false), (Role::Member, true)]
    );
    // A stale batch does nothing.
    let mut lane = store.lane_connection().await.expect("a connection");
    let dismiss = || EntryDraft { kind: EntryKind(42), body: Bytes::new(), effect: Effect::Dismiss };
    let stale = lane.append(&batch(conversation, Seq::new(1), 0, owner, [(new_id(), dismiss())])).await;
    assert_eq!(stale, AppendResult::Written { stale: vec![conversation] });
    assert!(!store.group(conversation, one).await.expect("an answer").expect("a group").dismissed);
    let notice = Notice { kind: EntryKind(68), body: Bytes::new() };
    let stranger = UserId::new(7);
    store.apply_to_group(conversation, stranger, "", &notice, ANY_NUMBER, 1).await.expect("applied");
    let last = [Effect::Transfer { to: one }, Effect::Dismiss];
    let entries =
        last.map(|effect| (new_id(), EntryDraft { kind: EntryKind(42), body: Bytes::new(), effect }));
    let mut last = batch(conversation, Seq::new(head), 0, owner, entries);
    last.expects[0].rev = 1;
    append(&store, &last).await;
    let row = store.group(conversation, owner).await.expect("an answer").expect("a group");
    assert_eq!((row.owner, row.role, row.dismissed), (one, Role::Admin, true));
    let list = store.applications(Applications::Of(stranger), u64::MAX, 10).await.expect("applications");
    assert_eq!(list[0].state, RequestState::Rejected, "nobody will answer it");
    assert_eq!(store.group(ConversationId::new(4_711), owner).await.expect("an answer"), None);
}

/// Whoever joins while the history is read from the start sees all of it by `history`, and nothing of
/// before by pulls.
async fn history(backend: &Backend) {
    let store = backend.open().await;
    let users = users(3);
    let [owner, early, late] = users[..] else { unreachable!() };
    let conversation = group(&store, &Ledger::default(), &[owner]).await;
    let entries = vec![(new_id(), text("one")), (new_id(), addition(&[early])), (new_id(), removal(early))];
    append(&store, &batch(conversation, Seq::FIRST, 0, owner, entries)).await;
    let from_start = GroupChange { history: Some(HistoryFrom::Start), ..GroupChange::default() };
    let head = happen(&store, conversation, 4, owner, [Effect::Change(from_start)]).await;
    let entries =
        vec![(new_id(), text("two")), (new_id(), addition(&[early, late])), (new_id(), removal(late))];
    append(&store, &batch(conversation, Seq::new(head), 1, owner, entries)).await;
    append(&store, &batch(conversation, Seq::new(head + 3), 2, owner, [(new_id(), text("three"))])).await;
    let seen = async |user| {
        let page = store.history(user, conversation, Seq::MAX, 100, 1 << 20).await.expect("history");
        page.iter().map(|entry| entry.seq.as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(seen(early).await, [9, 6, 2], "each once, though his first stay lies within his second");
    assert_eq!(seen(late).await, [6, 2], "up to his removal");
    let pulled = store.pull(late, conversation, Seq::ZERO, 100, 1 << 20).await.expect("a page");
    assert_eq!(pulled.entries.iter().map(|entry| entry.seq.as_u64()).collect::<Vec<_>>(), [7, 8]);
}

/// What a lane loads, and what members are shown, of somebody who left and came back.
async fn muted_again(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let [owner, one] = users[..] else { unreachable!() };
    let conversation = group(&store, &Ledger::default(), &users).await;
    let loaded = async || {
        let loaded = store.load(&asked_for(conversation, one)).await.expect("an answer").expect("a group");
        loaded.members[0].1
    };
    let (mut head, mut stays) = (1, 1);
    for muted in [true, false] {
        let back = Effect::Join { users: vec![(one, Role::Member)] };
        let mute = Effect::SetMuted { user: one, muted };
        head = happen(&store, conversation, head, owner, [mute, Effect::Part { user: one }]).await;
        assert_eq!(loaded().await, Some(Member { role: None, muted, stays, applies: false }));
        stays += 1;
        head = happen(&store, conversation, head, owner, [back]).await;
        assert_eq!(loaded().await, Some(Member { role: Some(Role::Member), muted, stays, applies: false }));
        let members = store.members(conversation, owner, 1).await.expect("members");
        assert_eq!((members[0].user, members[0].muted), (one, muted));
    }
}

/// Offers an entry to a committer and waits for its fate.
async fn offer(
    committer: &Committer,
    conversation: ConversationId,
    sender: UserId,
    entry: EntryDraft,
) -> Outcome {
    let (device, client_msg_id) = (DeviceId::new(1), new_id());
    let (ticket, after, retry, epoch) = ((), None, true, AS_SERVED);
    let offer = Offer { ticket, conversation, sender, device, client_msg_id, after, retry, epoch, entry };
    committer.offer(offer).await.await
}

/// A committer that knew an application as it was lets nobody in by one that was rejected or is used
/// up, and knows of the next one.
async fn admissions(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let [owner, applicant] = users[..] else { unreachable!() };
    let conversation = group(&store, &Ledger::default(), &[owner]).await;
    let committer = Committer::start(Arc::clone(&store), Faults::NONE);
    let act = async |sender, kind, effect| {
        let entry = EntryDraft { kind: EntryKind(kind), body: Bytes::new(), effect };
        offer(&committer, conversation, sender, entry).await
    };
    let admit = async || act(owner, 33, Effect::Admit { user: applicant }).await;
    // It looks at him, and remembers what it saw.
    let look = async || {
        assert_eq!(act(applicant, 1, Effect::None).await, Outcome::Refused(Refusal::NotMember));
    };
    let notice = Notice { kind: EntryKind(68), body: Bytes::new() };
    let apply = async || {
        store.apply_to_group(conversation, applicant, "", &notice, ANY_NUMBER, 1).await.expect("applied");
    };
    let reject = async || {
        store.reject_application(conversation, applicant, owner, &notice, 1).await.expect("an answer")
    };
    let nobody = Outcome::Refused(Refusal::NoApplication);
    apply().await;
    look().await;
    assert!(reject().await);
    assert_eq!(admit().await, nobody, "it was rejected");
    look().await;
    for _ in 0..10 {
        apply().await;
        let (rejected, admitted) = tokio::join!(reject(), admit());
        assert_eq!(matches!(admitted, Outcome::Committed { .. }), !rejected, "one of the two: {admitted:?}");
        if !rejected {
            apply().await;
            let applies = store.applies(conversation, applicant).await.expect("an answer");
            assert!(!applies, "a member has nothing to apply for");
            let left = act(applicant, 35, Effect::Part { user: applicant }).await;
            assert!(matches!(left, Outcome::Committed { .. }));
        }
        assert_eq!(admit().await, nobody, "it was answered");
    }
    apply().await;
    assert!(matches!(admit().await, Outcome::Committed { .. }));
    let members = store.group(conversation, owner).await.expect("an answer").expect("a group").members;
    assert_eq!(members, 2);
    committer.stop().await;
}

/// Whoever is added while he applies has no application open, whichever comes first; nor has he who was
/// looked at before that and applies after it.
async fn applied_while_added(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let [owner, applicant] = users[..] else { unreachable!() };
    let conversation = group(&store, &Ledger::default(), &[owner]).await;
    let committer = Committer::start(Arc::clone(&store), Faults::NONE);
    let notice = Notice { kind: EntryKind(68), body: Bytes::new() };
    let apply = async || {
        let applied = store.apply_to_group(conversation, applicant, "", &notice, ANY_NUMBER, 1);
        applied.await.expect("an answer");
    };
    let applies = async || store.applies(conversation, applicant).await.expect("an answer");
    for _ in 0..30 {
        let ((), added) =
            tokio::join!(apply(), offer(&committer, conversation, owner, addition(&[applicant])));
        assert!(matches!(added, Outcome::Committed { .. }), "{added:?}");
        assert!(!applies().await, "at once");
        apply().await;
        assert!(!applies().await, "too late");
        let removed = offer(&committer, conversation, owner, removal(applicant)).await;
        assert!(matches!(removed, Outcome::Committed { .. }), "{removed:?}");
    }
    committer.stop().await;
}

async fn applications(backend: &Backend) {
    let store = backend.open().await;
    let mut people = Vec::new();
    for name in ["owner", "admin", "member", "applicant"] {
        people.push(store.create_user(name, None, None, 1).await.expect("an answer").expect("a user").user);
    }
    let [owner, admin, member, applicant] = people[..] else { unreachable!() };
    let conversation = group(&store, &Ledger::default(), &[owner, admin, member]).await;
    let head =
        happen(&store, conversation, 1, owner, [Effect::SetRole { user: admin, role: Role::Admin }]).await;
    let rows = store.due(100).await.expect("due rows");
    store.due_done(&rows.iter().map(|row| row.id).collect::<Vec<_>>()).await.expect("an answer");
    let notice = |kind| Notice { kind: EntryKind(kind), body: Bytes::from_static(b"notice") };
    let apply = async || {
        store
            .apply_to_group(conversation, applicant, "please", &notice(68), ANY_NUMBER, 5)
            .await
            .expect("applied");
    };
    tokio::join!(apply(), apply(), apply());
    let owed = async || {
        let rows = store.due(100).await.expect("due rows");
        rows.iter().map(|row| (row.user, row.sender, row.kind.0)).collect::<Vec<_>>()
    };
    assert_eq!(owed().await, [(owner, applicant, 68), (admin, applicant, 68)], "once, to those who decide");
    assert!(store.applies(conversation, applicant).await.expect("an answer"));
    let reject = async || {
        store.reject_application(conversation, applicant, admin, &notice(69), 6).await.expect("an answer")
    };
    assert!(reject().await);
    assert!(!reject().await, "it was answered");
    assert_eq!(owed().await[2..], [(applicant, admin, 69)]);
    apply().await;
    let mut added = batch(conversation, Seq::new(head), 0, admin, [(new_id(), addition(&[applicant]))]);
    // What changed three times is judged anew three times.
    added.expects[0].rev = 3;
    append(&store, &added).await;
    for which in [Applications::To(conversation), Applications::Of(applicant)] {
        let list = store.applications(which, u64::MAX, 10).await.expect("applications");
        let states: Vec<_> = list.iter().map(|one| (one.user, one.conversation, one.state)).collect();
        assert_eq!(states, [(applicant, conversation, RequestState::Accepted)], "whatever let him in");
        assert_eq!(store.applications(which, list[0].number, 10).await.expect("applications"), []);
    }
}

on_both_stores! {
    super::effects as entries_of_groups_change_what_they_show_and_allow,
    super::history as g9_a_history_from_the_start_is_read_up_to_the_removal,
    super::muted_again as g9_a_mute_outlives_leaving_and_coming_back,
    super::admissions as g9_nobody_is_let_in_by_an_application_that_is_not_open,
    super::applied_while_added as a_member_has_no_application_open_whoever_added_him_meanwhile,
    super::applications as an_application_is_open_once_and_accepted_by_joining,
}
