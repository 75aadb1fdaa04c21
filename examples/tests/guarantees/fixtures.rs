//! Seeds, sizes, deadlines.

use std::time::Duration;

use goim_client::{Client, ClientMsgId, Content, ConversationId, SendError, Sending, Sent};

pub(crate) use crate::common::{now_ms, scaled, seeded};

/// Nothing here takes so long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What comes in time; the test fails if it does not.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what}: waited for too long"))
}

/// Waits until a condition holds that nobody announces.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    in_time(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) fn mint_at(unix_ms: u64) -> ClientMsgId {
    ClientMsgId::mint(unix_ms, &rand::random())
}

/// Puts a text into the outbox.
pub(crate) async fn send(client: &Client, conversation: ConversationId, text: impl Into<String>) -> Sending {
    in_time("room in the outbox", client.send(conversation, Content::text(text))).await.expect("a good text")
}

/// Sends a text and waits for its answer.
pub(crate) async fn say(client: &Client, conversation: ConversationId, text: impl Into<String>) -> Sent {
    answered(send(client, conversation, text).await).await.expect("stored")
}

/// The answer to a message on its way.
pub(crate) async fn answered(sending: Sending) -> Result<Sent, SendError> {
    in_time("an answer", sending).await
}
