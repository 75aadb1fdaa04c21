//! The model of a `SequenceAllocator`: known conversations in a list, the least recently used
//! first; and a store that takes only what follows its head, so what it takes is dense without
//! anybody looking.

use core::num::NonZeroU64;
use std::collections::BTreeMap;

use goim_core::sequence::Reserve;
use goim_core::{ConversationId, Seq, SeqRange, SequenceAllocator};

use crate::Input;

/// Runs a list of operations.
///
/// # Panics
///
/// Where allocator and model differ.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let max = input.below(6);
    let mut world = World {
        allocator: SequenceAllocator::new(max),
        max,
        known: Vec::new(),
        stored: BTreeMap::new(),
        given: Vec::new(),
    };
    while let Some(dice) = input.dice(26) {
        world.step(dice, &mut input);
        world.check();
    }
}

struct Known {
    id: u64,
    head: u64,
    outstanding: Option<SeqRange>,
}

struct World {
    allocator: SequenceAllocator,
    max: usize,
    known: Vec<Known>,
    /// The heads that the store has.
    stored: BTreeMap<u64, u64>,
    /// Ranges whose fate is not settled, those that were forgotten since among them.
    given: Vec<(u64, SeqRange)>,
}

impl World {
    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        let id = input.between(0, 6);
        let head = *self.stored.entry(id).or_insert(0);
        match dice {
            0..=7 => {
                let n = if input.percent(4) { input.number().max(1) } else { input.between(1, 4) };
                self.reserve(id, head, n);
            }
            8..=13 => {
                let learnt = self.allocator.learn(ConversationId::new(id), Seq::new(head));
                assert_eq!(learnt, self.learn(id, head));
            }
            14..=21 if !self.given.is_empty() => {
                let (id, range) = self.given.swap_remove(input.below(self.given.len()));
                self.settle(id, range, dice < 20);
            }
            22 => {
                self.allocator.forget(ConversationId::new(id));
                self.known.retain(|known| known.id != id);
            }
            23 if input.percent(30) => {
                self.allocator.forget_all();
                self.known.clear();
            }
            24 => {
                // Somebody else appends, near the end of numbers at times.
                let head =
                    if input.percent(10) { Seq::MAX.as_u64() - input.below(6) as u64 } else { head + 1 };
                self.rival(id, head.min(Seq::MAX.as_u64()));
            }
            _ => {
                // An answer that nobody waits for.
                let range = SeqRange { first: Seq::new(head).next(), last: Seq::new(head).next() };
                if !self.known.iter().any(|known| known.id == id && known.outstanding == Some(range)) {
                    assert!(!self.allocator.confirm(ConversationId::new(id), range));
                }
            }
        }
    }

    fn at(&self, id: u64) -> Option<usize> {
        self.known.iter().position(|known| known.id == id)
    }

    /// Whoever is told that the store moved on forgets; here at once.
    fn rival(&mut self, id: u64, head: u64) {
        if head > self.stored[&id] {
            self.stored.insert(id, head);
            self.given.retain(|given| given.0 != id);
            self.allocator.forget(ConversationId::new(id));
            self.known.retain(|known| known.id != id);
        }
    }

    fn reserve(&mut self, id: u64, stored: u64, n: u64) {
        let got = self.allocator.reserve(ConversationId::new(id), NonZeroU64::new(n).unwrap());
        let expected = match self.at(id).map(|at| &mut self.known[at]) {
            None => Reserve::Unknown,
            Some(known) if known.outstanding.is_some() => Reserve::Busy,
            Some(known) if n > Seq::MAX.as_u64() - known.head => Reserve::Exhausted,
            Some(known) => {
                let range = SeqRange { first: Seq::new(known.head + 1), last: Seq::new(known.head + n) };
                known.outstanding = Some(range);
                Reserve::Range(range)
            }
        };
        assert_eq!(got, expected);
        if let Reserve::Range(range) = got {
            assert_eq!((range.first.as_u64(), range.count()), (stored + 1, n), "not dense");
            assert!(range.contains(range.first) && range.contains(range.last));
            self.given.push((id, range));
        }
    }

    fn settle(&mut self, id: u64, range: SeqRange, confirm: bool) {
        let conversation = ConversationId::new(id);
        let known = self.at(id).filter(|at| self.known[*at].outstanding == Some(range));
        let settled = if confirm {
            self.allocator.confirm(conversation, range)
        } else {
            self.allocator.abort(conversation, range)
        };
        assert_eq!(settled, known.is_some());
        let Some(at) = known else { return };
        let mut known = self.known.remove(at);
        known.outstanding = None;
        if confirm {
            known.head = range.last.as_u64();
            let before = self.stored.insert(id, known.head).unwrap();
            assert_eq!(before + 1, range.first.as_u64(), "the store would not take it");
        }
        self.known.push(known);
    }

    fn learn(&mut self, id: u64, head: u64) -> bool {
        if self.at(id).is_some() {
            return true;
        }
        if self.known.len() >= self.max {
            let Some(at) = self.known.iter().position(|known| known.outstanding.is_none()) else {
                return false;
            };
            self.known.remove(at);
        }
        self.known.push(Known { id, head, outstanding: None });
        true
    }

    fn check(&self) {
        assert_eq!(self.allocator.len(), self.known.len());
        assert_eq!(self.allocator.is_empty(), self.known.is_empty());
        for id in 0..=6 {
            let head = self.at(id).map(|at| Seq::new(self.known[at].head));
            assert_eq!(self.allocator.head(ConversationId::new(id)), head);
        }
    }
}
