use super::*;
use crate::{ClientMsgId, UserId};

const C: ConversationId = ConversationId::new(1);

fn entries(seqs: impl IntoIterator<Item = u64>) -> Vec<Entry<&'static [u8]>> {
    let entry = |seq| Entry {
        seq: Seq::new(seq),
        sender: UserId::new(1),
        client_msg_id: ClientMsgId::mint(seq, &[0; 10]),
        at_ms: 0,
        count: seq,
        body: b"body".as_slice(),
    };
    seqs.into_iter().map(entry).collect()
}

fn inbox(offset: u64) -> Inbox<&'static [u8]> {
    let mut inbox = Inbox::new(InboxLimits::default());
    inbox.subscribe(C, Seq::new(offset), Seq::new(offset));
    inbox.set_active(C, true);
    inbox
}

fn taken(inbox: &mut Inbox<&'static [u8]>) -> Vec<u64> {
    core::iter::from_fn(|| inbox.take()).map(|(_, entry)| entry.seq.as_u64()).collect()
}

#[test]
fn an_entry_that_is_next_needs_no_pull() {
    let mut inbox = inbox(4);
    inbox.handle_notification(C, Seq::new(5), entries([5]));
    assert_eq!(inbox.poll_pull(), None);
    assert_eq!(taken(&mut inbox), [5]);
}

#[test]
fn a_gap_becomes_a_pull_and_copies_are_dropped() {
    let mut inbox = inbox(4);
    inbox.handle_notification(C, Seq::new(7), entries([7]));
    let pull = inbox.poll_pull().unwrap();
    assert_eq!(pull.after, Seq::new(4));
    inbox.handle_notification(C, Seq::new(5), entries([5]));
    inbox.handle_pulled(Time::ZERO, C, entries(5..=7), Seq::new(7), Seq::new(7));
    inbox.handle_notification(C, Seq::new(7), entries([6, 7]));
    assert_eq!(taken(&mut inbox), [5, 6, 7]);
    assert_eq!(inbox.poll_pull(), None);
}

#[test]
fn the_offset_is_what_was_handled_and_passes_over_what_is_not_ours() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(9), entries([]));
    inbox.poll_pull().unwrap();
    inbox.handle_pulled(Time::ZERO, C, entries([3, 4]), Seq::new(9), Seq::new(9));
    assert_eq!(taken(&mut inbox), [3, 4]);
    let passed_over = OffsetMove { conversation: C, offset: Seq::new(2) };
    assert_eq!(inbox.poll_commit(10), Some(vec![passed_over]));
    inbox.handle_committed();
    inbox.handled(C, Seq::new(3));
    let first = OffsetMove { conversation: C, offset: Seq::new(3) };
    assert_eq!(inbox.poll_commit(10), Some(vec![first]));
    inbox.handled(C, Seq::new(4));
    assert_eq!(inbox.poll_commit(10), None, "one commit at a time");
    inbox.handle_committed();
    let all = OffsetMove { conversation: C, offset: Seq::new(9) };
    assert_eq!(inbox.poll_commit(10), Some(vec![all]));
}

#[test]
fn what_was_not_taken_cannot_have_been_handled() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(1), entries([1]));
    inbox.handled(C, Seq::new(1));
    assert_eq!(inbox.poll_commit(10), None);
}

#[test]
fn a_lost_connection_repeats_pulls_and_commits() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(1), entries([1]));
    assert_eq!(taken(&mut inbox), [1]);
    inbox.handled(C, Seq::new(1));
    inbox.handle_notification(C, Seq::new(3), entries([]));
    assert!(inbox.poll_pull().is_some() && inbox.poll_commit(10).is_some());
    inbox.handle_reset();
    assert!(inbox.poll_pull().is_some() && inbox.poll_commit(10).is_some());
}

#[test]
fn a_lagging_answer_is_asked_for_again_after_a_while() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(3), entries([]));
    inbox.poll_pull().unwrap();
    inbox.handle_pulled(Time::ZERO, C, entries([]), Seq::ZERO, Seq::ZERO);
    assert_eq!(inbox.poll_pull(), None);
    let at = inbox.poll_timeout().unwrap();
    inbox.handle_timeout(at);
    assert!(inbox.poll_pull().is_some());
}

