//! What a moderator sees and decides.

use std::sync::Arc;

use barrage_blob::BlobName;
use barrage_http::ApiError;
use barrage_protocol::{Code, Digest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::waiting::{self, WAITING, Waiting};
use crate::collect::erase;
use crate::error::store;
use crate::media::Media;
use crate::record::MediaRecord;

/// Media that one list looks at. More that wait come after decisions about these.
const LOOKED_AT_MAX: usize = 1_000;
/// Time in milliseconds after which a mark without a medium is removed: the check writes the mark first.
const WRITTEN_WITHIN_MS: u64 = 3_600_000;

/// What a moderator decides about a medium that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// The sender may send the medium.
    Approve,
    /// The medium is removed from the store, and its file is refused from now on.
    Deny,
}

/// Returns the media that wait, the oldest first, `max` at most.
pub(crate) async fn list(media: &Media, max: usize) -> Result<Vec<(Waiting, Arc<MediaRecord>)>, ApiError> {
    let folder =
        BlobName::parse(WAITING).map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
    let mut listed = media.blobs.list(&folder, LOOKED_AT_MAX).await.map_err(store)?;
    listed.sort_by_key(|blob| blob.written_ms);
    let mut found = Vec::new();
    for blob in listed {
        if found.len() == max {
            break;
        }
        let Some(waits) = waiting::get(&media.blobs, &blob.name).await? else { continue };
        match media.record(waits.digest).await? {
            Some(record) => found.push((waits, record)),
            // The medium is written after the mark, or was removed as unused.
            None if blob.written_ms.saturating_add(WRITTEN_WITHIN_MS) < barrage_clock::unix_ms() => {
                waiting::remove(&media.blobs, waits.digest).await?;
            }
            None => {}
        }
    }
    Ok(found)
}

/// Decides about a medium that waits. The first decision counts.
pub(crate) async fn decide(media: &Media, digest: Digest, decision: Decision) -> Result<(), ApiError> {
    let waits = waiting::awaited(&media.blobs, digest).await?;
    if waits.is_none() || media.record(digest).await?.is_none() {
        let message = "no medium of this digest waits for a moderator; list what waits";
        return Err(ApiError::new(Code::NotFound, message));
    }
    match decision {
        Decision::Approve => waiting::remove(&media.blobs, digest).await?,
        Decision::Deny => deny(media, digest).await?,
    }
    media.decided.notify_one();
    Ok(())
}

/// Denies a medium for good. The denial is written first: after a crash, what is left is refused by its digest.
pub(super) async fn deny(media: &Media, digest: Digest) -> Result<(), ApiError> {
    waiting::deny(&media.blobs, digest).await?;
    erase(media, digest).await?;
    waiting::remove(&media.blobs, digest).await
}
