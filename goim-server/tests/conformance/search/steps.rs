//! What is indexed in one step, and whose turn it is.

use goim_core::{ConversationId, Seq};

use super::{Room, found, index, rows};
use crate::backend::Backend;
use crate::fixtures::{text, users};
use crate::on_both_stores;

/// Of such texts, no two are taken in one step.
fn long(word: &str) -> String {
    format!("{word} ").repeat(40_000 / (word.len() + 1))
}

/// One conversation's many entries, or long ones, do not keep another one's waiting.
async fn shares(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let (mut full, mut other) = (Room::new(&store, &users).await, Room::new(&store, &users).await);
    assert!(full.conversation < other.conversation);
    for _ in 0..2 {
        full.append((0..400).map(|n| text(&format!("so {n}")))).await;
    }
    other.say("tea").await;
    let both = [full.conversation, other.conversation];
    assert_eq!(store.index(&both).await.expect("an index"), [full.conversation]);
    assert_eq!(found(&store, users[0], "tea").await, [2]);

    index(&store, &both).await;
    full.append((0..3).map(|_| text(&long("much")))).await;
    other.say("milk").await;
    let turned = [other.conversation, full.conversation];
    assert_eq!(store.index(&turned).await.expect("an index"), [full.conversation], "the first one begins");
    assert_eq!(found(&store, users[0], "milk").await, [3]);
}

/// A step reads an edited message as it is now, however short it was when the entry was written.
async fn long_edits(backend: &Backend) {
    let store = backend.open().await;
    let users = users(1);
    let mut room = Room::new(&store, &users).await;
    let many = 6;
    room.append((0..many).map(|_| text("tea"))).await;
    room.index().await;
    let messages = || (2..2 + many).map(Seq::new);
    for said in ["so", long("milk").as_str()] {
        for seq in messages() {
            room.edit(seq, said).await;
        }
    }
    let raw = backend.raw().await;
    let (mut left, mut there): (Vec<ConversationId>, i64) = (vec![room.conversation], 0);
    while !left.is_empty() {
        left = store.index(&left).await.expect("an index");
        let mut now = 0;
        for seq in messages() {
            now += rows(&raw, &room, seq).await;
        }
        assert!(now <= there + 1, "{} long ones at once", now - there);
        there = now;
    }
    assert_eq!(found(&store, users[0], "milk").await, messages().map(Seq::as_u64).rev().collect::<Vec<_>>());
}

on_both_stores! {
    super::shares as g7_no_conversation_keeps_others_out_of_the_index,
    super::long_edits as g7_a_step_is_bounded_by_what_it_reads,
}
