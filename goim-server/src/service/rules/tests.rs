//! What the rules allow, entry by entry.

use bytes::Bytes;

use goim_core::lane::{Fold, Rules};
use goim_core::{Seq, UserId};
use goim_proto::{ConversationKind, GroupChange, JoinPolicy, Role};

use super::group::{STAYS_MAX, role};
use super::{ChatFold, ChatRules, Refusal};
use crate::store::{
    Changes, Effect, EntryDraft, EntryKind, GroupSettings, Member, MessageAct, Settings, Target,
};

const OWNER: UserId = UserId::new(1);
const ADMIN: UserId = UserId::new(2);
const MEMBER: UserId = UserId::new(3);
const STRANGER: UserId = UserId::new(4);

const RULES: ChatRules = ChatRules { group_members_max: 4 };
const NOBODY: [UserId; 2] = [UserId::new(0); 2];
const CLOSED: GroupSettings =
    GroupSettings { policy: JoinPolicy::InviteOnly, muted: false, dismissed: false, members: 3 };

fn group() -> ChatFold {
    let settings = Settings {
        kind: ConversationKind::Group,
        creator: OWNER,
        opened: true,
        closed_to: NOBODY,
        group: CLOSED,
        changes: Changes::default(),
    };
    let mut fold = Fold::new(settings);
    for (user, role) in [(OWNER, Role::Owner), (ADMIN, Role::Admin), (MEMBER, Role::Member)] {
        fold.set_member(user, Some(Member { role: Some(role), stays: 1, ..Member::default() }));
    }
    fold.set_member(STRANGER, None);
    fold
}

fn entry(kind: i16, effect: Effect) -> EntryDraft {
    EntryDraft { kind: EntryKind(kind), body: Bytes::new(), effect }
}

fn judge(sender: UserId, kind: i16, effect: Effect) -> Result<(), Refusal> {
    RULES.judge(&group(), sender, &entry(kind, effect))
}

fn join(user: UserId, role: Role) -> Effect {
    Effect::Join { users: vec![(user, role)] }
}

#[test]
fn only_members_write() {
    assert_eq!(judge(MEMBER, 1, Effect::None), Ok(()));
    assert_eq!(judge(STRANGER, 1, Effect::None), Err(Refusal::NotMember));
}

#[test]
fn nobody_writes_what_only_the_server_says() {
    assert_eq!(judge(OWNER, 64, Effect::None), Err(Refusal::Forbidden));
    let settings = Settings {
        kind: ConversationKind::Inbox,
        creator: OWNER,
        opened: true,
        closed_to: NOBODY,
        group: CLOSED,
        changes: Changes::default(),
    };
    let mut inbox = Fold::new(settings);
    inbox.set_member(OWNER, Some(Member { role: Some(Role::Member), stays: 1, ..Member::default() }));
    assert_eq!(RULES.judge(&inbox, OWNER, &entry(1, Effect::None)), Err(Refusal::Forbidden));
    assert_eq!(RULES.judge(&inbox, ADMIN, &entry(64, Effect::None)), Ok(()));
}

#[test]
fn roles_decide_who_adds_and_removes() {
    assert_eq!(judge(ADMIN, 33, join(STRANGER, Role::Member)), Ok(()));
    assert_eq!(judge(ADMIN, 33, join(STRANGER, Role::Owner)), Err(Refusal::Forbidden));
    assert_eq!(judge(ADMIN, 33, join(MEMBER, Role::Member)), Err(Refusal::AlreadyMember));
    assert_eq!(judge(MEMBER, 33, join(STRANGER, Role::Member)), Err(Refusal::Forbidden));
    assert_eq!(judge(ADMIN, 34, Effect::Part { user: MEMBER }), Ok(()));
    assert_eq!(judge(ADMIN, 34, Effect::Part { user: OWNER }), Err(Refusal::Forbidden));
    assert_eq!(judge(OWNER, 34, Effect::Part { user: STRANGER }), Err(Refusal::NoSuchMember));
    assert_eq!(judge(MEMBER, 35, Effect::Part { user: MEMBER }), Ok(()));
    assert_eq!(judge(OWNER, 35, Effect::Part { user: OWNER }), Err(Refusal::OwnerStays));
}

