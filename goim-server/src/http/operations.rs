//! The table of operations. Nothing else knows a path.

use axum::http::StatusCode;
use axum::routing::MethodFilter;
use goim_proto::ErrorCode::{
    self, BadArgument, BadContent, BadCredentials, BadName, EmptyText, Forbidden, NameTaken, NotConfigured,
    NotFound, NotMember, NotUtf8, OutOfOrder, Rejected, TextTooLong, TooLarge, WeakPassword,
};

use self::Does::{Call, Download, Events, RemoveAttachment, SendAll, Upload};
use self::Target::{Attachment, Avatar};
use self::Verb::{Delete, Get, Patch, Post, Put};

/// One operation.
///
/// Fields of the call that the path names come from there. The others come from the body where the verb
/// has one, and from the query where it has none.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) does: Does,
    /// If it succeeds.
    pub(super) status: StatusCode,
    /// Besides those that every operation may have, and those of message ids where it takes one.
    pub(super) errors: &'static [ErrorCode],
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// This call, answered by this reply.
    Call(&'static str, &'static str),
    /// Several sends at once.
    SendAll,
    /// Says which conversations have something new, as it happens.
    Events,
    /// Takes a file in.
    Upload(Target),
    /// Gives a file out.
    Download(Target),
    /// Takes a file out of its conversation.
    RemoveAttachment,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// What profiles and groups show.
    Avatar,
    /// What belongs to a conversation.
    Attachment,
}

/// What HTTP calls a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(super) fn filter(self) -> MethodFilter {
        match self {
            Get => MethodFilter::GET,
            Post => MethodFilter::POST,
            Put => MethodFilter::PUT,
            Patch => MethodFilter::PATCH,
            Delete => MethodFilter::DELETE,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Get => "get",
            Post => "post",
            Put => "put",
            Patch => "patch",
            Delete => "delete",
        }
    }

    pub(super) fn has_body(self) -> bool {
        matches!(self, Post | Put | Patch)
    }
}

impl Operation {
    /// Whether the caller has to show a token.
    pub(super) fn needs_token(&self) -> bool {
        !matches!(self.does, Call("Register" | "Login" | "LoginExternal" | "Refresh" | "Ping", _))
    }

    /// The names in the path.
    pub(super) fn path_fields(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// A name for programs.
    pub(super) fn id(&self) -> &'static str {
        match self.does {
            Call(call, _) => call,
            SendAll => "SendAll",
            Events => "Events",
            Upload(Avatar) => "UploadAvatar",
            Upload(Attachment) => "UploadAttachment",
            Download(Avatar) => "DownloadAvatar",
            Download(Attachment) => "DownloadAttachment",
            RemoveAttachment => "RemoveAttachment",
        }
    }
}

const fn op(
    verb: Verb,
    path: &'static str,
    does: Does,
    status: StatusCode,
    errors: &'static [ErrorCode],
) -> Operation {
    Operation { verb, path, does, status, errors }
}

const OK: StatusCode = StatusCode::OK;
const MADE: StatusCode = StatusCode::CREATED;
const DONE: StatusCode = StatusCode::NO_CONTENT;

