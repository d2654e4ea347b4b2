//! The blobs of reviews: what waits, and what was denied.

use barrage_blob::BlobName;
use barrage_http::ApiError;
use barrage_protocol::{Code, Digest, MediaKind, UserId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::store;
use crate::media::Media;

/// Folder of the media that wait.
pub(super) const WAITING: &str = "reviews";
/// Folder of the media that a moderator or the hook has denied. A denial lasts until it is lifted.
const DENIED: &str = "denials";
/// Largest blob of a review in bytes.
const BYTES_MAX: u64 = 4_096;

/// A medium that waits for the hook or a moderator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    pub(crate) digest: Digest,
    /// User who has uploaded the medium first.
    pub(crate) user: UserId,
    pub(crate) kind: MediaKind,
    /// Unix time in milliseconds of the check.
    pub(crate) since_ms: u64,
    /// Whether the answer of the hook is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_unanswered: bool,
    /// Reason that the hook gave, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// Who decides about a medium that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// The hook, which has not answered, or a moderator who is faster.
    Hook,
    /// A moderator, because the hook was not asked or left it open.
    Moderator,
}

/// Writes that a medium waits.
pub(crate) async fn put(media: &Media, waiting: &Waiting) -> Result<(), ApiError> {
    let bytes =
        serde_json::to_vec(waiting).map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
    media.blobs.put(&name(WAITING, waiting.digest)?, Bytes::from(bytes)).await.map_err(store)
}

/// Returns who decides about a medium; `None` for one that waits for nobody. A mark that cannot be read waits for a
/// moderator.
pub(crate) async fn awaited(media: &Media, digest: Digest) -> Result<Option<Awaits>, ApiError> {
    let mark = media.blobs.get(&name(WAITING, digest)?, BYTES_MAX).await.map_err(store)?;
    Ok(mark.map(|bytes| match serde_json::from_slice::<Waiting>(&bytes) {
        Ok(waiting) if waiting.is_unanswered => Awaits::Hook,
        _ => Awaits::Moderator,
    }))
}

/// Reads the mark of a medium; `None` for one that waits for nobody, and for a mark that cannot be read.
pub(super) async fn read(media: &Media, digest: Digest) -> Result<Option<Waiting>, ApiError> {
    get(media, &name(WAITING, digest)?).await
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

/// Returns whether a moderator or the hook has denied a medium.
pub(crate) async fn is_denied(media: &Media, digest: Digest) -> Result<bool, ApiError> {
    Ok(media.blobs.size(&name(DENIED, digest)?).await.map_err(store)?.is_some())
}

/// Writes that a medium was denied.
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
