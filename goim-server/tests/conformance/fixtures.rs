//! What tests are made of: seeds, entries, conversations with members.

use std::sync::Arc;

use bytes::Bytes;
use goim_core::lane::{AppendResult, Batch, Expect, Lane, LaneLimits, Offer, Row};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Epoch, Seq, Time, UserId};
use goim_proto::{Content, ConversationKind, Role};
use goim_server::store::{
    BotOwner, Effect, EntryBatch, EntryDraft, EntryKind, Load, NewConversation, OpenLimit, Store,
};
use goim_server::{ChatRules, Limits};
use rand::RngExt as _;
use rand::rngs::StdRng;

pub(crate) use crate::common::{now_ms, scaled, seeded};
use crate::ledger::Ledger;

/// In the epoch that the store serves when it is offered to a test's committer.
pub(crate) const AS_SERVED: Epoch = Epoch::new(0);

/// The device of entries that no test's device sends.
const NO_DEVICE: DeviceId = DeviceId::new(1);

pub(crate) fn new_id() -> ClientMsgId {
    ClientMsgId::mint(now_ms(), &rand::random())
}

/// Somebody who may make bots without an end.
pub(crate) fn bots_of(user: UserId) -> BotOwner {
    BotOwner { user, bots_max: u64::MAX }
}

/// As many open requests and applications as one likes.
pub(crate) const ANY_NUMBER: OpenLimit = OpenLimit { most: u64::MAX, after_ms: 0 };

pub(crate) fn text(text: &str) -> EntryDraft {
    EntryDraft { kind: EntryKind(1), body: Content::text(text).encode(), effect: Effect::None }
}

/// A message that no store takes: its body is over the limit of the table.
pub(crate) fn oversized() -> EntryDraft {
    EntryDraft { kind: EntryKind(1), body: Bytes::from(vec![7; 131_073]), effect: Effect::None }
}

pub(crate) fn removal(user: UserId) -> EntryDraft {
    let content = Content::MemberRemoved(goim_proto::content::MemberRemoved { user });
    EntryDraft { kind: EntryKind(34), body: content.encode(), effect: Effect::Part { user } }
}

pub(crate) fn addition(users: &[UserId]) -> EntryDraft {
    let content = Content::MembersAdded(goim_proto::content::MembersAdded { users: users.to_vec() });
    let users = users.iter().map(|user| (*user, Role::Member)).collect();
    EntryDraft { kind: EntryKind(33), body: content.encode(), effect: Effect::Join { users } }
}

pub(crate) fn is_message(body: &[u8]) -> bool {
    matches!(Content::decode(body), Ok(Content::Text(_) | Content::Custom(_)))
}

/// Ids that stand for users in tests that need no accounts.
pub(crate) fn users(count: u64) -> Vec<UserId> {
    (1..=count).map(|n| UserId::new(1_000 + n)).collect()
}

/// A group in which the first user is the owner and the others are members; its first entry is in
/// the ledger.
pub(crate) async fn group(store: &Arc<dyn Store>, ledger: &Ledger, members: &[UserId]) -> ConversationId {
    let roles =
        members.iter().map(|user| (*user, if *user == members[0] { Role::Owner } else { Role::Member }));
    group_with_roles(store, ledger, new_id(), roles.collect()).await
}

/// The same, in which each has a role of his own.
pub(crate) async fn group_with_roles(
    store: &Arc<dyn Store>,
    ledger: &Ledger,
    client_msg_id: ClientMsgId,
    users: Vec<(UserId, Role)>,
) -> ConversationId {
    let owner = users[0].0;
    let new = NewConversation {
        kind: ConversationKind::Group,
        creator: owner,
        client_msg_id,
        title: "a group".into(),
    };
    let conversation = store.create_conversation(&new).await.expect("a conversation");
    let content = Content::GroupCreated(goim_proto::content::GroupCreated {
        name: "a group".into(),
        members: users[1..].iter().map(|(user, _)| *user).collect(),
    });
    let first =
        EntryDraft { kind: EntryKind::GROUP_CREATED, body: content.encode(), effect: Effect::Join { users } };
    ledger.offered((conversation, owner, client_msg_id), NO_DEVICE, &first.body);
    let batch = batch(conversation, Seq::ZERO, 0, owner, [(client_msg_id, first)]);
    append(store, &batch).await;
    conversation
}

/// A batch for one conversation that stands at `base` with so many messages.
pub(crate) fn batch(
    conversation: ConversationId,
    base: Seq,
    mut count: u64,
    sender: UserId,
    entries: impl IntoIterator<Item = (ClientMsgId, EntryDraft)>,
) -> EntryBatch {
    let at_ms = now_ms();
    let mut rows = Vec::new();
    for (n, (client_msg_id, entry)) in (1..).zip(entries) {
        count += u64::from(entry.kind.is_message());
        let seq = base.plus(n);
        rows.push(Row { conversation, seq, sender, device: NO_DEVICE, client_msg_id, count, at_ms, entry });
    }
    let n = u64::try_from(rows.len()).expect("a short batch");
    let effects = rows.iter().any(|row| row.entry.effect != Effect::None);
    Batch { expects: vec![Expect { conversation, base, rev: 0, n, count, at_ms }], rows, effects }
}

/// Appends a batch that has to be written whole.
pub(crate) async fn append(store: &Arc<dyn Store>, batch: &EntryBatch) {
    let mut lane = store.lane_connection().await.expect("a connection");
    assert_eq!(lane.append(batch).await, AppendResult::Written { stale: Vec::new() });
}

/// Appends so many texts of one sender to a conversation that stands at `base`.
pub(crate) async fn append_texts(
    store: &Arc<dyn Store>,
    ledger: &Ledger,
    conversation: ConversationId,
    sender: UserId,
    base: Seq,
    texts: u64,
) -> Vec<ClientMsgId> {
    let entries: Vec<_> = (0..texts).map(|n| (new_id(), text(&format!("text {n}")))).collect();
    for (id, entry) in &entries {
        ledger.offered((conversation, sender, *id), NO_DEVICE, &entry.body);
    }
    let ids = entries.iter().map(|(id, _)| *id).collect();
    // The group's first entry is no message.
    append(store, &batch(conversation, base, base.as_u64() - 1, sender, entries)).await;
    ids
}

/// A text of a random length, mostly short as in chats.
pub(crate) fn random_text(rng: &mut StdRng) -> EntryDraft {
    let length = if rng.random_ratio(1, 50) { 5_000 } else { rng.random_range(1..80) };
    text(&"x".repeat(length))
}

/// What a lane asks the store when it knows nothing and a user wants to write.
pub(crate) fn asked_for(conversation: ConversationId, sender: UserId) -> Load {
    let mut lane = Lane::new(ChatRules::new(&Limits::default()), LaneLimits::default());
    let offer = Offer {
        ticket: (),
        conversation,
        sender,
        device: NO_DEVICE,
        client_msg_id: new_id(),
        after: None,
        retry: false,
        epoch: AS_SERVED,
        entry: text("hello"),
    };
    assert!(lane.offer(Time::ZERO, offer).is_ok());
    lane.poll_load().expect("a load")
}
