//! What the entries of a conversation mean: who may append what, and what it changes. The lanes
//! ask, with the state as of the entry before, so there is no moment in which a removed member's
//! message slips in behind his removal.

use goim_core::lane::{Fold, Rules};
use goim_core::{Seq, UserId};
use goim_proto::{ConversationKind, Error, ErrorCode, Role};

use crate::store::{Effect, EntryDraft, EntryKind, Member, Settings};

/// The content codes that rules tell apart.
const GROUP_CREATED: EntryKind = EntryKind(32);
const DIRECT_OPENED: EntryKind = EntryKind(37);
const INBOX_BEGIN: EntryKind = EntryKind(64);

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
    /// Whom to remove is not a member.
    #[error("the user is not a member of the conversation")]
    NoSuchMember,
    /// The conversation has its first entry.
    #[error("the conversation is open already")]
    AlreadyOpened,
    /// A group keeps its owner.
    #[error("the owner cannot leave the group")]
    OwnerStays,
}

impl Refusal {
    /// The refusal as the wire carries it.
    #[must_use]
    pub fn into_error(self) -> Error {
        let code = match self {
            Self::NotMember => ErrorCode::NotMember,
            Self::Blocked | Self::Forbidden | Self::OwnerStays => ErrorCode::Forbidden,
            Self::AlreadyMember | Self::AlreadyOpened => ErrorCode::BadArgument,
            Self::NoSuchMember => ErrorCode::NotFound,
        };
        Error::new(code, self.to_string())
    }
}

/// The rules of direct chats, groups and inboxes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChatRules;

type ChatFold = Fold<Settings, Member>;

impl Rules for ChatRules {
    type Entry = EntryDraft;
    type Settings = Settings;
    type Member = Member;
    type Refusal = Refusal;

    fn involved(&self, entry: &EntryDraft, users: &mut Vec<UserId>) {
        match &entry.effect {
            Effect::Join { users: joining } => users.extend(joining.iter().map(|(user, _)| *user)),
            Effect::Part { user } => users.push(*user),
            Effect::None | Effect::Retitle { .. } => {}
        }
    }

    fn judge(&self, fold: &ChatFold, sender: UserId, entry: &EntryDraft) -> Result<(), Refusal> {
        let inbox = fold.settings.kind == ConversationKind::Inbox;
        // What inboxes are told comes from this server's own worker, and nothing else does.
        if inbox || entry.kind >= INBOX_BEGIN {
            let told = inbox && entry.kind >= INBOX_BEGIN && entry.effect == Effect::None;
            return if told { Ok(()) } else { Err(Refusal::Forbidden) };
        }
        if fold.settings.closed_to.contains(&sender) {
            return Err(Refusal::Blocked);
        }
        if entry.kind == GROUP_CREATED || entry.kind == DIRECT_OPENED {
            return judge_opening(fold, sender, entry);
        }
        let role = fold.member(sender).ok_or(Refusal::NotMember)?.role;
        let manages = matches!(role, Role::Owner | Role::Admin);
        let group = fold.settings.kind == ConversationKind::Group;
        match &entry.effect {
            Effect::None => Ok(()),
            Effect::Join { .. } | Effect::Part { .. } | Effect::Retitle { .. } if !group => {
                Err(Refusal::Forbidden)
            }
            Effect::Join { users } => judge_join(fold, manages, users),
            Effect::Retitle { .. } if manages => Ok(()),
            Effect::Retitle { .. } => Err(Refusal::Forbidden),
            Effect::Part { user } if *user == sender => match role {
                Role::Owner => Err(Refusal::OwnerStays),
                Role::Admin | Role::Member | _ => Ok(()),
            },
            Effect::Part { user } => judge_removal(fold, role, *user),
        }
    }

    fn has_effects(&self, entry: &EntryDraft) -> bool {
        entry.effect != Effect::None
    }

    fn apply(&self, fold: &mut ChatFold, _seq: Seq, _sender: UserId, entry: &EntryDraft) {
        match &entry.effect {
            Effect::None | Effect::Retitle { .. } => {}
            Effect::Join { users } => {
                fold.settings.opened = true;
                for (user, role) in users {
                    fold.set_member(*user, Some(Member { role: *role }));
                }
            }
            Effect::Part { user } => fold.set_member(*user, None),
        }
    }

    fn counts(&self, entry: &EntryDraft) -> bool {
        entry.kind.is_message()
    }

