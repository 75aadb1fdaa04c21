//! How to connect.

use std::sync::Arc;
use std::time::Duration;

use goim_proto::Start;

use crate::client::Client;
use crate::transport::{Transport, Trust};
use crate::{ConnectError, LocalStore};

/// When an entry counts as handled, so that its offset is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CommitPolicy {
    /// When the next one is asked for: right for programs that finish with one message before they
    /// take another.
    #[default]
    OnNext,
    /// When the application says so, by [`Client::commit`].
    Manual,
}

/// Settings of a [`Client`]. Every default is one to live with, but for whom to trust.
#[derive(Clone)]
pub struct ClientBuilder {
    pub(crate) addresses: Vec<String>,
    pub(crate) trust: Option<Trust>,
    pub(crate) transport: Option<Transport>,
    pub(crate) token: Option<String>,
    pub(crate) instance: String,
    pub(crate) start: Start,
    pub(crate) commit_policy: CommitPolicy,
    pub(crate) commit_interval: Duration,
    pub(crate) outbox_bytes_max: usize,
    pub(crate) reconnect_min: Duration,
    pub(crate) reconnect_max: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) datagrams: bool,
    pub(crate) reads: bool,
    pub(crate) local_store: Option<Arc<dyn LocalStore>>,
    #[cfg(feature = "files")]
    pub(crate) files: crate::files::FileOptions,
}

impl ClientBuilder {
    pub(crate) fn new(address: String) -> Self {
        Self {
            addresses: vec![address],
            trust: None,
            transport: None,
            token: None,
            instance: String::new(),
            start: Start::Now,
            commit_policy: CommitPolicy::OnNext,
            commit_interval: Duration::from_millis(50),
            outbox_bytes_max: 8 * 1024 * 1024,
            reconnect_min: Duration::from_millis(100),
            reconnect_max: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(10),
            datagrams: true,
            reads: true,
            local_store: None,
            #[cfg(feature = "files")]
            files: crate::files::FileOptions::default(),
        }
    }

    /// Adds another node to connect to: each try takes the next.
    #[must_use]
    pub fn or_server(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Trusts the server whose certificate has this SHA-256 fingerprint, and no other.
    #[must_use]
    pub fn fingerprint(mut self, sha256: [u8; 32]) -> Self {
        self.trust = Some(Trust::Fingerprint(sha256));
        self
    }

    /// As [`ClientBuilder::fingerprint`], from the 64 hexadecimal digits that a server prints.
    ///
    /// # Errors
    ///
    /// [`ConnectError::BadFingerprint`] if these are no 64 hexadecimal digits.
    pub fn fingerprint_hex(self, digits: &str) -> Result<Self, ConnectError> {
        let mut sha256 = [0; 32];
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes = digits.as_bytes();
        if bytes.len() != 2 * sha256.len() {
            return Err(ConnectError::BadFingerprint);
        }
        for (byte, pair) in sha256.iter_mut().zip(bytes.chunks_exact(2)) {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(ConnectError::BadFingerprint);
            };
            *byte = high << 4 | low;
        }
        Ok(self.fingerprint(sha256))
    }

    /// Trusts servers that the system's certificate authorities vouch for.
    #[must_use]
    pub fn system_roots(mut self) -> Self {
        self.trust = Some(Trust::SystemRoots);
        self
    }

    /// Shares one UDP socket and one set of TLS settings between many clients of a process.
    #[must_use]
    pub fn transport(mut self, transport: &Transport) -> Self {
        self.transport = Some(transport.clone());
        self
    }

    /// Opens a session at once, by an access token or a bot's token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Names this instance of a bot; each instance owns its offsets. The default is one instance.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = instance.into();
        self
    }

    /// Where a device reads from that has no offsets yet. Default: [`Start::Now`].
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// When an entry counts as handled. Default: [`CommitPolicy::OnNext`].
    #[must_use]
    pub fn commit_policy(mut self, policy: CommitPolicy) -> Self {
        self.commit_policy = policy;
        self
    }

    /// How long offsets are gathered before they are committed together. Default: 50 ms.
    #[must_use]
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit_interval = interval;
        self
    }

    /// Bytes of unanswered messages at which [`Client::send`] waits. Default: 8 MiB.
    #[must_use]
    pub fn outbox_bytes_max(mut self, bytes: usize) -> Self {
        self.outbox_bytes_max = bytes;
        self
    }

    /// The first and the longest wait between tries to reconnect. Default: 100 ms and 15 s.
    #[must_use]
    pub fn reconnect(mut self, min: Duration, max: Duration) -> Self {
        (self.reconnect_min, self.reconnect_max) = (min, max);
        self
    }

    /// Takes notifications on the stream only. For networks that lose most datagrams.
    #[must_use]
    pub fn without_datagrams(mut self) -> Self {
        self.datagrams = false;
        self
    }

    /// For programs that send and never read: this client asks for nothing that there is to read,
    /// and subscriptions stay empty.
    #[must_use]
    pub fn send_only(mut self) -> Self {
        self.reads = false;
        self
    }

    /// Where the outbox and offsets are kept. Default: nowhere; they live as long as the client.
    #[must_use]
    pub fn local_store(mut self, store: Arc<dyn LocalStore>) -> Self {
        self.local_store = Some(store);
        self
    }

    /// Connects, and authenticates if there is a token.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the first connection cannot be set up. Later ones are tried for as long
    /// as the client lives.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        Client::connect(self).await
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the token: settings end up in logs.
        f.debug_struct("ClientBuilder").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
