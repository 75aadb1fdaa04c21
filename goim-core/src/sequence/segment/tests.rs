use std::collections::BTreeMap;

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
