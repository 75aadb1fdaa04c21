use super::*;
use crate::Time;

const C: ConversationId = ConversationId::new(1);
const D: ConversationId = ConversationId::new(2);

const fn ms(n: u64) -> Time {
    Time::from_millis(n)
}

const fn seq(n: u64) -> Seq {
    Seq::new(n)
}

fn notifier(datagrams: bool) -> Notifier {
    Notifier::new(NotifierConfig { datagrams, ..NotifierConfig::default() })
}

fn heads(notifier: &mut Notifier, now: Time) -> Vec<(u64, u64, bool)> {
    core::iter::from_fn(|| notifier.poll_announce(now))
        .map(|a| (a.conversation.as_u64(), a.head.as_u64(), a.reliable))
        .collect()
}

#[test]
fn marks_coalesce_and_the_newest_head_wins() {
    let mut n = notifier(true);
    assert!(n.mark(C, seq(5), Seq::ZERO) && !n.mark(C, seq(7), Seq::ZERO) && !n.mark(C, seq(6), seq(4)));
    let announce = n.poll_announce(ms(0)).unwrap();
    assert_eq!((announce.head, announce.read_marker, announce.inline_after), (seq(7), seq(4), seq(4)));
    assert_eq!(n.poll_announce(ms(0)), None);
    assert!(!n.mark(C, seq(7), seq(4)) && !n.is_idle());
    n.handle_ack(ms(9), C, seq(7));
    assert!(n.is_idle() && n.poll_timeout().is_none());
}

#[test]
fn a_newer_mark_does_not_wait_and_an_older_ack_does_not_clear_it() {
    let mut n = notifier(true);
    n.mark(C, seq(1), Seq::ZERO);
    assert_eq!(heads(&mut n, ms(0)), [(1, 1, false)]);
    n.mark(C, seq(2), Seq::ZERO);
    assert_eq!(heads(&mut n, ms(5)), [(1, 2, false)]);
    n.handle_ack(ms(20), C, seq(1));
    assert_eq!(n.rtt().smoothed(), Some(Duration::from_millis(20)));
    assert!(!n.is_idle());
    // The clock starts anew with the ack: 20 + 3 * 20 ms.
    assert_eq!(n.poll_timeout(), Some(ms(80)));
    n.handle_ack(ms(30), C, seq(1));
    assert_eq!(n.poll_timeout(), Some(ms(80)), "a doubled ack is no news");
    assert_eq!(heads(&mut n, ms(80)), [(1, 2, false)]);
}

#[test]
fn a_stream_of_newer_marks_does_not_put_off_the_retransmission() {
    let mut n = notifier(true);
    for head in 1..=4 {
        n.mark(C, seq(head), Seq::ZERO);
        heads(&mut n, ms(head * 90));
    }
    n.mark(C, seq(5), Seq::ZERO);
    assert_eq!(n.poll_timeout(), Some(ms(490)));
    // The retransmission takes the newest head along, so there is no second announcement.
    assert_eq!(heads(&mut n, ms(490)), [(1, 5, false)]);
}

#[test]
fn inlining_goes_on_from_what_was_sent_and_a_retransmission_from_what_was_acknowledged() {
    let mut n = notifier(true);
    n.sent_through(C, seq(10));
    for head in [11, 12] {
        n.mark(C, seq(head), Seq::ZERO);
        let announce = n.poll_announce(ms(0)).unwrap();
        assert_eq!(announce.inline_after, seq(head - 1));
        n.announced(announce.id, seq(head));
    }
    n.handle_ack(ms(1), C, seq(11));
    n.mark(C, seq(13), Seq::ZERO);
    let again = n.poll_announce(ms(60)).unwrap();
    assert_eq!((again.head, again.inline_after), (seq(13), seq(11)));
}

#[test]
fn without_inlined_entries_the_next_announcement_starts_where_the_last_content_ended() {
    let mut n = notifier(true);
    n.sent_through(C, seq(3));
    n.mark(C, seq(9), Seq::ZERO);
    let big = n.poll_announce(ms(0)).unwrap();
    n.announced(big.id, big.inline_after);
    n.handle_ack(ms(1), C, seq(9));
    n.mark(C, seq(10), Seq::ZERO);
    assert_eq!(n.poll_announce(ms(2)).unwrap().inline_after, seq(3));
    n.sent_through(C, seq(10));
    assert!(n.is_idle(), "the pull's answer brought what was announced");
    n.mark(C, seq(11), Seq::ZERO);
    assert_eq!(n.poll_announce(ms(2)).unwrap().inline_after, seq(10));
}

