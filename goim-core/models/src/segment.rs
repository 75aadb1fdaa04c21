//! The model of a `SegmentAllocator`: the set of all numbers that were ever given. Two allocators
//! share the rows of a store, with crashes, lost answers and a store that fails.

use core::num::NonZeroU64;
use std::collections::{BTreeMap, BTreeSet};

use goim_core::SegmentAllocator;
use goim_core::id::NUMBER_MAX;
use goim_core::sequence::{Ceiling, Next, Section, SegmentConfig};

use crate::Input;

/// Runs a list of operations.
///
/// # Panics
///
/// Where a number comes twice, too early, or out of order.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let config = SegmentConfig {
        sections: u32::try_from(input.below(4)).unwrap(),
        step: input.between(0, 30),
        section_keys_max: input.below(5),
    };
    let mut world = World {
        config,
        near_end: input.percent(10),
        allocators: [SegmentAllocator::new(config), SegmentAllocator::new(config)],
        asked: [const { Vec::new() }; 2],
        newest: [const { BTreeMap::new() }; 2],
        rows: BTreeMap::new(),
        given: BTreeSet::new(),
    };
    while let Some(dice) = input.dice(24) {
        world.step(dice, &mut input);
    }
    for key in 0..8 {
        world.serves(key);
    }
}

struct World {
    config: SegmentConfig,
    /// The ceilings start shortly before the end of numbers.
    near_end: bool,
    allocators: [SegmentAllocator; 2],
    /// What was polled and is not answered yet.
    asked: [Vec<Ceiling>; 2],
    /// The last number that each allocator gave for a key in its present life.
    newest: [BTreeMap<u64, u64>; 2],
    rows: BTreeMap<Section, u64>,
    given: BTreeSet<(u64, u64)>,
}

/// What became of a request to the store.
#[derive(Clone, Copy)]
enum Fate {
    Answered,
    /// Done, but the answer was lost.
    Lost,
    Failed,
}

impl World {
    fn step(&mut self, dice: usize, input: &mut Input<'_>) {
        let who = input.below(2);
        match dice {
            0..=11 => {
                let n = if input.percent(3) { input.number().max(1) } else { input.between(1, 7) };
                self.next(who, input.between(0, 7), n);
            }
            12..=15 => self.poll(who),
            16..=20 => self.finish(who, input, Fate::Answered),
            21 => self.finish(who, input, Fate::Lost),
            22 => self.finish(who, input, Fate::Failed),
            _ => {
                self.allocators[who] = SegmentAllocator::new(self.config);
                self.asked[who].clear();
                self.newest[who].clear();
            }
        }
        let sections = self.config.sections.max(1) as usize;
        assert!(self.allocators[who].keys() <= self.config.section_keys_max.max(1) * sections);
    }

    fn row(&mut self, section: Section) -> &mut u64 {
        let first = if self.near_end { NUMBER_MAX - 20 } else { 0 };
        self.rows.entry(section).or_insert(first)
    }

    fn next(&mut self, who: usize, key: u64, n: u64) -> Next {
        let next = self.allocators[who].next(key, NonZeroU64::new(n).unwrap());
        let Next::Range(range) = next else { return next };
        assert_eq!(range.last - range.first + 1, n);
        let section = self.allocators[who].section(key);
        assert!(range.last <= *self.row(section), "its ceiling is not kept yet");
        let before = self.newest[who].insert(key, range.last).unwrap_or(0);
        assert!(before < range.first, "{before} came before {}", range.first);
        for number in range.first..=range.last {
            assert!(self.given.insert((key, number)), "{number} of {key} twice");
        }
        next
    }

    fn poll(&mut self, who: usize) {
        while let Some(ceiling) = self.allocators[who].poll_ceiling() {
            let section = ceiling.section();
            assert!(self.asked[who].iter().all(|asked| asked.section() != section), "one at a time");
            self.asked[who].push(ceiling);
        }
    }

    fn finish(&mut self, who: usize, input: &mut Input<'_>, fate: Fate) {
        if !self.asked[who].is_empty() {
            let ceiling = self.asked[who].swap_remove(input.below(self.asked[who].len()));
            self.store(who, ceiling, fate);
        }
    }

    fn store(&mut self, who: usize, ceiling: Ceiling, fate: Fate) {
        let section = ceiling.section();
        if matches!(fate, Fate::Failed) {
            return self.allocators[who].handle_failed(section);
        }
        let row = self.row(section);
        let raised = match ceiling {
            Ceiling::Raise { from, to, .. } if from == *row => {
                assert!(to > from);
                *row = to;
                Some(to)
            }
            Ceiling::Raise { .. } | Ceiling::Load(_) => None,
        };
        let row = *row;
        let allocator = &mut self.allocators[who];
        match (fate, raised) {
            (Fate::Lost | Fate::Failed, _) => allocator.handle_failed(section),
            (Fate::Answered, Some(to)) => allocator.handle_raised(section, to),
            (Fate::Answered, None) => allocator.handle_loaded(section, row),
        }
    }

    /// With a store that answers, whoever waits gets a number soon.
    fn serves(&mut self, key: u64) {
        for _ in 0..6 {
            if self.next(0, key, 1) != Next::Wait {
                return;
            }
            self.poll(0);
            for ceiling in core::mem::take(&mut self.asked[0]) {
                self.store(0, ceiling, Fate::Answered);
            }
        }
        panic!("{key} waited in vain");
    }
}
