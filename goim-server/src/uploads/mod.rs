//! What people upload: streamed into an object store, found again by its hash.
//!
//! The database says what there is: content by its SHA-256, in which conversation or as whose avatar
//! (`store/uploads.rs`). An object store has the bytes, at a place that nothing else was ever kept at:
//! so no two uploads meet there, and what nothing refers to can be deleted without looking twice.
//!
//! `media` says what content is, `receive` takes it in, `storage` is the object store, `slots` bounds how
//! many come at once.

mod media;
mod receive;
mod slots;
mod storage;

pub(crate) use media::is_shown_inline;
pub(crate) use receive::{Terms, Trouble, receive};
pub(crate) use slots::{Slot, Slots};
pub(crate) use storage::Storage;
pub use storage::StorageError;
