//! The messages of all conversations, in the order in which they were sent: so those of one lie among
//! those of the others, as they do where people talk.

use std::collections::HashMap;

use goim_client::{ClientMsgId, ConversationId, ConversationKind, DeviceId, Role, Seq, UserId};
use goim_core::lane::{AppendResult, Expect, Row};
use goim_proto::content::{
    Edited, EncodedContent, MemberRemoved, MembersAdded, Reacted, Recalled, References,
};
use goim_proto::{Content, TextContent};
use goim_server::store::{Effect, EntryBatch, EntryDraft, EntryKind, LaneConnection, MessageAct, Target};
use rand::RngExt;
use rand::rngs::StdRng;

use super::chats::{Place, Stay, View, read};
use super::{Chat, People, SeedError, Shared, Size, any};
use crate::logs::words;

/// Entries in one batch, as a lane has them.
const ROWS: usize = 2_048;
/// Of ten thousand entries so many are no plain texts.
const REACTIONS: u32 = 100;
const EDITS: u32 = 50;
const RECALLS: u32 = 10;
const MENTIONS: u32 = 100;
/// Messages of a conversation that something may be done to.
const RECENT_MAX: usize = 16;
/// When the heavy user is let in where he comes late, when he reads most conversations for the last time,
/// and when he is put out where he does not stay, in hundredths of all messages.
const LET_IN: u32 = 30;
const PUT_OUT: u32 = 80;
const READ: u32 = 97;
/// Of ten conversations he reads so many to the end.
const READ_TO_THE_END: usize = 7;

const EMOJI: [&str; 5] = ["👍", "❤️", "😂", "🍵", "🎉"];

/// Appends batches as a lane does.
pub(super) struct Writer {
    lane: Box<dyn LaneConnection>,
    batch: EntryBatch,
    /// Where in the batch each conversation's expectation is.
    places: HashMap<ConversationId, usize>,
}

impl Writer {
    pub(super) async fn new(store: &Shared) -> Result<Self, SeedError> {
        let batch = EntryBatch { expects: Vec::new(), rows: Vec::new(), effects: false };
        Ok(Self { lane: store.lane_connection().await?, batch, places: HashMap::new() })
    }

    /// Puts an entry behind the others of its conversation.
    pub(super) async fn append(
        &mut self,
        chat: &mut Chat,
        sender: UserId,
        content: &Content,
        effect: Effect,
        at_ms: u64,
    ) -> Result<Seq, SeedError> {
        let kind = EntryKind::of(content);
        let place = *self.places.entry(chat.id).or_insert_with(|| {
            let (conversation, base, count) = (chat.id, chat.head, chat.count);
            self.batch.expects.push(Expect { conversation, base, rev: 0, n: 0, count, at_ms });
            self.batch.expects.len() - 1
        });
        chat.head = chat.head.next();
        if kind.is_message() {
            (chat.count, chat.last) = (chat.count + 1, chat.head);
            chat.recent.push_back((chat.head, sender));
            if chat.recent.len() > RECENT_MAX {
                chat.recent.pop_front();
            }
        }
        let expect = &mut self.batch.expects[place];
        (expect.n, expect.count, expect.at_ms) = (expect.n + 1, chat.count, at_ms);
        self.batch.effects |= effect != Effect::None;
        self.batch.rows.push(Row {
            conversation: chat.id,
            seq: chat.head,
            sender,
            device: DeviceId::new(0),
            client_msg_id: ClientMsgId::mint(at_ms, &rand::random()),
            count: chat.count,
            at_ms,
            entry: EntryDraft { kind, body: content.encode(), effect },
        });
        if self.batch.rows.len() >= ROWS {
            self.flush().await?;
        }
        Ok(chat.head)
    }

    /// Writes what waits.
    pub(super) async fn flush(&mut self) -> Result<(), SeedError> {
        self.places.clear();
        self.batch.expects.sort_unstable_by_key(|expect| expect.conversation);
        let appended = self.lane.append(&self.batch).await;
        self.batch = EntryBatch { expects: Vec::new(), rows: Vec::new(), effects: false };
        match appended {
            AppendResult::Written { stale } if stale.is_empty() => Ok(()),
            other => Err(SeedError::NotAppended(other)),
        }
    }
}

