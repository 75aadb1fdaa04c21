use crate::Duration;

/// The bounds of a [`Lane`](super::Lane).
///
/// With the defaults a lane holds at most 16 MiB of waiting bodies, 16,384 waiting entries of
/// about 240 bytes of bookkeeping each (4 MiB), 16,384 recent ids of about 110 bytes (1.8 MiB, which
/// a core's cache nearly holds) and 16,384 hot conversations of about 500 bytes with up to 256 member rows among the busiest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// Entries that may wait, those in flight included.
    pub waiting_max: usize,
    /// Bytes of entries that may wait, as [`Rules::bytes`](super::Rules::bytes) counts them.
    pub waiting_bytes_max: usize,
    /// Entries in one batch.
    pub batch_max: usize,
    /// Bytes in one batch; a single larger entry still goes, alone.
    pub batch_bytes_max: usize,
    /// Conversations kept in memory. Those with something waiting or being loaded are not evicted, and
    /// eviction goes in small steps, so there may be up to an eighth of it, `waiting_max` and
    /// `loads_max` more.
    pub conversations_max: usize,
    /// Member rows kept per conversation between batches and loads; those that one load asks for
    /// come on top.
    pub members_max: usize,
    /// Devices per conversation whose last committed id is kept.
    pub devices_max: usize,
    /// Recently committed ids kept, of all conversations together.
    pub recent_max: usize,
    /// Loads under way at once.
    pub loads_max: usize,
    /// Waiting entries that one load may ask about.
    pub load_entries_max: usize,
    /// How often rivals may make an entry be numbered in vain before it is given up as contended.
    pub tries_max: u32,
    /// How long an entry may wait before it is refused.
    pub wait_max: Duration,
}

impl Default for LaneLimits {
    fn default() -> Self {
        Self {
            waiting_max: 16_384,
            waiting_bytes_max: 16 * 1024 * 1024,
            batch_max: 2_048,
            batch_bytes_max: 4 * 1024 * 1024,
            conversations_max: 16_384,
            members_max: 256,
            devices_max: 256,
            recent_max: 16_384,
            loads_max: 64,
            load_entries_max: 1_024,
            tries_max: 16,
            wait_max: Duration::from_secs(10),
        }
    }
}
