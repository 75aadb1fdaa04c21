//! What an entry says about who reads.

use bytes::Bytes;
use goim_core::room::Change;
use goim_core::{Entry, Seq};
use goim_proto::{Content, MessageList};

/// Contents with a lower code are messages, which change nothing; such a code is one byte, behind
/// the array's one.
const MESSAGE_CODES_END: u8 = 32;

/// `Content::Recalled`'s code, at the same place.
const RECALLED: u8 = 45;
/// `Content::DeletedForMe`'s.
const DELETED_FOR_ME: u8 = 70;

/// The message that an entry recalls; most recall none.
pub(super) fn recalled(entry: &Entry<Bytes>) -> Option<Seq> {
    if entry.body.get(1) != Some(&RECALLED) {
        return None;
    }
    match Content::decode(&entry.body) {
        Ok(Content::Recalled(recalled)) => Some(recalled.seq),
        Ok(_) | Err(_) => None,
    }
}

/// The messages that an inbox's owner has deleted for himself; most entries tell of none.
pub(super) fn deleted(entry: &Entry<Bytes>) -> Option<MessageList> {
    if entry.body.get(1) != Some(&DELETED_FOR_ME) {
        return None;
    }
    match Content::decode(&entry.body) {
        Ok(Content::DeletedForMe(list)) => Some(list),
        Ok(_) | Err(_) => None,
    }
}

/// The change that an entry makes; most make none.
pub(super) fn of(entry: &Entry<Bytes>) -> Option<Change> {
    if entry.body.get(1).is_some_and(|code| *code < MESSAGE_CODES_END) {
        return None;
    }
    // Content is not exhaustive here: what this server does not know changes nothing.
    #[allow(clippy::wildcard_enum_match_arm, reason = "every other content leaves the readers as they are")]
    match Content::decode(&entry.body).ok()? {
        Content::GroupCreated(created) => {
            let mut users = created.members;
            users.push(entry.sender);
            Some(Change::Added(users))
        }
        Content::DirectOpened(opened) => Some(Change::Added(vec![entry.sender, opened.user])),
        Content::MemberJoined => Some(Change::Added(vec![entry.sender])),
        Content::MembersAdded(added) => Some(Change::Added(added.users)),
        Content::MemberRemoved(removed) => Some(Change::Gone(removed.user)),
        Content::MemberLeft => Some(Change::Gone(entry.sender)),
        Content::AddedTo(place) => Some(Change::InvitedTo(place.conversation, place.seq)),
        _ => None,
    }
}
