//! The object store: a folder, or a bucket of whatever speaks S3.

use std::io;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _};

use crate::config::{Place, Uploads};
use crate::outbound;

/// Why there is nowhere to keep uploads, or what was kept cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The folder cannot be used.
    #[error("the folder for uploads cannot be used")]
    Folder(#[source] io::Error),
    /// The object store failed.
    #[error("the store of uploads failed")]
    Store(#[from] object_store::Error),
}

impl StorageError {
    /// Whether there is nothing at the place.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Store(object_store::Error::NotFound { .. }))
    }
}

/// Objects at places that are used once.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The same, if it is a folder.
    folder: Option<Arc<LocalFileSystem>>,
}

impl Storage {
    pub(crate) fn open(place: &Place, uploads: &Uploads) -> Result<Self, StorageError> {
        match place {
            Place::Folder(path) => {
                std::fs::create_dir_all(path).map_err(StorageError::Folder)?;
                let folder = Arc::new(LocalFileSystem::new_with_prefix(path)?.with_fsync(true));
                Ok(Self { store: Arc::<LocalFileSystem>::clone(&folder), folder: Some(folder) })
            }
            Place::Bucket { name, prefix } => {
                outbound::provide_tls();
                let bucket = bucket(name, uploads).build()?;
                Ok(Self { store: Arc::new(PrefixStore::new(bucket, prefix.as_str())), folder: None })
            }
        }
    }

    /// Begins to write what will be at a place.
    pub(super) fn writer(&self, place: &str) -> Writer {
        Writer { store: Arc::clone(&self.store), path: path_of(place), multipart: None }
    }

    /// What is at a place, from one byte to before another.
    pub(crate) async fn read(
        &self,
        place: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, object_store::Error>>, StorageError> {
        if range.is_empty() {
            return Ok(Box::pin(futures_util::stream::empty()));
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        Ok(self.store.get_opts(&path_of(place), options).await?.into_stream())
    }

    /// Deletes what is at a place, or was begun there; if that is nothing, it is done.
    pub(crate) async fn delete(&self, place: &str) -> Result<(), StorageError> {
        let path = path_of(place);
        if let Some(folder) = &self.folder {
            // What a process that died was writing lies beside it under this name, which is hidden from
            // whoever asks the object store.
            let mut begun = folder.path_to_filesystem(&path)?.into_os_string();
            begun.push("#1");
            remove(FilePath::new(&begun)).await?;
        }
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn bucket(name: &str, uploads: &Uploads) -> AmazonS3Builder {
    let mut bucket = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(&uploads.s3_region)
        // Objects are deleted one by one, which more servers understand than deleting in bulk.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = &uploads.s3_endpoint {
        bucket = bucket.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let (Some(id), Some(secret)) = (&uploads.s3_access_key_id, &uploads.s3_secret_access_key) {
        bucket = bucket.with_access_key_id(id).with_secret_access_key(secret);
    }
    bucket
}

async fn remove(file: &FilePath) -> Result<(), StorageError> {
    match tokio::fs::remove_file(file).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::Folder(error)),
        _ => Ok(()),
    }
}

/// Where a place is: in one of 256 folders, by how it begins.
fn path_of(place: &str) -> Path {
    let folder = place.get(..2).unwrap_or(place);
    Path::from_iter([folder, place])
}

/// Writes one object, part by part.
#[derive(Debug)]
pub(super) struct Writer {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// From the first part on that was not the last.
    multipart: Option<Box<dyn MultipartUpload>>,
}

impl Writer {
    /// Writes a part, after which there is another one.
    pub(super) async fn part(&mut self, part: Bytes) -> Result<(), StorageError> {
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => none.insert(self.store.put_multipart(&self.path).await?),
        };
        Ok(multipart.put_part(part.into()).await?)
    }

    /// Writes the last part; from now on the whole is there, flushed.
    pub(super) async fn finish(mut self, last: Bytes) -> Result<(), StorageError> {
        let Some(mut multipart) = self.multipart.take() else {
            self.store.put(&self.path, last.into()).await?;
            return Ok(());
        };
        let written = async {
            if !last.is_empty() {
                multipart.put_part(last.into()).await?;
            }
            multipart.complete().await
        };
        if let Err(error) = written.await {
            abort(multipart).await;
            return Err(error.into());
        }
        Ok(())
    }

    /// Gives up.
    pub(super) async fn abort(self) {
        if let Some(multipart) = self.multipart {
            abort(multipart).await;
        }
    }
}

async fn abort(mut multipart: Box<dyn MultipartUpload>) {
    if let Err(error) = multipart.abort().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "parts of an upload stay behind");
    }
}
