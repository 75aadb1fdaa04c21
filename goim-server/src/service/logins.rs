//! How often somebody may try a password: limits per address, and per account for wrong ones.

use std::net::IpAddr;

use goim_core::{Duration, Time};
use goim_proto::{Error, ErrorCode};

use crate::access::{AddressBuckets, Allowance, Buckets};
use crate::config::Limits;

/// Seconds of its rate of logins that an address may use at once.
const ADDRESS_BURST_S: u32 = 16;

/// What logins are paid from.
#[derive(Debug)]
pub(super) struct Logins {
    addresses: AddressBuckets,
    /// By account names, whether or not there is such an account: otherwise the limit would tell.
    accounts: Buckets<String>,
}

impl Logins {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate_per_s = limits.logins_per_s;
        let burst = rate_per_s.saturating_mul(ADDRESS_BURST_S);
        let address = Allowance { rate_per_s: rate_per_s.into(), burst };
        let burst = limits.wrong_passwords_per_min;
        let account = Allowance { rate_per_s: f64::from(burst) / 60.0, burst };
        Self { addresses: AddressBuckets::new(address), accounts: Buckets::new(account) }
    }

    /// Passwords are expensive to check and tempting to guess.
    pub(super) fn pay(&self, now: Time, address: IpAddr) -> Result<(), Error> {
        let wait = self.addresses.take(now, address);
        wait.map_err(|wait| limited("too many logins from your address; try again later", wait))
    }

    /// Pays for a wrong password of an account, before it is known to be wrong: guesses that are
    /// made at once shall not all pass.
    pub(super) fn guess(&self, now: Time, name: &str) -> Result<(), Error> {
        let wait = self.accounts.take(now, name.to_owned());
        wait.map_err(|wait| limited("too many wrong passwords for this name; try again later", wait))
    }

    /// The password was right.
    pub(super) fn guessed(&self, name: &str) {
        self.accounts.give_back(name);
    }
}

fn limited(message: &'static str, wait: Duration) -> Error {
    let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    Error { retry_after_ms: Some(retry_after_ms), ..Error::new(ErrorCode::RateLimited, message) }
}
