//! Where the HTTP API is.

use std::net::IpAddr;

use hyper::Uri;

use crate::ConnectError;

const LOCALHOST: &str = "localhost";

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
        // What is no port would be passed over, and the token go to the scheme's own.
        if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none() {
            return Err(bad());
        }
        let mut authority = authority.to_string();
        match scheme {
            "https" => {}
            "http" if plain || is_loopback(&uri) => {}
            // Whatever a resolver makes of the name.
            "http" if uri.host().is_some_and(|host| host.eq_ignore_ascii_case(LOCALHOST)) => {
                authority.replace_range(..LOCALHOST.len(), "127.0.0.1");
            }
            "http" => return Err(ConnectError::PlainHttp(address.to_owned())),
            _ => return Err(bad()),
        }
        Ok(Self(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
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
            ("https://localhost:8443", "https://localhost:8443"),
            ("http://LocalHost:8080/chat", "http://127.0.0.1:8080/chat"),
            ("http://[::1]:8080", "http://[::1]:8080"),
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
            "http://127.0.0.1:80800",
            "https://a.example:abc",
            "https://a.example:",
            "http://[::1]:",
        ] {
            let refused = Address::new(address, true);
            assert!(matches!(refused, Err(ConnectError::BadHttpAddress(_))), "{address}");
        }
    }
}
