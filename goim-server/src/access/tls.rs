//! The certificate: the operator's, or one made at the first start and kept.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

/// The file in `data_dir` that holds the certificate and its key.
const IDENTITY_FILE: &str = "identity.pem";

/// A certificate chain with its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no certificate, no key, or two that don't belong together.
    #[error("{path} does not hold a certificate and its key in PEM")]
    NotAnIdentity {
        /// The file.
        path: PathBuf,
    },
    /// A certificate cannot be made for these names.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// TLS does not take the certificate.
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] rustls::Error),
}

impl Identity {
    /// Reads a PEM file with a certificate chain and its key.
    ///
    /// # Errors
    /// If the file cannot be read or does not hold them.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let pem = fs::read(path).map_err(|source| file_error(path, source))?;
        let not_an_identity = || IdentityError::NotAnIdentity { path: path.to_path_buf() };
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| not_an_identity())?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| not_an_identity())?;
        if chain.is_empty() {
            return Err(not_an_identity());
        }
        Ok(Self { chain, key })
    }

    /// Reads the one kept in `data_dir`, or makes one for `names` and keeps it there.
    ///
    /// Two processes that start at once end with the same one.
    ///
    /// # Errors
    /// If the file cannot be read or written, or if no certificate can be made for the names.
    pub fn keep(data_dir: &Path, names: &[String]) -> Result<Self, IdentityError> {
        let path = data_dir.join(IDENTITY_FILE);
        if !path.exists() {
            let made = rcgen::generate_simple_self_signed(names)?;
            let pem = made.cert.pem() + &made.signing_key.serialize_pem();
            write_secret(&path, pem.as_bytes()).map_err(|source| file_error(&path, source))?;
        }
        Self::read(&path)
    }

    /// A secret that lasts as long as the key and says nothing of it.
    pub(crate) fn derived_secret(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(purpose.as_bytes());
        hash.update(self.key.secret_der());
        hash.finalize().into()
    }

    /// SHA-256 of the DER form of the certificate: what a client pins.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.chain.first().map_or([0; 32], |certificate| Sha256::digest(certificate).into())
    }

    /// TLS 1.3 settings for this identity that speak `alpn` only.
    ///
    /// # Errors
    /// If the certificate and the key don't belong together.
    pub fn tls(self, alpn: &[u8]) -> Result<rustls::ServerConfig, IdentityError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)?;
        tls.alpn_protocols = vec![alpn.to_vec()];
        // Without 0-RTT a ticket saves the client one signature; one is enough for one reconnect.
        tls.send_tls13_tickets = 1;
        Ok(tls)
    }
}

fn file_error(path: &Path, source: io::Error) -> IdentityError {
    IdentityError::File { path: path.to_path_buf(), source }
}

/// Writes a file that only its owner reads, whole or not at all; an existing one is left as it is.
///
/// # Errors
/// What the system says.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link, unlike a rename, fails if another process was first.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let first = Identity::keep(dir.path(), &names).unwrap().fingerprint();
        let second = Identity::keep(dir.path(), &names).unwrap();
        assert_eq!(first, second.fingerprint());
        assert!(second.tls(b"x").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        Identity::keep(dir.path(), &["localhost".to_owned()]).unwrap();
        let mode = fs::metadata(dir.path().join(IDENTITY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(IDENTITY_FILE);
        fs::write(&path, "hello").unwrap();
        assert!(matches!(Identity::read(&path), Err(IdentityError::NotAnIdentity { .. })));
    }
}
