use bytes::BytesMut;
use goim_core::{DeviceId, UserId};
use goim_proto::{Committed, Content, ErrorCode, RefusedOffset, Reply, Sent, SessionInfo, encode_frame};

use super::*;
use crate::Client;

const C: ConversationId = ConversationId::new(1);

/// A client whose one message, the entry behind all that it has received, is on its way.
fn sending(id: ClientMsgId) -> (Shared, u32) {
    let shared = Shared::new(Client::builder("nowhere:1"), None);
    let round = {
        let mut state = shared.state();
        let (user, device, inbox) = (UserId::new(2), DeviceId::new(3), ConversationId::new(4));
        state.session = Some(SessionInfo { user, device, inbox });
        state.inbox.subscribe(C, Seq::new(6), Seq::new(6));
        state.inbox.set_active(C, true);
        let body = Content::text("what it says now").encode();
        state.outbox.push(C, id, body, true, None);
        state.outbox.poll_send(Time::ZERO, usize::MAX).unwrap().round
    };
    (shared, round)
}

async fn answered(shared: &Shared, id: ClientMsgId, round: u32, duplicate: bool) {
    let mut session = Session::new(shared, &Welcome::default());
    session.pending.insert(1, Pending::Send { conversation: C, id, round });
    let sent = Sent { seq: Seq::new(7), duplicate, at_ms: 0, count: 7 };
    let mut frame = BytesMut::new();
    let reply = ServerFrame::<Bytes>::Reply(ReplyTo { id: 1, reply: Reply::Sent(sent) });
    encode_frame(&reply, &mut frame).unwrap();
    // Behind the frame's length.
    let frame = frame.freeze().slice(4..);
    assert!(session.handle(&[frame], true).await.is_ok());
}

#[tokio::test]
async fn an_own_message_is_handed_out_by_its_answer() {
    let id = ClientMsgId::mint(1, &[1; 10]);
    let (shared, round) = sending(id);
    answered(&shared, id, round, false).await;
    assert_eq!(shared.state().inbox.take().unwrap().1.seq, Seq::new(7));
}

/// A program that crashed and answers once more may say it in other words; what counts is stored.
#[tokio::test]
async fn g3_of_a_duplicate_the_stored_words_are_handed_out_not_the_repeated_ones() {
    let id = ClientMsgId::mint(1, &[1; 10]);
    let (shared, round) = sending(id);
    answered(&shared, id, round, true).await;
    let mut state = shared.state();
    assert!(state.inbox.take().is_none());
    assert_eq!(state.inbox.poll_pull().unwrap().after, Seq::new(6));
}

/// The server knew of a new epoch before this client did.
#[tokio::test]
async fn g6_an_offset_of_another_epoch_does_not_count_as_committed() {
    let shared = Shared::new(Client::builder("nowhere:1"), None);
    {
        let mut state = shared.state();
        state.inbox.subscribe(C, Seq::ZERO, Seq::ZERO);
        state.inbox.set_active(C, true);
        let (sender, client_msg_id) = (UserId::new(2), ClientMsgId::mint(1, &[1; 10]));
        let body = Content::text("one").encode();
        let entry = Entry { seq: Seq::FIRST, sender, client_msg_id, at_ms: 0, count: 1, body };
        state.inbox.handle_notification(C, Seq::FIRST, [entry]);
        assert!(state.inbox.take().is_some());
        state.inbox.handled(C, Seq::FIRST);
        assert!(state.inbox.poll_commit(1).is_some());
    }
    let mut session = Session::new(&shared, &Welcome::default());
    let refused = vec![RefusedOffset { conversation: C, code: ErrorCode::OtherEpoch }];
    let mut state = shared.state();
    let reply = Reply::Committed(Committed { refused });
    assert!(session.replied(&mut state, Time::ZERO, Pending::Commit, reply).is_ok());
    assert_eq!((state.inbox.committed(C), state.commit_due), (Some(Seq::ZERO), true));
    assert!(state.inbox.poll_commit(1).is_some(), "it is not asked for again");
}

/// A time that has passed would have the task look again and again.
#[test]
fn what_is_overdue_waits_without_a_timer_while_an_answer_has_to_come_first() {
    let (shared, _) = sending(ClientMsgId::mint(1, &[1; 10]));
    let mut session = Session::new(&shared, &Welcome::default());
    session.commit_at = Some(Time::ZERO);
    assert_eq!(session.timeout(), Duration::ZERO);
    session.new_epoch = Some(Epoch::new(2));
    assert_eq!(session.timeout(), TICK);
    session.new_epoch = None;
    shared.state().session = None;
    assert_eq!(session.timeout(), TICK);
}
