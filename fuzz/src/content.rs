//! What an entry's body holds.

use goim_proto::content::Checked;
use goim_proto::limits::{BODY_BYTES_MAX, MENTIONS_MAX, TEXT_BYTES_MAX};
use goim_proto::{Content, ContentError};

use crate::round_trip;

/// Decodes a body, and looks at it as a server does that only wants to know whether to take it.
///
/// # Panics
///
/// If it does not come back as it was, or a server would take what clients cannot read.
pub fn run(data: &[u8]) {
    let content = round_trip::check::<Content>(data);
    let checked = Content::check(data);
    if let Ok(Checked { code, .. }) = checked {
        let content = content.as_ref().expect("a server takes only what clients can read");
        assert_eq!(Some(code), code_of(content));
        assert!(content.as_text().is_none_or(fits));
    }
    let Some(content) = content else { return };
    match (Content::check(&content.encode()), code_of(&content)) {
        (Ok(Checked { code, .. }), expected) => assert_eq!(Some(code), expected),
        (Err(ContentError::NotForClients(_)), None) => {}
        (Err(ContentError::EmptyText), _) => assert_eq!(content.as_text(), Some("")),
        (Err(ContentError::TextTooLong(_)), _) => assert!(!content.as_text().is_some_and(fits)),
        (Err(ContentError::TooLarge(bytes)), _) => assert!(bytes > BODY_BYTES_MAX),
        (Err(ContentError::NoKey), _) => assert_eq!(key_of(&content), Some("")),
        (Err(ContentError::FieldTooLong { bytes, max, .. }), Some(3 | 4)) => assert!(bytes > max),
        (Err(ContentError::TooManyMentions(users)), Some(1 | 3 | 4)) => assert!(users > MENTIONS_MAX),
        (Err(error), _) => panic!("{content:?}: {error}"),
    }
}

fn fits(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len())
}

/// The code of what clients send.
const fn code_of(content: &Content) -> Option<u64> {
    match content {
        Content::Text(_) => Some(1),
        Content::Custom(_) => Some(2),
        Content::Image(_) => Some(3),
        Content::File(_) => Some(4),
        _ => None,
    }
}

/// The key of an upload, where there has to be one.
fn key_of(content: &Content) -> Option<&str> {
    match content {
        Content::Image(image) => Some(&image.key),
        Content::File(file) => Some(&file.key),
        _ => None,
    }
}
