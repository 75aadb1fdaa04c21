//! Tokens: what a client shows instead of a password.
//!
//! An *access* token is signed (HMAC-SHA256) and short-lived, and needs no look-up. *Refresh* and
//! *bot* tokens are 32 random bytes, of which only the SHA-256 is stored; a fast hash is right
//! for what cannot be guessed.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use goim_core::{DeviceId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::access::write_secret;

const KEY_FILE: &str = "token.key";
/// A second key that is taken and signs nothing. Whoever renames [`KEY_FILE`] to this rotates the
/// key: the next start makes a new one, and tokens of before hold until they end.
const PREVIOUS_KEY_FILE: &str = "token.previous.key";
const KEY_BYTES: usize = 32;
const SECRET_BYTES: usize = 32;
/// user, device, expiry: three big-endian u64.
const CLAIM_BYTES: usize = 24;
const SIGNATURE_BYTES: usize = 32;

const ACCESS_PREFIX: &str = "goim_a_";
const REFRESH_PREFIX: &str = "goim_r_";
const BOT_PREFIX: &str = "goim_b_";

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    /// Milliseconds since the Unix epoch.
    pub(crate) expires_ms: u64,
}

/// A token that the store knows by its hash.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) hash: [u8; 32],
}

/// What a token is, going by its looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    Access(Claim),
    Refresh([u8; 32]),
    Bot([u8; 32]),
}

/// Why a token is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("this is not a token of ours")]
    Malformed,
    #[error("the token has expired")]
    Expired,
}

/// Signs and checks tokens.
pub(crate) struct Tokens {
    mac: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// With the key kept in `data_dir`, made there if there is none.
    pub(crate) fn keep(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(KEY_FILE);
        if !path.exists() {
            write_secret(&path, &rand::random::<[u8; KEY_BYTES]>())?;
        }
        let previous = data_dir.join(PREVIOUS_KEY_FILE);
        let previous = if previous.exists() { Some(keyed(&previous)?) } else { None };
        Ok(Self { mac: keyed(&path)?, previous })
    }

    pub(crate) fn access(&self, claim: Claim) -> String {
        let mut bytes = [0; CLAIM_BYTES + SIGNATURE_BYTES];
        let (body, signature) = bytes.split_at_mut(CLAIM_BYTES);
        body[..8].copy_from_slice(&claim.user.as_u64().to_be_bytes());
        body[8..16].copy_from_slice(&claim.device.as_u64().to_be_bytes());
        body[16..].copy_from_slice(&claim.expires_ms.to_be_bytes());
        signature.copy_from_slice(&self.mac.clone().chain_update(&*body).finalize().into_bytes());
        written(ACCESS_PREFIX, &bytes)
    }

    pub(crate) fn refresh() -> Secret {
        Secret::random(REFRESH_PREFIX)
    }

    pub(crate) fn bot() -> Secret {
        Secret::random(BOT_PREFIX)
    }

    /// Says what a token is; an access token is checked, the others are for the store to know.
    pub(crate) fn present(&self, token: &str, now_ms: u64) -> Result<Presented, TokenError> {
        if let Some(hex) = token.strip_prefix(ACCESS_PREFIX) {
            return self.check_access(hex, now_ms).map(Presented::Access);
        }
        let hash = Sha256::digest(token.as_bytes()).into();
        if token.starts_with(REFRESH_PREFIX) {
            Ok(Presented::Refresh(hash))
        } else if token.starts_with(BOT_PREFIX) {
            Ok(Presented::Bot(hash))
        } else {
            Err(TokenError::Malformed)
        }
    }

