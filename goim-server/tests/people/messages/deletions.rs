//! Messages that somebody deletes for himself.

use goim_core::{ConversationId, Seq};
use goim_proto::content::Blank;
use goim_proto::{BlankReason, Call, Content, ErrorCode, Member, MessageList};

use super::{history, people, pulled, react, said, seq};
use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::{RawClient, mint};
use crate::world::{code, device, done, inbox, server};

fn delete(conversation: ConversationId, seqs: &[Seq]) -> Call {
    Call::DeleteForMe(MessageList { conversation, seqs: seqs.to_vec() })
}

fn blank() -> Content {
    Content::Blank(Blank { reason: BlankReason::Deleted })
}

/// On each of her devices, through both nodes, live and after she comes back; and for nobody else.
async fn for_one_alone(backend: &Backend) {
    let often = |config: &mut goim_server::Config| config.catch_up_interval_ms = Some(20);
    let (here, there) = (server(backend, often).await, server(backend, often).await);
    let mut ada = RawClient::user(here.addr(), "ada").await;
    let mut ben = ada.bot(here.addr(), "ben").await;
    let (mut phone, mut tablet) =
        (device(&here, "ada", "correct horse").await.0, device(&there, "ada", "correct horse").await.0);
    let conversation = ada.group(vec![ben.me()]).await;
    // From then on it is kept for her there.
    tablet.announced(conversation, Seq::FIRST).await;
    let first = ben.text(conversation, "hm").await.unwrap();
    let second = ada.text(conversation, "what?").await.unwrap().seq;
    seq(&mut ben, react(conversation, first.seq, "🍵", true)).await.unwrap();
    for client in [&mut phone, &mut tablet, &mut ben] {
        client.announced(conversation, second.next()).await;
    }
    for client in [&mut phone, &mut tablet] {
        assert_eq!(pulled(client, conversation, 1).await[0], Content::text("hm"));
    }
    let none = [Seq::ZERO, Seq::FIRST, second.next(), Seq::new(99)];
    done(&mut ada, delete(conversation, &none)).await;
    for _ in 0..2 {
        done(&mut ada, delete(conversation, &[first.seq])).await;
    }
    let list = MessageList { conversation, seqs: vec![first.seq] };
    let told = (ada.me(), Content::DeletedForMe(list));
    assert_eq!(inbox(&mut tablet, 2).await[1], told, "once, and not of what was none");
    let (mut later, _) = device(&here, "ada", "correct horse").await;
    for client in [&mut ada, &mut phone, &mut tablet, &mut later] {
        let page = client.pull(conversation, 1).await.unwrap();
        assert_eq!(said(&page.entries)[..2], [blank(), Content::text("what?")]);
        assert_eq!((page.entries[0].count, page.entries[0].at_ms), (first.count, first.at_ms));
        assert_eq!(pulled(client, conversation, first.seq.as_u64()).await[0], Content::text("what?"));
        let page = history(client, conversation).await;
        assert_eq!((said(&page.entries)[1].clone(), page.forms), (blank(), vec![]));
    }
    assert_eq!(pulled(&mut ben, conversation, 1).await[0], Content::text("hm"));
    assert_eq!(history(&mut ben, conversation).await.forms.len(), 1);
    let many: Vec<_> = (1..=101).map(Seq::new).collect();
    assert_eq!(code(ada.call(delete(conversation, &many)).await), ErrorCode::TooLarge);
}

/// Who was removed deletes what he may still read.
async fn after_leaving(backend: &Backend) {
    let server = server(backend, |_| {}).await;
    let [mut ada, mut ben, mut eve] = people(&[&server]).await;
    let conversation = ada.group(vec![ben.me()]).await;
    let first = ada.text(conversation, "hm").await.unwrap().seq;
    let remove = Member { conversation, user: ben.me(), client_msg_id: mint() };
    let removed = seq(&mut ada, Call::RemoveMember(remove)).await.unwrap();
    let behind = ada.text(conversation, "behind his back").await.unwrap().seq;
    done(&mut ben, delete(conversation, &[first, behind])).await;
    let page = ben.pull(conversation, 1).await.unwrap();
    assert_eq!((said(&page.entries)[0].clone(), page.head), (blank(), removed));
    assert_eq!(code(eve.call(delete(conversation, &[first])).await), ErrorCode::NotMember);
}

on_both_stores! {
    super::for_one_alone as a_message_is_deleted_for_one_alone_on_all_his_devices,
    super::after_leaving as who_left_deletes_what_he_may_read,
}