#[test]
fn a_conversation_is_opened_once_and_by_its_own() {
    let settings = Settings {
        kind: ConversationKind::Group,
        creator: OWNER,
        opened: false,
        closed_to: NOBODY,
        group: CLOSED,
        changes: Changes::default(),
    };
    let mut fold = ChatFold::new(settings);
    let open = |sender| entry(32, Effect::Join { users: vec![(sender, Role::Owner)] });
    assert_eq!(RULES.judge(&fold, STRANGER, &open(STRANGER)), Err(Refusal::Forbidden));
    assert_eq!(RULES.judge(&fold, OWNER, &open(OWNER)), Ok(()));
    RULES.apply(&mut fold, Seq::FIRST, OWNER, &open(OWNER));
    assert_eq!(RULES.judge(&fold, OWNER, &open(OWNER)), Err(Refusal::AlreadyOpened));
    assert_eq!(RULES.judge(&fold, OWNER, &entry(1, Effect::None)), Ok(()));
}

#[test]
fn who_is_blocked_neither_writes_nor_opens_a_direct_chat() {
    let direct = |opened, closed_to| {
        let mut fold = Fold::new(Settings {
            kind: ConversationKind::Direct,
            creator: OWNER,
            opened,
            closed_to,
            group: CLOSED,
            changes: Changes::default(),
        });
        for user in [OWNER, MEMBER] {
            fold.set_member(
                user,
                opened.then_some(Member { role: Some(Role::Member), stays: 1, ..Member::default() }),
            );
        }
        fold
    };
    let one = [MEMBER, UserId::new(0)];
    let text = entry(1, Effect::None);
    assert_eq!(RULES.judge(&direct(true, one), MEMBER, &text), Err(Refusal::Blocked));
    assert_eq!(RULES.judge(&direct(true, one), OWNER, &text), Ok(()));
    assert_eq!(RULES.judge(&direct(true, [OWNER, MEMBER]), MEMBER, &text), Err(Refusal::Blocked));
    let open = entry(37, Effect::Join { users: vec![(OWNER, Role::Member), (MEMBER, Role::Member)] });
    assert_eq!(RULES.judge(&direct(false, one), MEMBER, &open), Err(Refusal::Blocked));
    assert_eq!(RULES.judge(&direct(false, one), OWNER, &open), Ok(()));
    assert_eq!(RULES.judge(&direct(true, NOBODY), MEMBER, &text), Ok(()));
}

#[test]
fn a_removed_member_is_out_from_the_next_entry_on() {
    let mut fold = group();
    RULES.apply(&mut fold, Seq::new(9), OWNER, &entry(34, Effect::Part { user: MEMBER }));
    assert_eq!(RULES.judge(&fold, MEMBER, &entry(1, Effect::None)), Err(Refusal::NotMember));
}

/// The group as it is after an entry.
fn after(sender: UserId, kind: i16, effect: Effect) -> ChatFold {
    let mut fold = group();
    assert_eq!(RULES.judge(&fold, sender, &entry(kind, effect.clone())), Ok(()));
    RULES.apply(&mut fold, Seq::new(9), sender, &entry(kind, effect));
    fold
}

fn writes(fold: &ChatFold, sender: UserId) -> Result<(), Refusal> {
    RULES.judge(fold, sender, &entry(1, Effect::None))
}

