//! Where readers stand, and what they are told of that after they have connected.

use goim_core::{ConversationId, DeviceId, Seq};
use goim_proto::{ConversationKind, Position, Start};

use goim_server::store::Which;

use crate::backend::Backend;
use crate::fixtures::{addition, append, append_texts, batch, group, new_id, now_ms, removal, text, users};
use crate::ledger::Ledger;
use crate::on_both_stores;
use crate::readers::{account, come_and_gone};

async fn first_list(backend: &Backend) {
    let store = backend.open().await;
    let ledger = Ledger::default();
    let (anna, bert) = (account(&store, "anna").await, account(&store, "bert").await);
    let early = group(&store, &ledger, &[anna.user, bert.user]).await;
    append_texts(&store, &ledger, early, anna.user, Seq::FIRST, 4).await;
    // Two entries wait in his inbox.
    let notes = (0..2).map(|_| (new_id(), addition(&[])));
    append(&store, &batch(bert.inbox, Seq::ZERO, 0, anna.user, notes)).await;
    let now = store.create_device(bert.user, "phone", now_ms()).await.expect("a device");
    let all = store.create_device(bert.user, "bot", now_ms()).await.expect("a device");
    store.start_device(bert.user, now, Start::Now).await.expect("started");
    store.start_device(bert.user, all, Start::Beginning).await.expect("started");
    let late = group(&store, &ledger, &[anna.user, bert.user]).await;
    append_texts(&store, &ledger, late, anna.user, Seq::FIRST, 2).await;
    append_texts(&store, &ledger, early, anna.user, Seq::new(5), 1).await;
    // Asked again, it changes nothing: the offsets were fixed by the first list.
    store.start_device(bert.user, now, Start::Now).await.expect("started");
    let offsets = async |device| {
        let states = store
            .reader_states(bert.user, device, &[], ConversationId::new(0), Which::PastOffset, 10)
            .await
            .expect("states");
        let mut offsets: Vec<_> = states
            .iter()
            .map(|state| (state.item.conversation, state.item.offset.as_u64(), state.item.head.as_u64()))
            .collect();
        offsets.sort_unstable();
        offsets
    };
    // His inbox has two entries; each device starts behind them.
    let mut of_now = vec![(early, 5, 6), (late, 0, 3)];
    let mut of_all = vec![(early, 0, 6), (late, 0, 3)];
    of_now.sort_unstable();
    of_all.sort_unstable();
    assert_eq!(offsets(now).await, of_now);
    assert_eq!(offsets(all).await, of_all);
}

async fn states(backend: &Backend) {
    let store = backend.open().await;
    let users = users(2);
    let mut conversations = Vec::new();
    for _ in 0..5 {
        conversations.push(come_and_gone(&store, &users).await);
    }
    let out = conversations[1];
    append(&store, &batch(out, Seq::new(11), 8, users[0], [(new_id(), removal(users[1]))])).await;
    append(&store, &batch(out, Seq::new(12), 8, users[0], [(new_id(), text("without him"))])).await;
    let own = [Position { conversation: conversations[2], seq: Seq::new(4) }];
    store.mark_read(users[1], conversations[3], Seq::new(5)).await.expect("marked");
    let (mut after, mut all) = (ConversationId::new(0), Vec::new());
    loop {
        let page = store
            .reader_states(users[1], DeviceId::new(3), &own, after, Which::All, 2)
            .await
            .expect("states");
        let Some(last) = page.last() else { break };
        after = last.item.conversation;
        all.extend(page);
    }
    assert_eq!(all.iter().map(|state| state.item.conversation).collect::<Vec<_>>(), conversations);
    let of_out = &all[1];
    assert_eq!((of_out.item.head, of_out.item.count), (Seq::new(12), 8), "he sees up to his removal");
    assert_eq!(
        (all[0].item.head, all[0].item.count, all[0].item.kind),
        (Seq::new(11), 8, ConversationKind::Group)
    );
    assert_eq!((all[2].item.offset, all[3].item.offset), (Seq::new(4), Seq::ZERO), "his own offsets win");
    assert_eq!(all.iter().map(|state| state.item.read_marker.as_u64()).collect::<Vec<_>>(), [0, 0, 0, 5, 0]);
    let from: Vec<_> = all.iter().map(|state| state.from.map(Seq::as_u64)).collect();
    assert_eq!(from, [Some(9), None, Some(9), Some(9), Some(9)], "where he is a member, and since when");
    let read =
        [(0, 11), (1, 12)].map(|(n, seq)| Position { conversation: conversations[n], seq: Seq::new(seq) });
    let first = ConversationId::new(0);
    let unread =
        store.reader_states(users[1], DeviceId::new(3), &read, first, Which::All, 2).await.expect("states");
    let unread: Vec<_> =
        unread.iter().map(|state| (state.item.conversation, state.item.offset.as_u64())).collect();
    let expected = [(conversations[0], 11), (conversations[2], 0)];
    assert_eq!(unread, expected, "what he has left and read is passed over");
    let past = Which::PastOffset;
    let unread =
        store.reader_states(users[1], DeviceId::new(3), &read, first, past, 2).await.expect("states");
    let unread: Vec<_> = unread.iter().map(|state| state.item.conversation).collect();
    assert_eq!(unread, [conversations[2], conversations[3]], "and so is what he has read");
    let asked = [conversations[0], ConversationId::new(99_999), conversations[4]];
    let of = store.reader_states_of(users[1], DeviceId::new(3), &asked).await.expect("states");
    let of: Vec<_> = of.iter().map(|state| (state.item.conversation, state.item.head)).collect();
    assert_eq!(of, [0, 4].map(|n| (conversations[n], Seq::new(11))), "those only that were asked for");
    let mut member_of = store.member_of(users[1]).await.expect("ids");
    member_of.sort_unstable();
    assert_eq!(member_of, [0, 2, 3, 4].map(|n| conversations[n]));
    let memberships = store.memberships(users[1]).await.expect("memberships");
    let open: Vec<_> =
        memberships.iter().map(|m| (m.conversation, m.from.as_u64(), m.head.as_u64())).collect();
    assert_eq!(open, [0, 2, 3, 4].map(|n| (conversations[n], 9, 11)));
    let marked =
        store.reader_states_of(users[1], DeviceId::new(3), &[conversations[3]]).await.expect("states");
    assert_eq!(marked[0].item.read_marker, Seq::new(5));
}

on_both_stores! {
    super::first_list as a_device_starts_where_its_first_list_says,
    super::states as the_list_shows_each_reader_his_own_heads,
}
