//! Who may do what in a group.

use goim_core::UserId;
use goim_proto::{ConversationKind, GroupChange, JoinPolicy, Role};

use super::{ChatFold, ChatRules, Refusal, message};
use crate::store::{Effect, GroupSettings, Member, MessageAct};

/// How often one user is let into a group: each time is a range more to look through, whenever he
/// reads, and whoever may join can leave and come back as he likes.
pub(super) const STAYS_MAX: u32 = 100;

/// Whether a member may do this.
pub(super) fn judge(fold: &ChatFold, sender: UserId, role: Role, effect: &Effect) -> Result<(), Refusal> {
    let settings = fold.settings.group;
    let leaves = matches!(effect, Effect::Part { user } if *user == sender);
    if settings.dismissed {
        return if leaves { Ok(()) } else { Err(Refusal::Dismissed) };
    }
    let owns = role == Role::Owner;
    let manages = owns || role == Role::Admin;
    match effect {
        Effect::OnMessage { target, act: act @ MessageAct::Recall } => {
            message::judge(fold, manages, target, act)
        }
        Effect::None | Effect::Mention { .. } | Effect::OnMessage { .. }
            if !owns && (is_muted(fold, sender) || (settings.muted && !manages)) =>
        {
            Err(Refusal::Muted)
        }
        Effect::None | Effect::Mention { .. } => Ok(()),
        Effect::OnMessage { target, act } => message::judge(fold, manages, target, act),
        Effect::Part { .. } if leaves && owns => Err(Refusal::OwnerStays),
        Effect::Part { .. } if leaves => Ok(()),
        Effect::Join { users } => judge_additions(fold, manages, users),
        Effect::Admit { user } if manages => judge_admission(fold, *user),
        Effect::Part { user } => judge_over(fold, role, *user),
        Effect::SetMuted { user, .. } if *user != sender => judge_over(fold, role, *user),
        Effect::Retitle { .. } | Effect::Change(_) if manages => Ok(()),
        Effect::Dismiss if owns => Ok(()),
        Effect::SetRole { user, role: Role::Admin | Role::Member } | Effect::Transfer { to: user }
            if owns && *user != sender =>
        {
            self::role(fold, *user).map(|_| ()).ok_or(Refusal::NoSuchMember)
        }
        Effect::SetMuted { .. }
        | Effect::Admit { .. }
        | Effect::Retitle { .. }
        | Effect::Change(_)
        | Effect::Dismiss
        | Effect::SetRole { .. }
        | Effect::Transfer { .. } => Err(Refusal::Forbidden),
    }
}

/// Whether somebody may join by himself.
pub(super) fn judge_joining(fold: &ChatFold, sender: UserId, effect: &Effect) -> Result<(), Refusal> {
    let settings = fold.settings.group;
    let joins = matches!(effect, Effect::Join { users } if **users == [(sender, Role::Member)]);
    if !joins || !fold.settings.opened {
        return Err(Refusal::Forbidden);
    }
    if role(fold, sender).is_some() {
        return Err(Refusal::AlreadyMember);
    }
    if settings.dismissed || settings.policy != JoinPolicy::Open {
        return Err(Refusal::NotOpen);
    }
    Ok(())
}

fn judge_additions(fold: &ChatFold, manages: bool, users: &[(UserId, Role)]) -> Result<(), Refusal> {
    if !manages || users.iter().any(|(_, role)| *role != Role::Member) {
        return Err(Refusal::Forbidden);
    }
    if users.iter().any(|(user, _)| role(fold, *user).is_some()) {
        return Err(Refusal::AlreadyMember);
    }
    Ok(())
}

/// An application is what stands for the applicant's settings and blocks: without one that is open,
/// nobody is let in past them.
fn judge_admission(fold: &ChatFold, user: UserId) -> Result<(), Refusal> {
    match fold.member(user) {
        Some(member) if member.applies && member.role.is_none() => Ok(()),
        Some(_) | None => Err(Refusal::NoApplication),
    }
}

/// Whether there is room for those whom an entry lets in.
pub(super) fn judge_room(rules: ChatRules, fold: &ChatFold, effect: &Effect) -> Result<(), Refusal> {
    let joins = matches!(effect, Effect::Join { .. } | Effect::Admit { .. });
    if !joins || fold.settings.kind != ConversationKind::Group {
        return Ok(());
    }
    let mut users = Vec::new();
    effect.involved(&mut users);
    if fold.settings.group.members + users.len() as u64 > rules.group_members_max {
        return Err(Refusal::TooManyMembers);
    }
    let often = |user: &UserId| fold.member(*user).is_some_and(|member| member.stays >= STAYS_MAX);
    if users.iter().any(often) { Err(Refusal::TooManyStays) } else { Ok(()) }
}

/// Whether a role is over that of a member, who is removed or muted.
fn judge_over(fold: &ChatFold, role: Role, user: UserId) -> Result<(), Refusal> {
    let under = match (role, self::role(fold, user)) {
        (Role::Owner | Role::Admin, None) => return Err(Refusal::NoSuchMember),
        (Role::Owner | Role::Admin, Some(under)) => under,
        _ => return Err(Refusal::Forbidden),
    };
    match (role, under) {
        (Role::Owner, _) | (Role::Admin, Role::Member) => Ok(()),
        _ => Err(Refusal::Forbidden),
    }
}

/// A member's role; `None` of somebody who is not one.
pub(super) fn role(fold: &ChatFold, user: UserId) -> Option<Role> {
    fold.member(user)?.role
}

/// Whoever is let in has his application accepted by that.
pub(super) fn let_in(fold: &mut ChatFold, user: UserId, role: Role) {
    let was = fold.member(user).copied().unwrap_or_default();
    let stays = was.stays.saturating_add(1);
    fold.set_member(user, Some(Member { role: Some(role), stays, applies: false, ..was }));
    fold.settings.group.members += 1;
}

pub(super) fn let_go(fold: &mut ChatFold, user: UserId) {
    let member = fold.member(user).map(|member| Member { role: None, ..*member });
    fold.set_member(user, member);
    fold.settings.group.members = fold.settings.group.members.saturating_sub(1);
}

pub(super) fn is_muted(fold: &ChatFold, user: UserId) -> bool {
    fold.member(user).is_some_and(|member| member.muted)
}

pub(super) fn set_role(fold: &mut ChatFold, user: UserId, role: Role) {
    let member = fold.member(user).map(|member| Member { role: Some(role), ..*member });
    fold.set_member(user, member);
}

pub(super) fn change(settings: &mut GroupSettings, change: &GroupChange) {
    settings.policy = change.policy.unwrap_or(settings.policy);
    settings.muted = change.muted.unwrap_or(settings.muted);
}