    fn bytes(&self, entry: &EntryDraft) -> usize {
        let listed = match &entry.effect {
            Effect::Join { users } => size_of_val(users.as_slice()),
            Effect::Retitle { title } => title.len(),
            Effect::None | Effect::Part { .. } => 0,
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
        ConversationKind::Direct => entry.kind == DIRECT_OPENED,
        ConversationKind::Group => entry.kind == GROUP_CREATED && sender == fold.settings.creator,
        ConversationKind::Inbox | _ => false,
    };
    let joins = users.iter().any(|(user, _)| *user == sender);
    if own && joins { Ok(()) } else { Err(Refusal::Forbidden) }
}

fn judge_join(fold: &ChatFold, manages: bool, users: &[(UserId, Role)]) -> Result<(), Refusal> {
    if !manages || users.iter().any(|(_, role)| *role != Role::Member) {
        return Err(Refusal::Forbidden);
    }
    if users.iter().any(|(user, _)| fold.member(*user).is_some()) {
        return Err(Refusal::AlreadyMember);
    }
    Ok(())
}

fn judge_removal(fold: &ChatFold, remover: Role, user: UserId) -> Result<(), Refusal> {
    let removed = match (remover, fold.member(user)) {
        (Role::Owner | Role::Admin, None) => return Err(Refusal::NoSuchMember),
        (Role::Owner | Role::Admin, Some(member)) => member.role,
        _ => return Err(Refusal::Forbidden),
    };
    match (remover, removed) {
        (Role::Owner, _) | (Role::Admin, Role::Member) => Ok(()),
        _ => Err(Refusal::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const OWNER: UserId = UserId::new(1);
    const ADMIN: UserId = UserId::new(2);
    const MEMBER: UserId = UserId::new(3);
    const STRANGER: UserId = UserId::new(4);

    const NOBODY: [UserId; 2] = [UserId::new(0); 2];

    fn group() -> ChatFold {
        let settings =
            Settings { kind: ConversationKind::Group, creator: OWNER, opened: true, closed_to: NOBODY };
        let mut fold = Fold::new(settings);
        for (user, role) in [(OWNER, Role::Owner), (ADMIN, Role::Admin), (MEMBER, Role::Member)] {
            fold.set_member(user, Some(Member { role }));
        }
        fold.set_member(STRANGER, None);
        fold
    }

    fn entry(kind: i16, effect: Effect) -> EntryDraft {
        EntryDraft { kind: EntryKind(kind), body: Bytes::new(), effect }
    }

    fn judge(sender: UserId, kind: i16, effect: Effect) -> Result<(), Refusal> {
        ChatRules.judge(&group(), sender, &entry(kind, effect))
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
        let settings =
            Settings { kind: ConversationKind::Inbox, creator: OWNER, opened: true, closed_to: NOBODY };
        let mut inbox = Fold::new(settings);
        inbox.set_member(OWNER, Some(Member { role: Role::Member }));
        assert_eq!(ChatRules.judge(&inbox, OWNER, &entry(1, Effect::None)), Err(Refusal::Forbidden));
        assert_eq!(ChatRules.judge(&inbox, ADMIN, &entry(64, Effect::None)), Ok(()));
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
        let settings =
            Settings { kind: ConversationKind::Group, creator: OWNER, opened: false, closed_to: NOBODY };
        let mut fold = ChatFold::new(settings);
        let open = |sender| entry(32, Effect::Join { users: vec![(sender, Role::Owner)] });
        assert_eq!(ChatRules.judge(&fold, STRANGER, &open(STRANGER)), Err(Refusal::Forbidden));
        assert_eq!(ChatRules.judge(&fold, OWNER, &open(OWNER)), Ok(()));
        ChatRules.apply(&mut fold, Seq::FIRST, OWNER, &open(OWNER));
        assert_eq!(ChatRules.judge(&fold, OWNER, &open(OWNER)), Err(Refusal::AlreadyOpened));
        assert_eq!(ChatRules.judge(&fold, OWNER, &entry(1, Effect::None)), Ok(()));
    }

    #[test]
    fn who_is_blocked_neither_writes_nor_opens_a_direct_chat() {
        let direct = |opened, closed_to| {
            let mut fold =
                Fold::new(Settings { kind: ConversationKind::Direct, creator: OWNER, opened, closed_to });
            for user in [OWNER, MEMBER] {
                fold.set_member(user, opened.then_some(Member { role: Role::Member }));
            }
            fold
        };
        let one = [MEMBER, UserId::new(0)];
        let text = entry(1, Effect::None);
        assert_eq!(ChatRules.judge(&direct(true, one), MEMBER, &text), Err(Refusal::Blocked));
        assert_eq!(ChatRules.judge(&direct(true, one), OWNER, &text), Ok(()));
        assert_eq!(ChatRules.judge(&direct(true, [OWNER, MEMBER]), MEMBER, &text), Err(Refusal::Blocked));
        let open = entry(37, Effect::Join { users: vec![(OWNER, Role::Member), (MEMBER, Role::Member)] });
        assert_eq!(ChatRules.judge(&direct(false, one), MEMBER, &open), Err(Refusal::Blocked));
        assert_eq!(ChatRules.judge(&direct(false, one), OWNER, &open), Ok(()));
        assert_eq!(ChatRules.judge(&direct(true, NOBODY), MEMBER, &text), Ok(()));
    }

    #[test]
    fn a_removed_member_is_out_from_the_next_entry_on() {
        let mut fold = group();
        ChatRules.apply(&mut fold, Seq::new(9), OWNER, &entry(34, Effect::Part { user: MEMBER }));
        assert_eq!(ChatRules.judge(&fold, MEMBER, &entry(1, Effect::None)), Err(Refusal::NotMember));
    }
}
