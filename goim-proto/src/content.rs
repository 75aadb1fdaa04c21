//! What an entry's body holds. A server looks into it once, when it arrives; stores and queues
//! pass it through as bytes.

mod check;
mod encoded;

use bytes::{Bytes, BytesMut};
use goim_core::{ConversationId, Seq, UserId};

pub use self::encoded::EncodedContent;
use crate::limits::{BODY_BYTES_MAX, MENTIONS_MAX, TEXT_BYTES_MAX};
use crate::wire::{DecodeError, decode, encode};
use crate::{ConversationUpdate, GroupChange, MessageList, Role};

wire_enum! {
    /// What an entry says. Codes under 32 are messages, which people read and count.
    pub enum Content {
        /// A text.
        1 => Text(TextContent),
        /// Something that only the application understands: a card, a place, a vote.
        2 => Custom(CustomContent),
        /// A picture.
        3 => Image(ImageContent),
        /// A file.
        4 => File(FileContent),
        /// In place of a message that is no longer to be read; the server puts it there.
        16 => Blank(Blank),
        /// The log's first entry: a group was made.
        32 => GroupCreated(GroupCreated),
        /// Members were added.
        33 => MembersAdded(MembersAdded),
        /// A member was removed.
        34 => MemberRemoved(MemberRemoved),
        /// The sender left.
        35 => MemberLeft,
        /// The group has a new name.
        36 => Renamed(Renamed),
        /// The log's first entry: a direct chat was opened.
        37 => DirectOpened(DirectOpened),
        /// What the group shows or allows was changed.
        38 => GroupUpdated(GroupChange),
        /// A member became an admin, or an admin a plain member.
        39 => RoleChanged(RoleChanged),
        /// A member was muted, or is heard again.
        40 => MemberMuted(MemberMuted),
        /// A member became the owner; the sender, who was it, is an admin now.
        41 => OwnerChanged(OwnerChanged),
        /// The group was dismissed: nobody writes any more.
        42 => Dismissed,
        /// The sender joined.
        43 => MemberJoined,
        /// The sender edited a message of his.
        44 => Edited(Edited),
        /// A message was recalled, by who sent it, or by the group's owner or an admin.
        45 => Recalled(Recalled),
        /// The sender reacts to a message, or not any more.
        46 => Reacted(Reacted),
        /// In an inbox: its owner was added to a conversation.
        64 => AddedTo(Place),
        /// In an inbox: its owner was removed from a conversation, or left it.
        65 => RemovedFrom(Place),
        /// In an inbox: the sender asks to be friends.
        66 => FriendRequested(FriendRequested),
        /// In an inbox: the sender answered a request of its owner's.
        67 => FriendAnswered(FriendAnswered),
        /// In an inbox: the sender applies to a group of which its owner is the owner or an admin.
        68 => ApplicationMade(ApplicationMade),
        /// In an inbox: the sender rejected an application of its owner's.
        69 => ApplicationRejected(ApplicationRejected),
        /// In an inbox: its owner has deleted messages for himself, on one of his devices.
        70 => DeletedForMe(MessageList),
        /// In an inbox: its owner keeps a conversation otherwise, by one of his devices.
        71 => ConversationUpdated(ConversationUpdate),
    }
}

wire_struct! {
    /// A text.
    pub struct TextContent {
        /// 1 to 65,536 bytes of UTF-8.
        pub text: String,
        /// What it answers and whom it mentions, if it does.
        pub references: Option<References>,
    }
}

wire_struct! {
    /// What a message answers and whom it mentions.
    pub struct References {
        /// The message that it answers; 0 if it answers none.
        pub reply_to: Seq,
        /// Whether it mentions everybody.
        pub mentions_all: bool,
        /// Up to 100 users whom it mentions.
        pub mentions: Vec<UserId>,
    }
}

wire_struct! {
    /// Something that only the application understands.
    pub struct CustomContent {
        /// What the application calls it.
        pub kind: String,
        /// Its data.
        pub data: Bytes,
    }
}

wire_struct! {
    /// A picture, which was uploaded before.
    pub struct ImageContent {
        /// The upload's key, in 1 to 128 bytes.
        pub key: String,
        /// The file's name, in up to 256 bytes; may be empty.
        pub name: String,
        /// Its media type (RFC 6838), in up to 128 bytes; empty if it is not known.
        pub media_type: String,
        /// The bytes of the file.
        pub size: u64,
        /// Pixels; 0 if it is not known.
        pub width: u32,
        /// Pixels; 0 if it is not known.
        pub height: u32,
        /// What it answers and whom it mentions, if it does.
        pub references: Option<References>,
    }
}

wire_struct! {
    /// A file, which was uploaded before.
    pub struct FileContent {
        /// The upload's key, in 1 to 128 bytes.
        pub key: String,
        /// The file's name, in up to 256 bytes; may be empty.
        pub name: String,
        /// Its media type (RFC 6838), in up to 128 bytes; empty if it is not known.
        pub media_type: String,
        /// The bytes of the file.
        pub size: u64,
        /// What it answers and whom it mentions, if it does.
        pub references: Option<References>,
    }
}

wire_code! {
    /// Why a message is no longer to be read.
    pub enum BlankReason {
        /// It was recalled, for everybody.
        1 => Recalled,
        /// The reader deleted it for himself.
        2 => Deleted,
    }
}

