//! What a store knows of uploads: whose they are, and where their bytes are.

use async_trait::async_trait;
use goim_core::{ConversationId, UserId};

use super::StoreResult;

/// Content that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// SHA-256, in hexadecimal.
    pub hash: String,
    /// What it is, by what it begins with.
    pub media_type: String,
    /// How long it is.
    pub bytes: u64,
    /// Where its bytes are.
    pub place: String,
}

/// Whose content is whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// The content, at the place where it came.
    pub object: StoredObject,
    /// Where it belongs; `None`: it is an avatar.
    pub conversation: Option<ConversationId>,
    /// Who uploaded it.
    pub user: UserId,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Its bytes stay where they came.
    Kept,
    /// The same content is elsewhere already; what came is needed no more.
    Known,
    /// Its user would have more than he may, so it was not kept.
    TooMuch,
    /// It took so long that its place was claimed as garbage.
    TooLate,
}

/// Uploads, and the places that nothing needs.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Notes that something may come to be at a place, which is garbage at this time unless it is kept
    /// until then.
    async fn begin_upload(&self, place: &str, due_ms: u64) -> StoreResult<()>;

    /// Keeps content, if what its user has uploaded is at most so many bytes with it.
    async fn keep_upload(&self, upload: &NewUpload, user_bytes_max: u64) -> StoreResult<Keeping>;

    /// The bytes of all that a user has uploaded.
    async fn uploaded_bytes(&self, user: UserId) -> StoreResult<u64>;

    /// Content that was uploaded to a conversation, or as an avatar.
    async fn uploaded(
        &self,
        hash: &str,
        conversation: Option<ConversationId>,
    ) -> StoreResult<Option<StoredObject>>;

    /// Forgets what was uploaded to a conversation, by a user or, if none is named, by anybody; if that leaves
    /// content to nobody, its place is garbage now. Whether there was something.
    async fn remove_upload(
        &self,
        hash: &str,
        conversation: ConversationId,
        user: Option<UserId>,
        now_ms: u64,
    ) -> StoreResult<bool>;

    /// Forgets avatars that came before a time and that no profile and no group shows, up to a number;
    /// where that leaves content to nobody, its place is garbage now. How many were forgotten.
    async fn sweep_avatars(&self, before_ms: u64, now_ms: u64, limit: u32) -> StoreResult<usize>;

    /// Claims places that are garbage at this time, up to a number: nothing at them is kept any more.
    async fn claim_garbage(&self, now_ms: u64, limit: u32) -> StoreResult<Vec<String>>;

    /// What is at a place is garbage by now, unless it was kept.
    async fn discard_place(&self, place: &str) -> StoreResult<()>;

    /// There is nothing at a place any more.
    async fn forget_place(&self, place: &str) -> StoreResult<()>;
}