/// Writes all messages.
pub(super) async fn write(
    store: &Shared,
    size: Size,
    people: &People,
    mut all: Vec<Chat>,
    random: &mut StdRng,
    now_ms: u64,
) -> Result<Vec<Chat>, SeedError> {
    let mut writer = Writer::new(store).await?;
    let weights = weights(random, all.len());
    let total = *weights.last().unwrap_or(&0);
    let (from_ms, messages) = (now_ms - super::PAST_MS, u64::from(size.messages));
    let at = |percent: u32| u64::from(percent) * messages / 100;
    for number in 0..messages {
        let at_ms = from_ms + number * super::PAST_MS / messages;
        if number == at(LET_IN) {
            turn(&mut writer, people.heavy, &mut all, Stay::Late, at_ms).await?;
        } else if number == at(PUT_OUT) {
            turn(&mut writer, people.heavy, &mut all, Stay::Out, at_ms).await?;
        } else if number == at(READ) {
            writer.flush().await?;
            read(store, people.heavy, all.iter_mut().filter(|chat| chat.place == Place::Mine).collect())
                .await?;
        }
        let drawn = random.random_range(0..total);
        let chat = &mut all[weights.partition_point(|weight| *weight <= drawn)];
        say(&mut writer, chat, people.heavy, random, at_ms).await?;
    }
    writer.flush().await?;
    let mine = all.iter_mut().filter(|chat| chat.place == Place::Mine).enumerate();
    let to_the_end = mine.filter(|(number, _)| number % 10 < READ_TO_THE_END).map(|(_, chat)| chat);
    read(store, people.heavy, to_the_end.filter(|chat| chat.stay != Stay::Out).collect()).await?;
    Ok(all)
}

/// Few conversations have most of the messages: the n-th busiest has them in proportion to 1 / (n + 5).
/// Returns sums, to draw from.
fn weights(random: &mut StdRng, count: usize) -> Vec<u64> {
    use rand::seq::SliceRandom;
    let mut weights: Vec<u64> = (0..count as u64).map(|rank| 1_000_000 / (rank + 5)).collect();
    weights.shuffle(random);
    let mut sum = 0;
    for weight in &mut weights {
        sum += *weight;
        *weight = sum;
    }
    weights
}

/// Lets the heavy user in, or puts him out.
async fn turn(
    writer: &mut Writer,
    heavy: UserId,
    all: &mut [Chat],
    stay: Stay,
    at_ms: u64,
) -> Result<(), SeedError> {
    for chat in all.iter_mut().filter(|chat| chat.stay == stay) {
        let owner = chat.owner;
        if stay == Stay::Late {
            let content = Content::MembersAdded(MembersAdded { users: vec![heavy] });
            let effect = Effect::Join { users: vec![(heavy, Role::Member)] };
            writer.append(chat, owner, &content, effect, at_ms).await?;
            (chat.seen, chat.last) = (chat.count, Seq::ZERO);
            chat.members.push(heavy);
        } else {
            let content = Content::MemberRemoved(MemberRemoved { user: heavy });
            let effect = Effect::Part { user: heavy };
            let out = writer.append(chat, owner, &content, effect, at_ms).await?;
            chat.members.retain(|user| *user != heavy);
            chat.recent.retain(|(_, sender)| *sender != heavy);
            chat.out = Some(View { head: out, count: chat.count, last: chat.last });
        }
    }
    // A marker moves with what its user sends if it was there before the batch.
    writer.flush().await
}

/// Somebody says something, or does something to what was said.
async fn say(
    writer: &mut Writer,
    chat: &mut Chat,
    heavy: UserId,
    random: &mut StdRng,
    at_ms: u64,
) -> Result<(), SeedError> {
    let sender = any(random, &chat.members);
    let kind = random.random_range(0..10_000);
    let target = (!chat.recent.is_empty()).then(|| chat.recent[random.random_range(0..chat.recent.len())]);
    let (sender, content, effect) = match target {
        Some((seq, _)) if kind < REACTIONS => {
            let emoji = any(random, &EMOJI).to_owned();
            let act = MessageAct::React { emoji: emoji.clone(), set: true, known: false };
            (sender, Content::Reacted(Reacted { seq, emoji, set: true }), on(chat, seq, act))
        }
        Some((seq, of)) if kind < REACTIONS + EDITS => {
            let body = Content::text(words(random)).encode();
            let edited = Edited { seq, body: EncodedContent(body.clone()) };
            let act = MessageAct::Edit { body, mentions: Vec::new() };
            (of, Content::Edited(edited), on(chat, seq, act))
        }
        Some((seq, of)) if kind < REACTIONS + EDITS + RECALLS => {
            chat.recent.retain(|(recent, _)| *recent != seq);
            (of, Content::Recalled(Recalled { seq }), on(chat, seq, MessageAct::Recall))
        }
        _ if kind < REACTIONS + EDITS + RECALLS + MENTIONS && chat.kind == ConversationKind::Group => {
            let users = vec![any(random, &chat.members)];
            let references = Some(References { mentions: users.clone(), ..References::default() });
            let text = TextContent { text: words(random), references };
            (sender, Content::Text(text), Effect::Mention { users })
        }
        _ => (sender, Content::text(words(random)), Effect::None),
    };
    let before = chat.count;
    let seq = writer.append(chat, sender, &content, effect, at_ms).await?;
    // Who had read all has read what he says.
    if sender == heavy && chat.seen == before && chat.count > before {
        (chat.marker, chat.seen) = (seq, chat.count);
    }
    Ok(())
}

fn on(chat: &Chat, seq: Seq, act: MessageAct) -> Effect {
    // What was looked at before it is in order here.
    let target = Target { seq, seen: chat.head, own: true, late: false, objection: None };
    Effect::OnMessage { target, act }
}
