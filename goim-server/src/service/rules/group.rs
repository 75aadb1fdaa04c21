//! Who may do what in a group.

use goim_core::UserId;
use goim_proto::{GroupChange, JoinPolicy, Role};

use super::{ChatFold, Refusal, message};
use crate::store::{Effect, GroupSettings, Member, MessageAct};

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
        Effect::None | Effect::OnMessage { .. }
            if !owns && (is_muted(fold, sender) || (settings.muted && !manages)) =>
        {
            Err(Refusal::Muted)
        }
        Effect::None => Ok(()),
        Effect::OnMessage { target, act } => message::judge(fold, manages, target, act),
        Effect::Part { .. } if leaves && owns => Err(Refusal::OwnerStays),
        Effect::Part { .. } if leaves => Ok(()),
        Effect::Join { users } => judge_additions(fold, manages, users),
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
