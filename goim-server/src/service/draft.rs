//! Entries on their way to a lane: what can be checked without the conversation's state.

use goim_core::lane::Offer;
use goim_core::{ClientMsgId, Epoch, UserId};
use goim_proto::{Content, ContentError, Error, ErrorCode, References, Send, SessionInfo};

use super::{Service, Ticket, refuse};
use crate::clock::unix_ms;
use crate::store::{EVERYBODY, Effect, EntryDraft, EntryKind};

/// Entries for the lanes.
pub(crate) type Offers = Vec<Offer<EntryDraft, Ticket>>;

/// How far back an id's time may lie. Shorter than any retention: what an older id named may be
/// gone, and then nobody could tell a repetition from something new.
const ID_AGE_MAX_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// How far ahead an id's time may lie: clocks differ.
const ID_AHEAD_MAX_MS: u64 = 5 * 60 * 1_000;

impl Service {
    /// Makes an entry of a client's message, sent in an epoch of the store.
    pub(crate) fn draft(
        session: &SessionInfo,
        epoch: Epoch,
        send: Send,
        ticket: Ticket,
    ) -> Result<Offer<EntryDraft, Ticket>, Error> {
        let Send { conversation, client_msg_id, after, retry, body } = send;
        check_id(client_msg_id)?;
        let Checked { kind, mentions } = check_content(&body)?;
        let effect = if mentions.is_empty() { Effect::None } else { Effect::Mention { users: mentions } };
        let entry = EntryDraft { kind, body, effect };
        let SessionInfo { user: sender, device, .. } = *session;
        Ok(Offer { ticket, conversation, sender, device, client_msg_id, after, retry, epoch, entry })
    }
}

/// A content that clients may send.
pub(super) struct Checked {
    pub(super) kind: EntryKind,
    /// Whom it mentions, as in [`Effect::Mention`].
    pub(super) mentions: Vec<UserId>,
}

/// Whether clients may send this content.
pub(super) fn check_content(body: &[u8]) -> Result<Checked, Error> {
    let checked = Content::check(body).map_err(|failure| bad_content(&failure))?;
    let References { mentions_all, mut mentions, .. } = checked.references.unwrap_or_default();
    if mentions_all {
        mentions = vec![EVERYBODY];
    } else {
        mentions.retain(|user| *user != EVERYBODY);
        mentions.sort_unstable();
        mentions.dedup();
    }
    Ok(Checked { kind: EntryKind::from_code(checked.code), mentions })
}

/// Whether a client may have minted this id now.
pub(super) fn check_id(id: ClientMsgId) -> Result<(), Error> {
    let Some(id_ms) = id.unix_ms() else {
        return refuse(ErrorCode::BadId, "a message id is a UUIDv7");
    };
    let now_ms = unix_ms();
    if id_ms + ID_AGE_MAX_MS < now_ms {
        return refuse(
            ErrorCode::IdTooOld,
            "the message id is over 30 days old; whether it is stored is not known",
        );
    }
    if id_ms > now_ms + ID_AHEAD_MAX_MS {
        return refuse(
            ErrorCode::IdTooNew,
            "the message id is from the future; mint ids on the server's time",
        );
    }
    Ok(())
}

fn bad_content(failure: &ContentError) -> Error {
    let code = match failure {
        ContentError::EmptyText => ErrorCode::EmptyText,
        ContentError::TextTooLong(_) => ErrorCode::TextTooLong,
        ContentError::NotUtf8 => ErrorCode::NotUtf8,
        ContentError::TooLarge(_) | ContentError::FieldTooLong { .. } | ContentError::TooManyMentions(_) => {
            ErrorCode::TooLarge
        }
        ContentError::NoKey | ContentError::NotForClients(_) | ContentError::Malformed(_) | _ => {
            ErrorCode::BadContent
        }
    };
    Error::new(code, failure.to_string())
}
