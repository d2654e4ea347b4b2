//! The store of blobs, over one of two engines.

use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{
    ClientOptions, GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt, RetryConfig,
};
use object_store::{MultipartUpload, PutPayload};
use tokio::io::AsyncReadExt;

use crate::config::S3Config;
use crate::error::BlobError;
use crate::name::BlobName;
use crate::pieces::Pieces;

/// Bytes of one part of a large blob on its way to the store: the least that S3 allows. A put holds one part.
const PART_BYTES: usize = 5 << 20;
/// Times the time of one request for which a failed request is tried again.
const RETRY_FACTOR: u32 = 3;
/// Tries of one request after the first.
const RETRIES_MAX: usize = 4;

/// A blob in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Name of the blob in the store.
    pub name: BlobName,
    /// Unix time in milliseconds of its last write, by the clock of the store.
    pub written_ms: u64,
}

/// Returns a time of the store in Unix milliseconds.
fn millis(time: impl Into<std::time::SystemTime>) -> u64 {
    let since = time.into().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A store of blobs. Clones share one engine.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

impl Blobs {
    /// Opens blobs in files of a folder, which is created for its owner alone. A write is synced to the disk.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn files(folder: &Path) -> Result<Self, BlobError> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let store = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(true).with_fsync(true);
        Ok(Blobs { store: Arc::new(store) })
    }

    /// Opens blobs in a bucket. Makes no request.
    ///
    /// # Errors
    /// When the secret cannot be read, or a setting cannot be used.
    pub fn s3(config: &S3Config) -> Result<Self, BlobError> {
        let secret = std::fs::read_to_string(&config.secret_file)
            .map_err(|error| BlobError::Settings(format!("{}: {error}", config.secret_file.display())))?;
        let request = Duration::from_secs(config.request_secs);
        let options = ClientOptions::new()
            .with_timeout(request)
            .with_connect_timeout(request)
            .with_allow_http(config.endpoint.starts_with("http://"));
        let retry = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: request * RETRY_FACTOR,
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(config.endpoint.trim_end_matches('/'))
            .with_region(&config.region)
            .with_bucket_name(&config.bucket)
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(secret.trim())
            .with_virtual_hosted_style_request(config.bucket_in_host)
            .with_client_options(options)
            .with_retry(retry)
            .build()
            .map_err(|error| BlobError::Settings(error.to_string()))?;
        Ok(Blobs { store: Arc::new(store) })
    }

    /// Writes a small blob, which appears whole or not at all.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn put(&self, name: &BlobName, bytes: Bytes) -> Result<(), BlobError> {
        self.store.put(name.path(), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Writes a blob from a file, which appears whole or not at all. Holds one part of 5 MiB in memory.
    ///
    /// # Errors
    /// When the file cannot be read or the engine fails; parts that were written are removed.
    pub async fn put_file(&self, name: &BlobName, file: &Path) -> Result<(), BlobError> {
        let mut file = tokio::fs::File::open(file).await?;
        let first = read_part(&mut file).await?;
        if first.len() < PART_BYTES {
            return self.put(name, first).await;
        }
        let mut upload = self.store.put_multipart(name.path()).await?;
        let sent = send_parts(upload.as_mut(), first, &mut file).await;
        if sent.is_err() {
            // The first failure is the one to report; S3 removes parts without an end by its own rules as well.
            drop(upload.abort().await);
        }
        sent
    }

    /// Returns the length of a blob in bytes; `None` when there is none of this name.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn size(&self, name: &BlobName) -> Result<Option<u64>, BlobError> {
        match self.store.head(name.path()).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a whole blob; `None` when there is none of this name.
    ///
    /// # Errors
    /// When the engine fails, or the blob has more than `bytes_max` bytes.
    pub async fn get(&self, name: &BlobName, bytes_max: u64) -> Result<Option<Bytes>, BlobError> {
        let found = match self.store.get(name.path()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let bytes = found.meta.size;
        if bytes > bytes_max {
            return Err(BlobError::TooLarge { name: name.to_string(), bytes, bytes_max });
        }
        Ok(Some(found.bytes().await?))
    }

    /// Reads a range of a blob in pieces; `None` when there is none of this name. The range lies inside of the blob and
    /// is not empty.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn read(&self, name: &BlobName, range: Range<u64>) -> Result<Option<Pieces>, BlobError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = match self.store.get_opts(name.path(), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let range = found.range.clone();
        Ok(Some(match found.payload {
            GetResultPayload::File(mut file, _) => {
                file.seek(SeekFrom::Start(range.start))?;
                Pieces::of_file(file, range.end - range.start)
            }
            GetResultPayload::Stream(stream) => Pieces::of_stream(stream),
        }))
    }

    /// Removes a blob. One that is not there is no error.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        match self.store.delete(name.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns when a blob was written last; `None` when there is none of this name.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn written_ms(&self, name: &BlobName) -> Result<Option<u64>, BlobError> {
        match self.store.head(name.path()).await {
            Ok(found) => Ok(Some(millis(found.last_modified))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists blobs in a folder and the folders in it, `max` at most.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn list(&self, folder: &BlobName, max: usize) -> Result<Vec<Listed>, BlobError> {
        let mut listed = self.store.list(Some(folder.path())).take(max);
        let mut all = Vec::new();
        while let Some(found) = listed.next().await {
            let found = found?;
            let written_ms = millis(found.last_modified);
            all.extend(BlobName::of(&found.location).map(|name| Listed { name, written_ms }));
        }
        Ok(all)
    }
}

async fn send_parts(
    upload: &mut dyn MultipartUpload,
    first: Bytes,
    file: &mut tokio::fs::File,
) -> Result<(), BlobError> {
    let mut part = first;
    while !part.is_empty() {
        upload.put_part(PutPayload::from(part)).await?;
        part = read_part(file).await?;
    }
    upload.complete().await?;
    Ok(())
}

/// Reads up to one part; fewer bytes at the end of the file.
async fn read_part(file: &mut tokio::fs::File) -> std::io::Result<Bytes> {
    let mut part = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut part).await?;
    Ok(part.into())
}
