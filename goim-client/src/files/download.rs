//! What is fetched.

use std::fmt;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncBufRead;
use tokio::time::timeout;
use tokio_util::io::StreamReader;

use super::door::lost;
use crate::FileError;

/// Which bytes are wanted: from the first to the last one, or to the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    first: u64,
    last: Option<u64>,
}

impl Wanted {
    pub(super) fn new(range: &impl RangeBounds<u64>) -> Result<Self, FileError> {
        let first = match range.start_bound() {
            Bound::Included(first) => Some(*first),
            Bound::Excluded(before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let last = match range.end_bound() {
            Bound::Included(last) => Some(Some(*last)),
            Bound::Excluded(behind) => behind.checked_sub(1).map(Some),
            Bound::Unbounded => Some(None),
        };
        match (first, last) {
            (Some(first), Some(last)) if last.is_none_or(|last| first <= last) => Ok(Self { first, last }),
            _ => Err(FileError::EmptyRange),
        }
    }

    fn is_all(self) -> bool {
        self == Self { first: 0, last: None }
    }

    /// The header that asks for them, if they are not all.
    pub(super) fn header(self) -> Option<HeaderValue> {
        let last = self.last.map(|last| last.to_string()).unwrap_or_default();
        let value = HeaderValue::try_from(format!("bytes={}-{last}", self.first));
        value.ok().filter(|_| !self.is_all())
    }

    /// The status of an answer that has them.
    pub(super) fn status(self) -> StatusCode {
        if self.is_all() { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT }
    }
}

/// A file on its way, or a part of it: a stream of its bytes as they come. It ends with an error if not all of
/// them do, or if the whole file is not what its hash says.
pub struct Download {
    media_type: String,
    first: u64,
    bytes: u64,
    file_bytes: u64,
    chunks: BoxStream<'static, Result<Bytes, FileError>>,
}

impl Download {
    pub(super) fn new(
        answer: Response<Incoming>,
        wanted: Wanted,
        hash: &str,
        stall_timeout: Duration,
    ) -> Result<Self, FileError> {
        let unexpected = || FileError::UnexpectedAnswer { status: answer.status().as_u16() };
        let headers = answer.headers();
        let media_type = text(headers, header::CONTENT_TYPE).ok_or_else(unexpected)?.to_owned();
        let bytes = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let bytes = bytes.ok_or_else(unexpected)?;
        let file_bytes = match wanted.is_all() {
            true => Some(bytes),
            false => text(headers, header::CONTENT_RANGE).and_then(|part| file_bytes(part, wanted, bytes)),
        };
        let file_bytes = file_bytes.ok_or_else(unexpected)?;
        let check = wanted.is_all().then(|| (Sha256::new(), hash.to_owned()));
        let status = answer.status().as_u16();
        let coming = Coming { body: answer.into_body(), status, left: bytes, check, stall_timeout };
        let chunks = stream::try_unfold(coming, Coming::next).boxed();
        Ok(Self { media_type, first: wanted.first, bytes, file_bytes, chunks })
    }

    /// What the file's first bytes say that it is (RFC 6838).
    #[must_use]
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Which byte of the file comes first; the first of a file is 0.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many bytes come in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bytes the whole file has.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// All that comes, at once, if it is at most so many bytes.
    ///
    /// # Errors
    ///
    /// [`FileError`], for one if there are more.
    pub async fn into_bytes(mut self, bytes_max: u64) -> Result<Bytes, FileError> {
        if self.bytes > bytes_max {
            return Err(FileError::TooLong { bytes: self.bytes, bytes_max });
        }
        let mut content = BytesMut::new();
        while let Some(chunk) = self.try_next().await? {
            content.extend_from_slice(&chunk);
        }
        Ok(content.freeze())
    }

    /// A reader of what comes; its errors have a [`FileError`] inside.
    pub fn into_reader(self) -> impl AsyncBufRead + Send + Unpin {
        StreamReader::new(self.map_err(io::Error::other))
    }
}

impl Stream for Download {
    type Item = Result<Bytes, FileError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_next_unpin(context)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Download");
        shown.field("media_type", &self.media_type).field("first", &self.first).field("bytes", &self.bytes);
        shown.field("file_bytes", &self.file_bytes).finish_non_exhaustive()
    }
}

/// A body, and what the whole of it should be.
struct Coming {
    body: Incoming,
    status: u16,
    /// Counted here: how an answer is framed may say something else than its length.
    left: u64,
    check: Option<(Sha256, String)>,
    stall_timeout: Duration,
}

impl Coming {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, FileError> {
        loop {
            let frame = timeout(self.stall_timeout, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| FileError::Stalled)? else {
                return match self.left {
                    0 => self.check().map(|()| None),
                    _ => Err(FileError::Disconnected(io::ErrorKind::UnexpectedEof.into())),
                };
            };
            // (Trailers say nothing here.)
            if let Ok(data) = frame.map_err(lost)?.into_data() {
                let left = self.left.checked_sub(data.len() as u64);
                self.left = left.ok_or(FileError::UnexpectedAnswer { status: self.status })?;
                if let Some((hashed, _)) = &mut self.check {
                    hashed.update(&data);
                }
                return Ok(Some((data, self)));
            }
        }
    }