/// Every operation.
#[rustfmt::skip]
pub(super) const OPERATIONS: &[Operation] = &[
    op(Post,   "/v1/accounts",                Call("Register", "Session"),          MADE, &[BadName, NameTaken, WeakPassword]),
    op(Post,   "/v1/sessions",                Call("Login", "Session"),             MADE, &[BadCredentials, BadName]),
    op(Post,   "/v1/sessions/external",       Call("LoginExternal", "Session"),     MADE, &[ErrorCode::BadToken, BadName, NotConfigured]),
    op(Post,   "/v1/sessions/refresh",        Call("Refresh", "Session"),           MADE, &[ErrorCode::BadToken]),
    op(Get,    "/v1/session",                 Call("Authenticate", "Authenticated"), OK,  &[BadName]),
    op(Delete, "/v1/session",                 Call("Logout", "Done"),               DONE, &[NotFound]),
    op(Put,    "/v1/password",                Call("ChangePassword", "Done"),       DONE, &[BadCredentials, WeakPassword, Forbidden]),
    op(Get,    "/v1/devices",                 Call("ListDevices", "Devices"),       OK,   &[]),
    op(Delete, "/v1/devices/{device}",        Call("RevokeDevice", "Done"),         DONE, &[NotFound]),
    op(Post,   "/v1/bots",                    Call("CreateBot", "BotToken"),        MADE, &[BadName, NameTaken, Forbidden]),
    op(Delete, "/v1/bots/{user}",             Call("RevokeBot", "Done"),            DONE, &[NotFound]),
    op(Patch,  "/v1/profile",                 Call("UpdateProfile", "Profiles"),    OK,   &[BadName, NotFound]),
    op(Patch,  "/v1/settings",                Call("UpdateSettings", "Settings"),   OK,   &[NotFound]),
    op(Put,    "/v1/presence",                Call("SetPresence", "Done"),          DONE, &[]),
    op(Get,    "/v1/presences",               Call("Presences", "Presences"),       OK,   &[TooLarge]),
    op(Get,    "/v1/users",                   Call("Profiles", "Profiles"),         OK,   &[TooLarge]),
    op(Get,    "/v1/users/by-name/{name}",    Call("FindUser", "User"),             OK,   &[NotFound]),
    op(Get,    "/v1/users/search",            Call("SearchUsers", "Found"),         OK,   &[]),

    op(Get,    "/v1/friends",                 Call("ListFriends", "Friends"),       OK,   &[]),
    op(Put,    "/v1/friends/{user}/remark",   Call("SetRemark", "Done"),            DONE, &[BadName, NotFound]),
    op(Delete, "/v1/friends/{user}",          Call("DeleteFriend", "Done"),         DONE, &[NotFound]),
    op(Get,    "/v1/friend-requests",         Call("ListFriendRequests", "FriendRequests"), OK, &[]),
    op(Post,   "/v1/friend-requests",         Call("RequestFriend", "Done"),        DONE, &[NotFound]),
    op(Post,   "/v1/friend-requests/{user}/answer", Call("AnswerFriend", "Done"),   DONE, &[NotFound]),
    op(Get,    "/v1/blocks",                  Call("ListBlocked", "Blocked"),       OK,   &[]),
    op(Put,    "/v1/blocks/{user}",           Call("Block", "Done"),                DONE, &[NotFound]),
    op(Delete, "/v1/blocks/{user}",           Call("Unblock", "Done"),              DONE, &[NotFound]),

    op(Put,    "/v1/direct-chats/{user}",     Call("OpenDirect", "Conversation"),   OK,   &[NotFound, Forbidden]),
    op(Post,   "/v1/groups",                  Call("CreateGroup", "Conversation"),  MADE, &[BadName, NotFound, Forbidden]),
    op(Get,    "/v1/groups/by-number/{number}", Call("FindGroup", "Group"),         OK,   &[NotFound]),
    op(Get,    "/v1/groups/{conversation}",   Call("GroupInfo", "Group"),           OK,   &[NotMember]),
    op(Patch,  "/v1/groups/{conversation}",   Call("UpdateGroup", "Sent"),          OK,   &[NotMember, Forbidden]),
    op(Delete, "/v1/groups/{conversation}",   Call("DismissGroup", "Sent"),         OK,   &[NotMember, Forbidden]),
    op(Put,    "/v1/groups/{conversation}/name", Call("Rename", "Sent"),            OK,   &[BadName, NotMember, Forbidden]),
    op(Put,    "/v1/groups/{conversation}/owner", Call("TransferGroup", "Sent"),    OK,   &[NotFound, NotMember, Forbidden]),
    op(Post,   "/v1/groups/{conversation}/join", Call("JoinGroup", "Sent"),         OK,   &[NotFound, Forbidden]),
    op(Post,   "/v1/groups/{conversation}/leave", Call("Leave", "Sent"),            OK,   &[NotMember, Forbidden]),
    op(Post,   "/v1/groups/{conversation}/members", Call("AddMembers", "Sent"),     OK,   &[NotFound, NotMember, Forbidden]),
    op(Delete, "/v1/groups/{conversation}/members/{user}", Call("RemoveMember", "Sent"), OK, &[NotFound, NotMember, Forbidden]),
    op(Put,    "/v1/groups/{conversation}/members/{user}/role", Call("SetRole", "Sent"), OK, &[NotFound, NotMember, Forbidden]),
    op(Put,    "/v1/groups/{conversation}/members/{user}/mute", Call("MuteMember", "Sent"), OK, &[NotFound, NotMember, Forbidden]),
    op(Post,   "/v1/groups/{conversation}/applications", Call("ApplyToGroup", "Done"), DONE, &[NotFound]),
    op(Post,   "/v1/groups/{conversation}/applications/{user}/answer", Call("AnswerApplication", "Done"), DONE, &[NotFound, NotMember, Forbidden]),
    op(Get,    "/v1/applications",            Call("ListApplications", "Applications"), OK, &[NotMember, Forbidden]),

    op(Get,    "/v1/conversations",           Call("ListConversations", "Conversations"), OK, &[]),
    op(Patch,  "/v1/conversations/{conversation}/settings", Call("UpdateConversation", "Done"), DONE, &[NotMember]),
    op(Get,    "/v1/conversations/{conversation}/members", Call("ListMembers", "Members"), OK, &[NotMember]),
    op(Post,   "/v1/conversations/{conversation}/messages", Call("Send", "Sent"),   OK,   SENDING),
    op(Get,    "/v1/conversations/{conversation}/messages", Call("History", "History"), OK, &[NotMember, TooLarge]),
    op(Patch,  "/v1/conversations/{conversation}/messages/{seq}", Call("Edit", "Sent"), OK, EDITING),
    op(Delete, "/v1/conversations/{conversation}/messages/{seq}", Call("Recall", "Sent"), OK, &[NotFound, NotMember, Forbidden]),
    op(Put,    "/v1/conversations/{conversation}/messages/{seq}/reaction", Call("React", "Sent"), OK, &[NotFound, NotMember, Forbidden]),
    op(Get,    "/v1/conversations/{conversation}/messages/{seq}/readers", Call("Readers", "Readers"), OK, &[NotFound, NotMember, TooLarge]),
    op(Post,   "/v1/conversations/{conversation}/deletions", Call("DeleteForMe", "Done"), DONE, &[NotMember]),
    op(Get,    "/v1/conversations/{conversation}/entries", Call("Pull", "Pulled"),  OK,   &[NotMember, TooLarge]),
    op(Put,    "/v1/conversations/{conversation}/read-marker", Call("MarkRead", "Done"), DONE, &[NotMember]),
    op(Post,   "/v1/conversations/{conversation}/typing", Call("Typing", "Done"),   DONE, &[NotMember, Forbidden]),
    op(Get,    "/v1/conversations/{conversation}/receipt", Call("Receipt", "Receipt"), OK, &[NotMember]),
    op(Post,   "/v1/conversations/{conversation}/attachments", Upload(Attachment),  MADE, &[NotMember, Forbidden]),
    op(Get,    "/v1/conversations/{conversation}/attachments/{hash}", Download(Attachment), OK, &[NotMember, NotFound]),
    op(Delete, "/v1/conversations/{conversation}/attachments/{hash}", RemoveAttachment, DONE, &[NotFound]),
    op(Post,   "/v1/avatars",                 Upload(Avatar),                       MADE, &[]),
    op(Get,    "/v1/avatars/{hash}",          Download(Avatar),                     OK,   &[NotFound]),
    op(Get,    "/v1/search",                  Call("SearchMessages", "FoundMessages"), OK, &[NotMember, TooLarge]),
    op(Post,   "/v1/messages",                SendAll,                              OK,   &[]),
    op(Put,    "/v1/offsets",                 Call("Commit", "Committed"),          OK,   &[]),
    op(Post,   "/v1/sync",                    Call("Sync", "Synced"),               OK,   &[]),
    op(Get,    "/v1/heads",                   Call("Heads", "Heads"),               OK,   &[TooLarge]),
    op(Get,    "/v1/events",                  Events,                               OK,   &[]),
    op(Post,   "/v1/sequences/{sequence}/numbers", Call("Allocate", "Allocated"),   OK,   &[BadName, Forbidden]),
    op(Get,    "/v1/ping",                    Call("Ping", "Done"),                 DONE, &[]),
];

const SENDING: &[ErrorCode] =
    &[BadArgument, EmptyText, TextTooLong, NotUtf8, BadContent, NotMember, Forbidden, OutOfOrder, Rejected];
const EDITING: &[ErrorCode] = &[EmptyText, TextTooLong, NotUtf8, BadContent, NotFound, NotMember, Forbidden];

/// What every operation with arguments may answer, and those with a body also `TooLarge`.
pub(super) const ERRORS_OF_ARGUMENTS: &[ErrorCode] = &[BadArgument];
/// What every operation that takes a message id may answer.
pub(super) const ERRORS_OF_IDS: &[ErrorCode] = &[ErrorCode::BadId, ErrorCode::IdTooOld, ErrorCode::IdTooNew];
/// What every operation that needs a token may answer.
pub(super) const ERRORS_OF_TOKENS: &[ErrorCode] = &[ErrorCode::Unauthenticated, ErrorCode::BadToken, BadName];
/// What every operation may answer.
pub(super) const ERRORS_OF_ALL: &[ErrorCode] =
    &[ErrorCode::RateLimited, ErrorCode::Unavailable, ErrorCode::StoreFull, ErrorCode::Internal];
