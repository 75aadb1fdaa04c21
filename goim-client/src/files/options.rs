//! Where files are, and how long they may stand still.

use std::time::Duration;

use crate::ClientBuilder;

/// Settings of files.
#[derive(Debug, Clone)]
pub(crate) struct FileOptions {
    pub(super) address: Option<String>,
    pub(super) plain: bool,
    pub(super) stall_timeout: Duration,
}

impl Default for FileOptions {
    fn default() -> Self {
        // A server takes up to 30 s for most answers, and what it has in its hands is on its way meanwhile.
        Self { address: None, plain: false, stall_timeout: Duration::from_secs(60) }
    }
}

impl ClientBuilder {
    /// Where the server's HTTP API is, over which files go: `https://HOST:PORT`, with a path if a proxy has it
    /// there. It is trusted by the same means as the server: its certificate has the same fingerprint, or the
    /// system's authorities vouch for it. So a proxy before it has to have the same certificate, and TLS 1.3. It
    /// is spoken to directly, whatever proxies the environment names.
    ///
    /// Without TLS, `http://HOST:PORT`, it has to be on this machine, unless [`plain_http`](Self::plain_http)
    /// says otherwise.
    #[must_use]
    pub fn http(mut self, address: impl Into<String>) -> Self {
        self.files.address = Some(address.into());
        self
    }

    /// Allows an [address of the HTTP API](Self::http) that is without TLS and not on this machine. Whoever is
    /// on the way reads the files and the session's token: for networks where nobody is.
    #[must_use]
    pub fn plain_http(mut self) -> Self {
        self.files.plain = true;
        self
    }

    /// How long the transfer of a file may stand still before it fails. Default: 60 s. A server gives up an
    /// upload of which nothing comes for 30 s. Waiting for the session to renew a token that is over does not
    /// count: like a call, a transfer waits for that as long as the client tries.
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.files.stall_timeout = timeout;
        self
    }
}