#[test]
fn only_the_owner_sets_roles_and_hands_over() {
    let admin = |user| Effect::SetRole { user, role: Role::Admin };
    assert_eq!(judge(ADMIN, 39, admin(MEMBER)), Err(Refusal::Forbidden));
    assert_eq!(judge(OWNER, 39, admin(OWNER)), Err(Refusal::Forbidden));
    assert_eq!(judge(OWNER, 39, admin(STRANGER)), Err(Refusal::NoSuchMember));
    let crowned = Effect::SetRole { user: MEMBER, role: Role::Owner };
    assert_eq!(judge(OWNER, 39, crowned), Err(Refusal::Forbidden));
    let fold = after(OWNER, 39, admin(MEMBER));
    assert_eq!(role(&fold, MEMBER), Some(Role::Admin));
    let transfer = |to| Effect::Transfer { to };
    assert_eq!(judge(ADMIN, 41, transfer(MEMBER)), Err(Refusal::Forbidden));
    assert_eq!(judge(OWNER, 41, transfer(STRANGER)), Err(Refusal::NoSuchMember));
    let fold = after(OWNER, 41, transfer(MEMBER));
    assert_eq!(role(&fold, MEMBER), Some(Role::Owner));
    assert_eq!(role(&fold, OWNER), Some(Role::Admin));
    let leave = |user| entry(35, Effect::Part { user });
    assert_eq!(RULES.judge(&fold, OWNER, &leave(OWNER)), Ok(()));
    assert_eq!(RULES.judge(&fold, MEMBER, &leave(MEMBER)), Err(Refusal::OwnerStays));
}

#[test]
fn who_is_muted_reads_and_may_leave() {
    let mute = |user| Effect::SetMuted { user, muted: true };
    assert_eq!(judge(MEMBER, 40, mute(ADMIN)), Err(Refusal::Forbidden));
    assert_eq!(judge(ADMIN, 40, mute(OWNER)), Err(Refusal::Forbidden));
    assert_eq!(judge(OWNER, 40, mute(OWNER)), Err(Refusal::Forbidden));
    assert_eq!(judge(ADMIN, 40, mute(STRANGER)), Err(Refusal::NoSuchMember));
    let mut fold = after(ADMIN, 40, mute(MEMBER));
    assert_eq!(writes(&fold, MEMBER), Err(Refusal::Muted));
    assert_eq!(RULES.judge(&fold, MEMBER, &entry(35, Effect::Part { user: MEMBER })), Ok(()));
    RULES.apply(&mut fold, Seq::new(10), OWNER, &entry(40, Effect::SetMuted { user: MEMBER, muted: false }));
    assert_eq!(writes(&fold, MEMBER), Ok(()));
    let all = GroupChange { muted: Some(true), ..GroupChange::default() };
    let fold = after(ADMIN, 38, Effect::Change(all));
    assert_eq!(writes(&fold, MEMBER), Err(Refusal::Muted));
    assert_eq!((writes(&fold, ADMIN), writes(&fold, OWNER)), (Ok(()), Ok(())));
    assert_eq!(judge(MEMBER, 38, Effect::Change(GroupChange::default())), Err(Refusal::Forbidden));
}

#[test]
fn a_mute_outlives_leaving_and_coming_back() {
    let mute = |muted| entry(40, Effect::SetMuted { user: MEMBER, muted });
    let again = |fold: &mut ChatFold| {
        RULES.apply(fold, Seq::new(10), MEMBER, &entry(35, Effect::Part { user: MEMBER }));
        assert_eq!(writes(fold, MEMBER), Err(Refusal::NotMember));
        assert_eq!(RULES.judge(fold, ADMIN, &mute(false)), Err(Refusal::NoSuchMember));
        let back = entry(33, join(MEMBER, Role::Member));
        assert_eq!(RULES.judge(fold, ADMIN, &back), Ok(()));
        RULES.apply(fold, Seq::new(11), ADMIN, &back);
    };
    let mut fold = after(ADMIN, 40, Effect::SetMuted { user: MEMBER, muted: true });
    again(&mut fold);
    assert_eq!(writes(&fold, MEMBER), Err(Refusal::Muted));
    RULES.apply(&mut fold, Seq::new(12), ADMIN, &mute(false));
    again(&mut fold);
    assert_eq!(writes(&fold, MEMBER), Ok(()));
}