#[test]
fn after_the_last_try_a_mark_goes_on_the_stream_and_holds_its_place() {
    let mut n = notifier(true);
    n.mark(C, seq(1), Seq::ZERO);
    assert_eq!(heads(&mut n, ms(0)), [(1, 1, false)]);
    let mut tries = Vec::new();
    while let Some(at) = n.poll_timeout().filter(|_| tries.len() < 9) {
        tries.extend(heads(&mut n, at).into_iter().map(|(_, _, reliable)| (at.as_micros() / 1000, reliable)));
    }
    assert_eq!(tries, [(400, false), (1200, false), (2800, false), (6000, true)]);
    assert!(!n.is_idle() && n.in_flight() == 1);
    // What is new in the meantime takes the stream too, and datagrams are tried again later.
    n.mark(D, seq(1), Seq::ZERO);
    assert_eq!(heads(&mut n, ms(6001)), [(2, 1, true)]);
    n.handle_ack(ms(6010), C, seq(1));
    n.handle_ack(ms(6010), D, seq(1));
    assert!(n.is_idle());
    n.mark(D, seq(2), Seq::ZERO);
    assert_eq!(heads(&mut n, ms(36_000)), [(2, 2, false)]);
}

#[test]
fn on_a_stream_depth_and_window_bound_what_is_out() {
    let config = NotifierConfig { datagrams: false, window: 2, stream_depth: 2, ..NotifierConfig::default() };
    let mut n = Notifier::new(config);
    let mut out = 0;
    for head in 1..=1000 {
        n.mark(C, seq(head), Seq::ZERO);
        n.mark(D, seq(head), Seq::ZERO);
        out += heads(&mut n, ms(head)).len();
        assert!(n.poll_timeout().is_none());
    }
    assert_eq!((out, n.in_flight()), (4, 2));
    n.handle_ack(ms(2000), C, seq(1));
    assert_eq!(heads(&mut n, ms(2000)), [(1, 1000, true)]);
    n.mark(ConversationId::new(3), seq(1), Seq::ZERO);
    assert_eq!(heads(&mut n, ms(2000)), []);
    n.handle_ack(ms(2001), C, seq(1000));
    assert_eq!(heads(&mut n, ms(2001)), [(3, 1, true)], "its place in the window goes to another");
}

#[test]
fn a_read_marker_is_announced_even_where_the_head_is_known() {
    let mut n = notifier(true);
    n.mark(C, seq(5), seq(1));
    heads(&mut n, ms(0));
    n.mark(C, seq(5), seq(3));
    n.handle_ack(ms(1), C, seq(5));
    assert_eq!(n.poll_announce(ms(2)).unwrap().read_marker, seq(3));
}

#[test]
fn unsubscribing_drops_everything() {
    let mut n = notifier(true);
    n.mark(C, seq(5), Seq::ZERO);
    heads(&mut n, ms(0));
    n.mark(C, seq(6), Seq::ZERO);
    n.unsubscribe(C);
    n.handle_ack(ms(1), C, seq(5));
    assert!(n.is_idle() && n.conversations() == 0 && heads(&mut n, ms(9999)).is_empty());
}

#[test]
fn a_full_table_forgets_the_longest_idle_and_never_what_is_owed() {
    let mut n = Notifier::new(NotifierConfig { conversations_max: 2, ..NotifierConfig::default() });
    n.mark(C, seq(1), Seq::ZERO);
    n.sent_through(D, seq(1));
    assert!(n.mark(ConversationId::new(3), seq(1), Seq::ZERO));
    assert!(!n.mark(D, seq(2), Seq::ZERO) && n.marks_dropped() == 1);
    assert_eq!(heads(&mut n, ms(0)), [(1, 1, false), (3, 1, false)]);
}

#[test]
fn no_more_counts_as_sent_inline_than_was_announced() {
    let mut n = notifier(true);
    n.mark(C, seq(5), Seq::ZERO);
    let announce = n.poll_announce(ms(0)).unwrap();
    n.announced(announce.id, seq(9));
    n.mark(C, seq(8), Seq::ZERO);
    assert_eq!(n.poll_announce(ms(1)).unwrap().inline_after, seq(5));
}
