//! Answers about who is there.

use goim_core::UserId;

wire_code! {
    /// Whether somebody is there; 0 does not say.
    pub enum PresenceState {
        /// A device of his is connected, and he is at it.
        1 => Online,
        /// Devices of his are connected, and he is at none of them.
        2 => Away,
        /// No device of his is connected.
        3 => Offline,
    }
}

wire_struct! {
    /// Whether a user is there.
    pub struct Presence {
        /// Who.
        pub user: UserId,
        /// Whether he is; 0 if he was never seen, or if the caller may not know.
        pub state: PresenceState,
        /// When a device of his was connected last, as of a minute ago or less, in milliseconds since the
        /// Unix epoch; 0 with a state of 0.
        pub last_seen_ms: u64,
    }
}

wire_struct! {
    /// Whether users are there.
    pub struct PresenceList {
        /// Each of the users asked for, in their order.
        pub presences: Vec<Presence>,
    }
}
