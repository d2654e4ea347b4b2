//! The steps of a removal. Each may be the last one before a crash: the next walk goes on from what the store has.

use barrage_blob::{BlobError, BlobName};
use barrage_protocol::Digest;
use bytes::Bytes;

use super::folder::{Folder, Next, folders};
use crate::avatar;
use crate::marks::{CONDEMNED, RECORD};
use crate::media::Media;
use crate::metrics::Collected;
use crate::uses::{Uses, UsesError};

/// Maximum blobs of one medium, and maximum users who uploaded it, that one step removes.
const BLOBS_MAX: usize = 10_000;

/// Why a step failed. The next walk tries it again.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Store(#[from] BlobError),
    #[error(transparent)]
    Uses(#[from] UsesError),
    #[error("{0}")]
    Name(String),
}

/// Takes the next step with a medium. Returns what became of it; `None` when it stays.
pub(super) async fn step(
    media: &Media,
    uses: &dyn Uses,
    digest: Digest,
    folder: Folder,
) -> Result<Option<Collected>, StepError> {
    let now_ms = barrage_clock::unix_ms();
    match folder.next(now_ms, media.unused_ms()) {
        Next::Keep => Ok(None),
        Next::Forget => {
            media.blobs.delete(&name(digest, CONDEMNED)?).await?;
            Ok(None)
        }
        Next::Erase => erase(media, digest).await.map(|()| Some(Collected::Unused)),
        Next::Ask => {
            // Public media are used where no table says so, such as in pages of the platform.
            let public = Media::reference(digest, None).map_err(|error| StepError::Name(error.0.message))?;
            let is_avatar = async || {
                avatar::is_used(media, uses, digest).await.map_err(|error| StepError::Name(error.0.message))
            };
            // First, because it also removes the avatars of users who were erased.
            if is_avatar().await?
                || media.blobs.size(&public).await?.is_some()
                || uses.is_used(digest).await?
            {
                return Ok(None);
            }
            media.blobs.put(&name(digest, CONDEMNED)?, Bytes::from_static(b"1")).await?;
            look(media, uses, digest).await.map(Some)
        }
        Next::Look => look(media, uses, digest).await.map(Some),
    }
}

/// Looks at a condemned medium once more: it is erased, or spared when somebody was about to use it.
async fn look(media: &Media, uses: &dyn Uses, digest: Digest) -> Result<Collected, StepError> {
    let listed = media.blobs.list(&folder_of(digest)?, BLOBS_MAX).await?;
    let now = folders(&listed).remove(&digest).unwrap_or_default();
    let is_new = now.newest_ms.saturating_add(media.unused_ms()) > barrage_clock::unix_ms();
    if is_new || uses.is_used(digest).await? {
        media.blobs.delete(&name(digest, CONDEMNED)?).await?;
        return Ok(Collected::Spared);
    }
    erase(media, digest).await?;
    Ok(Collected::Unused)
}

/// Returns whether the store has anything of a medium but the mark.
pub(super) async fn is_there(media: &Media, digest: Digest) -> Result<bool, StepError> {
    let mark = name(digest, CONDEMNED)?;
    for folder in [folder_of(digest)?, owners_of(digest)?] {
        if media.blobs.list(&folder, 2).await?.iter().any(|blob| blob.name != mark) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a medium: its record first, so that nobody finds it, and its owners last. The mark stays for a while.
pub(super) async fn erase(media: &Media, digest: Digest) -> Result<(), StepError> {
    let mark = name(digest, CONDEMNED)?;
    media.blobs.put(&mark, Bytes::from_static(b"1")).await?;
    media.blobs.delete(&name(digest, RECORD)?).await?;
    media.forget_record(digest).await;
    for folder in [folder_of(digest)?, owners_of(digest)?] {
        for blob in media.blobs.list(&folder, BLOBS_MAX).await? {
            if blob.name != mark {
                media.blobs.delete(&blob.name).await?;
            }
        }
    }
    Ok(())
}

fn name(digest: Digest, part: &str) -> Result<BlobName, StepError> {
    Media::blob(digest, part).map_err(|error| StepError::Name(error.0.message))
}

fn folder_of(digest: Digest) -> Result<BlobName, StepError> {
    folder("media", digest)
}

fn owners_of(digest: Digest) -> Result<BlobName, StepError> {
    folder("refs", digest)
}

fn folder(root: &str, digest: Digest) -> Result<BlobName, StepError> {
    let text = digest.to_string();
    let start = text.get(..2).unwrap_or_default();
    BlobName::parse(&format!("{root}/{start}/{text}")).map_err(|error| StepError::Name(error.to_string()))
}
