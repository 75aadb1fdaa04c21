//! A box with room for everything: it answers as a plain list for each conversation does, and it
//! holds what they hold. Filled up at last, it gives up what every reader has passed, and that alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use goim_core::msg_box::BoxReader;
use goim_core::msg_list::{Entries, Reader};
use goim_core::{BoxLimits, ConversationId, ListLimits, MsgBox, MsgList, Reached, Seq};

use super::{Line, line};
use crate::Input;

/// Runs a list of operations.
pub(super) fn run(input: &mut Input<'_>) {
    let mut world = World::new(if input.percent(50) { 1 } else { 4 });
    while let Some(dice) = input.dice(32) {
        world.step(dice, input);
        world.check();
    }
    world.squeeze();
}

/// No limit in bytes: within one, when a list makes room for its readers is its own affair.
const LIST: ListLimits = ListLimits { entries_max: 16, bytes_max: usize::MAX };
const CONVERSATIONS: u64 = 5;
/// Five lists of 16 entries and 4 out of order take 14 KB, with 90 bytes for each entry and 540 for
/// the readers, and the tables of four shards 6 KB.
const BYTES_MAX: usize = 1 << 16;
/// How far beyond a head operations reach.
const BEYOND: u64 = 8;

type List = MsgList<Arc<Line>>;

struct World {
    msgs: MsgBox<Arc<Line>>,
    shards: usize,
    lists: BTreeMap<u64, List>,
    readers: Vec<(u64, BoxReader, Option<Reader>)>,
    /// What the box holds beside its lists, with so many of them.
    overhead: (usize, usize),
}

fn of(id: u64) -> ConversationId {
    ConversationId::new(id)
}

fn lines(seqs: impl IntoIterator<Item = u64>, bytes: usize) -> Vec<Arc<Line>> {
    seqs.into_iter().map(|seq| line(seq, bytes)).collect()
}

impl World {
    fn new(shards: usize) -> Self {
        let msgs = MsgBox::new(BoxLimits { bytes_max: BYTES_MAX, shards, list: LIST });
        let overhead = (0, msgs.bytes_held());
        Self { msgs, shards, lists: BTreeMap::new(), readers: Vec::new(), overhead }
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        let id = input.between(0, CONVERSATIONS - 1);
        let head = self.lists.get(&id).map_or(0, |list| list.head().as_u64());
        let (seq, bytes) = (input.between(0, head + BEYOND), input.below(50));
        match dice {
            0..=3 => self.insert(id, &line(head + 1, bytes)),
            4..=5 => self.insert(id, &line(seq, bytes)),
            6..=8 => self.insert_all(id, lines((head + 1..).take(input.below(9)), bytes)),
            9 => self.insert_all(id, lines((seq..).take(input.below(9)), bytes)),
            10 => {
                let seqs = (0..input.below(6)).map(|_| input.between(0, head + BEYOND));
                self.insert_all(id, lines(seqs, bytes));
            }
            11..=12 => {
                let here = self.lists.get_mut(&id).is_some_and(|list| list.blank(line(seq, bytes)));
                assert_eq!(self.msgs.blank(of(id), line(seq, bytes)), here);
            }
            13 => {
                self.lists.entry(id).and_modify(|list| list.drop_through(Seq::new(seq)));
                self.msgs.drop_through(of(id), Seq::new(seq));
            }
            14 => {
                self.lists.entry(id).and_modify(|list| list.hear_head(Seq::new(seq)));
                let missing = self.lists.get(&id).and_then(MsgList::missing);
                assert_eq!(self.msgs.hear_head(of(id), Seq::new(seq)), missing);
            }
            15..=16 => self.join(id, Seq::new(seq)),
            17..=21 if !self.readers.is_empty() => self.ack(input),
            22 if !self.readers.is_empty() => self.leave(input.below(self.readers.len())),
            23 if input.percent(10) => self.clear(),
            _ => self.read(id, Seq::new(seq), input.below(20)),
        }
    }

    fn list(&mut self, id: u64) -> &mut List {
        self.lists.entry(id).or_insert_with(|| MsgList::new(LIST))
    }

    fn reached(&mut self, id: u64) -> Reached {
        let list = self.list(id);
        Reached { head: list.head(), missing: list.missing() }
    }

    fn insert(&mut self, id: u64, line: &Arc<Line>) {
        self.list(id).insert(line.clone());
        assert_eq!(self.msgs.insert(of(id), line.clone()), self.reached(id));
    }

