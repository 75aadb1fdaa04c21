//! What the server asks of others over HTTP.

/// Gives clients of HTTP, which have none of their own, the TLS that is here, unless the process has
/// chosen one.
pub(crate) fn provide_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
