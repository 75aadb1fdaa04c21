//! Where the HTTP API is.

use std::net::IpAddr;

use hyper::Uri;

use crate::ConnectError;

/// An address to which tokens may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address(String);

impl Address {
    /// Takes an address without TLS only if it is on this machine, or `plain` allows it.
    pub(super) fn new(address: &str, plain: bool) -> Result<Self, ConnectError> {
        let bad = || ConnectError::BadHttpAddress(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| bad())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(bad()) };
        if authority.as_str().contains('@') || uri.query().is_some() || address.contains('#') {
            return Err(bad());
        }
        match scheme {
            "https" => {}
            "http" if plain || is_loopback(authority.host()) => {}
            "http" => return Err(ConnectError::PlainHttp(address.to_owned())),
            _ => return Err(bad()),
        }
        Ok(Self(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_without_tls_to_this_machine_alone_unless_that_is_allowed() {
        for address in ["http://127.0.0.1:8080", "http://[::1]:8080", "http://LocalHost", "https://a.example"]
        {
            assert!(Address::new(address, false).is_ok(), "{address}");
        }
        for address in [
            "http://a.example",
            "http://192.0.2.1:8080",
            "http://0.0.0.0:80",
            "http://localhost.a.example",
            "http://127.0.0.1.a.example",
            "http://[2001:db8::1]",
        ] {
            let refused = Address::new(address, false);
            assert!(matches!(refused, Err(ConnectError::PlainHttp(_))), "{address}");
            assert!(Address::new(address, true).is_ok(), "{address}");
        }
    }

    #[test]
    fn an_address_is_a_place_and_nothing_else() {
        for (address, read) in [
            ("https://a.example/", "https://a.example"),
            ("https://a.example:8443/chat/", "https://a.example:8443/chat"),
            ("HTTPS://a.example", "https://a.example"),
        ] {
            assert_eq!(Address::new(address, false).unwrap().as_str(), read);
        }
        for address in [
            "",
            "a.example",
            "a.example:80",
            "/v1",
            "ftp://a.example",
            "https://",
            "https://a.example?x=1",
            "https://a.example#x",
            "https://127.0.0.1@a.example",
            "http://127.0.0.1@a.example",
            "https://a b",
        ] {
            let refused = Address::new(address, true);
            assert!(matches!(refused, Err(ConnectError::BadHttpAddress(_))), "{address}");
        }
    }
}
