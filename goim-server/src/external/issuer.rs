//! Whom a token speaks for.

use goim_core::Duration;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::key_set::Key;
use super::keys::{Keys, Pace};
use super::signature;
use super::source::{KeysError, Source};
use crate::clock::Clock;
use crate::config::{ExternalLogin, KeysAt, SignatureAlgorithm, Trusted};

/// A subject, in bytes: as many as OpenID Connect allows it (Core 1.0, 8).
const SUBJECT_BYTES_MAX: usize = 255;

/// The issuer whose word is taken.
#[derive(Debug)]
pub(crate) struct Issuer {
    name: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    leeway_s: u64,
    keys: Keys,
}

/// Who somebody is to the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// What the issuer calls him, if it says.
    pub(crate) name: Option<String>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It is none of the issuer's for this server.
    Bad,
    /// It has ended.
    Expired,
    /// It has not begun.
    TooEarly,
    /// Its key is not known, and the issuer does not answer.
    Unreachable {
        /// When it is asked again.
        retry_after: Duration,
    },
}

/// What a token says. (The validation would take a list of issuers that names the right one, too.)
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(default)]
    name: Value,
}

impl Issuer {
    /// The issuer that is set, if one is. Keys in a file have to be there.
    pub(crate) async fn open(
        settings: &ExternalLogin,
        trusted: Trusted,
        clock: Clock,
    ) -> Result<Self, KeysError> {
        signature::install();
        let (name, audience, keys) = trusted;
        let in_file = matches!(keys, KeysAt::File(_));
        let fetched = Pace {
            age_max: Duration::from_secs(settings.keys_max_age_s),
            used_max: Duration::from_secs(settings.keys_used_max_s),
            interval: Duration::from_millis(settings.keys_interval_ms),
        };
        // To read a file costs less than to find out whether it has changed costs thought.
        let read = Pace { age_max: Duration::ZERO, interval: Duration::ZERO, ..fetched };
        let keys = Keys::new(Source::new(keys)?, if in_file { read } else { fetched }, clock);
        if in_file {
            keys.refresh().await?;
        }
        let algorithms = settings.algorithms.iter().map(|one| algorithm(*one)).collect();
        Ok(Self { name, audience, algorithms, leeway_s: settings.leeway_s, keys })
    }

    /// Whom a token speaks for.
    ///
    /// # Errors
    /// It is not taken.
    pub(crate) async fn identify(&self, token: &str) -> Result<Subject, NotTaken> {
        let header = decode_header(token).map_err(|error| refused(&error))?;
        // What has to be understood (RFC 7515, 4.1.11) and is not is not passed over.
        if header.crit.is_some() || !self.algorithms.contains(&header.alg) {
            return Err(NotTaken::Bad);
        }
        let key = self.keys.find(&header).await?;
        let read = |key: &Key| decode::<Claims>(token, &key.key, &self.validation(key.algorithm));
        let mut claims = read(&key);
        if matches!(&claims, Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature)) {
            // Another key may have come under this name, or under none.
            claims = read(&self.keys.find_anew(&header).await?);
        }
        let Claims { iss: issuer, sub: subject, name } = claims.map_err(|error| refused(&error))?.claims;
        let plain =
            (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.chars().any(char::is_control);
        if !plain {
            return Err(NotTaken::Bad);
        }
        Ok(Subject { issuer, subject, name: name.as_str().map(str::to_owned) })
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = self.leeway_s;
        validation
    }
}

fn algorithm(setting: SignatureAlgorithm) -> Algorithm {
    match setting {
        SignatureAlgorithm::Rs256 => Algorithm::RS256,
        SignatureAlgorithm::Es256 => Algorithm::ES256,
        SignatureAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "there may be more ways to be wrong")]
fn refused(error: &jsonwebtoken::errors::Error) -> NotTaken {
    match error.kind() {
        ErrorKind::ExpiredSignature => NotTaken::Expired,
        ErrorKind::ImmatureSignature => NotTaken::TooEarly,
        _ => NotTaken::Bad,
    }
}
