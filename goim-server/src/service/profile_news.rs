//! A changed profile, told to friends who are here: of those who are not, each finds the version in his
//! lists.
//!
//! Changes are told by one task, each user's newest once a second at most: so that who changes his profile
//! all the time costs the store and his friends no more than who does so each second.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goim_core::{Epoch, UserId};
use goim_proto::{Ephemeral, Profile, ProfileChanged};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Service;
use crate::store::StoreResult;

/// From one round to the next.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Users whose change waits to be told, 32 bytes each; what finds no room is left to the lists.
const WAITING_MAX: usize = 4_096;

/// Versions of profiles that are to be told, and of which epoch they are.
#[derive(Debug, Default)]
pub(super) struct ProfileNews {
    changed: Mutex<HashMap<UserId, (Epoch, u64)>>,
    something: Notify,
}

impl ProfileNews {
    fn changed(&self) -> MutexGuard<'_, HashMap<UserId, (Epoch, u64)>> {
        // A map is whole between any two statements.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a profile as it is after a change in an epoch.
    pub(super) fn note(&self, epoch: Epoch, profile: &Profile) {
        let mut changed = self.changed();
        if changed.len() >= WAITING_MAX && !changed.contains_key(&profile.user) {
            return;
        }
        let news = (epoch, profile.version);
        // Two changes at once are noted in either order.
        changed.entry(profile.user).and_modify(|noted| *noted = news.max(*noted)).or_insert(news);
        drop(changed);
        self.something.notify_one();
    }
}

impl Service {
    /// Tells friends of changed profiles, for ever.
    pub(crate) async fn tell_of_profiles(&self) {
        loop {
            self.profile_news.something.notified().await;
            let next = Instant::now() + TOLD_EVERY;
            let changed = std::mem::take(&mut *self.profile_news.changed());
            for (user, (epoch, version)) in changed {
                if let Err(error) = self.tell_of_profile(epoch, user, version).await {
                    // The others would wait for the same store; their friends' lists say it.
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot tell of changed profiles"
                    );
                    break;
                }
            }
            sleep_until(next).await;
        }
    }

    async fn tell_of_profile(&self, epoch: Epoch, user: UserId, version: u64) -> StoreResult<()> {
        let most = u32::try_from(self.limits.friends_max).unwrap_or(u32::MAX);
        let friends = self.store.friends_to_tell(user, most).await?;
        let news = Ephemeral::ProfileChanged(ProfileChanged { user, version });
        self.hub.whisper_to(epoch, &friends, &news);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(user: u64, version: u64) -> Profile {
        Profile { user: UserId::new(user), version, ..Profile::default() }
    }

    #[test]
    fn g7_the_newest_of_each_waits_and_no_more_than_there_is_room_for() {
        let news = ProfileNews::default();
        let (old, new) = (Epoch::new(1), Epoch::new(2));
        for (epoch, version) in [(old, 7), (new, 2), (new, 4), (new, 3)] {
            news.note(epoch, &profile(0, version));
        }
        for user in 1..2 * WAITING_MAX as u64 {
            news.note(new, &profile(user, 1));
        }
        news.note(new, &profile(1, 2));
        let changed = news.changed();
        assert_eq!(changed.len(), WAITING_MAX);
        assert_eq!((changed[&UserId::new(0)], changed[&UserId::new(1)]), ((new, 4), (new, 2)));
    }
}
