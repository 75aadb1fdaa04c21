//! Every operation over HTTP that is no call, or is another one there, made by everybody.

use goim_core::ConversationId;
use serde_json::{Map, Value, json};

use super::door::Door;
use super::scene::file_of;
use super::{Row, check_reply};
use crate::client::{hash_of, id, message};

/// What an operation is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nothing but itself.
    Plain,
    /// A list with one message to a conversation.
    Message(ConversationId),
    /// A picture.
    Avatar(Whose),
    /// A file in a conversation.
    Attachment(ConversationId, Whose),
}

/// Who brought a file, or brings it.
#[derive(Debug)]
pub(super) enum Whose {
    /// The caller.
    Own,
    Of(&'static str),
}

use Asked::{Attachment, Avatar, Message, Plain};
use Whose::{Of, Own};

#[rustfmt::skip]
pub(super) const OPERATIONS: &[Row<Asked>] = &[
    //                                                                 no re st bl rm mu me ad ow
    ("Authenticate",       |_| Plain,                                 "U U . . . . . . ."),
    ("Events",             |_| Plain,                                 "U U . . . . . . ."),
    ("SendAll",            |s| Message(s.group),                      "U U M M M F . . ."),
    ("SendAll",            |s| Message(s.direct),                     "U U M M M M . M ."),
    ("SendAll",            |s| Message(s.closed),                     "U U M F M M M M ."),
    ("DownloadAvatar",     |_| Avatar(Of("owner")),                   "U U . . . . . . ."),
    // It was brought to the group alone, as yet.
    ("DownloadAvatar",     |_| Avatar(Of("admin")),                   "U U N N N N N N N"),
    ("UploadAvatar",       |_| Avatar(Own),                           "U U . . . . . . ."),
    ("UploadAttachment",   |s| Attachment(s.group, Own),              "U U M M M F . . ."),
    ("UploadAttachment",   |s| Attachment(s.direct, Own),             "U U M M M M . M ."),
    ("UploadAttachment",   |s| Attachment(s.closed, Own),             "U U M F M M M M ."),
    ("DownloadAttachment", |s| Attachment(s.group, Of("owner")),      "U U M M M . . . ."),
    ("DownloadAttachment", |s| Attachment(s.group, Of("removed")),    "U U M M M . . . ."),
    ("DownloadAttachment", |s| Attachment(s.direct, Of("owner")),     "U U M M M M . M ."),
    ("DownloadAttachment", |s| Attachment(s.closed, Of("owner")),     "U U M . M M M M ."),
    // It was brought to the group alone.
    ("DownloadAttachment", |s| Attachment(s.direct, Of("admin")),     "U U M M M M N M N"),
    ("RemoveAttachment",   |s| Attachment(s.group, Of("owner")),      "U U N N N N N . ."),
    ("RemoveAttachment",   |s| Attachment(s.group, Of("removed")),    "U U N N . N N . ."),
    ("RemoveAttachment",   |s| Attachment(s.group, Own),              "U U N N . . . . ."),
    ("RemoveAttachment",   |s| Attachment(s.direct, Of("owner")),     "U U N N N N N N ."),
    ("RemoveAttachment",   |s| Attachment(s.direct, Own),             "U U N N N N . N ."),
    ("RemoveAttachment",   |s| Attachment(s.closed, Of("owner")),     "U U N N N N N N ."),
    ("RemoveAttachment",   |s| Attachment(s.closed, Own),             "U U N . N N N N ."),
];

/// The code that an operation is refused with, if it is. What it gives has to be what it should.
pub(super) async fn refusal(
    door: &Door,
    token: Option<&str>,
    caller: &str,
    name: &str,
    asked: Asked,
) -> Option<String> {
    let file = |whose| file_of(if let Of(other) = whose { other } else { caller });
    let (conversation, body) = match asked {
        Plain => (None, Vec::new()),
        Message(conversation) => (None, list_of_one(conversation)),
        Avatar(whose) => (None, file(whose)),
        Attachment(conversation, whose) => (Some(conversation), file(whose)),
    };
    let hash = hash_of(&body);
    let mut fields = Map::from_iter([("hash".to_owned(), json!(hash))]);
    fields.extend(
        conversation.map(|conversation| ("conversation".to_owned(), conversation.to_string().into())),
    );
    let (method, path) = door.operation(name, &mut fields);
    let answer = door.ask(token, &method, &path, if method == "POST" { &body } else { &[] }).await;
    if answer.status >= 300 {
        return Some(answer.problem().1);
    }
    match name {
        "Authenticate" => check_reply("Authenticated", &answer.json()),
        "Events" => assert_eq!(answer.header("content-type"), Some("text/event-stream")),
        "SendAll" => match &answer.json()[0] {
            Value::Object(one) if one.contains_key("Error") => {
                return one["Error"]["code"].as_str().map(str::to_owned);
            }
            one => check_reply("Sent", &one["Sent"]),
        },
        "UploadAvatar" | "UploadAttachment" => {
            assert_eq!((answer.status, &answer.json()["hash"]), (201, &json!(hash)));
        }
        "DownloadAvatar" | "DownloadAttachment" => assert_eq!((answer.status, answer.bytes), (200, body)),
        "RemoveAttachment" => assert_eq!((answer.status, answer.bytes.len()), (204, 0)),
        other => panic!("what does {other} give?"),
    }
    None
}

fn list_of_one(conversation: ConversationId) -> Vec<u8> {
    let mut message = message(id(), "hello");
    message["conversation"] = conversation.to_string().into();
    json!([message]).to_string().into_bytes()
}
