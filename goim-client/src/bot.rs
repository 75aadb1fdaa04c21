//! A program that answers messages.

use std::future::Future;

use futures_util::StreamExt;
use goim_core::UserId;
use goim_proto::Content;

use crate::{Client, Message, SendError};

/// Runs a function for every message of others, in all conversations of the client, one after the
/// other.
///
/// A message counts as handled when the function has returned. After a crash the last one may come
/// again; an answer given by [`Client::reply`] is then dropped by the server, so its effect happens
/// once.
#[derive(Debug, Clone)]
pub struct Bot {
    client: Client,
}

impl Bot {
    /// A bot that speaks through this client, which is authenticated.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Runs until the client is closed.
    ///
    /// # Errors
    ///
    /// The first error of the handler.
    pub async fn run<F, R>(self, mut handler: F) -> Result<(), SendError>
    where
        F: FnMut(Client, Message) -> R,
        R: Future<Output = Result<(), SendError>>,
    {
        let own = self.client.session().map(|session| session.user).unwrap_or_default();
        let mut messages = self.client.messages();
        while let Some(message) = messages.next().await {
            if message.sender() != own && is_message(&message) {
                handler(self.client.clone(), message).await?;
            }
        }
        Ok(())
    }

    /// Answers every text for which `answer` has one.
    ///
    /// # Errors
    ///
    /// As [`Bot::run`].
    pub async fn answer(
        self,
        mut answer: impl FnMut(UserId, &str) -> Option<String>,
    ) -> Result<(), SendError> {
        self.run(move |client, message| {
            let text = message.text().and_then(|text| answer(message.sender(), &text));
            async move {
                if let Some(text) = text {
                    client.reply(&message, Content::text(text)).await?.await?;
                }
                Ok(())
            }
        })
        .await
    }
}

fn is_message(message: &Message) -> bool {
    matches!(message.content(), Content::Text(_) | Content::Custom(_))
}
