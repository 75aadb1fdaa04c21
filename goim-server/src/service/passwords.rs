//! Password hashing (Argon2id, RFC 9106), off the runtime's threads and a bounded number at once.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// Callers that may wait for a hash; each takes about 20 ms, so the last waits 2.5 s on one core.
const WAITING_MAX: usize = 128;
/// Shorter ones are refused.
pub(crate) const PASSWORD_BYTES_MIN: usize = 8;
/// Longer ones are refused: hashing is linear in the length.
pub(crate) const PASSWORD_BYTES_MAX: usize = 128;

/// What is verified when there is no such user, so that the answer takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdCBmb3Igbm9ib2R5Lg$\
                      bm9ib2R5IGhhcyB0aGlzIGhhc2ggaW4gYSBzdG9yZS4";

/// The hasher of one node.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// Why a password was not hashed or verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("too many are waiting for a password check")]
    Busy,
    #[error("the password hasher failed")]
    Failed,
}

impl Passwords {
    pub(crate) fn new(at_once_max: usize) -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            working: Arc::new(Semaphore::new(at_once_max)),
        }
    }

    /// The PHC string of a password, with a fresh salt.
    pub(crate) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.work(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|_| PasswordError::Failed)
        })
        .await
    }

    /// Whether this is the password of `phc`; without one, `false` after the same time.
    pub(crate) async fn verify(&self, password: String, phc: Option<String>) -> Result<bool, PasswordError> {
        self.work(move || {
            let known = phc.is_some();
            let phc = phc.as_deref().unwrap_or(NOBODY);
            let hash = argon2::PasswordHash::new(phc).map_err(|_| PasswordError::Failed)?;
            let matches = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
            Ok(matches && known)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        // Owned by the job: a caller that gives up must not let another one start beside it.
        let turn = Arc::clone(&self.working).acquire_owned().await;
        let turn = turn.map_err(|_| PasswordError::Failed)?;
        let job = move || {
            let _turn = turn;
            job()
        };
        tokio::task::spawn_blocking(job).await.map_err(|_| PasswordError::Failed)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_verifies() {
        let passwords = Passwords::new(1);
        let phc = passwords.hash("correct horse".into()).await.unwrap();
        assert!(phc.starts_with("$argon2id$"));
        assert_eq!(passwords.verify("correct horse".into(), Some(phc.clone())).await, Ok(true));
        assert_eq!(passwords.verify("battery staple".into(), Some(phc)).await, Ok(false));
        assert_eq!(passwords.verify("correct horse".into(), None).await, Ok(false));
    }

    /// Otherwise the time of an answer would tell whether there is such a user.
    #[tokio::test]
    async fn nobody_s_password_is_checked_at_the_cost_of_anybody_s() {
        let phc = Passwords::new(1).hash("correct horse".into()).await.unwrap();
        let cost = |phc: &str| {
            let hash = argon2::PasswordHash::new(phc).unwrap();
            let salt = hash.salt.map(|salt| salt.len());
            (hash.version, hash.params.to_string(), salt, hash.hash.map(|hash| hash.len()))
        };
        assert_eq!(cost(NOBODY), cost(&phc));
    }

    #[tokio::test]
    async fn a_flood_is_refused_not_queued() {
        let passwords = Passwords::new(1);
        let held = passwords.waiting.clone().acquire_many_owned(128).await.unwrap();
        assert_eq!(passwords.hash("x".into()).await, Err(PasswordError::Busy));
        drop(held);
        assert!(passwords.hash("x".into()).await.is_ok());
    }
}