    fn insert_all(&mut self, id: u64, lines: Vec<Arc<Line>>) {
        self.list(id).insert_all(lines.iter().cloned());
        assert_eq!(self.msgs.insert_all(of(id), lines), self.reached(id));
    }

    fn join(&mut self, id: u64, offset: Seq) {
        let alone = self.list(id).join(offset);
        self.readers.push((id, self.msgs.join(of(id), offset), Some(alone)));
    }

    fn ack(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.readers.len());
        let (id, reader, alone) = &mut self.readers[at];
        let list = self.lists.get_mut(id);
        let head = list.as_ref().map_or(0, |list| list.head().as_u64());
        let to = Seq::new(if input.percent(50) { head } else { input.between(0, head + BEYOND) });
        self.msgs.ack(of(*id), reader, to);
        match (list, &mut *alone) {
            (Some(list), Some(reader)) => list.ack(reader, to),
            // Its list went, and the one that is there now does not know it.
            (Some(list), None) => *alone = Some(list.join(to)),
            (None, _) => {}
        }
    }

    fn leave(&mut self, at: usize) {
        let (id, reader, alone) = self.readers.swap_remove(at);
        self.msgs.leave(of(id), reader);
        if let (Some(list), Some(reader)) = (self.lists.get_mut(&id), alone) {
            list.leave(reader);
        }
    }

    fn clear(&mut self) {
        self.msgs.clear();
        self.lists.clear();
        for (_, _, alone) in &mut self.readers {
            *alone = None;
        }
    }

    fn read(&self, id: u64, after: Seq, limit: usize) {
        let list = self.lists.get(&id);
        let copied = |entries: Entries<'_, Arc<Line>>| -> Vec<_> { entries.iter().cloned().collect() };
        let expected = list.and_then(|list| list.after(after, limit)).map(copied);
        assert_eq!(self.msgs.look_after(of(id), after, limit, copied), expected);
        let (head, mut out) = (list.map(MsgList::head), Vec::new());
        assert_eq!(self.msgs.after(of(id), after, limit, &mut out), head.filter(|_| expected.is_some()));
        assert_eq!(out, expected.unwrap_or_default());
        out.clear();
        assert_eq!(self.msgs.newest(of(id), limit, &mut out), head);
        assert_eq!(out, list.map(|list| copied(list.newest(limit))).unwrap_or_default());
    }

    fn check(&mut self) {
        assert_eq!(self.msgs.conversations(), self.lists.len());
        for id in 0..CONVERSATIONS {
            let list = self.lists.get(&id);
            assert_eq!(self.msgs.head(of(id)), list.map(MsgList::head));
            assert_eq!(self.msgs.missing(of(id)), list.and_then(MsgList::missing));
            self.read(id, list.map_or(Seq::ZERO, MsgList::start), usize::MAX);
        }
        let in_lists: usize = self.lists.values().map(MsgList::bytes_held).sum();
        let overhead = (self.lists.len(), self.msgs.bytes_held() - in_lists);
        assert!(overhead.0 != self.overhead.0 || overhead == self.overhead, "bytes were miscounted");
        self.overhead = overhead;
    }

    /// Fills the box with what somebody waits for, then puts in as much as all readers have passed
    /// of everything.
    fn squeeze(&mut self) {
        // Of what a shard has claimed ahead, the others cannot take any without a search for room.
        if self.shards > 1 {
            return;
        }
        let (waited_for, pressing) = (CONVERSATIONS, CONVERSATIONS + 1);
        self.join(waited_for, Seq::ZERO);
        self.insert_all(pressing, Vec::new());
        self.insert_of_cost(waited_for, BYTES_MAX - self.msgs.bytes_held());
        let room = BYTES_MAX - self.msgs.bytes_held();
        let passed = self.lists.values_mut().map(|list| list.evict_passed(usize::MAX)).sum();
        // A search for room frees a part of the whole at least.
        if passed < room.max(BYTES_MAX / MsgBox::<Arc<Line>>::RELIEF_SHARE) {
            return;
        }
        self.insert_of_cost(pressing, passed);
        for (id, list) in &self.lists {
            let mut out = Vec::new();
            let head = self.msgs.after(of(*id), list.start(), usize::MAX, &mut out);
            assert!(head.is_some() || list.head() == Seq::ZERO, "it gave up what somebody waits for");
            assert!(out.iter().eq(list.newest(usize::MAX).iter()));
        }
    }

    fn insert_of_cost(&mut self, id: u64, bytes: usize) {
        let more = bytes - self.list(id).cost(&line(1, 0));
        self.insert(id, &line(1, more));
    }
}
