//! An upload on its way: hashed, looked at and bounded while it passes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::media::{BEGINNING_BYTES, is_picture, media_type};
use super::storage::{Storage, StorageError};

/// What a part has that is not the last: S3 takes none that is smaller.
const PART_BYTES: usize = 5 << 20;
/// How long a client may be silent.
const SILENT: Duration = Duration::from_secs(30);

/// What is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) bytes_max: u64,
    /// Pictures alone.
    pub(crate) pictures: bool,
    /// For all of it together.
    pub(crate) within: Duration,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// SHA-256, in hexadecimal.
    pub(crate) hash: String,
    pub(crate) media_type: &'static str,
    pub(crate) bytes: u64,
}

/// Why nothing was taken.
#[derive(Debug)]
pub(crate) enum Trouble {
    TooLarge,
    Empty,
    /// It is no picture.
    NoPicture(&'static str),
    /// The client went away, or was too slow.
    CutOff,
    Storage(StorageError),
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Takes what a body has to a place. After an error there is nothing at it, unless the storage failed.
pub(crate) async fn receive<E: Send>(
    storage: &Storage,
    place: &str,
    body: impl Stream<Item = Result<Bytes, E>> + Send,
    terms: Terms,
) -> Result<Received, Trouble> {
    let mut writer = storage.writer(place);
    let mut passing = Passing { terms, hash: Sha256::new(), bytes: 0, media_type: None };
    let mut body = std::pin::pin!(body);
    let mut part = BytesMut::new();
    let end = Instant::now() + terms.within;
    let came = async {
        while let Ok(chunk) = timeout_at(end.min(Instant::now() + SILENT), body.next()).await {
            let Some(chunk) = chunk else {
                passing.look(&part)?;
                return Ok(());
            };
            let chunk = chunk.map_err(|_| Trouble::CutOff)?;
            passing.count(&chunk)?;
            part.extend_from_slice(&chunk);
            if part.len() >= BEGINNING_BYTES {
                passing.look(&part)?;
            }
            while part.len() > PART_BYTES {
                writer.part(part.split_to(PART_BYTES).freeze()).await?;
            }
        }
        Err(Trouble::CutOff)
    };
    if let Err(trouble) = came.await {
        writer.abort().await;
        return Err(trouble);
    }
    writer.finish(part.freeze()).await?;
    Ok(passing.received())
}

/// What is known of an upload so far.
struct Passing {
    terms: Terms,
    hash: Sha256,
    bytes: u64,
    media_type: Option<&'static str>,
}

impl Passing {
    fn count(&mut self, chunk: &[u8]) -> Result<(), Trouble> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.terms.bytes_max {
            return Err(Trouble::TooLarge);
        }
        self.hash.update(chunk);
        Ok(())
    }

    /// Looks at the beginning, once.
    fn look(&mut self, part: &[u8]) -> Result<(), Trouble> {
        if self.media_type.is_some() {
            return Ok(());
        }
        if part.is_empty() {
            return Err(Trouble::Empty);
        }
        let media_type = media_type(&part[..part.len().min(BEGINNING_BYTES)]);
        if self.terms.pictures && !is_picture(media_type) {
            return Err(Trouble::NoPicture(media_type));
        }
        self.media_type = Some(media_type);
        Ok(())
    }

    fn received(self) -> Received {
        let Self { hash, bytes, media_type, .. } = self;
        let hash = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Received { hash, media_type: media_type.unwrap_or_default(), bytes }
    }
}
