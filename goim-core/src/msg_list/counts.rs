//! How many readers stand at which seq: a small table of those seqs only.

use core::mem::size_of;

use crate::{Seq, hash::spread};

/// Open addressing with linear probing (Knuth, TAOCP 3, 6.4, algorithms L and R): at most half full,
/// so that a probe is short, and without tombstones, so that it never has to be made anew to stay
/// so. It therefore allocates when it is made or resized, and at no other call.
#[derive(Debug)]
pub(super) struct Counts {
    /// A power of two.
    places: Box<[Place]>,
    used: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    seq: Seq,
    /// 0 if the place is free.
    readers: u32,
}

impl Counts {
    const PLACES_MIN: usize = 4;

    /// How many places counts at `seqs` seqs need.
    pub(super) const fn places_for(seqs: usize) -> usize {
        let half_full =
            if seqs > usize::MAX >> 3 { 1 << (usize::BITS - 2) } else { (2 * seqs).next_power_of_two() };
        if half_full < Self::PLACES_MIN { Self::PLACES_MIN } else { half_full }
    }

    /// The most places within `bytes`; 0 if they are too few.
    pub(super) const fn places_within(bytes: usize) -> usize {
        match (bytes.saturating_sub(size_of::<Self>()) / size_of::<Place>()).checked_ilog2() {
            Some(log) if 1 << log >= Self::PLACES_MIN => 1 << log,
            _ => 0,
        }
    }

    /// The bytes on the heap of a table of so many places, which stands there itself.
    pub(super) const fn bytes(places: usize) -> usize {
        if places == 0 { 0 } else { size_of::<Self>() + places * size_of::<Place>() }
    }

    /// An empty table of so many places.
    pub(super) fn new(places: usize) -> Self {
        Self { places: vec![Place { seq: Seq::ZERO, readers: 0 }; places].into_boxed_slice(), used: 0 }
    }

    pub(super) const fn places(&self) -> usize {
        self.places.len()
    }

    /// Makes a table of so many places, which suffice for what is counted.
    pub(super) fn resize(&mut self, places: usize) {
        let old = core::mem::replace(self, Self::new(places));
        for place in old.places.iter().filter(|place| place.readers > 0) {
            self.add(place.seq, place.readers);
        }
    }

    /// Counts `readers` more at `seq`; false if there is no place left for another seq.
    pub(super) fn add(&mut self, seq: Seq, readers: u32) -> bool {
        let at = self.find(seq);
        if self.places[at].readers == 0 {
            if self.used >= self.places.len() / 2 {
                return false;
            }
            self.used += 1;
        }
        let place = &mut self.places[at];
        *place = Place { seq, readers: place.readers.saturating_add(readers) };
        true
    }

    /// Counts one less at `seq`; false if none was counted there.
    pub(super) fn remove(&mut self, seq: Seq) -> bool {
        let at = self.find(seq);
        match self.places[at].readers {
            0 => return false,
            1 => self.free(at),
            more => self.places[at].readers = more - 1,
        }
        true
    }

    /// Counts none any more at `seq`; returns how many there were.
    pub(super) fn take(&mut self, seq: Seq) -> u32 {
        let at = self.find(seq);
        let readers = self.places[at].readers;
        if readers > 0 {
            self.free(at);
        }
        readers
    }

    pub(super) fn clear(&mut self) {
        if self.used > 0 {
            self.places.fill(Place { seq: Seq::ZERO, readers: 0 });
            self.used = 0;
        }
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (Seq, u32)> {
        self.places.iter().filter(|place| place.readers > 0).map(|place| (place.seq, place.readers))
    }

    /// Where `seq` is or would be; half of the places are free, so this ends.
    fn find(&self, seq: Seq) -> usize {
        let mut at = self.home(seq);
        while self.places[at].readers > 0 && self.places[at].seq != seq {
            at = self.wrap(at + 1);
        }
        at
    }

    fn home(&self, seq: Seq) -> usize {
        // Truncation picks bits, no more.
        self.wrap(usize::try_from(spread(seq.as_u64()) >> 32).unwrap_or(0))
    }

    const fn wrap(&self, at: usize) -> usize {
        at & (self.places.len() - 1)
    }

    /// Frees a place, and closes the hole that it would be in the way of others.
    fn free(&mut self, at: usize) {
        let mut hole = at;
        let mut next = self.wrap(at + 1);
        while self.places[next].readers > 0 {
            let from_home = self.wrap(next.wrapping_sub(self.home(self.places[next].seq)));
            if from_home >= self.wrap(next.wrapping_sub(hole)) {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = self.wrap(next + 1);
        }
        self.places[hole].readers = 0;
        self.used -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_as_a_map_does(ops in proptest::collection::vec((0..5u8, 0..40u64), 1..300)) {
            let mut counts = Counts::new(Counts::places_for(8));
            let mut model = BTreeMap::<Seq, u32>::new();
            for (what, seq) in ops {
                let seq = Seq::new(seq);
                match what {
                    0 => prop_assert_eq!(counts.take(seq), model.remove(&seq).unwrap_or(0)),
                    1 => {
                        prop_assert_eq!(counts.remove(seq), model.contains_key(&seq));
                        model.entry(seq).and_modify(|readers| *readers -= 1);
                        model.retain(|_, readers| *readers > 0);
                    }
                    2 => counts.resize(Counts::places_for(8 + 24 * usize::from(model.len().is_multiple_of(2)))),
                    _ => {
                        let room = model.contains_key(&seq) || model.len() < counts.places() / 2;
                        prop_assert_eq!(counts.add(seq, 1), room);
                        if room {
                            *model.entry(seq).or_default() += 1;
                        }
                        // So that the smaller table suffices again.
                        if model.len() > 8 {
                            prop_assert_eq!(counts.take(seq), model.remove(&seq).unwrap_or(0));
                        }
                    }
                }
                prop_assert_eq!(counts.iter().collect::<BTreeMap<_, _>>(), model.clone());
            }
        }
    }
}
