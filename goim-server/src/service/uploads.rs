//! Uploads: who may bring and fetch what, and what is kept of it.
//!
//! An upload's place is noted as garbage of the future before anything is written there, and is kept by
//! the transaction that says whose the content is. So whatever fails or dies in between is deleted.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use goim_core::lane::{Fold, Rules as _};
use goim_core::{ConversationId, UserId};
use goim_proto::{Content, Error, ErrorCode, Role};
use tokio::time::{MissedTickBehavior, interval};

use super::rules::ChatRules;
use super::{Caller, Refusal, Service, failed, refuse};
use crate::clock::unix_ms;
use crate::store::{
    Effect, EntryDraft, EntryKind, Keeping, Load, NewUpload, StoreError, StoreResult, StoredObject,
};
use crate::uploads::{Slot, StorageError, Terms, Trouble, receive};

/// How long an upload may take: 64 MiB at 1 MBit/s.
const UPLOADED_WITHIN: Duration = Duration::from_secs(600);
/// After that, what was begun is garbage. What is kept so late is refused; it only has to be rare.
const GARBAGE_AFTER_MS: u64 = 3_600_000;
/// When to come again if all places are taken or the object store does not answer, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// What is forgotten, or deleted, in one go.
const SWEPT_AT_ONCE: u32 = 100;
/// Digits of a hash in hexadecimal.
const HASH_DIGITS: usize = 64;

/// An upload that may come.
#[derive(Debug)]
pub(crate) struct Admitted {
    user: UserId,
    /// Where to; `None`: it is an avatar.
    conversation: Option<ConversationId>,
    terms: Terms,
    _slot: Slot,
}

impl Service {
    /// Lets an upload of so many bytes in, as far as that is known: to a conversation where the caller may
    /// write, or an avatar.
    pub(crate) async fn admit_upload(
        &self,
        caller: &Caller,
        conversation: Option<ConversationId>,
        declared: Option<u64>,
    ) -> Result<Admitted, Error> {
        self.metrics.calls_total.add(1);
        let user = self.caller(caller).await?.user;
        self.check_takes_sends()?;
        if let Some(conversation) = conversation {
            self.check_writes(user, conversation).await?;
        }
        let limits = &self.config.uploads;
        let pictures = conversation.is_none();
        let bytes_max = if pictures { limits.avatar_bytes_max } else { limits.attachment_bytes_max };
        let terms = Terms { bytes_max, pictures, within: UPLOADED_WITHIN };
        let declared = declared.unwrap_or(1);
        if declared > bytes_max {
            return Err(too_large(bytes_max));
        }
        let had = self.store.uploaded_bytes(user).await.map_err(failed)?;
        if had.saturating_add(declared) > limits.user_bytes_max {
            return Err(too_much());
        }
        match self.slots.take(user) {
            Some(slot) => Ok(Admitted { user, conversation, terms, _slot: slot }),
            None => {
                let error = Error::new(ErrorCode::RateLimited, "too many uploads at once; try again shortly");
                Err(Error { retry_after_ms: Some(RETRY_MS), ..error })
            }
        }
    }

    /// Takes an upload in.
    pub(crate) async fn upload<E: Send + 'static>(
        self: &Arc<Self>,
        admitted: Admitted,
        body: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Result<StoredObject, Error> {
        let service = Arc::clone(self);
        // In a task of its own: whoever goes away takes the request's future with him, and what was begun
        // has to be given up in an orderly way.
        let taken = tokio::spawn(async move { service.take_in(admitted, body).await });
        taken
            .await
            .unwrap_or_else(|_| refuse(ErrorCode::Internal, "the server made a mistake; its log says more"))
    }

