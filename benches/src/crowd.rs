//! Users of a run: bots of one owner.
//!
//! One password is hashed, as every password is; everybody else has a bot's token, which needs no
//! slow hash. So thousands of users are made in seconds, and the hashing stays as it is for people.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use goim_client::{Client, ClientBuilder, Transport, UserId};

use crate::host::{Host, hex};

/// Users who are made or connected at once.
const CONNECTING_MAX: usize = 16;
/// Tries to connect while the server is busy with everybody else.
const CONNECT_TRIES: u32 = 20;

/// What can go wrong with the server under load.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CrowdError {
    #[error("cannot connect")]
    Connect(#[from] goim_client::ConnectError),
    #[error("a call failed")]
    Call(#[from] goim_client::CallError),
    #[error("a message could not be sent")]
    Send(#[from] goim_client::SendError),
}

/// The owner, and what it takes to make users.
pub(crate) struct Crowd<'a> {
    pub(crate) owner: Client,
    host: &'a Host,
    transport: Transport,
    /// Keeps names apart from those of other runs on the same server.
    run: u32,
    made: AtomicUsize,
}

/// A user with a connection.
pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) id: UserId,
}

/// A user who is not connected.
pub(crate) struct Token {
    pub(crate) user: UserId,
    pub(crate) token: String,
}

impl<'a> Crowd<'a> {
    pub(crate) async fn gather(host: &'a Host) -> Result<Self, CrowdError> {
        let transport = Transport::with_fingerprint(host.fingerprint)?;
        let run: u32 = rand::random();
        let owner = Client::builder(host.address(0)).transport(&transport).connect().await?;
        let password = hex(&rand::random::<[u8; 16]>());
        owner.register(&format!("bench-{run:08x}"), &password).await?;
        Ok(Self { owner, host, transport, run, made: AtomicUsize::new(0) })
    }

    /// Makes users, and connects each as `with` says.
    pub(crate) async fn users(
        &self,
        count: usize,
        with: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Vec<User>, CrowdError> {
        let with = &with;
        let user = |number| async move {
            let Token { user: id, token } = self.token().await?;
            let client = self.host.connect(&self.transport, number, |one| with(one.token(&token))).await?;
            Ok(User { client, id })
        };
        stream::iter(0..count).map(user).buffered(CONNECTING_MAX).try_collect().await
    }

    /// Makes users who are not connected.
    pub(crate) async fn tokens(&self, count: usize) -> Result<Vec<Token>, CrowdError> {
        stream::iter(0..count).map(|_| self.token()).buffered(CONNECTING_MAX).try_collect().await
    }

    async fn token(&self) -> Result<Token, CrowdError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let bot = self.owner.create_bot(&format!("u{number}-{:08x}", self.run)).await?;
        Ok(Token { user: bot.user, token: bot.token })
    }
}

impl Host {
    /// Connects client number so-and-so as `with` says.
    pub(crate) async fn connect(
        &self,
        transport: &Transport,
        number: usize,
        with: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, CrowdError> {
        let mut tries = 0;
        loop {
            match with(Client::builder(self.address(number)).transport(transport)).connect().await {
                Ok(client) => return Ok(client),
                Err(error) if tries >= CONNECT_TRIES => return Err(error.into()),
                Err(_) => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}
