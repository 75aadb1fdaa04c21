//! What the logs of a world consist of, and the rules that they obey.

use goim_core::lane::{Fold, Rules};
use goim_core::{ConversationId, Entry, Msg, Seq, UserId};

/// The server itself: it tells inboxes, and its rivals write notes.
pub(crate) const SYSTEM: UserId = UserId::new(1 << 40);

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The conversation begins, with its first members.
    Created,
    /// A device's n-th message; no two are alike.
    Say { device: u32, n: u32 },
    /// The same, but such as the store cannot take.
    Poison { device: u32, n: u32 },
    /// Lets somebody in.
    Add(UserId),
    /// Puts somebody out.
    Remove(UserId),
    /// Goes by himself.
    Leave,
    /// In an inbox: its owner was added there, by that entry.
    Invited { conversation: ConversationId, seq: Seq },
    /// What a rival committer writes; no two are alike.
    Note(u64),
}

impl Content {
    pub(crate) const fn is_message(self) -> bool {
        matches!(self, Self::Say { .. } | Self::Poison { .. } | Self::Note(_))
    }

    pub(crate) const fn has_effects(self) -> bool {
        matches!(self, Self::Add(_) | Self::Remove(_) | Self::Leave)
    }

    pub(crate) fn encode(self) -> Body {
        let (code, a, b) = match self {
            Self::Created => (0, 0, 0),
            Self::Say { device, n } => (1, u64::from(device), u64::from(n)),
            Self::Poison { device, n } => (2, u64::from(device), u64::from(n)),
            Self::Add(user) => (3, user.as_u64(), 0),
            Self::Remove(user) => (4, user.as_u64(), 0),
            Self::Leave => (5, 0, 0),
            Self::Invited { conversation, seq } => (6, conversation.as_u64(), seq.as_u64()),
            Self::Note(n) => (7, n, 0),
        };
        let mut bytes = [0; 17];
        bytes[0] = code;
        bytes[1..9].copy_from_slice(&a.to_be_bytes());
        bytes[9..].copy_from_slice(&b.to_be_bytes());
        Body(bytes)
    }

    /// What a body says; only this module makes bodies.
    pub(crate) fn of(body: &Body) -> Self {
        let number = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&body.0[from..from + 8]);
            u64::from_be_bytes(bytes)
        };
        let (a, b) = (number(1), number(9));
        // They were widened from this.
        let (device, n) = (u32::try_from(a).unwrap_or(u32::MAX), u32::try_from(b).unwrap_or(u32::MAX));
        match body.0[0] {
            0 => Self::Created,
            1 => Self::Say { device, n },
            2 => Self::Poison { device, n },
            3 => Self::Add(UserId::new(a)),
            4 => Self::Remove(UserId::new(a)),
            5 => Self::Leave,
            6 => Self::Invited { conversation: ConversationId::new(a), seq: Seq::new(b) },
            _ => Self::Note(a),
        }
    }
}

/// An encoded content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body([u8; 17]);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// An entry as nodes keep it and readers get it.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) Entry<Body>);

impl Msg for Kept {
    fn seq(&self) -> Seq {
        self.0.seq
    }

    fn bytes(&self) -> usize {
        self.0.body.0.len()
    }
}

/// What a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Group,
    Direct,
    Inbox,
}

/// The fold of a conversation apart from its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) kind: Kind,
    pub(crate) blocked: bool,
}

/// Why an entry was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotMember,
    Blocked,
}

/// Members write, add and remove; a block silences a direct chat; inboxes are the server's.
#[derive(Debug)]
pub(crate) struct SimRules;

/// Whether this is allowed in a conversation with such settings and members.
pub(crate) fn judge(
    settings: Settings,
    is_member: impl Fn(UserId) -> bool,
    sender: UserId,
    content: Content,
) -> Result<(), Refusal> {
    let is_systems = matches!(content, Content::Invited { .. } | Content::Note(_));
    if sender == SYSTEM || is_systems {
        return if sender == SYSTEM && is_systems { Ok(()) } else { Err(Refusal::NotMember) };
    }
    if settings.blocked {
        return Err(Refusal::Blocked);
    }
    let fits = match content {
        Content::Add(user) => settings.kind == Kind::Group && !is_member(user),
        Content::Remove(user) => settings.kind == Kind::Group && is_member(user),
        Content::Leave => settings.kind == Kind::Group,
        Content::Say { .. } | Content::Poison { .. } => settings.kind != Kind::Inbox,
        Content::Created | Content::Invited { .. } | Content::Note(_) => false,
    };
    if fits && is_member(sender) { Ok(()) } else { Err(Refusal::NotMember) }
}

impl Rules for SimRules {
    type Entry = Content;
    type Settings = Settings;
    type Member = ();
    type Refusal = Refusal;

    fn involved(&self, entry: &Content, users: &mut Vec<UserId>) {
        if let Content::Add(user) | Content::Remove(user) = entry {
            users.push(*user);
        }
    }

    fn judge(&self, fold: &Fold<Settings, ()>, sender: UserId, entry: &Content) -> Result<(), Refusal> {
        judge(fold.settings, |user| fold.member(user).is_some(), sender, *entry)
    }

    fn has_effects(&self, entry: &Content) -> bool {
        entry.has_effects()
    }

    fn apply(&self, fold: &mut Fold<Settings, ()>, _: Seq, sender: UserId, entry: &Content) {
        match entry {
            Content::Add(user) => fold.set_member(*user, Some(())),
            Content::Remove(user) => fold.set_member(*user, None),
            Content::Leave => fold.set_member(sender, None),
            Content::Created
            | Content::Say { .. }
            | Content::Poison { .. }
            | Content::Invited { .. }
            | Content::Note(_) => {}
        }
    }

    fn counts(&self, entry: &Content) -> bool {
        entry.is_message()
    }

    fn bytes(&self, _: &Content) -> usize {
        size_of::<Body>()
    }
}
