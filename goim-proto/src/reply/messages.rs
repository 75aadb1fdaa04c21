use goim_core::Seq;

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