    fn check(self) -> Result<(), FileError> {
        let Some((hashed, hash)) = self.check else { return Ok(()) };
        if is_hash(hashed, &hash) { Ok(()) } else { Err(FileError::Corrupt) }
    }
}

/// Whether these are the digits of what was hashed.
pub(super) fn is_hash(hashed: Sha256, digits: &str) -> bool {
    let hash = hashed.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hash.map(|digit| char::from_digit(digit.into(), 16)).eq(digits.chars().map(Some))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// How long a file is of which this part comes, `bytes 5-9/20`, if it is the part that is wanted: to its last
/// byte, or to the end of the file if that is before.
fn file_bytes(part: &str, wanted: Wanted, bytes: u64) -> Option<u64> {
    let (range, of) = part.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let of: u64 = of.parse().ok()?;
    let end = wanted.last.map_or(of, |last| of.min(last.saturating_add(1)));
    let fits =
        first == wanted.first && last.checked_add(1) == Some(end) && end.checked_sub(first) == Some(bytes);
    fits.then_some(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_asked_for_as_http_has_it() {
        let asked = |range: Result<Wanted, FileError>| {
            range.map(|range| range.header().map(|value| value.to_str().unwrap().to_owned()))
        };
        for (range, header) in [
            (Wanted::new(&(..)), None),
            (Wanted::new(&(0..)), None),
            (Wanted::new(&(7..)), Some("bytes=7-")),
            (Wanted::new(&(..7)), Some("bytes=0-6")),
            (Wanted::new(&(5..7)), Some("bytes=5-6")),
            (Wanted::new(&(5..=5)), Some("bytes=5-5")),
            (Wanted::new(&(Bound::Excluded(5), Bound::Unbounded)), Some("bytes=6-")),
        ] {
            assert_eq!(asked(range).unwrap().as_deref(), header);
        }
        let past_all = (Bound::Excluded(u64::MAX), Bound::Unbounded);
        for empty in [Wanted::new(&(..0)), Wanted::new(&(5..5)), Wanted::new(&past_all)] {
            assert!(matches!(empty, Err(FileError::EmptyRange)), "{empty:?}");
        }
    }

    #[test]
    fn a_part_is_the_one_that_is_wanted_or_none() {
        let wanted = Wanted::new(&(5..10)).unwrap();
        assert_eq!(file_bytes("bytes 5-9/20", wanted, 5), Some(20));
        assert_eq!(file_bytes("bytes 5-7/8", wanted, 3), Some(8), "the file ends before");
        assert_eq!(file_bytes("bytes 5-19/20", Wanted::new(&(5..)).unwrap(), 15), Some(20));
        for (part, bytes) in [
            ("bytes 4-9/20", 6),
            ("bytes 5-8/20", 4),
            ("bytes 5-9/20", 4),
            ("bytes 5-9/*", 5),
            ("bytes 5-9", 5),
            ("bytes */20", 0),
            ("bytes 9-5/20", 5),
            ("items 5-9/20", 5),
            ("bytes 5-18446744073709551615/20", 5),
        ] {
            assert_eq!(file_bytes(part, wanted, bytes), None, "{part}");
        }
    }
}