    async fn take_in<E: Send>(
        &self,
        admitted: Admitted,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<StoredObject, Error> {
        let place = format!("{:032x}", rand::random::<u128>());
        self.store.begin_upload(&place, unix_ms() + GARBAGE_AFTER_MS).await.map_err(failed)?;
        let kept = self.keep(&admitted, &place, body).await;
        if !matches!(kept, Ok((_, Keeping::Kept)))
            && let Err(error) = self.store.discard_place(&place).await
        {
            complain(&error);
        }
        kept.map(|(object, _)| object)
    }

    async fn keep<E: Send>(
        &self,
        admitted: &Admitted,
        place: &str,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(StoredObject, Keeping), Error> {
        let Admitted { user, conversation, terms, .. } = *admitted;
        let came = receive(&self.storage, place, body, terms).await;
        let came = came.map_err(|trouble| told(trouble, terms.bytes_max))?;
        if let Some(conversation) = conversation {
            // Once more: it may have taken minutes.
            self.check_writes(user, conversation).await?;
        }
        let object = StoredObject {
            hash: came.hash,
            media_type: came.media_type.into(),
            bytes: came.bytes,
            place: place.to_owned(),
        };
        let upload = NewUpload { object, conversation, user, at_ms: unix_ms() };
        match self.store.keep_upload(&upload, self.config.uploads.user_bytes_max).await.map_err(failed)? {
            Keeping::TooMuch => Err(too_much()),
            Keeping::TooLate => Err(cut_off()),
            keeping @ (Keeping::Kept | Keeping::Known) => Ok((upload.object, keeping)),
        }
    }

    /// Finds what was uploaded to a conversation, for who is a member of it now, or an avatar, for everybody
    /// with an account.
    pub(crate) async fn find_upload(
        &self,
        caller: &Caller,
        conversation: Option<ConversationId>,
        hash: &str,
    ) -> Result<StoredObject, Error> {
        self.metrics.calls_total.add(1);
        let session = self.caller(caller).await?;
        check_hash(hash)?;
        if let Some(conversation) = conversation
            && !self.is_in(session.user, conversation).await?
        {
            return Err(Refusal::NotMember.into_error());
        }
        match self.store.uploaded(hash, conversation).await.map_err(failed)? {
            Some(object) => Ok(object),
            None => refuse(ErrorCode::NotFound, "nothing that has this hash was uploaded here"),
        }
    }

    /// Takes a file out of a conversation, as far as the caller brought it; owner and admins take it out
    /// whoever brought it.
    pub(crate) async fn remove_attachment(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        hash: &str,
    ) -> Result<(), Error> {
        self.metrics.calls_total.add(1);
        let user = self.caller(caller).await?.user;
        check_hash(hash)?;
        let nothing = || Error::new(ErrorCode::NotFound, "you uploaded nothing that has this hash here");
        // (No conversation is that of avatars, which are deleted when nobody shows them.)
        let found = self.store.load(&Load::new(conversation, vec![user])).await.map_err(failed)?;
        let state = found.ok_or_else(nothing)?;
        let member = state.members.into_iter().find_map(|(_, member)| member);
        let manages = member.is_some_and(|member| matches!(member.role, Some(Role::Owner | Role::Admin)));
        let of = (!manages).then_some(user);
        match self.store.remove_upload(hash, conversation, of, unix_ms()).await.map_err(failed)? {
            true => Ok(()),
            false => Err(nothing()),
        }
    }

    /// Reads a part of what was found.
    pub(crate) async fn read_upload(
        &self,
        object: &StoredObject,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, object_store::Error>>, Error> {
        self.storage.read(&object.place, range).await.map_err(storage_failed)
    }

    /// Refuses who may not write a message in a conversation as it is now.
    pub(super) async fn check_writes(&self, user: UserId, conversation: ConversationId) -> Result<(), Error> {
        let found = self.store.load(&Load::new(conversation, vec![user])).await.map_err(failed)?;
        let Some(state) = found else { return Err(Refusal::NotMember.into_error()) };
        let mut fold = Fold::new(state.settings);
        state.members.into_iter().for_each(|(user, row)| fold.set_member(user, row));
        let any = Content::text("");
        let message = EntryDraft { kind: EntryKind::of(&any), body: any.encode(), effect: Effect::None };
        ChatRules::new(&self.limits).judge(&fold, user, &message).map_err(Refusal::into_error)
    }

    /// Deletes what is kept for nobody, for ever.
    pub(crate) async fn sweep_uploads(&self) {
        let mut ticks = interval(Duration::from_millis(self.config.uploads.sweep_interval_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.sweep().await {
                complain(&error);
            }
        }
    }

    async fn sweep(&self) -> StoreResult<()> {
        let now_ms = unix_ms();
        let before_ms = now_ms.saturating_sub(1_000 * self.config.uploads.orphans_after_s);
        while self.store.sweep_avatars(before_ms, now_ms, SWEPT_AT_ONCE).await? == SWEPT_AT_ONCE as usize {}
        loop {
            let places = self.store.claim_garbage(now_ms, SWEPT_AT_ONCE).await?;
            for place in &places {
                if let Err(error) = self.storage.delete(place).await {
                    // It stays garbage, and is tried again with the next sweep.
                    tracing::warn!(%place, error = &error as &dyn std::error::Error, "garbage stays behind");
                    return Ok(());
                }
                self.store.forget_place(place).await?;
            }
            if places.len() < SWEPT_AT_ONCE as usize {
                return Ok(());
            }
        }
    }
}

fn check_hash(hash: &str) -> Result<(), Error> {
    match hash.len() == HASH_DIGITS && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        true => Ok(()),
        false => refuse(ErrorCode::BadArgument, "an upload's hash has 64 digits, 0 to 9 and a to f"),
    }
}

fn complain(error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "the store failed the upkeep of uploads");
}

/// What a client is told of an upload that came to nothing.
fn told(trouble: Trouble, bytes_max: u64) -> Error {
    match trouble {
        Trouble::TooLarge => too_large(bytes_max),
        Trouble::Empty => Error::new(ErrorCode::BadArgument, "the body is empty; send the file in it"),
        Trouble::NoPicture(media_type) => {
            let message = format!("an avatar is a PNG, JPEG, GIF or WebP picture, and not {media_type}");
            Error::new(ErrorCode::BadContent, message)
        }
        Trouble::CutOff => cut_off(),
        Trouble::Storage(error) => storage_failed(error),
    }
}

fn too_large(bytes_max: u64) -> Error {
    Error::new(ErrorCode::TooLarge, format!("such an upload has at most {bytes_max} bytes"))
}

fn too_much() -> Error {
    Error::new(ErrorCode::TooLarge, "you have uploaded as much as this server allows")
}

fn cut_off() -> Error {
    Error::new(ErrorCode::BadArgument, "the body was cut off, or came too slowly; send it again")
}

#[allow(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn storage_failed(error: StorageError) -> Error {
    if error.is_not_found() {
        // Forgotten since it was looked up; or the database went back to when it was there.
        return Error::new(ErrorCode::NotFound, "what was uploaded is gone");
    }
    tracing::warn!(error = &error as &dyn std::error::Error, "the store of uploads failed");
    let error = Error::new(ErrorCode::Unavailable, "the store of uploads does not answer; try again");
    Error { retry_after_ms: Some(RETRY_MS), ..error }
}
