//! What an entry says about who reads.

use bytes::Bytes;
use goim_core::{ConversationId, Entry, UserId};
use goim_proto::Content;

/// Contents with a lower code are messages, which change nothing; such a code is one byte, behind
/// the array's one.
const MESSAGE_CODES_END: u8 = 32;

/// A change of who reads a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// These read from this entry on.
    Added(Vec<UserId>),
    /// This one reads up to and including this entry.
    Gone(UserId),
    /// In an inbox: its owner was added to another conversation.
    InvitedTo(ConversationId),
}

impl Change {
    /// The change that an entry makes; most make none.
    pub(super) fn of(entry: &Entry<Bytes>) -> Option<Self> {
        if entry.body.get(1).is_some_and(|code| *code < MESSAGE_CODES_END) {
            return None;
        }
        // Content is not exhaustive here: what this server does not know changes nothing.
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "every other content leaves the readers as they are"
        )]
        match Content::decode(&entry.body).ok()? {
            Content::GroupCreated(created) => {
                let mut users = created.members;
                users.push(entry.sender);
                Some(Self::Added(users))
            }
            Content::DirectOpened(opened) => Some(Self::Added(vec![entry.sender, opened.user])),
            Content::MemberJoined => Some(Self::Added(vec![entry.sender])),
            Content::MembersAdded(added) => Some(Self::Added(added.users)),
            Content::MemberRemoved(removed) => Some(Self::Gone(removed.user)),
            Content::MemberLeft => Some(Self::Gone(entry.sender)),
            Content::AddedTo(place) => Some(Self::InvitedTo(place.conversation)),
            _ => None,
        }
    }
}
