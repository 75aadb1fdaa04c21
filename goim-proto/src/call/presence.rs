//! Arguments of the calls about who is there.

wire_code! {
    /// Who may see whether somebody is there.
    pub enum Viewers {
        /// Friends, and bots and their owners each other.
        1 => Friends,
        /// These, and the members of common conversations.
        2 => Fellows,
        /// Nobody but the user himself.
        3 => Nobody,
    }
}

wire_struct! {
    /// Arguments of `SetPresence`.
    pub struct SetPresence {
        /// Whether nobody is at the calling device, though it is connected.
        pub away: bool,
    }
}
