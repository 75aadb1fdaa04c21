//! Where a key set comes from.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::config::KeysAt;
use crate::outbound;

/// Bytes of a key set: more than a hundred keys.
const SET_BYTES_MAX: usize = 128 << 10;
/// How long an issuer may take for its answer, and a file to be read.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Why an issuer's keys cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read.
    #[error("the issuer's keys cannot be read from {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The issuer cannot be reached, or takes too long.
    #[error("the issuer's keys cannot be fetched")]
    Http(#[from] reqwest::Error),
    /// The issuer answered with something else.
    #[error("the issuer answers {0} and no keys")]
    Status(StatusCode),
    /// More bytes came than a key set may have.
    #[error("the issuer's keys have more than {SET_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no key set.
    #[error("the issuer's keys are no key set")]
    Malformed(#[from] serde_json::Error),
}

/// A place that has a key set.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf, Duration, Arc<Semaphore>),
    Url(Client, Url),
}

impl Source {
    pub(super) fn new(at: KeysAt) -> Result<Self, KeysError> {
        Self::within(at, ANSWERED_WITHIN)
    }

    fn within(at: KeysAt, answered: Duration) -> Result<Self, KeysError> {
        match at {
            KeysAt::File(path) => Ok(Self::File(path, answered, Arc::new(Semaphore::new(1)))),
            KeysAt::Url(url) => {
                outbound::provide_tls();
                // Redirected, it could be anybody's answer, or one that came without TLS; and what is asked of
                // this machine without TLS must not leave it by a proxy.
                let client = Client::builder().timeout(answered).redirect(Policy::none());
                let client = if url.scheme() == "http" { client.no_proxy() } else { client };
                let client = client.build()?;
                Ok(Self::Url(client, url))
            }
        }
    }

    /// What is there now, within bounds of bytes and of time.
    pub(super) async fn read(&self) -> Result<Bytes, KeysError> {
        match self {
            Self::File(path, within, turn) => {
                let read = read_file(path.clone(), *within, turn).await;
                let bytes = read.map_err(|source| KeysError::File { path: path.clone(), source })?;
                bounded(bytes.len())?;
                Ok(bytes.into())
            }
            Self::Url(client, url) => {
                let mut answer = client.get(url.clone()).send().await?;
                if !answer.status().is_success() {
                    return Err(KeysError::Status(answer.status()));
                }
                let mut bytes = BytesMut::new();
                while let Some(chunk) = answer.chunk().await? {
                    bounded(bytes.len() + chunk.len())?;
                    bytes.extend_from_slice(&chunk);
                }
                Ok(bytes.freeze())
            }
        }
    }
}

/// A file may be on another machine, or be a pipe: its reader is waited for so long, and there is no second
/// one while the first still waits.
async fn read_file(path: PathBuf, within: Duration, turn: &Arc<Semaphore>) -> io::Result<Vec<u8>> {
    let turn = Arc::clone(turn).try_acquire_owned().map_err(|_| ErrorKind::ResourceBusy)?;
    let (done, read) = oneshot::channel();
    // No thread of the runtime's, which would not end before it.
    thread::Builder::new().name("issuer's keys".into()).spawn(move || {
        let mut bytes = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(SET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
            .map(|_| bytes);
        drop(turn);
        // Nobody may wait any more.
        let _ = done.send(read);
    })?;
    timeout(within, read).await?.map_err(io::Error::other)?
}

fn bounded(bytes: usize) -> Result<(), KeysError> {
    if bytes > SET_BYTES_MAX { Err(KeysError::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Reads from a server that takes a request and does as it likes with it.
    async fn read<F: Future<Output = ()>>(
        answered: Duration,
        serve: impl Fn(TcpStream) -> F,
    ) -> Result<Bytes, KeysError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let source = Source::within(KeysAt::Url(url), answered).unwrap();
        let serve = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4_096];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                serve(stream).await;
            }
        };
        tokio::select! {
            read = source.read() => read,
            () = serve => unreachable!("it serves for ever"),
        }
    }

    async fn write(mut stream: TcpStream, head: &str, body: &[u8]) {
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever has read enough may leave.
        while !body.is_empty() && stream.write_all(body).await.is_ok() {}
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn an_answer_without_end_is_left() {
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        let read = read(LONG, |stream| write(stream, head, &[b' '; 4_096])).await;
        assert!(matches!(read, Err(KeysError::TooLarge)), "{read:?}");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_not_waited_for() {
        let soon = Duration::from_millis(50);
        let silent = read(soon, |stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
        });
        assert!(matches!(silent.await, Err(KeysError::Http(error)) if error.is_timeout()));
        let begun = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{";
        let stuck = read(soon, |mut stream| async move {
            stream.write_all(begun.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        assert!(matches!(stuck.await, Err(KeysError::Http(error)) if error.is_timeout()));
    }

    #[tokio::test]
    async fn nobody_is_followed_elsewhere() {
        let head = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let read = read(LONG, |stream| write(stream, head, b"")).await;
        assert!(matches!(read, Err(KeysError::Status(StatusCode::FOUND))), "{read:?}");
    }

    #[tokio::test]
    async fn a_file_is_read_within_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let source = Source::new(KeysAt::File(path.clone())).unwrap();
        assert!(matches!(source.read().await, Err(KeysError::File { .. })));
        std::fs::write(&path, vec![b' '; SET_BYTES_MAX]).unwrap();
        assert_eq!(source.read().await.unwrap().len(), SET_BYTES_MAX);
        std::fs::write(&path, vec![b' '; SET_BYTES_MAX + 1]).unwrap();
        assert!(matches!(source.read().await, Err(KeysError::TooLarge)));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_is_not_to_be_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let source = Source::within(KeysAt::File(path.clone()), Duration::from_millis(50)).unwrap();
        let late = source.read().await;
        assert!(
            matches!(&late, Err(KeysError::File { source, .. }) if source.kind() == ErrorKind::TimedOut),
            "{late:?}"
        );
        let busy = source.read().await;
        assert!(
            matches!(&busy, Err(KeysError::File { source, .. }) if source.kind() == ErrorKind::ResourceBusy),
            "{busy:?}"
        );
        // The thread that opens it waits for somebody to write, and the test for the thread.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    }
}
