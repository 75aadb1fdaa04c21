//! What the entries of a conversation mean: who may append what, and what it changes. The lanes
//! ask, with the state as of the entry before, so there is no moment in which a removed member's
//! message slips in behind his removal.

mod group;
mod message;

use goim_core::lane::{Fold, Rules};
use goim_core::{Seq, UserId};
use goim_proto::{ConversationKind, Error, ErrorCode, GroupChange, Role};

use crate::config::Limits;
use crate::store::{Effect, EntryDraft, EntryKind, Member, MessageAct, Objection, Settings};

/// What an entry holds in memory besides its body and its list of users.
const ENTRY_BYTES: usize = 96;

/// Why an entry was refused. Each is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The sender is not a member.
    #[error("you are not a member of the conversation")]
    NotMember,
    /// The other one in a direct chat blocks the sender.
    #[error("the user takes no messages from you")]
    Blocked,
    /// The sender's role does not allow it.
    #[error("your role in the conversation does not allow this")]
    Forbidden,
    /// Somebody to be added is a member.
    #[error("somebody of those is a member already; add the others alone")]
    AlreadyMember,
    /// Nobody has applied whom the entry would let in for that.
    #[error("this user has no open application here")]
    NoApplication,
    /// Somebody was let in too often.
    #[error("somebody of those has come and gone too often to be let in again")]
    TooManyStays,
    /// The group is full.
    #[error("the group would have more members than this server allows")]
    TooManyMembers,
    /// Whom to remove is not a member.
    #[error("the user is not a member of the conversation")]
    NoSuchMember,
    /// The conversation has its first entry.
    #[error("the conversation is open already")]
    AlreadyOpened,
    /// The sender, or everybody but owner and admins, is muted.
    #[error("you are muted in this group; ask its owner or an admin")]
    Muted,
    /// The group was dismissed.
    #[error("the group was dismissed; nothing is written there any more")]
    Dismissed,
    /// The group is not open to whoever wants to join.
    #[error("the group is not open to everybody any more; look it up again")]
    NotOpen,
    /// A group keeps its owner.
    #[error("the owner cannot leave the group; hand it over or dismiss it first")]
    OwnerStays,
    /// Something about the message forbids it.
    #[error(transparent)]
    Message(#[from] Objection),
    /// Only its sender may do this, or who manages the group.
    #[error("the message is not yours")]
    NotYours,
    /// The message is too old for its sender to do this.
    #[error("the message is too old for this")]
    TooLate,
    /// Something may have been done to the message since it was looked at. It is looked at again.
    #[error("too much is done to this message at once; try again")]
    LookAgain,
}

impl Refusal {
    /// The refusal as the wire carries it.
    #[must_use]
    pub fn into_error(self) -> Error {
        let code = match self {
            Self::NotMember => ErrorCode::NotMember,
            Self::Blocked
            | Self::Forbidden
            | Self::Muted
            | Self::Dismissed
            | Self::NotOpen
            | Self::OwnerStays
            | Self::NotYours
            | Self::TooLate => ErrorCode::Forbidden,
            Self::AlreadyMember | Self::AlreadyOpened | Self::Message(Objection::OtherKind) => {
                ErrorCode::BadArgument
            }
            Self::NoSuchMember
            | Self::NoApplication
            | Self::Message(Objection::NoSuchMessage | Objection::Recalled) => ErrorCode::NotFound,
            Self::TooManyStays
            | Self::TooManyMembers
            | Self::Message(Objection::TooManyEdits | Objection::TooManyReactions) => ErrorCode::TooLarge,
            Self::LookAgain => ErrorCode::Unavailable,
        };
        Error::new(code, self.to_string())
    }
}

/// The rules of direct chats, groups and inboxes.
#[derive(Debug, Clone, Copy)]
pub struct ChatRules {
    /// Members of a group.
    pub group_members_max: u64,
}

impl ChatRules {
    /// The rules of a server with these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { group_members_max: limits.group_members_max as u64 }
    }
}

type ChatFold = Fold<Settings, Member>;

impl Rules for ChatRules {
    type Entry = EntryDraft;
    type Settings = Settings;
    type Member = Member;
    type Refusal = Refusal;

    fn involved(&self, entry: &EntryDraft, users: &mut Vec<UserId>) {
        entry.effect.involved(users);
    }

