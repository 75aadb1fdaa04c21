//! Token buckets: how often one address or one connection may do something.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use goim_core::{Duration, Time};

use crate::config::Limits;

/// Payers remembered at once. Each takes about 64 bytes and its key; full ones are forgotten first,
/// and an attacker with more addresses than this is not held by limits per address anyway.
const PAYERS_MAX: usize = 65_536;

/// What `rate` a second allows, saved up to `burst`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    pub(crate) rate_per_s: f64,
    pub(crate) burst: u32,
}

impl Allowance {
    /// Events of one device's typing in one conversation: one in three seconds.
    pub(crate) const TYPING: Self = Self { rate_per_s: 1.0 / 3.0, burst: 1 };

    /// Calls other than sends of one session.
    pub(crate) fn requests(limits: &Limits) -> Self {
        Self::with_burst_of_2_s(limits.requests_per_s)
    }

    /// Sends of one session.
    pub(crate) fn sends(limits: &Limits) -> Self {
        Self::with_burst_of_2_s(limits.sends_per_s)
    }

    /// Calls for numbers of sequences of one account.
    pub(crate) fn allocations(limits: &Limits) -> Self {
        Self::with_burst_of_2_s(limits.allocations_per_s)
    }

    /// Searches for messages of one account.
    pub(crate) fn searches(limits: &Limits) -> Self {
        Self::with_burst_of_2_s(limits.searches_per_s)
    }

    fn with_burst_of_2_s(rate_per_s: u32) -> Self {
        Self { rate_per_s: rate_per_s.into(), burst: rate_per_s.saturating_mul(2) }
    }
}

/// One payer's tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    tokens: f64,
    filled_at: Time,
}

impl Bucket {
    pub(crate) fn full(now: Time, allowance: Allowance) -> Self {
        Self { tokens: f64::from(allowance.burst), filled_at: now }
    }

    fn fill(&mut self, now: Time, allowance: Allowance) {
        let gained = now.since(self.filled_at).as_secs_f64() * allowance.rate_per_s;
        self.tokens = (self.tokens + gained).min(f64::from(allowance.burst));
        self.filled_at = now;
    }

    /// Takes `cost` tokens, or says how long until one is there.
    pub(crate) fn take(&mut self, now: Time, allowance: Allowance, cost: u32) -> Result<(), Duration> {
        self.fill(now, allowance);
        if self.tokens < 1.0 {
            // A rate of nothing is no reason to divide by it.
            let rate = allowance.rate_per_s.max(0.001);
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / rate));
        }
        self.charge(cost);
        Ok(())
    }

    /// Takes `cost` tokens even if that leaves less than none.
    pub(crate) fn charge(&mut self, cost: u32) {
        self.tokens -= f64::from(cost);
    }

    fn is_full(&mut self, now: Time, allowance: Allowance) -> bool {
        self.fill(now, allowance);
        self.tokens >= f64::from(allowance.burst)
    }
}

/// A bucket for each payer.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    allowance: Allowance,
    // Keyed with the standard library's random keys: payers are chosen by strangers.
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Hash + Eq> Buckets<K> {
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self { allowance, buckets: Mutex::default() }
    }

    /// Takes a token of the payer's, or says how long until one is there.
    pub(crate) fn take(&self, now: Time, payer: K) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let allowance = self.allowance;
        if buckets.len() >= PAYERS_MAX && !buckets.contains_key(&payer) {
            buckets.retain(|_, bucket| !bucket.is_full(now, allowance));
            if buckets.len() >= PAYERS_MAX {
                return Err(Duration::from_secs(1));
            }
        }
        buckets.entry(payer).or_insert_with(|| Bucket::full(now, allowance)).take(now, allowance, 1)
    }

    /// Gives a token back that was taken for what turned out to be free.
    pub(crate) fn give_back<Q: Hash + Eq + ?Sized>(&self, payer: &Q)
    where
        K: Borrow<Q>,
    {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(payer) {
            bucket.tokens += 1.0;
        }
    }
}

/// A bucket for each address.
#[derive(Debug)]
pub(crate) struct AddressBuckets(Buckets<IpAddr>);

impl AddressBuckets {
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self(Buckets::new(allowance))
    }

    /// Takes a token of the address, or says how long until one is there.
    pub(crate) fn take(&self, now: Time, address: IpAddr) -> Result<(), Duration> {
        self.0.take(now, network(address))
    }
}

/// The payer behind an address: of IPv6 the /64, which is what one customer gets.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Allowance = Allowance { rate_per_s: 2.0, burst: 3 };

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::full(Time::ZERO, TWO);
        for _ in 0..3 {
            assert_eq!(bucket.take(Time::ZERO, TWO, 1), Ok(()));
        }
        assert_eq!(bucket.take(Time::ZERO, TWO, 1), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(Time::from_millis(500), TWO, 1), Ok(()));
        assert!(bucket.take(Time::from_millis(600), TWO, 1).is_err());
    }

    #[test]
    fn a_charge_is_paid_off_over_time() {
        let mut bucket = Bucket::full(Time::ZERO, TWO);
        bucket.charge(7);
        assert!(bucket.take(Time::from_millis(2_000), TWO, 1).is_err());
        assert!(bucket.take(Time::from_millis(2_500), TWO, 1).is_ok());
    }

    #[test]
    fn neighbours_in_a_64_share_a_bucket() {
        let buckets = AddressBuckets::new(Allowance { rate_per_s: 1.0, burst: 1 });
        let now = Time::ZERO;
        assert!(buckets.take(now, "2001:db8::1".parse().unwrap()).is_ok());
        assert!(buckets.take(now, "2001:db8::2".parse().unwrap()).is_err());
        assert!(buckets.take(now, "2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn what_was_given_back_was_not_spent() {
        let buckets: Buckets<String> = Buckets::new(Allowance { rate_per_s: 0.1, burst: 2 });
        let now = Time::ZERO;
        for _ in 0..10 {
            assert!(buckets.take(now, "ada".into()).is_ok());
            buckets.give_back("ada");
        }
        assert!(buckets.take(now, "ada".into()).is_ok());
        assert!(buckets.take(now, "ada".into()).is_ok());
        assert_eq!(buckets.take(now, "ada".into()), Err(Duration::from_secs(10)));
        assert!(buckets.take(now, "ben".into()).is_ok());
    }
}
