//! Arguments of the calls about accounts, their profiles and devices.

use goim_core::{DeviceId, UserId};

wire_struct! {
    /// Arguments of `Register` and `Login`.
    pub struct Credentials {
        /// The account's name.
        pub name: String,
        /// The password; 8 to 128 bytes.
        pub password: String,
        /// What the user calls this installation. Empty: "device".
        pub device_name: String,
    }
}

wire_struct! {
    /// Arguments of `Refresh`.
    pub struct Refresh {
        /// The refresh token; it is good for one use.
        pub refresh_token: String,
    }
}

wire_struct! {
    /// Arguments of `LoginExternal`.
    pub struct LoginExternal {
        /// A JSON Web Token of the issuer that the server trusts; up to 8 KiB.
        pub token: String,
        /// What the user calls this installation. Empty: "device".
        pub device_name: String,
    }
}

wire_struct! {
    /// Arguments of `Authenticate`.
    pub struct Authenticate {
        /// An access token, or a bot's token.
        pub token: String,
        /// Which instance of a bot this is: each owns its offsets. Empty: "default".
        pub instance: String,
    }
}

wire_struct! {
    /// Arguments of `CreateBot`.
    pub struct CreateBot {
        /// The bot's name.
        pub name: String,
    }
}

wire_struct! {
    /// A user as the only argument.
    pub struct UserArgument {
        /// Whom.
        pub user: UserId,
    }
}

wire_struct! {
    /// Arguments of `FindUser`.
    pub struct FindUser {
        /// The whole name.
        pub name: String,
    }
}

wire_struct! {
    /// Users as the only argument.
    pub struct UserList {
        /// Whom.
        pub users: Vec<UserId>,
    }
}

wire_code! {
    /// How somebody wants to be spoken of; 0 does not say.
    pub enum Gender {
        /// She.
        1 => Female,
        /// He.
        2 => Male,
        /// Neither.
        3 => Other,
    }
}

wire_struct! {
    /// Arguments of `UpdateProfile`: what is not given stays.
    pub struct ProfileUpdate {
        /// What people see instead of the account's name; may be empty.
        pub nickname: Option<String>,
        /// Where the picture is, as an upload named it; may be empty.
        pub avatar: Option<String>,
        /// How to speak of the user.
        pub gender: Option<Gender>,
        /// What the user says about himself; may be empty.
        pub bio: Option<String>,
    }
}

wire_struct! {
    /// Arguments of `SearchUsers`.
    pub struct SearchUsers {
        /// How the name or the nickname begins; capital ASCII letters count as small ones.
        pub prefix: String,
        /// The `next` of the page before; empty for the first page.
        pub after: String,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// Arguments of `ChangePassword`.
    pub struct ChangePassword {
        /// The password as it is.
        pub password: String,
        /// The one that shall replace it; 8 to 128 bytes.
        pub new_password: String,
    }
}

wire_struct! {
    /// Arguments of `ListDevices`.
    pub struct ListDevices {
        /// Devices with a greater id only; 0 for the first page.
        pub after: DeviceId,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// A device as the only argument.
    pub struct DeviceArgument {
        /// Which.
        pub device: DeviceId,
    }
}
