//! Where a run's choices come from.

/// Choices, read from bytes until there are none left, or drawn from a seed without end.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a [u8],
    random: Option<u64>,
}

impl<'a> Input<'a> {
    /// Choices from bytes. Those behind the end are all 0.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, random: None }
    }

    /// Endless choices, the same for the same seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { bytes: &[], random: Some(seed) }
    }

    /// Whether all bytes have been read; never so of a seed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.random.is_none()
    }

    /// The number of the next operation, below `sides`; `None` at the end.
    pub fn dice(&mut self, sides: usize) -> Option<usize> {
        (!self.is_empty()).then(|| self.below(sides))
    }

    /// A number below `n`, which is not 0. Reads as few bytes as can tell.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        let number = match n {
            0..=0x100 => self.word(1),
            0x101..=0x1_0000 => self.word(2),
            0x1_0001..=0x1_0000_0000 => self.word(4),
            _ => self.word(8),
        };
        usize::try_from(number % n).unwrap()
    }

    /// A number in `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(usize::try_from(to - from).unwrap() + 1) as u64
    }

    /// True in about so many of 100 cases. Zeros, as behind the end, say no.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.word(1) * 100 >= (100 - chance) << 8
    }

    /// Any number, with a liking for those near 0 and near the end.
    pub fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.word(1),
            1 => u64::MAX - self.word(1),
            2 => self.word(4),
            _ => self.word(8),
        }
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// The bytes that have not been read.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    fn word(&mut self, bytes: usize) -> u64 {
        if let Some(state) = &mut self.random {
            return split_mix(state) >> (64 - 8 * bytes);
        }
        let (head, rest) = self.bytes.split_at(bytes.min(self.bytes.len()));
        self.bytes = rest;
        head.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

/// The next number of SplitMix64 (Steele, Lea, Flood 2014).
pub const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