wire_struct! {
    /// What stands in place of a message that is no longer to be read.
    pub struct Blank {
        /// Why.
        pub reason: BlankReason,
    }
}

wire_struct! {
    /// A message was edited.
    pub struct Edited {
        /// Which message.
        pub seq: Seq,
        /// The encoded content that it has now; of the kind that it had. A `Blank` if the message was
        /// recalled since.
        pub body: EncodedContent,
    }
}

wire_struct! {
    /// A message was recalled.
    pub struct Recalled {
        /// Which message.
        pub seq: Seq,
    }
}

wire_struct! {
    /// Somebody reacts to a message, or not any more.
    pub struct Reacted {
        /// Which message.
        pub seq: Seq,
        /// With what.
        pub emoji: String,
        /// Whether he does.
        pub set: bool,
    }
}

wire_struct! {
    /// A group was made.
    pub struct GroupCreated {
        /// Its name.
        pub name: String,
        /// Its first members besides the sender.
        pub members: Vec<UserId>,
    }
}

wire_struct! {
    /// Members were added.
    pub struct MembersAdded {
        /// Who.
        pub users: Vec<UserId>,
    }
}

wire_struct! {
    /// A member was removed.
    pub struct MemberRemoved {
        /// Who.
        pub user: UserId,
    }
}

wire_struct! {
    /// The group has a new name.
    pub struct Renamed {
        /// The name.
        pub name: String,
    }
}

wire_struct! {
    /// A direct chat was opened.
    pub struct DirectOpened {
        /// With whom.
        pub user: UserId,
    }
}

wire_struct! {
    /// The entry elsewhere that an inbox entry tells of.
    pub struct Place {
        /// In which conversation.
        pub conversation: ConversationId,
        /// Where in it.
        pub seq: Seq,
    }
}

wire_struct! {
    /// A member's role has changed.
    pub struct RoleChanged {
        /// Whose.
        pub user: UserId,
        /// `Admin` or `Member`.
        pub role: Role,
    }
}

wire_struct! {
    /// A member was muted, or is heard again.
    pub struct MemberMuted {
        /// Who.
        pub user: UserId,
        /// Whether his messages are refused.
        pub muted: bool,
    }
}

wire_struct! {
    /// A group has a new owner.
    pub struct OwnerChanged {
        /// Who.
        pub user: UserId,
    }
}

wire_struct! {
    /// Somebody applies to a group.
    pub struct ApplicationMade {
        /// To which.
        pub conversation: ConversationId,
        /// What was written with it; may be empty.
        pub comment: String,
    }
}

wire_struct! {
    /// An application to a group was rejected.
    pub struct ApplicationRejected {
        /// To which.
        pub conversation: ConversationId,
    }
}

wire_struct! {
    /// Somebody asks to be friends.
    pub struct FriendRequested {
        /// What was written with it; may be empty.
        pub greeting: String,
    }
}

wire_struct! {
    /// A request to be friends was answered.
    pub struct FriendAnswered {
        /// Whether the two are friends now.
        pub accepted: bool,
    }
}

/// A body that a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its content's code.
    pub code: u64,
    /// What the message answers and whom it mentions, if it does.
    pub references: Option<References>,
}

/// Why a content cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// A text without a character.
    #[error("the text is empty; send at least one character")]
    EmptyText,
    /// A text that is too long.
    #[error("the text has {0} bytes; at most {max} are allowed", max = TEXT_BYTES_MAX)]
    TextTooLong(usize),
    /// A text that is not UTF-8.
    #[error("the text is not valid UTF-8; send other data as custom content")]
    NotUtf8,
    /// A body that is too long.
    #[error("the body has {0} bytes; at most {max} are allowed", max = BODY_BYTES_MAX)]
    TooLarge(usize),
    /// A picture or a file without the key of an upload.
    #[error("the upload's key is empty; upload the file first")]
    NoKey,
    /// A string that is too long.
    #[error("{field} has {bytes} bytes; at most {max} are allowed")]
    FieldTooLong {
        /// Which one.
        field: &'static str,
        /// The bytes that it has.
        bytes: usize,
        /// The bytes that it may have.
        max: usize,
    },
    /// More users than one message mentions.
    #[error("the message mentions {0} users; at most {max} are allowed, or all", max = MENTIONS_MAX)]
    TooManyMentions(usize),
    /// A content that clients do not send.
    #[error("content {0} is written by the server only, or unknown to it")]
    NotForClients(u64),
    /// Bytes that are no content.
    #[error("the body is not an encoded content")]
    Malformed(#[from] DecodeError),
}

impl Content {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextContent { text: text.into(), references: None })
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(content) = self { Some(&content.text) } else { None }
    }

    /// The bytes of an entry's body.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut buffer = BytesMut::new();
        encode(self, &mut buffer);
        // Exactly sized: bodies are kept, and a growing buffer has up to twice what it holds.
        Bytes::copy_from_slice(&buffer)
    }

    /// What an entry's body says.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are no content.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        decode(body)
    }

    /// Looks at a body that a client sent, without a copy of a text or of data.
    ///
    /// # Errors
    ///
    /// Why it cannot be sent.
    pub fn check(body: &[u8]) -> Result<Checked, ContentError> {
        check::check(body)
    }
}
