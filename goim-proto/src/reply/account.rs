//! Answers about accounts, their profiles and devices.

use goim_core::{ConversationId, DeviceId, UserId};

use crate::Gender;

wire_struct! {
    /// Who a connection speaks for.
    pub struct SessionInfo {
        /// The user.
        pub user: UserId,
        /// The device, which owns offsets.
        pub device: DeviceId,
        /// The user's inbox.
        pub inbox: ConversationId,
    }
}

wire_struct! {
    /// A session with its tokens.
    pub struct Session {
        /// Who.
        pub info: SessionInfo,
        /// Authenticates connections.
        pub access_token: String,
        /// When the access token ends, in milliseconds since the Unix epoch.
        pub access_expires_ms: u64,
        /// Buys new tokens, once.
        pub refresh_token: String,
    }
}

wire_struct! {
    /// A bot and its token.
    pub struct BotToken {
        /// The bot's user.
        pub user: UserId,
        /// Its token, shown this one time.
        pub token: String,
    }
}

wire_struct! {
    /// A user.
    pub struct User {
        /// The id.
        pub user: UserId,
        /// The name.
        pub name: String,
    }
}

wire_struct! {
    /// What everybody may know of a user.
    pub struct Profile {
        /// The id.
        pub user: UserId,
        /// The account's name.
        pub name: String,
        /// What people see instead of it; may be empty.
        pub nickname: String,
        /// Where the picture is; may be empty.
        pub avatar: String,
        /// How to speak of the user.
        pub gender: Gender,
        /// What the user says about himself; may be empty.
        pub bio: String,
        /// Grows by one with each change.
        pub version: u64,
        /// Whether the account is a bot.
        pub bot: bool,
    }
}

wire_struct! {
    /// Profiles, by ascending user id.
    pub struct ProfileList {
        /// Those of the users asked for that exist.
        pub profiles: Vec<Profile>,
    }
}

wire_struct! {
    /// A page of users that were searched for.
    pub struct FoundPage {
        /// Who, ordered by what was found of them. There may be fewer than asked for, and more behind them.
        pub users: Vec<Profile>,
        /// The `after` of the next page; empty if this is the last.
        pub next: String,
    }
}

wire_struct! {
    /// A device of the caller's.
    pub struct DeviceInfo {
        /// The id.
        pub device: DeviceId,
        /// What the user calls it.
        pub name: String,
        /// When it was made by a login, in milliseconds since the Unix epoch.
        pub created_ms: u64,
    }
}

wire_struct! {
    /// A page of devices that are not revoked, by ascending id.
    pub struct DevicePage {
        /// The devices.
        pub devices: Vec<DeviceInfo>,
        /// Whether more follow.
        pub more: bool,
    }
}
