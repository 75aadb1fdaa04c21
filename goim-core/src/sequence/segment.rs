//! Numbers ahead of a durable ceiling.

#[cfg(test)]
mod tests;

use core::num::NonZeroU64;
use std::collections::VecDeque;

use crate::{hash::IdMap, hash::spread, id::NUMBER_MAX};

/// A run of numbers, both ends included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumberRange {
    /// The first.
    pub first: u64,
    /// The last; not less than the first.
    pub last: u64,
}

/// One of the groups of keys that share a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Section(u32);

impl Section {
    /// Its number, from 0: the key of its row in the store.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a request for numbers brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// These numbers, never given for this key before.
    Range(NumberRange),
    /// None below the durable ceiling: drain [`poll_ceiling`](SegmentAllocator::poll_ceiling), and
    /// ask again when that section is answered.
    Wait,
    /// The key has no such number left ([`NUMBER_MAX`]), or more were asked for at once than a step
    /// has.
    Exhausted,
}

/// What the store is to do for a section, as one atomic statement, flushed before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceiling {
    /// Read the ceiling (0 if there is no row); answer with
    /// [`handle_loaded`](SegmentAllocator::handle_loaded).
    Load(Section),
    /// If the ceiling is still `from` (no row counts as 0), make it `to`, and answer with
    /// [`handle_raised`](SegmentAllocator::handle_raised). If it is another, somebody else raised
    /// it (or an answer was lost): answer `handle_loaded` with what it is.
    Raise {
        /// Whose.
        section: Section,
        /// What it is believed to be.
        from: u64,
        /// What it is to become.
        to: u64,
    },
}

impl Ceiling {
    /// The section concerned.
    #[must_use]
    pub const fn section(&self) -> Section {
        match self {
            Self::Load(section) | Self::Raise { section, .. } => *section,
        }
    }
}

/// The shape of a [`SegmentAllocator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentConfig {
    /// How many sections, at least 1. A section is one row in the store, and one write serves all
    /// of its keys. Which section a key belongs to depends on it: it must not change for the life
    /// of the stored ceilings.
    pub sections: u32,
    /// How far a ceiling is raised at once, at least 1: a restart skips so many numbers of each key
    /// at most twice over, and the store is written once per so many numbers of the busiest key.
    pub step: u64,
    /// How many keys of one section are remembered, at least 1. One more, and the section's keys
    /// all go on from the highest among them, which skips numbers and costs nothing else.
    pub section_keys_max: usize,
}

impl Default for SegmentConfig {
    /// 64 sections, steps of 10,000 (a key at 1,000 numbers a second writes every 10 s), at most
    /// 64 x 16,384 keys of 16 bytes: about a million keys in 32 MiB, the table's slack included.
    fn default() -> Self {
        Self { sections: 64, step: 10_000, section_keys_max: 16_384 }
    }
}

/// Gives out growing numbers for many keys without a store write each (the idea is that of WeChat's
/// seqsvr): every number given lies at or below a ceiling that the store has kept before, and a
/// restart goes on from the ceiling.
///
/// Per key, numbers are unique and grow, across restarts too; they are not dense. Two allocators on
/// the same rows never give the same number for a key, since each gives only from the stretches
/// whose raise it was answered itself; but only one at a time keeps them in order.
///
/// # Calls
/// Any call may make work for the store: drain [`poll_ceiling`](Self::poll_ceiling) after each, do
/// what it says, several sections at once if you like, and answer each with
/// [`handle_raised`](Self::handle_raised), [`handle_loaded`](Self::handle_loaded) or
/// [`handle_failed`](Self::handle_failed). At most one is outstanding per section; an answer nobody
/// asked for is ignored. A ceiling is raised when less than half a step is left to some key, so
/// that callers seldom wait.
///
/// # Bounds
/// [`SegmentConfig::sections`] x [`SegmentConfig::section_keys_max`] keys. Every operation is
/// amortised O(1).
#[derive(Debug)]
pub struct SegmentAllocator {
    step: u64,
    section_keys_max: usize,
    sections: Vec<State>,
    /// Sections whose `asked` waits to be polled.
    asks: VecDeque<Section>,
}

