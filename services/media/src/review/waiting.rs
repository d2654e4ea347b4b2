//! The blobs of reviews: what waits, and what a moderator has denied.

use barrage_blob::BlobName;
use barrage_http::ApiError;
use barrage_protocol::{Code, Digest, MediaKind, UserId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::store;
use crate::media::Media;

/// Folder of the media that wait.
pub(super) const WAITING: &str = "reviews";
/// Folder of the media that a moderator has denied. A denial lasts until it is lifted.
const DENIED: &str = "denials";
/// Largest blob of a review in bytes.
const BYTES_MAX: u64 = 4_096;

/// A medium that waits for a moderator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    pub(crate) digest: Digest,
    /// User who has uploaded the medium first.
    pub(crate) user: UserId,
    pub(crate) kind: MediaKind,
    /// Unix time in milliseconds of the check.
    pub(crate) since_ms: u64,
}

/// Writes that a medium waits.
pub(crate) async fn put(media: &Media, waiting: &Waiting) -> Result<(), ApiError> {
    let bytes =
        serde_json::to_vec(waiting).map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
    media.blobs.put(&name(WAITING, waiting.digest)?, Bytes::from(bytes)).await.map_err(store)
}

/// Returns whether a medium waits for a moderator.
pub(crate) async fn is_waiting(media: &Media, digest: Digest) -> Result<bool, ApiError> {
    Ok(media.blobs.size(&name(WAITING, digest)?).await.map_err(store)?.is_some())
}

/// Reads a medium that waits; `None` for any other, and for a blob that cannot be read.
pub(super) async fn get(media: &Media, blob: &BlobName) -> Result<Option<Waiting>, ApiError> {
    let bytes = media.blobs.get(blob, BYTES_MAX).await.map_err(store)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Removes the mark of a medium that waits.
pub(super) async fn remove(media: &Media, digest: Digest) -> Result<(), ApiError> {
    media.blobs.delete(&name(WAITING, digest)?).await.map_err(store)
}

/// Returns whether a moderator has denied a medium.
pub(crate) async fn is_denied(media: &Media, digest: Digest) -> Result<bool, ApiError> {
    Ok(media.blobs.size(&name(DENIED, digest)?).await.map_err(store)?.is_some())
}

/// Writes that a moderator has denied a medium.
pub(super) async fn deny(media: &Media, digest: Digest) -> Result<(), ApiError> {
    media.blobs.put(&name(DENIED, digest)?, Bytes::from_static(b"1")).await.map_err(store)
}

/// Removes the denial of a medium. Returns whether there was one.
pub(crate) async fn lift(media: &Media, digest: Digest) -> Result<bool, ApiError> {
    let was_denied = is_denied(media, digest).await?;
    media.blobs.delete(&name(DENIED, digest)?).await.map_err(store)?;
    Ok(was_denied)
}

/// Returns the blob of a medium in one of the folders.
pub(super) fn name(folder: &str, digest: Digest) -> Result<BlobName, ApiError> {
    let text = digest.to_string();
    let start = text.get(..2).unwrap_or_default();
    BlobName::parse(&format!("{folder}/{start}/{text}"))
        .map_err(|_| ApiError::new(Code::Internal, "a review has no name in the store"))
}
