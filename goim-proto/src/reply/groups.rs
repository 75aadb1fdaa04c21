//! Answers about groups.

use goim_core::{ConversationId, UserId};

use crate::{HistoryFrom, JoinPolicy, RequestState, Role};

wire_struct! {
    /// A group.
    pub struct GroupInfo {
        /// The id.
        pub conversation: ConversationId,
        /// The number by which everybody finds it, unless it is by invitation only.
        pub number: u64,
        /// Its name.
        pub name: String,
        /// Where its picture is; may be empty.
        pub avatar: String,
        /// What members shall know; empty for others.
        pub announcement: String,
        /// How somebody who was not invited gets in.
        pub policy: JoinPolicy,
        /// From where on those read the history who join now.
        pub history: HistoryFrom,
        /// Whether only the owner and admins write.
        pub muted: bool,
        /// Whether it was dismissed: nobody writes any more.
        pub dismissed: bool,
        /// The owner.
        pub owner: UserId,
        /// How many members it has.
        pub members: u64,
        /// The caller's role; 0 if he is not a member.
        pub role: Role,
    }
}

wire_struct! {
    /// An application to a group.
    pub struct Application {
        /// Its number; later ones have greater numbers.
        pub number: u64,
        /// To which group.
        pub conversation: ConversationId,
        /// Who applied.
        pub user: UserId,
        /// What was written with it.
        pub comment: String,
        /// What became of it.
        pub state: RequestState,
        /// When it was made, in milliseconds since the Unix epoch.
        pub at_ms: u64,
    }
}

wire_struct! {
    /// A page of applications, newest first.
    pub struct ApplicationPage {
        /// The applications.
        pub applications: Vec<Application>,
        /// Whether older ones follow.
        pub more: bool,
    }
}
