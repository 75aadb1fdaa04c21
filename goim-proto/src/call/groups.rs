//! Arguments of the calls about groups, apart from those that every conversation has.

use goim_core::{ClientMsgId, ConversationId, UserId};

use crate::Role;

wire_struct! {
    /// Arguments of `FindGroup`.
    pub struct FindGroup {
        /// The group's public number.
        pub number: u64,
    }
}

wire_code! {
    /// How somebody who was not invited gets into a group.
    pub enum JoinPolicy {
        /// By joining.
        1 => Open,
        /// By applying, if the owner or an admin lets him in.
        2 => Approval,
        /// Not at all.
        3 => InviteOnly,
    }
}

wire_code! {
    /// From where on members read a group's history.
    pub enum HistoryFrom {
        /// From the entry that let them in.
        1 => Joining,
        /// From the group's first entry.
        2 => Start,
    }
}

wire_struct! {
    /// Arguments of `UpdateGroup`: what is not given stays.
    pub struct UpdateGroup {
        /// Which group.
        pub conversation: ConversationId,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
        /// What changes.
        pub change: GroupChange,
    }
}

wire_struct! {
    /// What changes of what a group shows and allows; the rest stays.
    pub struct GroupChange {
        /// Where the picture is, as an upload named it; may be empty.
        pub avatar: Option<String>,
        /// What members shall know, in up to 4,096 bytes; may be empty.
        pub announcement: Option<String>,
        /// How somebody who was not invited gets in.
        pub policy: Option<JoinPolicy>,
        /// From where on those read the history who join from now on.
        pub history: Option<HistoryFrom>,
        /// Whether only the owner and admins write.
        pub muted: Option<bool>,
    }
}

wire_struct! {
    /// Arguments of `SetRole`.
    pub struct SetRole {
        /// Which group.
        pub conversation: ConversationId,
        /// Whose role.
        pub user: UserId,
        /// `Admin` or `Member`.
        pub role: Role,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `MuteMember`.
    pub struct MuteMember {
        /// Which group.
        pub conversation: ConversationId,
        /// Whom.
        pub user: UserId,
        /// Whether his messages are refused from now on.
        pub muted: bool,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Something that is done to a group and needs no more to be said.
    pub struct GroupAct {
        /// Which group.
        pub conversation: ConversationId,
        /// The id of the entry that says so.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `ApplyToGroup`.
    pub struct ApplyToGroup {
        /// Which group.
        pub conversation: ConversationId,
        /// What the owner and the admins read with it, in up to 256 bytes; may be empty.
        pub comment: String,
    }
}

wire_struct! {
    /// Arguments of `AnswerApplication`.
    pub struct AnswerApplication {
        /// To which group.
        pub conversation: ConversationId,
        /// Whose application.
        pub user: UserId,
        /// Whether the applicant becomes a member.
        pub accept: bool,
        /// The id of the entry that says so, if he does.
        pub client_msg_id: ClientMsgId,
    }
}

wire_struct! {
    /// Arguments of `ListApplications`.
    pub struct ListApplications {
        /// To which group; 0 for the caller's own, to any.
        pub conversation: ConversationId,
        /// Applications with a lesser number only; 0 for the newest.
        pub before: u64,
        /// At most so many; 0 for as many as the server gives.
        pub limit: u32,
    }
}
