//! What is done on the stage, and what comes of it.

use std::pin::Pin;

use goim_core::lane::AppendResult;
use goim_core::{ConversationId, Epoch, Seq};
use goim_server::store::{
    DueRow, Head, LaneConnection, Load, LoadedState, OffsetRefusal, Page, ReaderState, StoreError,
    StoreResult, StoredEntry,
};

use crate::rival::RivalConnection;

/// A call under way.
pub(crate) type Call = Pin<Box<dyn Future<Output = Output> + Send>>;

/// What came of a call.
pub(crate) enum Output {
    Connected(StoreResult<Box<dyn LaneConnection>>),
    Appended(Box<dyn LaneConnection>, AppendResult),
    Loaded(Box<Load>, StoreResult<Option<LoadedState>>),
    Entries(StoreResult<Vec<StoredEntry>>),
    Page(StoreResult<Page>),
    Heads(StoreResult<Vec<Head>>),
    States(StoreResult<Vec<ReaderState>>),
    Offsets(StoreResult<Vec<OffsetRefusal>>),
    Marked(StoreResult<Option<Seq>>),
    Made(StoreResult<ConversationId>),
    Due(StoreResult<Vec<DueRow>>),
    Done(StoreResult<()>),
    Epoch(StoreResult<Epoch>),
    /// With the head and the count that the rival saw under his lock.
    Rival(RivalConnection, Result<(Seq, u64), sqlx::Error>),
    /// It was cut.
    Cut,
}

impl Output {
    /// The error that a call to the store ended with, if it did.
    pub(crate) fn error(&self) -> Option<&StoreError> {
        match self {
            Self::Connected(result) => result.as_ref().err(),
            Self::Loaded(_, result) => result.as_ref().err(),
            Self::Entries(result) => result.as_ref().err(),
            Self::Page(result) => result.as_ref().err(),
            Self::Heads(result) => result.as_ref().err(),
            Self::States(result) => result.as_ref().err(),
            Self::Offsets(result) => result.as_ref().err(),
            Self::Marked(result) => result.as_ref().err(),
            Self::Made(result) => result.as_ref().err(),
            Self::Due(result) => result.as_ref().err(),
            Self::Done(result) => result.as_ref().err(),
            Self::Epoch(result) => result.as_ref().err(),
            Self::Appended(..) | Self::Rival(..) | Self::Cut => None,
        }
    }
}