    fn check_access(&self, hex: &str, now_ms: u64) -> Result<Claim, TokenError> {
        let bytes: [u8; CLAIM_BYTES + SIGNATURE_BYTES] = read(hex).ok_or(TokenError::Malformed)?;
        let (body, signature) = bytes.split_at(CLAIM_BYTES);
        // Compares in constant time.
        let signed = |mac: &Hmac<Sha256>| mac.clone().chain_update(body).verify_slice(signature).is_ok();
        if !signed(&self.mac) && !self.previous.as_ref().is_some_and(signed) {
            return Err(TokenError::Malformed);
        }
        let number =
            |at: usize| body[at..at + 8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        let claim =
            Claim { user: UserId::new(number(0)), device: DeviceId::new(number(8)), expires_ms: number(16) };
        if claim.expires_ms <= now_ms {
            return Err(TokenError::Expired);
        }
        Ok(claim)
    }
}

fn keyed(path: &Path) -> io::Result<Hmac<Sha256>> {
    let key = fs::read(path)?;
    if key.len() < KEY_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a token key is shorter than 32 bytes"));
    }
    Hmac::new_from_slice(&key).map_err(io::Error::other)
}

impl Secret {
    fn random(prefix: &str) -> Self {
        let text = written(prefix, &rand::random::<[u8; SECRET_BYTES]>());
        let hash = Sha256::digest(text.as_bytes()).into();
        Self { text, hash }
    }
}

fn written(prefix: &str, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(prefix.len() + 2 * bytes.len());
    text.push_str(prefix);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn read<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim { user: UserId::new(7), device: DeviceId::new(8), expires_ms: 1_000 }
    }

    #[test]
    fn an_access_token_holds_until_it_expires() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::keep(dir.path()).unwrap();
        let token = tokens.access(claim());
        assert_eq!(tokens.present(&token, 999), Ok(Presented::Access(claim())));
        assert_eq!(tokens.present(&token, 1_000), Err(TokenError::Expired));
        // The key is kept: a restarted server takes the tokens of before.
        let again = Tokens::keep(dir.path()).unwrap();
        assert_eq!(again.present(&token, 999), Ok(Presented::Access(claim())));
    }

    #[test]
    fn a_rotated_key_signs_nothing_new_and_its_tokens_hold_until_they_end() {
        let dir = tempfile::tempdir().unwrap();
        let old = Tokens::keep(dir.path()).unwrap();
        let token = old.access(claim());
        fs::rename(dir.path().join(KEY_FILE), dir.path().join(PREVIOUS_KEY_FILE)).unwrap();
        let rotated = Tokens::keep(dir.path()).unwrap();
        assert_eq!(rotated.present(&token, 999), Ok(Presented::Access(claim())));
        assert_eq!(rotated.present(&token, 1_000), Err(TokenError::Expired));
        assert_eq!(old.present(&rotated.access(claim()), 999), Err(TokenError::Malformed));
        fs::remove_file(dir.path().join(PREVIOUS_KEY_FILE)).unwrap();
        let done = Tokens::keep(dir.path()).unwrap();
        assert_eq!(done.present(&token, 999), Err(TokenError::Malformed));
        assert_eq!(done.present(&rotated.access(claim()), 999), Ok(Presented::Access(claim())));
    }

    #[test]
    fn a_changed_or_foreign_token_is_refused() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tokens = Tokens::keep(here.path()).unwrap();
        let token = tokens.access(claim());
        for at in ACCESS_PREFIX.len()..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(tokens.present(&changed, 0), Err(TokenError::Malformed), "{at}");
        }
        let foreign = Tokens::keep(there.path()).unwrap();
        assert_eq!(foreign.present(&token, 0), Err(TokenError::Malformed));
        for text in ["", "goim_a_", "goim_a_+1", "Bearer x", &format!("goim_a_{}", "é".repeat(56))] {
            assert_eq!(tokens.present(text, 0), Err(TokenError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_secret_is_known_by_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::keep(dir.path()).unwrap();
        let secret = Tokens::bot();
        assert_eq!(tokens.present(&secret.text, 0), Ok(Presented::Bot(secret.hash)));
        assert_ne!(Tokens::refresh().text, Tokens::refresh().text);
    }
}
