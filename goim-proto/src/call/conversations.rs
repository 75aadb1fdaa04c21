use goim_core::ConversationId;

wire_struct! {
    /// Arguments of `ListConversations`.
    pub struct ListConversations {
        /// Conversations with a greater id only; 0 for the first page.
        pub after: ConversationId,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// Arguments of `SearchMessages`.
    pub struct SearchMessages {
        /// Words, all of which a message has to have; of the last one, the beginning is enough. Up to
        /// 256 bytes.
        pub query: String,
        /// In which conversation; 0 for all of the caller's.
        pub conversation: ConversationId,
        /// The `next` of the page before; empty for the first page.
        pub before: String,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// Arguments of `UpdateConversation`: what is not given stays.
    pub struct ConversationUpdate {
        /// Which conversation.
        pub conversation: ConversationId,
        /// Whether clients shall keep silent about its messages.
        pub muted: Option<bool>,
        /// Whether it stands before the others.
        pub pinned: Option<bool>,
        /// Whether it is left out until its next message.
        pub hidden: Option<bool>,
    }
}
