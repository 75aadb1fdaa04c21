//! An issuer whose word the server under load takes. Its key is here for all to see: only what is made for
//! a run trusts it.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goim_server::ExternalLogin;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "goim-bench";
const KEY: &str = "bench";
const LIVES: Duration = Duration::from_secs(86_400);

/// Settings that trust it, by a key set that is put into a folder.
pub(crate) fn trusted(folder: &Path) -> io::Result<ExternalLogin> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("issuer.json");
    let x = URL_SAFE_NO_PAD.encode(pair()?.public_key());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": KEY, "x": x }] });
    std::fs::write(&path, set.to_string())?;
    let (issuer, audience) = (Some(ISSUER.to_owned()), Some(AUDIENCE.to_owned()));
    let keys = Some(format!("file:{}", path.display()));
    Ok(ExternalLogin { issuer, audience, keys, ..ExternalLogin::default() })
}

/// A token that says who somebody is.
pub(crate) fn token(subject: &str) -> io::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let header = json!({ "alg": "EdDSA", "kid": KEY });
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": (now + LIVES).as_secs() });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(pair()?.sign(message.as_bytes()));
    Ok(format!("{message}.{signature}"))
}

fn pair() -> io::Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(io::Error::other)
}
