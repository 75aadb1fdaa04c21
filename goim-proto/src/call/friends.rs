//! Arguments of the calls about friends, and about what an account allows others.

use goim_core::UserId;

wire_struct! {
    /// Arguments of `RequestFriend`.
    pub struct RequestFriend {
        /// Whom.
        pub user: UserId,
        /// What the user reads with it, in up to 256 bytes; may be empty.
        pub greeting: String,
    }
}

wire_struct! {
    /// Arguments of `AnswerFriend`.
    pub struct AnswerFriend {
        /// Whose request.
        pub user: UserId,
        /// Whether the two are friends from now on.
        pub accept: bool,
    }
}

wire_struct! {
    /// Arguments of `ListFriendRequests`.
    pub struct ListFriendRequests {
        /// Those that the caller sent; otherwise those that he was sent.
        pub sent: bool,
        /// Requests with a lesser number only; 0 for the newest.
        pub before: u64,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// A page of a list of users.
    pub struct ListUsers {
        /// Users with a greater id only; 0 for the first page.
        pub after: UserId,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}

wire_struct! {
    /// Arguments of `SetRemark`.
    pub struct SetRemark {
        /// Which friend.
        pub user: UserId,
        /// What only the caller sees beside the friend's name; may be empty.
        pub remark: String,
    }
}

wire_code! {
    /// To whom an account allows something.
    pub enum Audience {
        /// Friends, and bots and their owners each other.
        1 => Friends,
        /// Everybody who is not blocked.
        2 => Everybody,
    }
}

wire_struct! {
    /// Arguments of `UpdateSettings`: what is not given stays.
    pub struct SettingsUpdate {
        /// Who may open a direct chat with the caller.
        pub direct_from: Option<Audience>,
        /// Who may add the caller to groups.
        pub groups_from: Option<Audience>,
        /// Who may see whether the caller is there.
        pub presence_to: Option<crate::Viewers>,
    }
}