#[derive(Debug, Default)]
struct State {
    /// No number beyond it is given; `None` until it is loaded.
    ceiling: Option<u64>,
    /// The highest number given to each key; a key not among them counts as having `floor`.
    given: IdMap<u64, u64>,
    floor: u64,
    /// The highest number given to any key, at least `floor`.
    highest: u64,
    /// What the store was or is to be asked.
    asked: Option<Ceiling>,
    /// Whether that was polled, so that an answer may come.
    polled: bool,
}

impl SegmentAllocator {
    /// An allocator that has loaded nothing.
    #[must_use]
    pub fn new(config: SegmentConfig) -> Self {
        Self {
            step: config.step.clamp(1, NUMBER_MAX),
            section_keys_max: config.section_keys_max.max(1),
            sections: (0..config.sections.max(1)).map(|_| State::default()).collect(),
            asks: VecDeque::new(),
        }
    }

    /// The section that `key` belongs to.
    #[must_use]
    pub fn section(&self, key: u64) -> Section {
        let sections = self.sections.len() as u64;
        Section(u32::try_from(spread(key) % sections).unwrap_or(0))
    }

    /// The next `n` numbers of `key`, one after the other. Keys are whatever the caller numbers.
    pub fn next(&mut self, key: u64, n: NonZeroU64) -> Next {
        let section = self.section(key);
        let state = &mut self.sections[section.index()];
        let Some(ceiling) = state.ceiling else {
            self.ask(Ceiling::Load(section));
            return Next::Wait;
        };
        let given = state.given.get(&key).copied().unwrap_or(state.floor);
        if n.get() > self.step || n.get() > NUMBER_MAX - given {
            return Next::Exhausted;
        }
        let last = given + n.get();
        if ceiling.saturating_sub(last) < self.step / 2 || ceiling < last {
            // Over the highest too, in case the store went back behind what was given.
            let to = ceiling.max(state.highest).saturating_add(self.step).min(NUMBER_MAX);
            if to > ceiling {
                self.ask(Ceiling::Raise { section, from: ceiling, to });
            }
        }
        if ceiling < last {
            return Next::Wait;
        }
        self.sections[section.index()].give(key, last, self.section_keys_max);
        Next::Range(NumberRange { first: given + 1, last })
    }

    /// What the store is to do next, if anything.
    pub fn poll_ceiling(&mut self) -> Option<Ceiling> {
        let state = &mut self.sections[self.asks.pop_front()?.index()];
        state.polled = true;
        state.asked
    }

    /// The store has made the ceiling of `section` `to`, and flushed it.
    pub fn handle_raised(&mut self, section: Section, to: u64) {
        if let Some((Ceiling::Raise { to: asked, .. }, state)) = self.answered(section)
            && asked == to
        {
            state.ceiling = Some(to);
        }
    }

    /// The ceiling that the store has for `section`. All its keys go on from there.
    pub fn handle_loaded(&mut self, section: Section, ceiling: u64) {
        if let Some((_, state)) = self.answered(section) {
            // What lies below belongs to whoever raised the ceiling: this allocator in an earlier
            // life, or another one.
            state.ceiling = Some(ceiling.min(NUMBER_MAX));
            state.highest = state.highest.max(ceiling.min(NUMBER_MAX));
            state.floor = state.highest;
            state.given.clear();
        }
    }

    /// The store did not answer for `section`, or it failed. It is asked again when a number is
    /// next wanted: when, is for the caller to pace.
    pub fn handle_failed(&mut self, section: Section) {
        self.answered(section);
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.sections.iter().map(|state| state.given.len()).sum()
    }

    fn ask(&mut self, ceiling: Ceiling) {
        let state = &mut self.sections[ceiling.section().index()];
        if state.asked.is_none() {
            state.asked = Some(ceiling);
            state.polled = false;
            self.asks.push_back(ceiling.section());
        }
    }

    fn answered(&mut self, section: Section) -> Option<(Ceiling, &mut State)> {
        let state = self.sections.get_mut(section.index()).filter(|state| state.polled)?;
        Some((state.asked.take()?, state))
    }
}

impl State {
    fn give(&mut self, key: u64, last: u64, keys_max: usize) {
        if self.given.len() >= keys_max && !self.given.contains_key(&key) {
            // No key has more than the highest, so none gets a number twice.
            self.given.clear();
            self.floor = self.highest;
        }
        self.highest = self.highest.max(last);
        self.given.insert(key, last);
    }
}
