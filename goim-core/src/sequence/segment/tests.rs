use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn one() -> NonZeroU64 {
    NonZeroU64::MIN
}

/// The store's side, done at once.
fn serve(allocator: &mut SegmentAllocator, rows: &mut BTreeMap<Section, u64>) -> usize {
    let mut writes = 0;
    while let Some(ceiling) = allocator.poll_ceiling() {
        let stored = rows.entry(ceiling.section()).or_insert(0);
        match ceiling {
            Ceiling::Raise { section, from, to } if from == *stored => {
                *stored = to;
                writes += 1;
                allocator.handle_raised(section, to);
            }
            Ceiling::Raise { section, .. } | Ceiling::Load(section) => {
                allocator.handle_loaded(section, *stored);
            }
        }
    }
    writes
}

/// The next number, however often the store has to be asked.
fn number(allocator: &mut SegmentAllocator, rows: &mut BTreeMap<Section, u64>, key: u64) -> u64 {
    for _ in 0..4 {
        match allocator.next(key, one()) {
            Next::Range(range) => return range.first,
            Next::Wait => serve(allocator, rows),
            Next::Exhausted => panic!("exhausted"),
        };
    }
    panic!("waited in vain");
}

fn config() -> SegmentConfig {
    SegmentConfig { sections: 1, step: 10, section_keys_max: 3 }
}

#[test]
fn nothing_is_given_before_its_ceiling_is_kept() {
    let mut allocator = SegmentAllocator::new(config());
    let section = allocator.section(7);
    assert_eq!(allocator.next(7, one()), Next::Wait);
    assert_eq!(allocator.poll_ceiling(), Some(Ceiling::Load(section)));
    assert_eq!(allocator.poll_ceiling(), None, "one at a time");
    allocator.handle_loaded(section, 0);
    assert_eq!(allocator.next(7, one()), Next::Wait);
    assert_eq!(allocator.poll_ceiling(), Some(Ceiling::Raise { section, from: 0, to: 10 }));
    assert_eq!(allocator.next(7, one()), Next::Wait);
    allocator.handle_raised(section, 10);
    assert_eq!(allocator.next(7, one()), Next::Range(NumberRange { first: 1, last: 1 }));
}

#[test]
fn the_ceiling_is_raised_before_it_is_reached() {
    let (mut allocator, mut rows) = (SegmentAllocator::new(config()), BTreeMap::new());
    number(&mut allocator, &mut rows, 7);
    for n in 2..1_000 {
        assert_eq!(allocator.next(7, one()), Next::Range(NumberRange { first: n, last: n }));
        assert!(serve(&mut allocator, &mut rows) <= 1);
    }
    assert!(rows[&allocator.section(7)] <= 1_020);
}

#[test]
fn keys_share_a_ceiling_not_their_numbers() {
    let (mut allocator, mut rows) = (SegmentAllocator::new(config()), BTreeMap::new());
    number(&mut allocator, &mut rows, 1);
    assert_eq!(serve(&mut allocator, &mut rows), 0);
    assert_eq!(allocator.next(2, one()), Next::Range(NumberRange { first: 1, last: 1 }));
    assert_eq!(allocator.poll_ceiling(), None);
}

#[test]
fn a_restart_goes_on_from_the_ceiling() {
    let mut rows = BTreeMap::new();
    let before = number(&mut SegmentAllocator::new(config()), &mut rows, 1);
    let after = number(&mut SegmentAllocator::new(config()), &mut rows, 1);
    assert_eq!((before, after), (1, 11));
}

#[test]
fn one_key_too_many_skips_numbers_and_repeats_none() {
    let (mut allocator, mut rows) = (SegmentAllocator::new(config()), BTreeMap::new());
    for n in 1..=5 {
        assert_eq!(number(&mut allocator, &mut rows, 1), n);
    }
    number(&mut allocator, &mut rows, 2);
    number(&mut allocator, &mut rows, 3);
    assert_eq!(allocator.keys(), 3);
    assert_eq!(number(&mut allocator, &mut rows, 4), 1);
    assert_eq!(allocator.keys(), 1);
    assert_eq!(number(&mut allocator, &mut rows, 2), 6, "over the highest of those forgotten");
}

