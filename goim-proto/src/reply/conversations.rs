use goim_core::{ConversationId, Entry, Seq, UserId};

use super::ConversationKind;

wire_struct! {
    /// A conversation in its reader's list.
    pub struct ConversationItem<B> {
        /// Which.
        pub conversation: ConversationId,
        /// Its kind.
        pub kind: ConversationKind,
        /// The group's name; empty for others, and for who is no member any more.
        pub title: String,
        /// The group's picture; empty for others, and for who is no member any more.
        pub avatar: String,
        /// The other one in a direct chat; 0 in others.
        pub peer: UserId,
        /// The highest seq that this reader may see.
        pub head: Seq,
        /// The device's offset.
        pub offset: Seq,
        /// The user's read marker.
        pub read_marker: Seq,
        /// The messages behind the read marker, and behind the entry that let him in.
        pub unread: u64,
        /// How many of those mention him, by name or with everybody.
        pub mentioned: u64,
        /// The newest message that he may read, with its latest content.
        pub last: Option<Entry<B>>,
        /// Whether clients shall keep silent about its messages.
        pub muted: bool,
        /// Whether it stands before the others.
        pub pinned: bool,
        /// Whether it is left out until its next message.
        pub hidden: bool,
    }
}

impl<B> ConversationItem<B> {
    /// The same item with the body of its last message converted.
    pub fn map<C>(self, convert: impl FnOnce(B) -> C) -> ConversationItem<C> {
        ConversationItem {
            conversation: self.conversation,
            kind: self.kind,
            title: self.title,
            avatar: self.avatar,
            peer: self.peer,
            head: self.head,
            offset: self.offset,
            read_marker: self.read_marker,
            unread: self.unread,
            mentioned: self.mentioned,
            last: self.last.map(|entry| entry.map(convert)),
            muted: self.muted,
            pinned: self.pinned,
            hidden: self.hidden,
        }
    }
}

wire_struct! {
    /// A page of conversations, by ascending id.
    pub struct ConversationPage<B> {
        /// The conversations.
        pub items: Vec<ConversationItem<B>>,
        /// Whether more follow.
        pub more: bool,
    }
}

wire_struct! {
    /// A message that was searched for.
    pub struct FoundMessage<B> {
        /// In which conversation.
        pub conversation: ConversationId,
        /// The message with its latest content.
        pub entry: Entry<B>,
    }
}

wire_struct! {
    /// A page of messages that were searched for.
    pub struct MessagePage<B> {
        /// The messages, newest first.
        pub messages: Vec<FoundMessage<B>>,
        /// The `before` of the next page; empty if this is the last.
        pub next: String,
    }
}
