//! Who is told that somebody types.

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::{
    Authenticate, BotToken, Call, ConversationArgument, CreateBot, Ephemeral, Member, Reply, Typing,
};

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::{RawClient, TestServer, mint, unique};
use crate::world::{done, server};

/// Bots with a connection each, all of one owner's.
pub(crate) async fn people<const N: usize>(server: &TestServer, datagrams: bool) -> [RawClient; N] {
    let mut factory = RawClient::user(server.addr(), "factory").await;
    let mut bots = Vec::new();
    for _ in 0..N {
        let made = factory.call(Call::CreateBot(CreateBot { name: unique("bot") })).await.unwrap();
        let Reply::BotToken(BotToken { token, .. }) = made else { panic!("{made:?}") };
        let authenticate = Some(Authenticate { token, instance: String::new() });
        let (mut bot, _) = RawClient::hello_taking(server.addr(), authenticate, datagrams).await;
        bot.sync().await;
        bots.push(bot);
    }
    bots.try_into().unwrap_or_else(|_| unreachable!())
}

async fn types(client: &mut RawClient, conversation: ConversationId) {
    done(client, Call::Typing(ConversationArgument { conversation })).await;
}

fn typing(conversation: ConversationId, user: UserId) -> Ephemeral {
    Ephemeral::Typing(Typing { conversation, user })
}

/// What would be told wrongly would come before the next event, for which each waits.
async fn those_who_read_along(backend: &Backend, datagrams: bool) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben, mut eve, mut dan] = people(&server, datagrams).await;
    let (a, b, e, d) = (ada.me(), ben.me(), eve.me(), dan.me());
    let group = ada.group(vec![b, e, d]).await;
    let direct = ada.direct(b).await.unwrap();
    for conversation in [group, direct] {
        ada.announced(conversation, Seq::FIRST).await;
        ben.announced(conversation, Seq::FIRST).await;
    }
    eve.announced(group, Seq::FIRST).await;

    types(&mut ada, group).await;
    assert_eq!(ben.passing().await, typing(group, a));
    assert_eq!(eve.passing().await, typing(group, a));
    types(&mut ada, group).await;
    types(&mut ada, direct).await;
    assert_eq!(ben.passing().await, typing(direct, a), "too soon for another one in the group");
    types(&mut eve, group).await;
    assert_eq!(ada.passing().await, typing(group, e), "her own typing is no news to her");
    assert_eq!(ben.passing().await, typing(group, e));

    let gone = Member { conversation: group, user: b, client_msg_id: mint() };
    ada.call(Call::RemoveMember(gone)).await.unwrap();
    ben.announced(group, Seq::new(2)).await;
    types(&mut dan, group).await;
    assert_eq!(ada.passing().await, typing(group, d));
    assert_eq!(eve.passing().await, typing(group, d));
    let other = eve.direct(b).await.unwrap();
    ben.announced(other, Seq::FIRST).await;
    types(&mut eve, other).await;
    assert_eq!(ben.passing().await, typing(other, e), "he is out of the group");
    assert_eq!(ada.text(group, "tea?").await.unwrap().seq, Seq::new(3), "nothing of it is in the log");
}

async fn in_datagrams(backend: &Backend) {
    those_who_read_along(backend, true).await;
}

async fn on_the_stream(backend: &Backend) {
    those_who_read_along(backend, false).await;
}

on_both_stores! {
    super::in_datagrams as g9_typing_is_told_to_those_who_read_along_and_to_nobody_else,
    super::on_the_stream as typing_is_told_to_those_who_take_no_datagrams,
}
