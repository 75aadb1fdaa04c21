use goim_core::{ClientMsgId, ConversationId, Seq};

wire_struct! {
    /// Arguments of `Edit`.
    pub struct Edit<B> {
        /// In which conversation.
        pub conversation: ConversationId,
        /// Which message.
        pub seq: Seq,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
        /// The encoded content that takes its content's place; of the same kind.
        pub body: B,
    }
}

wire_struct! {
    /// Arguments of `Recall`.
    pub struct Recall {
        /// In which conversation.
        pub conversation: ConversationId,
        /// Which message.
        pub seq: Seq,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `React`.
    pub struct React {
        /// In which conversation.
        pub conversation: ConversationId,
        /// To which message.
        pub seq: Seq,
        /// With what: up to 32 bytes.
        pub emoji: String,
        /// Whether the caller does, or not any more.
        pub set: bool,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Messages of one conversation.
    pub struct MessageList {
        /// In which conversation.
        pub conversation: ConversationId,
        /// Which messages: up to 100.
        pub seqs: Vec<Seq>,
    }
}
