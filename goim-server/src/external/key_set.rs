//! A key set (RFC 7517), as far as its keys can sign tokens here.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

/// A key, and with what it signs.
#[derive(Debug, Clone)]
pub(super) struct Key {
    name: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl KeySet {
    /// Reads a set, and passes over the keys in it that are for something else (RFC 7517, 5).
    pub(super) fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<serde_json::Value>,
        }
        let Keys { keys } = serde_json::from_slice(bytes)?;
        Ok(Self(keys.into_iter().filter_map(usable).collect()))
    }

    /// The key that a token names: one for its algorithm. A token that names none is of the only key
    /// that there is for it.
    pub(super) fn find(&self, token: &Header) -> Option<&Key> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithm == token.alg && (token.kid.is_none() || key.name == token.kid));
        let key = fitting.next()?;
        let ambiguous = token.kid.is_none() && fitting.next().is_some();
        (!ambiguous).then_some(key)
    }
}

/// A key that checks signatures of an algorithm that is known here.
fn usable(key: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(point) if point.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let common = &jwk.common;
    let is_meant = common.key_algorithm.is_none_or(|meant| meant == algorithm.into())
        && common.public_key_use.as_ref().is_none_or(|meant| *meant == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|meant| meant.contains(&KeyOperations::Verify));
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    is_meant.then_some(Key { name: jwk.common.key_id, algorithm, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of one key that checks nothing, and where it is found.
    fn find(key: &str, alg: Algorithm, kid: Option<&str>) -> bool {
        let set = KeySet::read(format!("{{\"keys\":[{key}]}}").as_bytes()).unwrap();
        set.find(&Header { kid: kid.map(str::to_owned), ..Header::new(alg) }).is_some()
    }

    #[test]
    fn a_key_is_found_by_its_name_and_for_its_own_algorithm_alone() {
        let ed = r#"{"kty":"OKP","crv":"Ed25519","kid":"one","x":"AAAA"}"#;
        assert!(find(ed, Algorithm::EdDSA, Some("one")));
        assert!(find(ed, Algorithm::EdDSA, None), "there is no other");
        assert!(!find(ed, Algorithm::EdDSA, Some("two")));
        assert!(!find(&format!("{ed},{ed}"), Algorithm::EdDSA, None), "it could be either");
        for other in [Algorithm::RS256, Algorithm::ES256, Algorithm::HS256] {
            assert!(!find(ed, other, Some("one")), "{other:?}");
        }
    }

    #[test]
    fn keys_that_are_for_something_else_are_passed_over() {
        let rsa = |more: &str| format!(r#"{{"kty":"RSA","kid":"one","n":"AQAB","e":"AQAB"{more}}}"#);
        for meant in ["", r#","use":"sig""#, r#","alg":"RS256""#, r#","key_ops":["verify"]"#, r#","x5c":[]"#]
        {
            assert!(find(&rsa(meant), Algorithm::RS256, Some("one")), "{meant}");
        }
        for meant in
            [r#","use":"enc""#, r#","alg":"RSA-OAEP""#, r#","alg":"PS256""#, r#","key_ops":["encrypt"]"#]
        {
            assert!(!find(&rsa(meant), Algorithm::RS256, Some("one")), "{meant}");
        }
        let strange = [
            r#"{"kty":"EC","crv":"P-384","kid":"one","x":"AA","y":"AA"}"#,
            r#"{"kty":"EC","crv":"secp256k1","kid":"one","x":"AA","y":"AA"}"#,
            r#"{"kty":"OKP","crv":"X25519","kid":"one","x":"AA"}"#,
            r#"{"kty":"oct","kid":"one","k":"c2VjcmV0","alg":"HS256"}"#,
            r#"{"kty":"RSA","kid":"one"}"#,
            "7",
        ];
        for key in strange {
            for alg in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
                assert!(!find(key, alg, Some("one")), "{key}");
            }
            assert!(find(&format!("{key},{}", rsa("")), Algorithm::RS256, Some("one")), "beside {key}");
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for bad in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":["#] {
            assert!(KeySet::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
