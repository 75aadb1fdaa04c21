//! How often somebody may try a password: limits per address, and for wrong ones.

use std::net::IpAddr;

use goim_core::{Time, UserId};
use goim_proto::Error;

use super::errors::limited;
use crate::access::{AddressBuckets, Allowance, Buckets, network};
use crate::config::Limits;

/// Seconds of its rate of logins that an address may use at once.
const ADDRESS_BURST_S: u32 = 16;
/// From so many networks together an account's password is guessed at as fast as from one alone
/// times this: fewer of them do not keep its owner out, and more of them guess no faster.
const NETWORKS: u32 = 10;

/// What logins are paid from.
#[derive(Debug)]
pub(super) struct Logins {
    addresses: AddressBuckets,
    // By account names, whether or not there is such an account: otherwise the limit would tell.
    names: Buckets<String>,
    names_from: Buckets<(String, IpAddr)>,
    /// Those who give their password to change it.
    users: Buckets<UserId>,
}

/// A password that is being tried, paid for as if it were wrong: guesses that are made at once shall
/// not all pass. What turns out not to be wrong, or is never found out, is given back on drop.
#[derive(Debug)]
pub(super) struct Guess<'a> {
    logins: &'a Logins,
    payer: Payer,
    wrong: bool,
}

#[derive(Debug)]
enum Payer {
    Name((String, IpAddr)),
    User(UserId),
}

impl Logins {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate_per_s = limits.logins_per_s;
        let burst = rate_per_s.saturating_mul(ADDRESS_BURST_S);
        let address = Allowance { rate_per_s: rate_per_s.into(), burst };
        let wrong = |burst: u32| Allowance { rate_per_s: f64::from(burst) / 60.0, burst };
        let from_one = wrong(limits.wrong_passwords_per_min);
        Self {
            addresses: AddressBuckets::new(address),
            names: Buckets::new(wrong(limits.wrong_passwords_per_min.saturating_mul(NETWORKS))),
            names_from: Buckets::new(from_one),
            users: Buckets::new(from_one),
        }
    }

    /// Passwords are expensive to check and tempting to guess.
    pub(super) fn pay(&self, now: Time, address: IpAddr) -> Result<(), Error> {
        let wait = self.addresses.take(now, address);
        wait.map_err(|wait| limited("too many logins from your address; try again later", wait))
    }

    /// Somebody logs in by a name.
    pub(super) fn guess(&self, now: Time, address: IpAddr, name: &str) -> Result<Guess<'_>, Error> {
        let too_many = |wait| limited("too many wrong passwords for this name; try again later", wait);
        let payer = (name.to_owned(), network(address));
        self.names_from.take(now, payer.clone()).map_err(too_many)?;
        if let Err(wait) = self.names.take(now, payer.0.clone()) {
            self.names_from.give_back(&payer);
            return Err(too_many(wait));
        }
        Ok(Guess { logins: self, payer: Payer::Name(payer), wrong: false })
    }

    /// Somebody with a session gives his password.
    pub(super) fn guess_own(&self, now: Time, user: UserId) -> Result<Guess<'_>, Error> {
        let wait = self.users.take(now, user);
        wait.map_err(|wait| limited("too many wrong passwords; try again later", wait))?;
        Ok(Guess { logins: self, payer: Payer::User(user), wrong: false })
    }
}

impl Guess<'_> {
    /// It was wrong, and is paid for.
    pub(super) fn was_wrong(mut self) {
        self.wrong = true;
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        match &self.payer {
            _ if self.wrong => {}
            Payer::Name(payer) => {
                self.logins.names_from.give_back(payer);
                self.logins.names.give_back(&payer.0);
            }
            Payer::User(user) => self.logins.users.give_back(user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::ZERO;

    fn logins() -> Logins {
        Logins::new(&Limits { wrong_passwords_per_min: 3, ..Limits::default() })
    }

    /// Guesses wrong until it is refused; how often it was not.
    fn guesses(logins: &Logins, address: &str) -> u32 {
        let address = address.parse().unwrap();
        let mut passed = 0;
        while let Ok(guess) = logins.guess(NOW, address, "ada") {
            guess.was_wrong();
            passed += 1;
        }
        passed
    }

    #[test]
    fn nobody_elsewhere_is_kept_out_by_who_guesses_until_they_are_many() {
        let logins = logins();
        assert_eq!(guesses(&logins, "192.0.2.1"), 3);
        assert_eq!(guesses(&logins, "192.0.2.2"), 3);
        assert_eq!(guesses(&logins, "2001:db8::1"), 3);
        assert_eq!(guesses(&logins, "2001:db8::2"), 0, "of the same network");
        let more: u32 = (3..100).map(|n| guesses(&logins, &format!("192.0.2.{n}"))).sum();
        assert_eq!(more, 3 * NETWORKS - 9, "all of them together");
        assert!(logins.guess(NOW, "192.0.2.1".parse().unwrap(), "ben").is_ok());
        assert!(logins.guess_own(NOW, UserId::new(1)).is_ok());
    }

    #[test]
    fn only_what_was_wrong_is_paid_for() {
        let logins = logins();
        let address = "192.0.2.1".parse().unwrap();
        for _ in 0..100 {
            drop(logins.guess(NOW, address, "ada").unwrap());
            drop(logins.guess_own(NOW, UserId::new(1)).unwrap());
        }
        assert_eq!(guesses(&logins, "192.0.2.1"), 3);
        for _ in 0..3 {
            logins.guess_own(NOW, UserId::new(1)).unwrap().was_wrong();
        }
        assert!(logins.guess_own(NOW, UserId::new(1)).is_err());
    }
}