#[test]
fn an_unknown_conversation_is_asked_about_once() {
    let mut inbox: Inbox<&[u8]> = Inbox::new(InboxLimits::default());
    inbox.handle_notification(C, Seq::new(3), entries([]));
    inbox.handle_notification(C, Seq::new(4), entries([]));
    assert_eq!((inbox.poll_unknown(), inbox.poll_unknown()), (Some(C), None));
    inbox.subscribe(C, Seq::new(1), Seq::new(3));
    inbox.set_active(C, true);
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(1));
}

#[test]
fn a_slow_reader_stops_pulling_and_loses_nothing() {
    let limits = InboxLimits { conversation_bytes_max: 150, ..InboxLimits::default() };
    let mut inbox: Inbox<&[u8]> = Inbox::new(limits);
    inbox.subscribe(C, Seq::ZERO, Seq::ZERO);
    inbox.set_active(C, true);
    for seq in 1..=5 {
        inbox.handle_notification(C, Seq::new(seq), entries([seq]));
    }
    assert_eq!((inbox.bytes(), inbox.poll_pull()), (200, None));
    assert_eq!(taken(&mut inbox), [1, 2]);
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(2));
}

#[test]
fn a_store_that_went_back_takes_the_offset_with_it() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(5), entries(1..=5));
    assert_eq!(taken(&mut inbox), [1, 2, 3, 4, 5]);
    inbox.handled(C, Seq::new(5));
    assert!(inbox.handle_store_went_back(C, Seq::new(2)));
    inbox.handle_notification(C, Seq::new(3), entries([3]));
    assert_eq!(taken(&mut inbox), [3]);
}

/// Found by the target `inbox`: the new log's entries 3 to 5 would have been passed over.
#[test]
fn an_answer_that_was_asked_of_a_log_that_is_no_more_does_not_count() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(5), entries(1..=5));
    inbox.handle_notification(C, Seq::new(8), entries([]));
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(5));
    assert!(inbox.handle_store_went_back(C, Seq::new(2)));
    inbox.handle_pulled(Time::ZERO, C, entries([]), Seq::new(5), Seq::new(5));
    inbox.handle_notification(C, Seq::new(5), entries(3..=5));
    assert_eq!(taken(&mut inbox), [1, 2, 3, 4, 5]);
}

/// Found by the target `inbox`: it waited for somebody to write.
#[test]
fn a_store_that_went_back_to_where_this_reader_never_was_is_pulled_from() {
    let mut inbox = inbox(2);
    assert!(!inbox.handle_store_went_back(C, Seq::new(4)));
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(2));
}

/// Found by the target `inbox`: the refused commit counted as done, so nothing was committed until
/// the new log had outgrown the old one.
#[test]
fn after_the_store_went_back_the_offset_is_committed_once_more() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(5), entries(1..=5));
    assert_eq!(taken(&mut inbox), [1, 2, 3, 4, 5]);
    inbox.handled(C, Seq::new(5));
    assert!(inbox.poll_commit(10).is_some());
    inbox.handle_store_went_back(C, Seq::new(3));
    assert_eq!(inbox.poll_commit(10), None, "one commit at a time");
    assert_eq!(inbox.handle_committed(), []);
    let again = OffsetMove { conversation: C, offset: Seq::new(3) };
    assert_eq!(inbox.poll_commit(10), Some(vec![again]));
}

/// Found by the target `inbox`: pulls went on and on for what is no more.
#[test]
fn a_head_that_was_announced_before_the_store_went_back_is_not_asked_for() {
    let mut inbox: Inbox<&[u8]> = Inbox::new(InboxLimits::default());
    inbox.handle_notification(C, Seq::new(3), entries([]));
    inbox.handle_store_went_back(C, Seq::new(1));
    inbox.subscribe(C, Seq::new(1), Seq::new(1));
    inbox.set_active(C, true);
    assert_eq!(inbox.poll_pull(), None);
}

