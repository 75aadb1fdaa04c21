//! What is uploaded.

use std::fmt;
use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::io::ReaderStream;

/// What is read, and handed on, at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A file to upload: bytes, or something that is read as it goes. If it is known how long it is, a server
/// that does not take so much says so, usually before any of it is sent.
pub struct FileSource {
    pub(super) bytes: Option<u64>,
    pub(super) chunks: BoxStream<'static, io::Result<Bytes>>,
}

impl FileSource {
    /// A file of this machine, as long as it is now. A name that comes with the message is given there.
    ///
    /// # Errors
    ///
    /// Why it cannot be opened. What is no file, a pipe or a folder, is [read](Self::reader) instead.
    pub async fn open(path: impl AsRef<Path> + Send) -> io::Result<Self> {
        let file = tokio::fs::File::open(path).await?;
        let about = file.metadata().await?;
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file with a length"));
        }
        let bytes = about.len();
        // What is written behind that meanwhile is another file's matter.
        Ok(Self { bytes: Some(bytes), ..Self::reader(file.take(bytes)) })
    }

    /// What a reader reads up to its end.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::stream(ReaderStream::with_capacity(reader, CHUNK_BYTES))
    }

    /// What a stream gives up to its end.
    pub fn stream(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        let pieces = chunks.flat_map(|chunk| match chunk {
            Ok(chunk) => stream::iter(pieces(chunk)).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        Self { bytes: None, chunks: pieces.boxed() }
    }
}

/// Whether the network takes it is seen piece by piece.
fn pieces(mut chunk: Bytes) -> impl Iterator<Item = Bytes> + Send {
    std::iter::from_fn(move || {
        let next = chunk.split_to(chunk.len().min(CHUNK_BYTES));
        (!next.is_empty()).then_some(next)
    })
}

impl From<Bytes> for FileSource {
    fn from(content: Bytes) -> Self {
        Self { bytes: u64::try_from(content.len()).ok(), ..Self::stream(stream::iter([Ok(content)])) }
    }
}

impl From<Vec<u8>> for FileSource {
    fn from(content: Vec<u8>) -> Self {
        Bytes::from(content).into()
    }
}

impl From<&'static [u8]> for FileSource {
    fn from(content: &'static [u8]) -> Self {
        Bytes::from_static(content).into()
    }
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSource").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
