//! Who may see what, and how far they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goim_core::{ConversationId, DeviceId, Epoch, Seq, UserId};
use goim_proto::{ConversationKind, ErrorCode};
use goim_server::store::{EntryKind, OffsetCommit, Page, Range, Store, StoreError, UserRow, derived_id};

use crate::backend::Backend;
use crate::fixtures::{addition, append, append_texts, batch, group, new_id, now_ms, removal, text, users};
use crate::ledger::Ledger;
use crate::on_both_stores;

fn seqs(page: &Page) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.seq.as_u64()).collect()
}

pub(crate) async fn account(store: &Arc<dyn Store>, name: &str) -> UserRow {
    store.create_user(name, None, None, now_ms()).await.expect("an answer").expect("a free name")
}

pub(crate) async fn pull(
    store: &Arc<dyn Store>,
    user: UserId,
    conversation: ConversationId,
    after: u64,
    limit: u32,
) -> Page {
    store.pull(user, conversation, Seq::new(after), limit, 1 << 20).await.expect("a page")
}

/// 1 founding, 2-4 texts, 5 removal, 6-8 texts, 9 return, 10-11 texts: the second user may see
/// 1-5 and 9-11.
pub(crate) async fn come_and_gone(store: &Arc<dyn Store>, users: &[UserId]) -> ConversationId {
    let ledger = Ledger::default();
    let conversation = group(store, &ledger, users).await;
    append_texts(store, &ledger, conversation, users[0], Seq::new(1), 3).await;
    append(store, &batch(conversation, Seq::new(4), 3, users[0], [(new_id(), removal(users[1]))])).await;
    let texts = (0..3).map(|_| (new_id(), text("unheard")));
    append(store, &batch(conversation, Seq::new(5), 3, users[0], texts)).await;
    append(store, &batch(conversation, Seq::new(8), 6, users[0], [(new_id(), addition(&users[1..2]))])).await;
    let texts = (0..2).map(|_| (new_id(), text("heard")));
    append(store, &batch(conversation, Seq::new(9), 6, users[0], texts)).await;
    conversation
}

async fn ranges(backend: &Backend) {
    let store = backend.open().await;
    let users = users(3);
    let conversation = come_and_gone(&store, &users[..2]).await;
    let range = |from, until: Option<u64>| Range { from: Seq::new(from), until: until.map(Seq::new) };
    let of_second = store.ranges(users[1], conversation).await.expect("ranges");
    assert_eq!(of_second, [range(1, Some(5)), range(9, None)]);
    let all = pull(&store, users[1], conversation, 0, 100).await;
    assert_eq!(seqs(&all), [1, 2, 3, 4, 5, 9, 10, 11]);
    assert_eq!((all.through, all.head), (Seq::new(11), Seq::new(11)));
    // However small the pages, they join up without a gap and without an end.
    let (mut offset, mut seen) = (0, Vec::new());
    for _ in 0..20 {
        let page = pull(&store, users[1], conversation, offset, 2).await;
        seen.extend(seqs(&page));
        offset = page.through.as_u64();
    }
    assert_eq!((seen, offset), (vec![1, 2, 3, 4, 5, 9, 10, 11], 11));
    let stranger = store.pull(users[2], conversation, Seq::ZERO, 10, 1 << 20).await;
    assert!(matches!(stranger, Err(StoreError::NotMember)), "{stranger:?}");
    let stranger = store.history(users[2], conversation, Seq::MAX, 10, 1 << 20).await;
    assert!(matches!(stranger, Err(StoreError::NotMember)), "{stranger:?}");
    let unfiltered = store.entries(conversation, Seq::new(5), 100, 1 << 20).await.expect("entries");
    assert_eq!(unfiltered.len(), 6);
}

/// Retention hides nothing: what is behind the hole it made is fetched and pulled, page by page.
async fn behind_retention(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let conversation = come_and_gone(&store, &users).await;
    let raw = backend.raw().await;
    raw.execute(&format!("DELETE FROM messages WHERE conversation = {conversation} AND seq < 10")).await;
    let entries = store.entries(conversation, Seq::FIRST, 1, 1 << 20).await.expect("entries");
    assert_eq!(entries.iter().map(|entry| entry.seq.as_u64()).collect::<Vec<_>>(), [10]);
    for user in users {
        let (mut offset, mut seen) = (1, Vec::new());
        for _ in 0..20 {
            let page = pull(&store, user, conversation, offset, 1).await;
            seen.extend(seqs(&page));
            offset = page.through.as_u64();
        }
        assert_eq!((seen, offset), (vec![10, 11], 11));
    }
}