/// Found by the target `inbox`: it went back to 0 with entry 3, and again when that was taken.
#[test]
fn an_offset_that_passed_over_what_is_not_ours_does_not_go_back() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(2), entries([]));
    inbox.poll_pull().unwrap();
    inbox.handle_pulled(Time::ZERO, C, entries([]), Seq::new(2), Seq::new(2));
    assert_eq!(inbox.offset(C), Some(Seq::new(2)));
    inbox.handle_notification(C, Seq::new(3), entries([3]));
    assert_eq!(inbox.offset(C), Some(Seq::new(2)));
    assert_eq!(taken(&mut inbox), [3]);
    assert_eq!(inbox.offset(C), Some(Seq::new(2)));
}

#[test]
fn what_was_taken_and_not_handled_comes_again_for_the_next_reader() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(4), entries(1..=4));
    assert_eq!(taken(&mut inbox), [1, 2, 3, 4]);
    inbox.handled(C, Seq::new(2));
    inbox.rewind(C);
    assert_eq!((inbox.bytes(), inbox.offset(C)), (0, Some(Seq::new(2))));
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(2));
    inbox.handle_pulled(Time::ZERO, C, entries(3..=4), Seq::new(4), Seq::new(4));
    assert_eq!(taken(&mut inbox), [3, 4]);
}

#[test]
fn what_waits_is_let_go_of_with_its_bytes_when_its_reader_changes() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(4), entries(1..=4));
    assert_eq!(inbox.take().unwrap().1.seq, Seq::FIRST);
    assert!(inbox.bytes() > 0);
    inbox.rewind(C);
    assert_eq!(inbox.bytes(), 0);
}

#[test]
fn an_answer_to_a_pull_from_before_does_not_make_a_gap() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(5), entries(1..=3));
    assert_eq!(taken(&mut inbox), [1, 2, 3]);
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(3));
    inbox.rewind(C);
    inbox.handle_pulled(Time::ZERO, C, entries(4..=5), Seq::new(5), Seq::new(5));
    assert_eq!(taken(&mut inbox), []);
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::ZERO);
    inbox.handle_pulled(Time::ZERO, C, entries(1..=5), Seq::new(5), Seq::new(5));
    assert_eq!(taken(&mut inbox), [1, 2, 3, 4, 5]);
}

#[test]
fn an_own_entry_that_is_not_next_starts_no_pull_at_once() {
    let mut inbox = inbox(4);
    inbox.handle_own(Time::ZERO, C, entries([6]).remove(0));
    assert_eq!(inbox.poll_pull(), None, "what is before it is on its way");
    inbox.handle_notification(C, Seq::new(6), entries([5, 6]));
    assert_eq!(taken(&mut inbox), [5, 6]);

    // And if it never comes, it is pulled.
    inbox.handle_own(Time::ZERO, C, entries([9]).remove(0));
    let at = inbox.poll_timeout().unwrap();
    inbox.handle_timeout(at);
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(6));
}

#[test]
fn an_own_entry_tells_of_a_conversation_that_was_not_known() {
    let mut inbox: Inbox<&[u8]> = Inbox::new(InboxLimits::default());
    inbox.handle_own(Time::ZERO, C, entries([11]).remove(0));
    assert_eq!(inbox.poll_unknown(), Some(C));
    inbox.subscribe(C, Seq::new(10), Seq::new(10));
    inbox.set_active(C, true);
    assert_eq!(inbox.poll_pull().unwrap().after, Seq::new(10));
}

#[test]
fn an_offset_that_could_not_be_found_out_is_asked_for_again() {
    let mut inbox: Inbox<&[u8]> = Inbox::new(InboxLimits::default());
    inbox.handle_notification(C, Seq::new(3), entries([]));
    assert_eq!(inbox.poll_unknown(), Some(C));
    inbox.handle_unknown_failed(Time::ZERO, C);
    assert_eq!(inbox.poll_unknown(), None);
    let at = inbox.poll_timeout().unwrap();
    inbox.handle_timeout(at);
    assert_eq!(inbox.poll_unknown(), Some(C));
}

#[test]
fn what_is_read_apart_is_not_taken_with_the_others() {
    let mut inbox = inbox(0);
    inbox.handle_notification(C, Seq::new(2), entries([1, 2]));
    inbox.set_apart(C, true);
    assert_eq!(taken(&mut inbox), [0; 0]);
    assert_eq!(inbox.take_from(C).unwrap().seq, Seq::new(1));
    inbox.set_apart(C, false);
    assert_eq!(taken(&mut inbox), [2]);
}
