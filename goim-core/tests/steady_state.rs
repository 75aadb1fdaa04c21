//! What allocates once the fullest moment is over: nothing, but for an entry that overtakes another. (A box
//! that is full as a whole makes room by giving up buffers, which then grow again.)

use core::num::NonZeroU64;

use allocation_counter::measure;
use goim_core::ack_queue::Expired;
use goim_core::msg_box::BoxReader;
use goim_core::msg_list::Inserted;
use goim_core::sequence::{Ceiling, Next, Reserve, SegmentConfig};
use goim_core::{
    AckQueue, AckQueueConfig, BoxLimits, ConversationId, Duration, ListLimits, Msg, MsgBox, MsgList,
    Notifier, NotifierConfig, RttConfig, SegmentAllocator, Seq, SequenceAllocator, Time,
};

const WINDOW: u64 = 64;
const WINDOW_SLOTS: usize = 64;

/// Fills the window, lets a third expire, and acknowledges everything.
fn queue_round(queue: &mut AckQueue<u64>, now: &mut Time) {
    let mut ids = [None; WINDOW_SLOTS];
    for (n, id) in (0..WINDOW).zip(&mut ids) {
        *id = if n % 4 == 0 { queue.push_ordered(*now, n) } else { queue.push(*now, n) }.ok();
    }
    assert!(queue.push(*now, 0).is_err());
    for id in ids.iter().step_by(3).flatten() {
        queue.ack(*now, *id);
    }
    while let Some(at) = queue.poll_timeout() {
        *now = at;
        while let Some(Expired::Retransmit { .. } | Expired::GivenUp { .. }) = queue.expired(*now) {}
    }
    if let Some(last) = ids.iter().flatten().next_back() {
        queue.ack_through(*last, |_, _| {});
    }
    assert!(queue.is_empty());
}

#[test]
fn an_ack_queue_allocates_nothing_in_steady_state() {
    let config = AckQueueConfig { window: WINDOW_SLOTS, retries_max: 2, rtt: RttConfig::default() };
    let (mut queue, mut now) = (AckQueue::new(config), Time::ZERO);
    let first = measure(|| queue_round(&mut queue, &mut now));
    assert!(first.count_total > 0, "the counter counts");
    let steady = measure(|| (0..100).for_each(|_| queue_round(&mut queue, &mut now)));
    assert_eq!(steady.count_total, 0, "{steady:?}");
}

/// Every conversation gets news; two thirds of it are acknowledged at once, the rest only after a
/// retransmission.
fn notifier_round(notifier: &mut Notifier, now: &mut Time, round: u64) {
    for n in 1..=WINDOW {
        notifier.mark(ConversationId::new(n), Seq::new(round), Seq::ZERO);
    }
    let mut acked = [false; WINDOW_SLOTS + 1];
    while !notifier.is_idle() {
        while let Some(announce) = notifier.poll_announce(*now) {
            notifier.announced(announce.id, announce.head);
            let n = announce.conversation.as_u64();
            let slot = &mut acked[usize::try_from(n).unwrap_or(0)];
            if n % 3 > 0 || *slot {
                notifier.handle_ack(*now, announce.conversation, announce.head);
            }
            *slot = true;
        }
        *now = notifier.poll_timeout().unwrap_or(*now + Duration::from_millis(1));
    }
    notifier.sent_through(ConversationId::new(1), Seq::new(round));
}

#[test]
fn a_notifier_allocates_nothing_in_steady_state() {
    for datagrams in [true, false] {
        let mut notifier = Notifier::new(NotifierConfig { datagrams, ..NotifierConfig::default() });
        let mut now = Time::ZERO;
        if datagrams {
            notifier_round(&mut notifier, &mut now, 1);
            let rounds = || (2..100).for_each(|round| notifier_round(&mut notifier, &mut now, round));
            assert_eq!(measure(rounds).count_total, 0);
        } else {
            let mut round = |round: u64| {
                for n in 1..=WINDOW {
                    notifier.mark(ConversationId::new(n), Seq::new(round), Seq::ZERO);
                }
                while let Some(announce) = notifier.poll_announce(now) {
                    notifier.handle_ack(now, announce.conversation, announce.head);
                }
            };
            round(1);
            assert_eq!(measure(|| (2..100).for_each(round)).count_total, 0);
        }
    }
}

/// An entry whose bytes are elsewhere.
#[derive(Clone)]
struct Line(Seq);

impl Msg for Line {
    fn seq(&self) -> Seq {
        self.0
    }

    fn bytes(&self) -> usize {
        100
    }
}

const CONVERSATIONS: u64 = 100;