    fn judge(&self, fold: &ChatFold, sender: UserId, entry: &EntryDraft) -> Result<(), Refusal> {
        let inbox = fold.settings.kind == ConversationKind::Inbox;
        // What inboxes are told comes from this server's own worker, and nothing else does.
        if inbox || entry.kind >= EntryKind::INBOX_BEGIN {
            let told = inbox && entry.kind >= EntryKind::INBOX_BEGIN && entry.effect == Effect::None;
            return if told { Ok(()) } else { Err(Refusal::Forbidden) };
        }
        if fold.settings.closed_to.contains(&sender) {
            return Err(Refusal::Blocked);
        }
        if entry.kind == EntryKind::GROUP_CREATED || entry.kind == EntryKind::DIRECT_OPENED {
            judge_opening(fold, sender, entry)?;
            return group::judge_room(*self, fold, &entry.effect);
        }
        if entry.kind == EntryKind::MEMBER_JOINED {
            group::judge_joining(fold, sender, &entry.effect)?;
            return group::judge_room(*self, fold, &entry.effect);
        }
        let role = group::role(fold, sender).ok_or(Refusal::NotMember)?;
        match (fold.settings.kind, &entry.effect) {
            (ConversationKind::Group, effect) => {
                group::judge(fold, sender, role, effect)?;
                group::judge_room(*self, fold, effect)
            }
            (_, Effect::None | Effect::Mention { .. }) => Ok(()),
            (_, Effect::OnMessage { target, act }) => message::judge(fold, false, target, act),
            _ => Err(Refusal::Forbidden),
        }
    }

    fn has_effects(&self, entry: &EntryDraft) -> bool {
        entry.effect != Effect::None
    }

    fn apply(&self, fold: &mut ChatFold, seq: Seq, sender: UserId, entry: &EntryDraft) {
        match &entry.effect {
            Effect::None | Effect::Mention { .. } | Effect::Retitle { .. } => {}
            Effect::Join { users } => {
                fold.settings.opened = true;
                for (user, role) in users {
                    group::let_in(fold, *user, *role);
                }
            }
            Effect::Admit { user } => group::let_in(fold, *user, Role::Member),
            Effect::Part { user } => group::let_go(fold, *user),
            Effect::SetRole { user, role } => group::set_role(fold, *user, *role),
            Effect::SetMuted { user, muted } => {
                let member = fold.member(*user).map(|member| Member { muted: *muted, ..*member });
                fold.set_member(*user, member);
            }
            Effect::Transfer { to } => {
                group::set_role(fold, sender, Role::Admin);
                group::set_role(fold, *to, Role::Owner);
            }
            Effect::Change(change) => group::change(&mut fold.settings.group, change),
            Effect::Dismiss => fold.settings.group.dismissed = true,
            Effect::OnMessage { target, act } if act.unsettles() => {
                fold.settings.changes.note(target.seq, seq);
            }
            Effect::OnMessage { .. } => {}
        }
    }

    fn counts(&self, entry: &EntryDraft) -> bool {
        entry.kind.is_message()
    }

    fn bytes(&self, entry: &EntryDraft) -> usize {
        let listed = match &entry.effect {
            Effect::Join { users } => size_of_val(users.as_slice()),
            Effect::Mention { users } => size_of_val(users.as_slice()),
            Effect::Retitle { title } => title.len(),
            Effect::Change(GroupChange { avatar, announcement, .. }) => {
                [avatar, announcement].into_iter().flatten().map(String::len).sum()
            }
            Effect::OnMessage { act: MessageAct::Edit { body, mentions }, .. } => {
                body.len() + size_of_val(mentions.as_slice())
            }
            Effect::OnMessage { act: MessageAct::React { emoji, .. }, .. } => emoji.len(),
            Effect::OnMessage { act: MessageAct::Recall, .. }
            | Effect::None
            | Effect::Admit { .. }
            | Effect::Part { .. }
            | Effect::SetRole { .. }
            | Effect::SetMuted { .. }
            | Effect::Transfer { .. }
            | Effect::Dismiss => 0,
        };
        ENTRY_BYTES + entry.body.len() + listed
    }
}

fn judge_opening(fold: &ChatFold, sender: UserId, entry: &EntryDraft) -> Result<(), Refusal> {
    if fold.settings.opened {
        return Err(Refusal::AlreadyOpened);
    }
    let Effect::Join { users } = &entry.effect else { return Err(Refusal::Forbidden) };
    // Either side may be the one that opens a direct chat; a group is its creator's.
    let own = match fold.settings.kind {
        ConversationKind::Direct => entry.kind == EntryKind::DIRECT_OPENED,
        ConversationKind::Group => entry.kind == EntryKind::GROUP_CREATED && sender == fold.settings.creator,
        ConversationKind::Inbox | _ => false,
    };
    let joins = users.iter().any(|(user, _)| *user == sender);
    if own && joins { Ok(()) } else { Err(Refusal::Forbidden) }
}

#[cfg(test)]
mod tests;