#[test]
fn who_applied_is_admitted_once_and_nobody_else() {
    let admit = |user| Effect::Admit { user };
    for manager in [OWNER, ADMIN] {
        assert_eq!(judge(manager, 33, admit(STRANGER)), Err(Refusal::NoApplication));
    }
    let mut fold = group();
    fold.set_member(STRANGER, Some(Member { applies: true, ..Member::default() }));
    let accept = entry(33, admit(STRANGER));
    assert_eq!(RULES.judge(&fold, MEMBER, &accept), Err(Refusal::Forbidden));
    assert_eq!(RULES.judge(&fold, STRANGER, &accept), Err(Refusal::NotMember));
    assert_eq!(RULES.judge(&fold, ADMIN, &accept), Ok(()));
    RULES.apply(&mut fold, Seq::new(9), ADMIN, &accept);
    assert_eq!(writes(&fold, STRANGER), Ok(()));
    RULES.apply(&mut fold, Seq::new(10), STRANGER, &entry(35, Effect::Part { user: STRANGER }));
    assert_eq!(RULES.judge(&fold, ADMIN, &accept), Err(Refusal::NoApplication), "it was used up");
}

#[test]
fn a_group_has_only_so_many_members() {
    let fifth = UserId::new(5);
    let two = Effect::Join { users: vec![(STRANGER, Role::Member), (fifth, Role::Member)] };
    assert_eq!(judge(OWNER, 33, two), Err(Refusal::TooManyMembers));
    let mut fold = after(OWNER, 33, join(STRANGER, Role::Member));
    let one_more = entry(33, join(fifth, Role::Member));
    assert_eq!(RULES.judge(&fold, OWNER, &one_more), Err(Refusal::TooManyMembers));
    RULES.apply(&mut fold, Seq::new(10), OWNER, &entry(34, Effect::Part { user: MEMBER }));
    assert_eq!(RULES.judge(&fold, OWNER, &one_more), Ok(()));
}

#[test]
fn who_came_and_went_too_often_is_not_let_in_again() {
    let open = GroupChange { policy: Some(JoinPolicy::Open), ..GroupChange::default() };
    let mut fold = after(ADMIN, 38, Effect::Change(open));
    let (come, go) = (entry(43, join(STRANGER, Role::Member)), entry(35, Effect::Part { user: STRANGER }));
    for _ in 0..STAYS_MAX {
        assert_eq!(RULES.judge(&fold, STRANGER, &come), Ok(()));
        RULES.apply(&mut fold, Seq::new(10), STRANGER, &come);
        RULES.apply(&mut fold, Seq::new(11), STRANGER, &go);
    }
    assert_eq!(RULES.judge(&fold, STRANGER, &come), Err(Refusal::TooManyStays));
    let added = entry(33, join(STRANGER, Role::Member));
    assert_eq!(RULES.judge(&fold, OWNER, &added), Err(Refusal::TooManyStays));
}

#[test]
fn a_dismissed_group_takes_nothing_but_leaving() {
    assert_eq!(judge(ADMIN, 42, Effect::Dismiss), Err(Refusal::Forbidden));
    let fold = after(OWNER, 42, Effect::Dismiss);
    for user in [OWNER, ADMIN, MEMBER] {
        assert_eq!(writes(&fold, user), Err(Refusal::Dismissed));
        assert_eq!(RULES.judge(&fold, user, &entry(35, Effect::Part { user })), Ok(()));
    }
    assert_eq!(writes(&fold, STRANGER), Err(Refusal::NotMember));
    assert_eq!(RULES.judge(&fold, OWNER, &entry(33, join(STRANGER, Role::Member))), Err(Refusal::Dismissed));
    let joins = entry(43, join(STRANGER, Role::Member));
    assert_eq!(RULES.judge(&fold, STRANGER, &joins), Err(Refusal::NotOpen));
}

#[test]
fn an_open_group_is_joined_by_whoever_is_none_of_it() {
    assert_eq!(judge(STRANGER, 43, join(STRANGER, Role::Member)), Err(Refusal::NotOpen));
    let open = GroupChange { policy: Some(JoinPolicy::Open), ..GroupChange::default() };
    let fold = after(ADMIN, 38, Effect::Change(open));
    let joins = |sender, user, role| RULES.judge(&fold, sender, &entry(43, join(user, role)));
    assert_eq!(joins(STRANGER, STRANGER, Role::Member), Ok(()));
    assert_eq!(joins(STRANGER, STRANGER, Role::Admin), Err(Refusal::Forbidden));
    assert_eq!(joins(STRANGER, UserId::new(5), Role::Member), Err(Refusal::Forbidden));
    assert_eq!(joins(MEMBER, MEMBER, Role::Member), Err(Refusal::AlreadyMember));
    assert_eq!(writes(&fold, STRANGER), Err(Refusal::NotMember));
}

