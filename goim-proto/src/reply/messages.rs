use goim_core::{Seq, UserId};

wire_struct! {
    /// What became of a message, beside its latest content.
    pub struct MessageForm {
        /// Which message.
        pub seq: Seq,
        /// When it was edited last, in milliseconds since the Unix epoch; 0 if it was not.
        pub edited_at_ms: u64,
        /// The reactions to it, each kind once.
        pub reactions: Vec<Reactions>,
    }
}

wire_struct! {
    /// The reactions of one kind to a message.
    pub struct Reactions {
        /// With what.
        pub emoji: String,
        /// How many users.
        pub count: u64,
        /// Whether the caller is one of them.
        pub own: bool,
    }
}

wire_struct! {
    /// Who has read a message, of those who are members now and may read it, without its sender.
    pub struct ReaderList {
        /// Those whose read marker is at it or behind it, by ascending id.
        pub read: Vec<UserId>,
        /// The others, by ascending id.
        pub unread: Vec<UserId>,
    }
}

wire_struct! {
    /// How far the other one in a direct chat is.
    pub struct Receipt {
        /// Up to here one of his devices has handled everything.
        pub delivered: Seq,
        /// His read marker.
        pub read: Seq,
    }
}
