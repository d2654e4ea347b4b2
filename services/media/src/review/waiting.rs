//! The blobs of reviews: what waits, what the hook answered, and what was denied.
//!
//! The check alone writes the mark of a medium that waits, and a decision removes it. The answer of the hook is a blob
//! beside the mark, so that a late answer cannot write back a mark that a decision has removed: the store has no
//! write with a condition in files.

use barrage_blob::{BlobName, Blobs};
use barrage_http::ApiError;
use barrage_protocol::{Code, Digest, MediaKind, UserId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::store;

/// Folder of the media that wait.
pub(super) const WAITING: &str = "reviews";
/// Folder of the answers with which the hook leaves a medium to a moderator.
const ANSWERS: &str = "review-answers";
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

/// Answer of the hook that leaves a medium to a moderator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HookAnswer {
    /// `since_ms` of the mark. The answer counts for this mark alone: a crash may leave it behind its mark.
    since_ms: u64,
    /// Reason that the hook gave, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
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
pub(crate) async fn put(blobs: &Blobs, waiting: &Waiting) -> Result<(), ApiError> {
    write(blobs, &name(WAITING, waiting.digest)?, waiting).await
}

/// Writes that the hook leaves a medium to a moderator. A decision that came first stays: the answer is removed then.
pub(super) async fn leave(blobs: &Blobs, waiting: &Waiting, reason: Option<String>) -> Result<(), ApiError> {
    let answer = name(ANSWERS, waiting.digest)?;
    write(blobs, &answer, &HookAnswer { since_ms: waiting.since_ms, reason }).await?;
    // Written first, looked for then: a decision removes the mark first, and the answer then.
    if blobs.size(&name(WAITING, waiting.digest)?).await.map_err(store)?.is_none() {
        blobs.delete(&answer).await.map_err(store)?;
    }
    Ok(())
}

/// Returns who decides about a medium; `None` for one that waits for nobody. A mark that cannot be read waits for a
/// moderator.
pub(crate) async fn awaited(blobs: &Blobs, digest: Digest) -> Result<Option<Awaits>, ApiError> {
    let Some(mark) = blobs.get(&name(WAITING, digest)?, BYTES_MAX).await.map_err(store)? else {
        return Ok(None);
    };
    let Ok(waiting) = serde_json::from_slice(&mark) else { return Ok(Some(Awaits::Moderator)) };
    let is_unanswered = with_answer(blobs, waiting).await?.is_unanswered;
    Ok(Some(if is_unanswered { Awaits::Hook } else { Awaits::Moderator }))
}

/// Reads the mark of a medium that waits for the hook; `None` for any other, and for a mark that cannot be read.
pub(super) async fn unanswered(blobs: &Blobs, digest: Digest) -> Result<Option<Waiting>, ApiError> {
    Ok(get(blobs, &name(WAITING, digest)?).await?.filter(|waiting| waiting.is_unanswered))
}

/// Reads a medium that waits; `None` for any other, and for a blob that cannot be read.
pub(super) async fn get(blobs: &Blobs, blob: &BlobName) -> Result<Option<Waiting>, ApiError> {
    match read(blobs, blob).await? {
        Some(waiting) => with_answer(blobs, waiting).await.map(Some),
        None => Ok(None),
    }
}

/// Adds the answer of the hook to a mark, if there is one.
async fn with_answer(blobs: &Blobs, waiting: Waiting) -> Result<Waiting, ApiError> {
    if !waiting.is_unanswered {
        return Ok(waiting);
    }
    let answer: Option<HookAnswer> = read(blobs, &name(ANSWERS, waiting.digest)?).await?;
    Ok(match answer.filter(|answer| answer.since_ms == waiting.since_ms) {
        Some(HookAnswer { reason, .. }) => Waiting { is_unanswered: false, reason, ..waiting },
        None => waiting,
    })
}

/// Removes the mark of a medium that waits, and the answer of the hook.
pub(super) async fn remove(blobs: &Blobs, digest: Digest) -> Result<(), ApiError> {
    blobs.delete(&name(WAITING, digest)?).await.map_err(store)?;
    blobs.delete(&name(ANSWERS, digest)?).await.map_err(store)
}

async fn write(blobs: &Blobs, blob: &BlobName, value: &impl Serialize) -> Result<(), ApiError> {
    let bytes =
        serde_json::to_vec(value).map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
    blobs.put(blob, Bytes::from(bytes)).await.map_err(store)
}

async fn read<T: serde::de::DeserializeOwned>(blobs: &Blobs, blob: &BlobName) -> Result<Option<T>, ApiError> {
    let bytes = blobs.get(blob, BYTES_MAX).await.map_err(store)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Returns whether a moderator or the hook has denied a medium.
pub(crate) async fn is_denied(blobs: &Blobs, digest: Digest) -> Result<bool, ApiError> {
    Ok(blobs.size(&name(DENIED, digest)?).await.map_err(store)?.is_some())
}

/// Writes that a medium was denied.
pub(super) async fn deny(blobs: &Blobs, digest: Digest) -> Result<(), ApiError> {
    blobs.put(&name(DENIED, digest)?, Bytes::from_static(b"1")).await.map_err(store)
}

/// Removes the denial of a medium. Returns whether there was one.
pub(crate) async fn lift(blobs: &Blobs, digest: Digest) -> Result<bool, ApiError> {
    let was_denied = is_denied(blobs, digest).await?;
    blobs.delete(&name(DENIED, digest)?).await.map_err(store)?;
    Ok(was_denied)
}

/// Returns the blob of a medium in one of the folders.
pub(super) fn name(folder: &str, digest: Digest) -> Result<BlobName, ApiError> {
    let text = digest.to_string();
    let start = text.get(..2).unwrap_or_default();
    BlobName::parse(&format!("{folder}/{start}/{text}"))
        .map_err(|_| ApiError::new(Code::Internal, "a review has no name in the store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: Digest = Digest::new([7; 32]);

    fn waiting(since_ms: u64) -> Waiting {
        let user = "ann".parse().unwrap();
        Waiting { digest: DIGEST, user, kind: MediaKind::Image, since_ms, is_unanswered: true, reason: None }
    }

    #[tokio::test]
    async fn answer_behind_a_decision_brings_no_mark_back() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::files(folder.path()).unwrap();
        put(&blobs, &waiting(1)).await.unwrap();
        let asked = unanswered(&blobs, DIGEST).await.unwrap().unwrap();
        remove(&blobs, DIGEST).await.unwrap();
        leave(&blobs, &asked, Some("late".into())).await.unwrap();
        assert_eq!(awaited(&blobs, DIGEST).await.unwrap(), None);
        assert_eq!(blobs.size(&name(ANSWERS, DIGEST).unwrap()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn answer_counts_for_its_own_mark_alone() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::files(folder.path()).unwrap();
        put(&blobs, &waiting(1)).await.unwrap();
        assert_eq!(awaited(&blobs, DIGEST).await.unwrap(), Some(Awaits::Hook));
        leave(&blobs, &waiting(1), Some("a weapon".into())).await.unwrap();
        assert_eq!(awaited(&blobs, DIGEST).await.unwrap(), Some(Awaits::Moderator));
        let found = get(&blobs, &name(WAITING, DIGEST).unwrap()).await.unwrap().unwrap();
        assert_eq!((found.is_unanswered, found.reason.as_deref()), (false, Some("a weapon")));
        // The mark of a later check, with the answer that a crash has left.
        put(&blobs, &waiting(2)).await.unwrap();
        assert_eq!(awaited(&blobs, DIGEST).await.unwrap(), Some(Awaits::Hook));
        assert_eq!(unanswered(&blobs, DIGEST).await.unwrap(), Some(waiting(2)));
    }
}