fn target(own: bool, late: bool, seen: u64) -> Target {
    Target { seq: Seq::new(5), seen: Seq::new(seen), own, late, objection: None }
}

fn on(target: Target, act: MessageAct) -> EntryDraft {
    entry(45, Effect::OnMessage { target, act })
}

fn edit() -> MessageAct {
    MessageAct::Edit { body: Bytes::new(), mentions: Vec::new() }
}

fn react(set: bool, known: bool) -> MessageAct {
    MessageAct::React { emoji: "x".into(), set, known }
}

#[test]
fn a_message_is_its_sender_s_and_for_a_while_and_an_admin_recalls_any() {
    let judge = |sender, own, late, act| RULES.judge(&group(), sender, &on(target(own, late, 9), act));
    for sender in [OWNER, ADMIN, MEMBER] {
        assert_eq!(judge(sender, true, false, edit()), Ok(()));
        assert_eq!(judge(sender, false, false, edit()), Err(Refusal::NotYours));
        assert_eq!(judge(sender, true, true, edit()), Err(Refusal::TooLate));
        assert_eq!(judge(sender, false, true, react(true, false)), Ok(()));
    }
    assert_eq!(judge(MEMBER, true, false, MessageAct::Recall), Ok(()));
    assert_eq!(judge(MEMBER, true, true, MessageAct::Recall), Err(Refusal::TooLate));
    assert_eq!(judge(MEMBER, false, false, MessageAct::Recall), Err(Refusal::NotYours));
    for sender in [OWNER, ADMIN] {
        assert_eq!(judge(sender, false, true, MessageAct::Recall), Ok(()));
    }
    assert_eq!(judge(STRANGER, true, false, MessageAct::Recall), Err(Refusal::NotMember));
}

#[test]
fn who_is_muted_recalls_and_does_nothing_else_to_a_message() {
    let mut fold = group();
    fold.set_member(MEMBER, Some(Member { role: Some(Role::Member), muted: true, ..Member::default() }));
    let judge = |act| RULES.judge(&fold, MEMBER, &on(target(true, false, 9), act));
    assert_eq!(judge(edit()), Err(Refusal::Muted));
    assert_eq!(judge(react(true, true)), Err(Refusal::Muted));
    assert_eq!(judge(MessageAct::Recall), Ok(()));
}

#[test]
fn a_look_at_a_message_is_out_of_date_when_something_was_done_to_it_since() {
    let mut fold = group();
    fold.settings.changes = Changes::since(Seq::new(10));
    let judge =
        |fold: &ChatFold, seen| RULES.judge(fold, MEMBER, &on(target(true, false, seen), react(true, false)));
    assert_eq!(judge(&fold, 9), Err(Refusal::LookAgain), "nobody watched then");
    assert_eq!(judge(&fold, 10), Ok(()));
    RULES.apply(&mut fold, Seq::new(11), MEMBER, &on(target(true, false, 10), react(true, true)));
    assert_eq!(judge(&fold, 10), Ok(()), "one more of those who do the same");
    for (at, act) in (12..).zip([edit(), react(false, true), react(true, false), MessageAct::Recall]) {
        RULES.apply(&mut fold, Seq::new(at), MEMBER, &on(target(true, false, 10), act));
        assert_eq!(judge(&fold, at - 1), Err(Refusal::LookAgain));
        assert_eq!(judge(&fold, at), Ok(()));
    }
    let other = Target { seq: Seq::new(6), ..target(true, false, 10) };
    assert_eq!(RULES.judge(&fold, MEMBER, &on(other, edit())), Ok(()), "that was another message");
    for at in 16..80 {
        let other = Target { seq: Seq::new(7), ..target(true, false, 10) };
        RULES.apply(&mut fold, Seq::new(at), MEMBER, &on(other, edit()));
    }
    assert_eq!(judge(&fold, 14), Err(Refusal::LookAgain), "no more is remembered");
    assert_eq!(judge(&fold, 79), Ok(()));
}
