//! An issuer's keys, and tokens that they sign, rightly or wrongly.
#![allow(dead_code, unreachable_pub, reason = "each test binary is a crate, and uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goim_server::ExternalLogin;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://id.example";
pub const AUDIENCE: &str = "goim";

/// RSA keys take a while to find, and ring finds none: this one was made for these tests, and opens nothing.
const RSA: &[u8] = include_bytes!("rsa-2048.pk8");

/// Settings that trust the issuer by the keys at this place.
pub fn trusting(keys: impl Into<String>) -> ExternalLogin {
    let (issuer, audience) = (Some(ISSUER.into()), Some(AUDIENCE.into()));
    ExternalLogin { issuer, audience, keys: Some(keys.into()), ..ExternalLogin::default() }
}

/// The same by keys that are put into a folder.
pub fn trusting_file(folder: &Path, keys: &[&Signer]) -> ExternalLogin {
    let path = folder.join("keys.json");
    std::fs::write(&path, key_set(keys).to_string()).unwrap();
    trusting(format!("file:{}", path.display()))
}

/// What a token says that is good for an hour.
pub fn claims(subject: &str) -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": in_s(3_600) })
}

/// So many seconds from now.
pub fn in_s(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

pub fn key_set(keys: &[&Signer]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>() })
}

/// A token of these parts.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A key of the issuer's.
pub struct Signer {
    pub name: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// The one RSA key that there is, by whatever name.
    pub fn rsa(name: &str) -> Self {
        Self { name: name.into(), pair: Pair::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap()) }
    }

    pub fn ec(name: &str) -> Self {
        let (curve, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(curve, made.as_ref(), &random).unwrap();
        Self { name: name.into(), pair: Pair::Ec(pair) }
    }

    pub fn ed(name: &str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { name: name.into(), pair: Pair::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()) }
    }

    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// What everybody may know of it, as a key set has it.
    pub fn public(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let kid = &self.name;
        match &self.pair {
            Pair::Rsa(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                json!({ "kty": "RSA", "kid": kid, "n": text(&n), "e": text(&e) })
            }
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": text(x), "y": text(y) })
            }
            Pair::Ed(pair) => {
                let x = pair.public_key().as_ref();
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(x) })
            }
        }
    }

    pub fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.algorithm(), "kid": self.name })
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    /// Signs whatever the header says.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        token(header, claims, |message| {
            let random = SystemRandom::new();
            match &self.pair {
                Pair::Rsa(pair) => {
                    let mut signature = vec![0; pair.public().modulus_len()];
                    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                    signature
                }
                Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
                Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            }
        })
    }
}
