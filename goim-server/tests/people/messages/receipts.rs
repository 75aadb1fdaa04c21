//! Who has read what, and what has arrived.

use goim_core::{ConversationId, Epoch, Seq};
use goim_proto::{
    Call, Commit, ConversationArgument, ErrorCode, GroupChange, HistoryFrom, Members, Position, ReaderList,
    Receipt, Reply, UpdateGroup,
};

use super::people;
use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::{RawClient, mint};
use crate::world::{code, done, server};

async fn readers(client: &mut RawClient, conversation: ConversationId, seq: Seq) -> ReaderList {
    match client.call(Call::Readers(Position { conversation, seq })).await.unwrap() {
        Reply::Readers(list) => list,
        other => panic!("{other:?}"),
    }
}

async fn receipt(client: &mut RawClient, conversation: ConversationId) -> Receipt {
    match client.call(Call::Receipt(ConversationArgument { conversation })).await.unwrap() {
        Reply::Receipt(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

async fn read(client: &mut RawClient, conversation: ConversationId, seq: Seq) {
    done(client, Call::MarkRead(Position { conversation, seq })).await;
}

async fn of_a_group(backend: &Backend) {
    let server = server(backend, |config| config.limits.receipt_members_max = 4).await;
    let [mut ada, mut ben, mut eve, mut late, last] = people(&[&server]).await;
    let conversation = ada.group(vec![ben.me(), eve.me()]).await;
    let first = ada.text(conversation, "tea?").await.unwrap().seq;
    let second = ada.text(conversation, "tea!").await.unwrap().seq;
    read(&mut ben, conversation, first).await;
    read(&mut eve, conversation, second).await;
    let add = async |client: &mut RawClient, user| {
        let members = Members { conversation, users: vec![user], client_msg_id: mint() };
        client.call(Call::AddMembers(members)).await.unwrap();
    };
    add(&mut ada, late.me()).await;
    let (b, e) = (ben.me(), eve.me());
    assert_eq!(readers(&mut ada, conversation, first).await, ReaderList { read: vec![b, e], unread: vec![] });
    assert_eq!(readers(&mut ben, conversation, second).await, ReaderList { read: vec![e], unread: vec![b] });
    let ask = |seq| Call::Readers(Position { conversation, seq });
    for none in [Seq::ZERO, Seq::FIRST, Seq::new(99)] {
        assert_eq!(code(ada.call(ask(none)).await), ErrorCode::NotFound, "{none:?}");
    }
    assert_eq!(code(late.call(ask(second)).await), ErrorCode::NotFound, "he may not read it");
    let change = GroupChange { history: Some(HistoryFrom::Start), ..GroupChange::default() };
    ada.call(Call::UpdateGroup(UpdateGroup { conversation, client_msg_id: mint(), change })).await.unwrap();
    add(&mut ada, last.me()).await;
    assert_eq!(code(ada.call(ask(first)).await), ErrorCode::TooLarge);
    ada.call(Call::RemoveMember(goim_proto::Member { conversation, user: late.me(), client_msg_id: mint() }))
        .await
        .unwrap();
    let all = ReaderList { read: vec![b, e], unread: vec![last.me()] };
    assert_eq!(readers(&mut ada, conversation, first).await, all, "he may read all");
}

async fn of_a_direct_chat(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben] = people(&[&server]).await;
    let conversation = ada.direct(ben.me()).await.unwrap();
    let sent = ada.text(conversation, "tea?").await.unwrap().seq;
    assert_eq!(receipt(&mut ada, conversation).await, Receipt { delivered: Seq::ZERO, read: Seq::ZERO });
    let offsets = vec![Position { conversation, seq: sent }];
    ben.call(Call::Commit(Commit { offsets, epoch: Epoch::default() })).await.unwrap();
    assert_eq!(receipt(&mut ada, conversation).await, Receipt { delivered: sent, read: Seq::ZERO });
    read(&mut ben, conversation, sent).await;
    assert_eq!(receipt(&mut ada, conversation).await, Receipt { delivered: sent, read: sent });
    let hers = Receipt { delivered: Seq::ZERO, read: sent };
    assert_eq!(receipt(&mut ben, conversation).await, hers, "she has read what she wrote");
}

on_both_stores! {
    super::of_a_group as who_has_read_a_message_is_told_in_groups_up_to_a_size,
    super::of_a_direct_chat as delivered_and_read_are_told_in_direct_chats,
}
