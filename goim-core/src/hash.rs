//! A small fast hasher for keys that are already our own numbers.
//!
//! Core must behave alike in every run of a simulation, so the standard library's randomly keyed
//! hasher is out. Ids are minted by the server, not chosen by clients, so flooding a table with
//! colliding keys is not open to them; `ClientMsgId`s are chosen by clients, and every table keyed
//! by them is small and bounded.

use core::hash::{BuildHasherDefault, Hasher};
#[allow(clippy::disallowed_types, reason = "this is the place that names the hasher")]
use std::collections::{HashMap, HashSet};

/// A map keyed by ids.
#[allow(clippy::disallowed_types, reason = "this is the place that names the hasher")]
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;
/// A set of ids.
#[allow(clippy::disallowed_types, reason = "this is the place that names the hasher")]
pub type IdSet<K> = HashSet<K, BuildHasherDefault<IdHasher>>;

/// Multiplies and folds each word, after the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone, Copy, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^ (x >> 27)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// The hash by which ids are spread over shards, lanes and nodes.
#[must_use]
pub fn spread(number: u64) -> u64 {
    let mut hasher = IdHasher::default();
    hasher.write_u64(number);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_spread_over_shards() {
        let mut counts = [0u32; 16];
        for n in 0..16_000u64 {
            counts[usize::try_from(spread(n) % 16).unwrap()] += 1;
        }
        assert!(counts.iter().all(|c| (800..1200).contains(c)), "{counts:?}");
    }
}
