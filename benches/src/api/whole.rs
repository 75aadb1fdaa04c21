//! Lists that take several calls, and are measured as a whole: what a client does when it comes back, and
//! when it shows all conversations.

use std::time::{Duration, Instant};

use goim_client::ConversationId;
use goim_proto::{Call, ConversationItem, ListConversations, Reply};

use super::ApiError;
use super::report::Measured;
use super::seed::{Chat, Stay};
use super::wire::Wire;
use super::world::{Door, Who, World, credentials, expect_success, sync};
use crate::host::HEAVY;
use crate::latency::Latencies;

/// The calls that are measured here.
#[cfg(test)]
pub(super) const CALLS: &[&str] = &["Sync", "ListConversations"];

/// Of so many conversations one has moved, for a device that was away for a moment.
const MOVED_EVERY: usize = 40;
/// Sends that are not answered yet, while what shall have moved is made to.
const WINDOW: usize = 64;

/// All measurements.
pub(super) async fn measure(world: &mut World, times: u32) -> Result<Vec<Measured>, ApiError> {
    let mut measured = list(world, times).await?;
    // Both are where everything is now; then everything moves for the one, and a little for the other.
    let long_away = device(&world.door()).await?;
    let all: Vec<_> =
        world.data.mine.iter().filter(|chat| chat.stay != Stay::Out).map(|chat| chat.id).collect();
    move_on(world, &all).await?;
    let back_soon = device(&world.door()).await?;
    let some: Vec<_> = all.iter().copied().step_by(MOVED_EVERY).collect();
    move_on(world, &some).await?;
    let (mut connected, mut waited) = (Latencies::default(), Vec::new());
    for (token, moved) in [(back_soon, some.len()), (long_away, all.len())] {
        let mut synced = Latencies::default();
        for _ in 0..times {
            let began = Instant::now();
            let mut wire = world.door().open(Some(&token)).await?;
            connected.record(micros(began.elapsed()));
            let (items, took) = sync(&mut wire).await?;
            // His inbox may have moved too.
            if items != moved && items != moved + 1 {
                return Err(ApiError::Moved { moved, items });
            }
            synced.record(micros(took));
            wire.close();
        }
        let what = format!("after reconnect, all of it: {moved} of {} moved", world.data.mine.len());
        waited.push(Measured::new("Sync", what, &synced));
    }
    measured.push(Measured::new("(connect)", "TLS, Hello, its session".to_owned(), &connected));
    measured.append(&mut waited);
    Ok(measured)
}

/// A device that stands at the heads, as an access token.
async fn device(door: &Door) -> Result<String, ApiError> {
    let (mut wire, session) = door.enter(Call::Login(credentials(HEAVY))).await?;
    sync(&mut wire).await?;
    wire.close();
    Ok(session.access_token)
}

/// Sends a message to each.
async fn move_on(world: &mut World, chats: &[ConversationId]) -> Result<(), ApiError> {
    for some in chats.chunks(WINDOW) {
        let sends: Vec<_> = some.iter().map(|chat| world.send(*chat)).collect();
        let wire = world.wire(Who::Heavy)?;
        let mut asked = Vec::with_capacity(sends.len());
        for send in sends {
            asked.push(wire.ask(send).await?);
        }
        for id in asked {
            expect_success("Send", wire.answer(id).await?)?;
        }
    }
    Ok(())
}

async fn list(world: &mut World, times: u32) -> Result<Vec<Measured>, ApiError> {
    let (mut page, mut whole) = (Latencies::default(), Latencies::default());
    for _ in 0..times {
        let after = world.chat();
        let wire = world.wire(Who::Heavy)?;
        let before = ConversationId::new(after.as_u64() - 1);
        page.record(micros(one_page(wire, before).await?.2));
        whole.record(micros(conversations(wire).await?.1));
    }
    let all = format!("all {}, in pages of 100", world.data.mine.len());
    Ok(vec![
        Measured::new("ListConversations", "a page of up to 100".to_owned(), &page),
        Measured::new("ListConversations", all, &whole),
    ])
}

type Items = Vec<ConversationItem>;

async fn one_page(wire: &mut Wire, after: ConversationId) -> Result<(Items, bool, Duration), ApiError> {
    let call = Call::ListConversations(ListConversations { after, limit: 0 });
    let (reply, took) = wire.call(call).await?;
    match expect_success("ListConversations", reply)? {
        Reply::Conversations(page) if !page.items.is_empty() => Ok((page.items, page.more, took)),
        Reply::Conversations(_) => Err(ApiError::Nothing("ListConversations")),
        _ => Err(ApiError::Unexpected("Conversations")),
    }
}

async fn conversations(wire: &mut Wire) -> Result<(Items, Duration), ApiError> {
    let (mut all, mut took, mut after) = (Vec::new(), Duration::ZERO, ConversationId::default());
    loop {
        let (mut items, more, time) = one_page(wire, after).await?;
        (took, after) = (took + time, items.last().map_or(after, |item| item.conversation));
        all.append(&mut items);
        if !more {
            return Ok((all, took));
        }
    }
}

/// Compares what the server says of the heavy user's conversations with what was written.
pub(super) async fn check(world: &mut World) -> Result<(), ApiError> {
    let (items, _) = conversations(world.wire(Who::Heavy)?).await?;
    for chat in &world.data.mine {
        let item = items.iter().find(|item| item.conversation == chat.id);
        let item = item.ok_or(ApiError::Missing(chat.id))?;
        agree(chat, item)?;
    }
    match items.len() {
        // His inbox too.
        count if count == world.data.mine.len() + 1 => Ok(()),
        items => Err(ApiError::Moved { moved: world.data.mine.len() + 1, items }),
    }
}

fn agree(chat: &Chat, item: &ConversationItem) -> Result<(), ApiError> {
    let view = chat.view();
    let last = item.last.as_ref().map_or(0, |entry| entry.seq.as_u64());
    let facts = [
        ("head", view.head.as_u64(), item.head.as_u64()),
        ("read marker", chat.marker.as_u64(), item.read_marker.as_u64()),
        ("unread", view.count - chat.seen, item.unread),
        ("last message", view.last.as_u64(), last),
    ];
    match facts.into_iter().find(|(_, written, answered)| written != answered) {
        Some((fact, written, answered)) => {
            Err(ApiError::Differs { conversation: chat.id, fact, written, answered })
        }
        None => Ok(()),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
