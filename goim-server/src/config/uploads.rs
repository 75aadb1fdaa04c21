//! What an operator can set about uploads.

use core::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Where uploads are kept, and how much of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uploads {
    /// `file:PATH` or `s3://BUCKET/PREFIX`; absent: `uploads` in `data_dir`. All nodes on one store need
    /// the same place. A bucket wants a lifecycle rule that aborts incomplete multipart uploads after a
    /// day: only the bucket knows of those of a server that died.
    pub place: Option<String>,
    /// Where the S3 API is; absent: Amazon's, in the region. With `http://` nothing is encrypted.
    pub s3_endpoint: Option<String>,
    /// The bucket's region.
    pub s3_region: String,
    /// The access key; absent: that of the machine's role at Amazon.
    pub s3_access_key_id: Option<String>,
    /// Its secret.
    pub s3_secret_access_key: Option<String>,
    /// Bytes of an avatar: a photograph of 1,024 pixels square, well compressed, has a quarter.
    pub avatar_bytes_max: u64,
    /// Bytes of an attachment: a minute of a telephone's video.
    pub attachment_bytes_max: u64,
    /// Bytes that one user's uploads have together, each counted in full for whoever uploads it.
    pub user_bytes_max: u64,
    /// Uploads that a node receives at once. Each holds up to 10 MiB: a part that is filled, of 5 MiB as
    /// S3 wants it, and one on its way.
    pub at_once_max: usize,
    /// The same of one user.
    pub user_at_once_max: usize,
    /// How long an avatar is kept that no profile and no group shows, in seconds.
    pub orphans_after_s: u64,
    /// How often what is kept for nobody is looked for, in milliseconds.
    pub sweep_interval_ms: u64,
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            place: None,
            s3_endpoint: None,
            s3_region: "us-east-1".into(),
            s3_access_key_id: None,
            s3_secret_access_key: None,
            avatar_bytes_max: 1 << 20,
            attachment_bytes_max: 64 << 20,
            user_bytes_max: 1 << 30,
            at_once_max: 16,
            user_at_once_max: 4,
            orphans_after_s: 24 * 3_600,
            sweep_interval_ms: 60_000,
        }
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the keys: settings end up in logs.
        f.debug_struct("Uploads").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A place for uploads, as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder of this machine's.
    Folder(PathBuf),
    /// A bucket, and what the names in it begin with; may be empty.
    Bucket { name: String, prefix: String },
}

impl Uploads {
    /// The place that is set, or a folder in `data_dir`.
    pub(crate) fn place(&self, data_dir: &Path) -> Result<Place, ConfigError> {
        let bad = ConfigError::Value {
            field: "uploads.place",
            reason: "must be file:PATH or s3://BUCKET or s3://BUCKET/PREFIX",
        };
        let Some(place) = &self.place else { return Ok(Place::Folder(data_dir.join("uploads"))) };
        if let Some(path) = place.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(bad) } else { Ok(Place::Folder(path.into())) };
        }
        let Some(rest) = place.strip_prefix("s3://") else { return Err(bad) };
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let place = Place::Bucket { name: name.into(), prefix: prefix.trim_matches('/').into() };
        if name.is_empty() { Err(bad) } else { Ok(place) }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.place(Path::new(""))?;
        if self.s3_access_key_id.is_some() != self.s3_secret_access_key.is_some() {
            let (field, reason) =
                ("uploads.s3_access_key_id, uploads.s3_secret_access_key", "must be set together");
            return Err(ConfigError::Value { field, reason });
        }
        if self.sweep_interval_ms == 0 {
            return Err(ConfigError::Value {
                field: "uploads.sweep_interval_ms",
                reason: "must be more than 0",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<Place> {
        let uploads = Uploads { place: Some(text.into()), ..Uploads::default() };
        uploads.place(Path::new("data")).ok()
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        assert_eq!(
            Uploads::default().place(Path::new("data")).unwrap(),
            Place::Folder("data/uploads".into())
        );
        assert_eq!(place("file:/srv/goim"), Some(Place::Folder("/srv/goim".into())));
        assert_eq!(place("file:///srv/goim"), Some(Place::Folder("/srv/goim".into())));
        let bucket =
            |name: &str, prefix: &str| Some(Place::Bucket { name: name.into(), prefix: prefix.into() });
        assert_eq!(place("s3://chat"), bucket("chat", ""));
        assert_eq!(place("s3://chat/a/b/"), bucket("chat", "a/b"));
        for bad in ["", "file:", "s3://", "s3:///a", "/srv/goim", "gs://chat"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_key_shows_in_a_log() {
        let uploads = Uploads { s3_secret_access_key: Some("hunter2".into()), ..Uploads::default() };
        assert!(!format!("{uploads:?}").contains("hunter2"));
        assert!(uploads.check().is_err(), "a secret without its key");
    }
}
