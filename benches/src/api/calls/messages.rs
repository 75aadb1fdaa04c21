//! Calls about messages, and how far they were read.

use goim_client::{ConversationUpdate, Epoch, Position, Seq};
use goim_proto::{
    Call, Commit, ConversationArgument, Edit, Heads, History, MessageList, Pull, React, Recall,
    SearchMessages,
};
use rand::RngExt;

use super::{Row, plain, prepared};
use crate::api::ApiError;
use crate::api::seed::{Stay, any};
use crate::api::world::Who::Heavy;
use crate::api::world::World;
use crate::logs;

/// Entries, or messages, of one page.
const PAGE: u32 = 50;
/// Offsets committed at once.
const OFFSETS: usize = 50;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    plain("Heads", "Heads", "1,000 conversations", Heavy, |w| Call::Heads(heads(w))),
    plain("Send", "Sent", "", Heavy, |w| { let chat = w.chat(); w.send(chat) }),
    plain("Pull", "Pulled", "50 entries of any age", Heavy, |w| Call::Pull(pull(w))),
    plain("History", "History", "50 messages of any age", Heavy, |w| Call::History(history(w))),
    plain("SearchMessages", "FoundMessages", "100 with a common word, anywhere", Heavy, |w| {
        let text = logs::words(&mut w.random);
        Call::SearchMessages(search(text.split(' ').next().unwrap_or_default()))
    }),
    plain("SearchMessages", "FoundMessages", "a word that nobody wrote, anywhere", Heavy, |w| Call::SearchMessages(search(&w.name("quux")))).finding_nothing(),
    plain("Commit", "Committed", "50 offsets; gathered for 20 ms", Heavy, |w| Call::Commit(commit(w))),
    plain("MarkRead", "Done", "", Heavy, |w| Call::MarkRead(position(w))),
    prepared("Edit", "Sent", "", Heavy, |w| Box::pin(async {
        let (conversation, seq) = w.said().await?;
        Ok(Call::Edit(Edit { conversation, seq, client_msg_id: w.mint(), body: w.text().encode() }))
    })),
    prepared("Recall", "Sent", "", Heavy, |w| Box::pin(async {
        let (conversation, seq) = w.said().await?;
        Ok(Call::Recall(Recall { conversation, seq, client_msg_id: w.mint() }))
    })),
    prepared("React", "Sent", "", Heavy, |w| Box::pin(react(w))),
    prepared("DeleteForMe", "Done", "one message", Heavy, |w| Box::pin(async {
        let conversation = w.chat();
        Ok(Call::DeleteForMe(MessageList { conversation, seqs: vec![w.message(conversation).await?] }))
    })),
    prepared("Readers", "Readers", "groups of up to 200", Heavy, |w| Box::pin(async {
        let conversation = w.small_group();
        Ok(Call::Readers(Position { conversation, seq: w.message(conversation).await? }))
    })),
    plain("Receipt", "Receipt", "", Heavy, |w| Call::Receipt(ConversationArgument { conversation: w.direct().id })),
    plain("UpdateConversation", "Done", "", Heavy, |w| Call::UpdateConversation(update_conversation(w))),
    plain("Typing", "Done", "", Heavy, |w| Call::Typing(ConversationArgument { conversation: w.chat() })),
];

/// Anywhere in a conversation.
fn position(world: &mut World) -> Position {
    // Where he has been from the first entry on.
    let chat = world.one(|chat| chat.stay == Stay::Always);
    let (conversation, head) = (chat.id, chat.view().head.as_u64());
    Position { conversation, seq: Seq::new(world.random.random_range(1..=head)) }
}

fn heads(world: &World) -> Heads {
    Heads { conversations: world.data.mine.iter().take(1_000).map(|chat| chat.id).collect() }
}

fn pull(world: &mut World) -> Pull {
    let Position { conversation, seq } = position(world);
    Pull { conversation, after: seq.prev(), limit: PAGE }
}

fn history(world: &mut World) -> History {
    loop {
        let Position { conversation, seq } = position(world);
        let chat = world.data.mine.iter().find(|chat| chat.id == conversation);
        // The first entry is no message.
        if chat.is_some_and(|chat| chat.view().last >= Seq::FIRST.next()) {
            return History { conversation, before: seq.max(Seq::new(3)), limit: PAGE };
        }
    }
}

fn commit(world: &mut World) -> Commit {
    let offsets = (0..OFFSETS).map(|_| position(world)).collect();
    Commit { offsets, epoch: Epoch::default() }
}

async fn react(world: &mut World) -> Result<Call, ApiError> {
    let conversation = world.chat();
    let seq = world.message(conversation).await?;
    let emoji = any(&mut world.random, &["👍", "🎉", "🍵"]).to_owned();
    Ok(Call::React(React { conversation, seq, emoji, set: true, client_msg_id: world.mint() }))
}

fn update_conversation(world: &mut World) -> ConversationUpdate {
    let (muted, pinned) = (Some(world.random.random()), Some(world.random.random()));
    ConversationUpdate { conversation: world.chat(), muted, pinned, ..ConversationUpdate::default() }
}

fn search(word: &str) -> SearchMessages {
    SearchMessages { query: word.to_owned(), ..SearchMessages::default() }
}