async fn history(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let conversation = come_and_gone(&store, &users).await;
    let seqs_before = async |user, before, limit| {
        let entries = store.history(user, conversation, before, limit, 1 << 20).await.expect("history");
        entries.iter().map(|entry| entry.seq.as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(seqs_before(users[1], Seq::MAX, 100).await, [11, 10, 4, 3, 2], "messages in his ranges");
    assert_eq!(seqs_before(users[1], Seq::new(11), 2).await, [10, 4]);
    assert_eq!(seqs_before(users[1], Seq::new(8), 1).await, [4]);
    assert_eq!(seqs_before(users[0], Seq::MAX, 100).await, [11, 10, 8, 7, 6, 4, 3, 2]);
    assert_eq!(seqs_before(users[0], Seq::FIRST, 100).await, [0u64; 0]);
}

async fn byte_bounds(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    let texts = (0..8).map(|_| (new_id(), text(&"x".repeat(1_000))));
    append(&store, &batch(conversation, Seq::FIRST, 0, users[0], texts)).await;
    let page = store.pull(users[0], conversation, Seq::FIRST, 100, 2_500).await.expect("a page");
    assert_eq!((seqs(&page), page.through, page.head), (vec![2, 3], Seq::new(3), Seq::new(9)));
    let page = store.pull(users[0], conversation, Seq::FIRST, 100, 10).await.expect("a page");
    assert_eq!(seqs(&page), [2], "one entry goes in any case, or a reader would never get on");
    let entries = store.history(users[0], conversation, Seq::MAX, 100, 2_500).await.expect("history");
    assert_eq!(entries.len(), 2);
}

/// A member who is removed while he pulls gets nothing from behind his removal.
async fn pull_against_removal(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(2);
    let conversation = group(&store, &ledger, &users).await;
    let done = AtomicBool::new(false);
    let write = async {
        let (mut head, mut count) = (Seq::FIRST, 0);
        for _ in 0..60 {
            for entry in [removal(users[1]), text("unheard"), addition(&users[1..])] {
                append(&store, &batch(conversation, head, count, users[0], [(new_id(), entry.clone())]))
                    .await;
                head = head.next();
                count += u64::from(entry.kind.is_message());
            }
        }
        done.store(true, Ordering::Relaxed);
    };
    let (reader, history_reader) = (backend.open().await, backend.open().await);
    let read = async {
        let mut seen = Vec::new();
        let mut offset = Seq::ZERO;
        while !done.load(Ordering::Relaxed) {
            let page = reader.pull(users[1], conversation, offset, 100, 1 << 20).await.expect("a page");
            seen.extend(page.entries.iter().map(|entry| entry.seq));
            assert!(page.through >= offset, "an offset moved back");
            offset = page.through;
        }
        seen
    };
    let look_back = async {
        let mut seen = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let entries =
                history_reader.history(users[1], conversation, Seq::MAX, 3, 1 << 20).await.expect("history");
            seen.extend(entries.iter().map(|entry| entry.seq));
        }
        seen
    };
    let ((), pulled, looked) = tokio::join!(write, read, look_back);
    let ranges = store.ranges(users[1], conversation).await.expect("ranges");
    let allowed = |seq: Seq| ranges.iter().any(|r| r.from <= seq && r.until.is_none_or(|until| seq <= until));
    for seq in pulled.iter().chain(&looked) {
        assert!(allowed(*seq), "entry {seq} lies outside of what he may see: {ranges:?}");
    }
    // What he was told to have all of, he has all of.
    let last = pulled.last().copied().unwrap_or(Seq::ZERO);
    let missing = (1..=last.as_u64()).map(Seq::new).filter(|seq| allowed(*seq) && !pulled.contains(seq));
    assert_eq!(missing.collect::<Vec<_>>(), [], "entries were passed over");
}

fn commit(user: UserId, device: u64, conversation: ConversationId, seq: u64) -> OffsetCommit {
    let (device, seq, epoch) = (DeviceId::new(device), Seq::new(seq), Epoch::default());
    OffsetCommit { device, user, conversation, seq, epoch }
}

async fn offset_of(store: &Arc<dyn Store>, user: UserId, device: u64, conversation: ConversationId) -> u64 {
    let states = store.reader_states_of(user, DeviceId::new(device), &[conversation]).await.expect("states");
    states[0].item.offset.as_u64()
}

async fn offsets(backend: &Backend) {
    let store = backend.open().await;
    let users = users(3);
    let conversation = come_and_gone(&store, &users[..2]).await;
    let commits = async |list: &[OffsetCommit]| store.commit_offsets(list).await.expect("an answer");
    assert_eq!(commits(&[commit(users[0], 5, conversation, 7)]).await, []);
    assert_eq!(commits(&[commit(users[0], 5, conversation, 3)]).await, []);
    assert_eq!(offset_of(&store, users[0], 5, conversation).await, 7, "an offset moved back");
    let nowhere = ConversationId::new(99_999);
    let refused = commits(&[
        commit(users[0], 5, conversation, 12),
        commit(users[0], 5, conversation, 9),
        commit(users[2], 6, conversation, 1),
        commit(users[0], 5, conversation, 8),
        commit(users[0], 5, nowhere, 1),
    ])
    .await;
    let mut refused = refused;
    refused.sort_unstable_by_key(|(place, _)| *place);
    assert_eq!(
        refused,
        [(0, ErrorCode::OffsetBeyondHead), (2, ErrorCode::NotMember), (4, ErrorCode::NotMember)]
    );
    assert_eq!(
        offset_of(&store, users[0], 5, conversation).await,
        9,
        "the others are taken, the highest wins"
    );
    assert_eq!(
        commits(&[commit(users[1], 8, conversation, 11)]).await,
        [],
        "who was removed may still commit"
    );
    assert_eq!(commits(&[]).await, []);
}

/// Bulk commits of the same offsets in opposite order neither wait for each other in a circle nor
/// lose the higher one.
async fn offsets_at_once(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    append_texts(&store, &ledger, conversation, users[0], Seq::FIRST, 20).await;
    let mut tasks = Vec::new();
    for task in 0..4_u64 {
        let store = Arc::clone(&store);
        let user = users[0];
        tasks.push(tokio::spawn(async move {
            for round in 1..=10 {
                let mut list: Vec<_> =
                    (1..=50).map(|device| commit(user, device, conversation, 2 * round + task % 2)).collect();
                if task % 2 == 0 {
                    list.reverse();
                }
                assert_eq!(store.commit_offsets(&list).await.expect("no deadlock"), []);
            }
        }));
    }
    for task in tasks {
        task.await.expect("a committer of offsets");
    }
    assert_eq!(offset_of(&store, users[0], 1, conversation).await, 21);
}

/// What is read in a transaction before it writes must not fail it: a lane writes beside.
async fn offsets_beside_appends(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(1);
    let conversation = group(&store, &ledger, &users).await;
    let writer = backend.open().await;
    let done = AtomicBool::new(false);
    let write = async {
        for base in 1..=60 {
            append_texts(&writer, &ledger, conversation, users[0], Seq::new(base), 1).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let commits = async |device: u64| {
        while !done.load(Ordering::Relaxed) {
            let list = [commit(users[0], device, conversation, 1)];
            assert_eq!(store.commit_offsets(&list).await.expect("an answer"), []);
        }
    };
    tokio::join!(write, commits(1), commits(2));
}

/// Neither a marker nor an offset tells a former member how far the others are.
async fn former_member(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let conversation = come_and_gone(&store, &users).await;
    let entries = [(new_id(), removal(users[1])), (new_id(), text("unheard"))];
    append(&store, &batch(conversation, Seq::new(11), 8, users[0], entries)).await;
    let marked = store.mark_read(users[1], conversation, Seq::MAX).await.expect("an answer");
    assert_eq!(marked, Some(Seq::new(12)));
    let commits = [12, 13, 14].map(|seq| commit(users[1], 8, conversation, seq));
    let mut refused = store.commit_offsets(&commits).await.expect("an answer");
    refused.sort_unstable_by_key(|(place, _)| *place);
    assert_eq!(refused, [(1, ErrorCode::OffsetBeyondHead), (2, ErrorCode::OffsetBeyondHead)]);
    let stranger = store.mark_read(UserId::new(7), conversation, Seq::FIRST).await;
    assert!(matches!(stranger, Err(StoreError::NotMember)));
}

async fn members(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let users = users(5);
    let conversation = group(&store, &ledger, &users).await;
    append(&store, &batch(conversation, Seq::FIRST, 0, users[0], [(new_id(), removal(users[2]))])).await;
    let first = store.members(conversation, UserId::new(0), 3).await.expect("members");
    assert_eq!(first.iter().map(|m| m.user).collect::<Vec<_>>(), [users[0], users[1], users[3]]);
    let rest = store.members(conversation, first[2].user, 3).await.expect("members");
    assert_eq!(rest.iter().map(|m| m.user).collect::<Vec<_>>(), [users[4]]);
}

/// An entry that lets people in or puts them out owes their inboxes an entry each, from its own
/// transaction, until that is delivered.
async fn due(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let (anna, bert) = (account(&store, "anna").await, account(&store, "bert").await);
    let conversation = group(&store, &ledger, &[anna.user, bert.user]).await;
    // A stale batch owes nothing.
    let mut lane = store.lane_connection().await.expect("a connection");
    lane.append(&batch(conversation, Seq::new(7), 0, anna.user, [(new_id(), removal(bert.user))])).await;
    append(&store, &batch(conversation, Seq::FIRST, 0, anna.user, [(new_id(), removal(bert.user))])).await;
    let rows = store.due(10).await.expect("due rows");
    let owed: Vec<_> = rows.iter().map(|row| (row.user, row.inbox, row.kind, row.seq.as_u64())).collect();
    assert_eq!(
        owed,
        [
            (anna.user, anna.inbox, EntryKind::INBOX_BEGIN, 1),
            (bert.user, bert.inbox, EntryKind::INBOX_BEGIN, 1),
            (bert.user, bert.inbox, EntryKind(65), 2)
        ]
    );
    assert_eq!(store.due(2).await.expect("due rows"), rows[..2], "oldest first, until they are delivered");
    store.due_done(&[rows[0].id, rows[2].id]).await.expect("an answer");
    assert_eq!(store.due(10).await.expect("due rows"), rows[1..2]);
    let id = derived_id(rows[0].at_ms, &[conversation.as_u64(), 1]);
    assert_eq!(id, derived_id(rows[0].at_ms, &[conversation.as_u64(), 1]));
    assert_ne!(id, derived_id(rows[0].at_ms, &[conversation.as_u64(), 2]));
    assert_eq!(id.unix_ms(), Some(rows[0].at_ms));
}

async fn one_direct_chat(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let mut tasks = Vec::new();
    for n in 0..10 {
        let store = Arc::clone(&store);
        let (creator, other) = (users[n % 2], users[(n + 1) % 2]);
        tasks.push(tokio::spawn(async move { store.direct_chat(creator, other).await.expect("a chat") }));
    }
    let mut chats = Vec::new();
    for task in tasks {
        chats.push(task.await.expect("a chat"));
    }
    chats.dedup();
    assert_eq!(chats.len(), 1, "opened by both at once, it is one conversation");
    let row = store.conversation(chats[0]).await.expect("an answer").expect("a conversation");
    assert_eq!((row.kind, row.head), (ConversationKind::Direct, Seq::ZERO));
    let raw = backend.raw().await;
    assert_eq!(raw.number("SELECT count(*) FROM conversations WHERE kind = 1").await, 1);
}

on_both_stores! {
    super::ranges as g9_pulls_honour_the_reader_s_ranges,
    super::behind_retention as g5_retention_hides_nothing_behind_what_it_took,
    super::history as g9_history_honours_the_reader_s_ranges,
    super::byte_bounds as pages_end_at_their_bytes,
    super::pull_against_removal as g9_a_removal_races_with_pulls,
    super::offsets as g6_offsets_never_move_back_or_beyond_the_head,
    super::offsets_at_once as g6_offsets_committed_at_once_keep_the_highest,
    super::offsets_beside_appends as offsets_are_committed_while_lanes_write,
    super::former_member as g9_positions_of_a_former_member_end_at_his_removal,
    super::members as members_come_in_pages,
    super::due as what_is_owed_to_inboxes_stays_until_it_is_delivered,
    super::one_direct_chat as a_direct_chat_opened_twice_at_once_is_one,
}
