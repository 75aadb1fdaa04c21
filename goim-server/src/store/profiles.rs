//! What a store knows of people apart from what sessions need.

use async_trait::async_trait;
use goim_core::{DeviceId, UserId};
use goim_proto::{DeviceInfo, Profile, ProfileUpdate};

use super::StoreResult;

/// A place in the list of all names and nicknames: the folded text, and whose it is.
pub type SearchKey = (String, UserId);

/// A profile behind an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedProfile {
    /// As it is now.
    pub profile: Profile,
    /// Whether it was another one before.
    pub changed: bool,
}

/// Profiles, the search for people, and what a person does to his account.
#[async_trait]
pub trait Profiles: Send + Sync {
    /// Those of the users that exist, by ascending id.
    async fn profiles(&self, users: &[UserId]) -> StoreResult<Vec<Profile>>;

    /// Changes what is given, and raises the version if that changes anything. `None` if there is no
    /// such user.
    async fn update_profile(
        &self,
        user: UserId,
        update: &ProfileUpdate,
    ) -> StoreResult<Option<UpdatedProfile>>;

    /// A user's friends who hear of him: those whom he does not block and who do not block him.
    async fn friends_to_tell(&self, user: UserId, limit: u32) -> StoreResult<Vec<UserId>>;

    /// Names and nicknames that begin with a folded prefix and stand behind `after`, in order: each
    /// with its place and its user.
    async fn search_users(
        &self,
        prefix: &str,
        after: &SearchKey,
        limit: u32,
    ) -> StoreResult<Vec<(String, Profile)>>;

    /// Makes a device of a person whose password is still the one that this hash was made of, or
    /// returns `None`: a login never outruns a change of the password.
    async fn login_device(
        &self,
        user: UserId,
        password_hash: &str,
        name: &str,
        now_ms: u64,
    ) -> StoreResult<Option<DeviceId>>;

    /// Replaces the hash if it is still `old`, and revokes all devices but `device`; whether it did.
    async fn change_password(
        &self,
        user: UserId,
        device: DeviceId,
        old: &str,
        new: &str,
    ) -> StoreResult<bool>;

    /// A user's devices that are not revoked, by ascending id.
    async fn devices(&self, user: UserId, after: DeviceId, limit: u32) -> StoreResult<Vec<DeviceInfo>>;
}

/// A name or nickname as searches compare it, as the tables' keys are made.
#[must_use]
pub fn folded(text: &str) -> String {
    text.to_ascii_lowercase()
}
