//! The model of a `MsgBox`: the whole log of each conversation. What a box tells is a piece of it
//! without a hole, it tells all that it has, and what it holds stays within its bytes; with room for
//! everything, a box is one list per conversation.

mod with_room;

use std::collections::BTreeMap;
use std::sync::Arc;

use goim_core::msg_box::BoxReader;
use goim_core::msg_list::Entries;
use goim_core::{BoxLimits, ConversationId, ListLimits, Msg, MsgBox, Seq};

use crate::Input;

/// Runs a list of operations.
///
/// # Panics
///
/// Where box and model differ.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    if input.percent(60) {
        let mut world = World::new(&mut input);
        while let Some(dice) = input.dice(34) {
            world.step(dice, &mut input);
            world.check();
        }
        world.clear();
    } else {
        with_room::run(&mut input);
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    seq: u64,
    bytes: usize,
}

impl Msg for Line {
    fn seq(&self) -> Seq {
        Seq::new(self.seq)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

fn line(seq: u64, bytes: usize) -> Arc<Line> {
    Arc::new(Line { seq, bytes })
}

const LIST: ListLimits = ListLimits { entries_max: 64, bytes_max: 10_000 };
const CONVERSATIONS: u64 = 12;

struct World {
    msgs: MsgBox<Arc<Line>>,
    /// What the box holds when it is empty; more than `bytes_max` if that is less.
    empty_bytes: usize,
    bytes_max: usize,
    /// The bytes of every entry of each conversation.
    logs: BTreeMap<u64, Vec<usize>>,
    readers: Vec<(u64, BoxReader, u64)>,
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).unwrap() - 1
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let (bytes_max, shards) = (input.below(60_000), 1 + input.below(3));
        let msgs = MsgBox::new(BoxLimits { bytes_max, shards, list: LIST });
        let empty_bytes = msgs.bytes_held();
        Self { msgs, empty_bytes, bytes_max, logs: BTreeMap::new(), readers: Vec::new() }
    }

    fn log(&mut self, id: ConversationId) -> &mut Vec<usize> {
        self.logs.entry(id.as_u64()).or_default()
    }

    fn back(&mut self, id: ConversationId, back: usize) -> u64 {
        self.log(id).len().saturating_sub(back) as u64
    }

    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        let id = ConversationId::new(input.between(0, CONVERSATIONS - 1));
        match dice {
            0..=11 => {
                let (count, bytes) = (1 + input.below(19), input.below(400));
                let from = self.log(id).len() as u64 + 1;
                self.log(id).resize(index(from) + count, bytes);
                let reached = self.msgs.insert_all(id, (from..).take(count).map(|seq| line(seq, bytes)));
                // All of it, unless an older gap is open or not even the list had room.
                let (head, last) = (reached.head.as_u64(), from + count as u64 - 1);
                assert!(head == last || head + 1 < from || head == 0, "{head} of {from} to {last}");
            }
            12..=13 => {
                // The others come late or never.
                let (skip, bytes) = (2 + input.below(3), input.below(400));
                let head = self.log(id).len() + skip;
                self.log(id).resize(head, bytes);
                self.msgs.insert(id, line(head as u64, bytes));
            }
            14..=15 => {
                let seq = self.back(id, input.below(6));
                if seq > 0 {
                    let bytes = self.log(id)[index(seq)];
                    self.msgs.insert(id, line(seq, bytes));
                }
            }
            16 => self.blank(id, input),
            17 => {
                let seq = self.back(id, input.below(9));
                self.msgs.drop_through(id, Seq::new(seq));
            }
            18 => {
                let head = self.back(id, 0);
                self.msgs.hear_head(id, Seq::new(head));
            }
            19..=21 => {
                let at = self.back(id, input.below(30));
                self.readers.push((id.as_u64(), self.msgs.join(id, Seq::new(at)), at));
            }
            22..=26 if !self.readers.is_empty() => {
                let at = input.below(self.readers.len());
                let (id, reader, offset) = &mut self.readers[at];
                *offset += input.between(0, 30);
                self.msgs.ack(ConversationId::new(*id), reader, Seq::new(*offset));
            }
            27 if !self.readers.is_empty() => {
                let (id, reader, _) = self.readers.swap_remove(input.below(self.readers.len()));
                self.msgs.leave(ConversationId::new(id), reader);
            }
            28 if input.percent(20) => self.clear(),
            _ => self.read(id, input),
        }
    }

    fn blank(&mut self, id: ConversationId, input: &mut Input<'_>) {
        // Stubs are small; one for which there is no room has to hide its target all the same.
        let most = if input.percent(10) { 70_000 } else { 400 };
        let (seq, bytes) = (self.back(id, input.below(9)), input.below(most));
        if seq == 0 {
            return;
        }
        self.log(id)[index(seq)] = bytes;
        let here = self.msgs.blank(id, line(seq, bytes));
        let head = self.msgs.head(id).unwrap_or(Seq::ZERO);
        let mut out = Vec::new();
        if here && head.as_u64() >= seq {
            assert!(self.msgs.after(id, Seq::new(seq - 1), 1, &mut out).is_some());
            assert_eq!(out[0].bytes, bytes, "the stub is not there");
        }
    }

    /// All that the box has of a conversation, and its head.
    fn kept(&mut self, id: ConversationId) -> (Vec<Arc<Line>>, u64) {
        let mut kept = Vec::new();
        let head = self.msgs.newest(id, usize::MAX, &mut kept).map_or(0, Seq::as_u64);
        let log = self.log(id);
        assert!(head <= log.len() as u64);
        for (msg, seq) in kept.iter().rev().zip((1..=head).rev()) {
            assert_eq!((msg.seq, msg.bytes), (seq, log[index(seq)]));
        }
        (kept, head)
    }

    fn read(&mut self, id: ConversationId, input: &mut Input<'_>) {
        const LIMIT: usize = 25;
        let after = self.back(id, input.below(30));
        let (kept, head) = self.kept(id);
        // Before its first entry a list reaches nowhere.
        let reaches = head > 0 && after >= kept.first().map_or(head, |msg| msg.seq - 1);
        let behind = kept.into_iter().filter(|msg| msg.seq > after).take(LIMIT);
        let expected: Option<Vec<_>> = reaches.then(|| behind.collect());
        let look = |entries: Entries<'_, Arc<Line>>| entries.iter().cloned().collect();
        assert_eq!(self.msgs.look_after(id, Seq::new(after), LIMIT, look), expected);
        let mut out = Vec::new();
        let seen = self.msgs.after(id, Seq::new(after), LIMIT, &mut out);
        assert_eq!((seen, out), (reaches.then_some(Seq::new(head)), expected.unwrap_or_default()));
    }

    /// Everything that was claimed is given back, to the byte.
    fn clear(&mut self) {
        self.msgs.clear();
        assert_eq!(self.msgs.conversations(), 0);
        assert_eq!(self.msgs.bytes_held(), self.empty_bytes, "bytes were miscounted");
    }

    fn check(&self) {
        assert!(self.msgs.bytes_held() <= self.bytes_max, "over its limit");
        assert!(self.msgs.bytes_held() >= self.empty_bytes);
        let mut out = Vec::new();
        for id in 0..CONVERSATIONS {
            self.msgs.newest(ConversationId::new(id), usize::MAX, &mut out);
        }
        let shown: usize = out.iter().map(Msg::bytes).sum();
        assert!(self.msgs.bytes_held() >= shown, "it shows more than it says it holds");
    }
}
