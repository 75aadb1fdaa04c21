//! Seeds, sizes, deadlines.

use std::time::Duration;

use goim_client::{Client, ClientMsgId, Content, ConversationId, SendError, Sending, Sent};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// Nothing here takes so long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Randomness that can be had again: the seed is printed, and taken from `GOIM_SEED`.
pub(crate) fn seeded(test: &str) -> StdRng {
    let seed = std::env::var("GOIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    eprintln!("{test}: GOIM_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// How much a test does: `short`, or ten times that with `GOIM_LONG=1`.
pub(crate) fn scaled(short: usize) -> usize {
    let long = std::env::var("GOIM_LONG").is_ok_and(|long| long == "1");
    if long { 10 * short } else { short }
}

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

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("a year before 500,000,000")
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