/// One more entry in every conversation, which its reader takes and has handled.
fn box_round(msgs: &MsgBox<Line>, readers: &mut [BoxReader], out: &mut Vec<Line>, seq: Seq) {
    for (id, reader) in (1..=CONVERSATIONS).map(ConversationId::new).zip(readers) {
        msgs.insert(id, Line(seq));
        out.clear();
        assert_eq!(msgs.after(id, seq.prev(), 10, out), Some(seq));
        msgs.newest(id, 10, out);
        msgs.ack(id, reader, seq);
    }
}

#[test]
fn a_message_box_allocates_nothing_in_steady_state() {
    let list = ListLimits { entries_max: WINDOW_SLOTS, ..ListLimits::default() };
    let msgs = MsgBox::new(BoxLimits { list, ..BoxLimits::default() });
    let join = |n: u64| msgs.join(ConversationId::new(n), Seq::ZERO);
    let mut readers: Vec<_> = (1..=CONVERSATIONS).map(join).collect();
    let mut out = Vec::with_capacity(20);
    let first = measure(|| box_round(&msgs, &mut readers, &mut out, Seq::new(1)));
    assert!(first.count_total > 0, "the counter counts");
    (2..=WINDOW).for_each(|seq| box_round(&msgs, &mut readers, &mut out, Seq::new(seq)));
    let rounds = WINDOW + 1..WINDOW * 10;
    let steady = measure(|| rounds.for_each(|n| box_round(&msgs, &mut readers, &mut out, Seq::new(n))));
    assert_eq!(steady.count_total, 0, "{steady:?}");
}

/// What overtakes another waits in a buffer that is made for it: itself and its place.
#[test]
fn an_entry_that_comes_too_early_allocates_twice() {
    let mut list = MsgList::new(ListLimits { entries_max: WINDOW_SLOTS, ..ListLimits::default() });
    list.insert_all((1..=WINDOW).map(|seq| Line(Seq::new(seq))));
    for seq in (WINDOW + 1..WINDOW * 2).step_by(2).map(Seq::new) {
        let early = measure(|| assert_eq!(list.insert(Line(seq.next())), Inserted::Ahead));
        let late = measure(|| assert_eq!(list.insert(Line(seq)), Inserted::Visible));
        assert_eq!((early.count_total, late.count_total), (2, 0));
    }
}

/// Reserves in every conversation, of which every third append fails and every fifth is in doubt.
fn sequence_round(allocator: &mut SequenceAllocator) {
    for n in 1..=CONVERSATIONS {
        let id = ConversationId::new(n);
        if allocator.head(id).is_none() {
            assert!(allocator.learn(id, Seq::new(n)));
        }
        let Reserve::Range(range) = allocator.reserve(id, NonZeroU64::MIN) else { panic!("it is idle") };
        if n % 5 == 0 {
            allocator.forget(id);
        } else if n % 3 == 0 {
            assert!(allocator.abort(id, range));
        } else {
            assert!(allocator.confirm(id, range));
        }
    }
}

#[test]
fn a_sequence_allocator_allocates_nothing_in_steady_state() {
    // With room for all, and for half of them: each then makes way for another.
    for conversations_max in [100, 50] {
        let mut allocator = SequenceAllocator::new(conversations_max);
        let first = measure(|| sequence_round(&mut allocator));
        assert!(first.count_total > 0, "the counter counts");
        sequence_round(&mut allocator);
        let steady = measure(|| (0..100).for_each(|_| sequence_round(&mut allocator)));
        assert_eq!(steady.count_total, 0, "{steady:?}");
    }
}

/// Numbers for every key, with a store that answers at once.
fn segment_round(allocator: &mut SegmentAllocator) {
    for key in 1..=CONVERSATIONS {
        while allocator.next(key, NonZeroU64::MIN) == Next::Wait {
            while let Some(ceiling) = allocator.poll_ceiling() {
                match ceiling {
                    Ceiling::Load(section) => allocator.handle_loaded(section, 0),
                    Ceiling::Raise { section, to, .. } => allocator.handle_raised(section, to),
                }
            }
        }
    }
}

#[test]
fn a_segment_allocator_allocates_nothing_in_steady_state() {
    // With room for all keys, and for fewer than there are.
    for section_keys_max in [100, 10] {
        let config = SegmentConfig { sections: 4, step: 10, section_keys_max };
        let mut allocator = SegmentAllocator::new(config);
        let first = measure(|| segment_round(&mut allocator));
        assert!(first.count_total > 0, "the counter counts");
        segment_round(&mut allocator);
        let steady = measure(|| (0..100).for_each(|_| segment_round(&mut allocator)));
        assert_eq!(steady.count_total, 0, "{steady:?}");
    }
}
