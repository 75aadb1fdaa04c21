//! Answers about friends, and about what an account allows others.

use goim_core::UserId;

use crate::Audience;

wire_code! {
    /// What became of a request.
    pub enum RequestState {
        /// It is not answered yet.
        1 => Open,
        /// It was accepted.
        2 => Accepted,
        /// It was rejected.
        3 => Rejected,
    }
}

wire_struct! {
    /// A request to be friends.
    pub struct FriendRequest {
        /// Its number; later ones have greater numbers.
        pub number: u64,
        /// The other side.
        pub user: UserId,
        /// What was written with it.
        pub greeting: String,
        /// What became of it.
        pub state: RequestState,
        /// When it was sent, in milliseconds since the Unix epoch.
        pub at_ms: u64,
    }
}

wire_struct! {
    /// A page of requests, newest first.
    pub struct FriendRequestPage {
        /// The requests.
        pub requests: Vec<FriendRequest>,
        /// Whether older ones follow.
        pub more: bool,
    }
}

wire_struct! {
    /// A friend.
    pub struct Friend {
        /// Who.
        pub user: UserId,
        /// What the caller calls the friend; may be empty.
        pub remark: String,
        /// The version of the friend's profile.
        pub version: u64,
        /// When the two became friends, in milliseconds since the Unix epoch.
        pub since_ms: u64,
    }
}

wire_struct! {
    /// A page of friends, by ascending user id.
    pub struct FriendPage {
        /// The friends.
        pub friends: Vec<Friend>,
        /// Whether more follow.
        pub more: bool,
    }
}

wire_struct! {
    /// A page of users whom the caller blocks, by ascending id.
    pub struct BlockedPage {
        /// The users.
        pub users: Vec<UserId>,
        /// Whether more follow.
        pub more: bool,
    }
}

wire_struct! {
    /// What the caller's account allows others.
    pub struct AccountSettings {
        /// Who may open a direct chat with the caller.
        pub direct_from: Audience,
        /// Who may add the caller to groups.
        pub groups_from: Audience,
        /// Who may see whether the caller is there; fellow members too until it is changed.
        pub presence_to: crate::Viewers,
    }
}
