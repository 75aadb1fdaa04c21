//! What an operator can set about accounts that somebody else vouches for.

use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The most that clocks may differ, in seconds: more of it keeps alive what has ended.
const LEEWAY_MAX_S: u64 = 600;

/// Whose word is taken for who somebody is, for a deployment that has accounts of its own.
///
/// Users hand in a token of the issuer's, a signed JSON Web Token, and get a session of the account that
/// belongs to its issuer and subject. `issuer`, `audience` and `keys` are set together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalLogin {
    /// The issuer, as the `iss` of its tokens has it; absent: nobody's word is taken. Accounts belong to
    /// this name: under another one they are not found again.
    pub issuer: Option<String>,
    /// What the `aud` of a token has to name. Let it stand for this service alone: whoever is handed
    /// tokens for it can log in here.
    pub audience: Option<String>,
    /// Where the issuer's key set (a JWKS) is: `https://…`, `file:PATH`, or `http://…` on this machine.
    pub keys: Option<String>,
    /// With which signatures a token may come.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// How much the issuer's clock may differ, in seconds.
    pub leeway_s: u64,
    /// How old a key set may be that was fetched, in seconds. An older one is fetched anew at the next
    /// login, and is used on while that fails. A file is read at every login.
    pub keys_max_age_s: u64,
    /// How old a key set may become that is used on, in seconds, from a file too: a key that was withdrawn
    /// meanwhile is taken for as long.
    pub keys_used_max_s: u64,
    /// At least how long after a fetch comes another one, in milliseconds, whatever keys tokens name.
    pub keys_interval_ms: u64,
}

impl Default for ExternalLogin {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            keys: None,
            algorithms: SignatureAlgorithm::ALL.to_vec(),
            leeway_s: 60,
            keys_max_age_s: 600,
            keys_used_max_s: 24 * 3_600,
            keys_interval_ms: 10_000,
        }
    }
}

/// A signature by a key of which everybody may know the half that checks it. Those by a shared secret are
/// left out for good: who can check such a one can make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256, keys of 2,048 bits or more.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// EdDSA on Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SignatureAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];
}

/// Where a key set is, as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeysAt {
    /// A file of this machine's.
    File(PathBuf),
    /// Somewhere that speaks HTTP.
    Url(Url),
}

/// Issuer, audience and the place of the keys.
pub(crate) type Trusted = (String, String, KeysAt);

impl ExternalLogin {
    /// Who is trusted, for whom, and by which keys, if anybody is.
    pub(crate) fn trusted(&self) -> Result<Option<Trusted>, ConfigError> {
        let set = match (&self.issuer, &self.audience, &self.keys) {
            (None, None, None) => return Ok(None),
            (Some(issuer), Some(audience), Some(keys)) => [issuer, audience, keys],
            _ => return bad("external_login.issuer, .audience, .keys", "must be set together"),
        };
        let [issuer, audience, keys] = set;
        if issuer.is_empty() || audience.is_empty() {
            return bad("external_login.issuer, .audience", "must not be empty");
        }
        Ok(Some((issuer.clone(), audience.clone(), keys_at(keys)?)))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.trusted()?;
        if self.algorithms.is_empty() {
            return bad("external_login.algorithms", "must name one at least");
        }
        if self.leeway_s > LEEWAY_MAX_S {
            return bad("external_login.leeway_s", "must be 600 or less");
        }
        if self.keys_interval_ms == 0 {
            return bad("external_login.keys_interval_ms", "must be more than 0");
        }
        if self.keys_used_max_s == 0 || self.keys_used_max_s < self.keys_max_age_s {
            return bad("external_login.keys_used_max_s", "must be more than 0, and keys_max_age_s or more");
        }
        if self.keys_used_max_s.saturating_mul(1_000) < self.keys_interval_ms {
            return bad("external_login.keys_used_max_s", "must be keys_interval_ms or more");
        }
        Ok(())
    }
}

fn keys_at(keys: &str) -> Result<KeysAt, ConfigError> {
    let reason = "must be https://…, file:PATH, or http://… on this machine, without a user in it";
    let refused = || bad("external_login.keys", reason);
    if let Some(path) = keys.strip_prefix("file:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return if path.is_empty() { refused() } else { Ok(KeysAt::File(path.into())) };
    }
    let Ok(url) = Url::parse(keys) else { return refused() };
    let safe = match url.scheme() {
        "https" => true,
        "http" => is_here(&url),
        _ => false,
    };
    let anonymous = url.username().is_empty() && url.password().is_none();
    if safe && anonymous { Ok(KeysAt::Url(url)) } else { refused() }
}

/// Whether a URL leads to this machine, and what is said on the way is heard by nobody else.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn bad<T>(field: &'static str, reason: &'static str) -> Result<T, ConfigError> {
    Err(ConfigError::Value { field, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusting(keys: &str) -> ExternalLogin {
        let (issuer, audience) = (Some("https://id.example".into()), Some("goim".into()));
        ExternalLogin { issuer, audience, keys: Some(keys.into()), ..ExternalLogin::default() }
    }

    #[test]
    fn keys_come_from_a_file_or_over_a_way_that_nobody_else_writes_on() {
        for file in ["file:/etc/goim/keys.json", "file:///etc/goim/keys.json"] {
            let (_, _, keys) = trusting(file).trusted().unwrap().unwrap();
            assert_eq!(keys, KeysAt::File("/etc/goim/keys.json".into()));
        }
        for good in
            ["https://id.example/keys", "http://localhost:8080/", "http://127.0.0.9/k", "http://[::1]:1/"]
        {
            assert!(matches!(trusting(good).trusted(), Ok(Some((_, _, KeysAt::Url(_))))), "{good}");
        }
        for bad in
            ["", "file:", "keys.json", "http://id.example/keys", "http://127.0.0.1.example/", "ftp://::1/"]
        {
            assert!(trusting(bad).check().is_err(), "{bad}");
        }
        assert!(trusting("https://user:secret@id.example/keys").check().is_err());
    }

    #[test]
    fn who_is_trusted_is_said_in_whole_or_not_at_all() {
        assert!(ExternalLogin::default().trusted().unwrap().is_none());
        let half = ExternalLogin { audience: None, ..trusting("https://id.example/keys") };
        assert!(half.check().is_err());
        let none = ExternalLogin { algorithms: Vec::new(), ..trusting("https://id.example/keys") };
        assert!(none.check().is_err());
        let ends_before_it_is_old =
            ExternalLogin { keys_used_max_s: 599, ..trusting("https://id.example/keys") };
        assert!(ends_before_it_is_old.check().is_err());
    }

    #[test]
    fn no_signature_by_a_shared_secret_can_be_set() {
        let read = |name: &str| toml::from_str::<ExternalLogin>(&format!("algorithms = [\"{name}\"]"));
        assert_eq!(read("ES256").unwrap().algorithms, [SignatureAlgorithm::Es256]);
        for bad in ["HS256", "none", "es256", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