#[test]
fn a_store_that_fails_is_asked_again_when_a_number_is_wanted() {
    let mut allocator = SegmentAllocator::new(config());
    let section = allocator.section(1);
    allocator.next(1, one());
    allocator.handle_failed(section);
    assert_eq!(allocator.poll_ceiling(), Some(Ceiling::Load(section)), "it was not asked yet");
    allocator.handle_failed(section);
    assert_eq!(allocator.poll_ceiling(), None);
    assert_eq!(allocator.next(1, one()), Next::Wait);
    assert_eq!(allocator.poll_ceiling(), Some(Ceiling::Load(section)));
}

#[test]
fn too_many_at_once_and_the_end_of_numbers_are_answers() {
    let mut allocator = SegmentAllocator::new(config());
    let section = allocator.section(1);
    allocator.next(1, one());
    allocator.poll_ceiling();
    allocator.handle_loaded(section, NUMBER_MAX - 1);
    assert_eq!(allocator.next(1, NonZeroU64::new(11).unwrap()), Next::Exhausted);
    assert_eq!(allocator.next(1, NonZeroU64::new(2).unwrap()), Next::Exhausted);
    assert_eq!(allocator.next(1, one()), Next::Wait);
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Next {
        key: u64,
        n: u64,
    },
    /// The store does what it is asked, and the answer arrives or is lost.
    Serve {
        answered: bool,
    },
    Fail,
    Restart,
}

fn op() -> impl Strategy<Value = (usize, Op)> {
    let op = prop_oneof![
        12 => (0..8u64, 1..8u64).prop_map(|(key, n)| Op::Next { key, n }),
        8 => any::<bool>().prop_map(|answered| Op::Serve { answered }),
        1 => Just(Op::Fail),
        1 => Just(Op::Restart),
    ];
    (0..2usize, op)
}

proptest! {
    /// Two allocators on the same rows, with crashes and lost answers. The model is the set of all
    /// numbers that were ever given.
    #[test]
    fn no_number_is_given_twice(
        sections in 1..4u32,
        step in 1..30u64,
        section_keys_max in 1..5usize,
        ops in proptest::collection::vec(op(), 1..400),
    ) {
        let config = SegmentConfig { sections, step, section_keys_max };
        let mut allocators = [SegmentAllocator::new(config), SegmentAllocator::new(config)];
        let mut newest = [BTreeMap::<u64, u64>::new(), BTreeMap::new()];
        let mut rows: BTreeMap<Section, u64> = BTreeMap::new();
        let mut given: BTreeSet<(u64, u64)> = BTreeSet::new();
        for (who, op) in ops {
            let allocator = &mut allocators[who];
            match op {
                Op::Next { key, n } => {
                    let Next::Range(range) = allocator.next(key, NonZeroU64::new(n).unwrap()) else {
                        continue;
                    };
                    prop_assert_eq!(range.last - range.first + 1, n);
                    prop_assert!(range.last <= rows[&allocator.section(key)], "not kept yet");
                    let before = newest[who].insert(key, range.last).unwrap_or(0);
                    prop_assert!(before < range.first, "{before} came before {}", range.first);
                    for number in range.first..=range.last {
                        prop_assert!(given.insert((key, number)), "{number} of {key} twice");
                    }
                }
                Op::Serve { answered: true } => {
                    serve(allocator, &mut rows);
                }
                Op::Serve { answered: false } => {
                    if let Some(ceiling) = allocator.poll_ceiling() {
                        if let Ceiling::Raise { section, from, to } = ceiling
                            && rows.get(&section).copied().unwrap_or(0) == from
                        {
                            rows.insert(section, to);
                        }
                        allocator.handle_failed(ceiling.section());
                    }
                }
                Op::Fail => {
                    if let Some(ceiling) = allocator.poll_ceiling() {
                        allocator.handle_failed(ceiling.section());
                    }
                }
                Op::Restart => *allocator = SegmentAllocator::new(config),
            }
            prop_assert!(allocators[who].keys() <= section_keys_max * sections as usize);
        }
    }
}
