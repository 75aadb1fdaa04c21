//! What a store knows of accounts that an issuer outside vouches for.

use async_trait::async_trait;
use goim_core::UserId;

use super::StoreResult;

/// Who somebody is to an issuer: no two are the same, and one never becomes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExternalIdentity<'a> {
    /// The issuer's name.
    pub issuer: &'a str,
    /// The issuer's own for him.
    pub subject: &'a str,
}

/// Accounts by who they are to an issuer.
#[async_trait]
pub trait Identities: Send + Sync {
    /// The user who this is.
    async fn external_user(&self, identity: ExternalIdentity<'_>) -> StoreResult<Option<UserId>>;

    /// Makes a user who this is, with his inbox and without a password, or finds the one that somebody made
    /// meanwhile; `None` if the name is taken.
    async fn create_external_user(
        &self,
        identity: ExternalIdentity<'_>,
        name: &str,
        nickname: &str,
        now_ms: u64,
    ) -> StoreResult<Option<UserId>>;
}
