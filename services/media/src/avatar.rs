//! Avatars: which picture each user has, and who has a picture.
//!
//! Two blobs say it: a mark of the user in the folder of the picture's owners, which counts as a use, and a pointer of the
//! user to the picture. The mark is written first, so that a crash leaves a mark too many, which the collection removes,
//! and never a pointer to a picture that is collected. The mark has the id of its user, so that the collection finds the
//! avatars of users who were erased.

use barrage_blob::BlobName;
use barrage_http::ApiError;
use barrage_protocol::digest::hex;
use barrage_protocol::{Code, Digest, UserId};
use bytes::Bytes;

use crate::error::store;
use crate::media::Media;
use crate::uses::Uses;

/// Start of the names of marks, before the hash of the user.
const MARK: &str = "avatar-";
/// Blobs in a folder of owners that are looked at: beyond, an avatar that many have uploaded may be missed.
const OWNERS_MAX: usize = 10_000;
/// Largest mark in bytes: the id of a user.
const MARK_BYTES_MAX: u64 = 1_024;
/// Age after which a mark without its pointer is one that a crash has left.
const MARK_MS: u64 = 120_000;

/// Makes a picture the avatar of a user, and releases the one before.
pub(crate) async fn set(media: &Media, digest: Digest, user: &UserId) -> Result<(), ApiError> {
    let id = Bytes::from(user.as_str().to_owned());
    let user = hash(user);
    let before = pointed(media, &user).await?;
    media.touch(digest).await?;
    media.blobs.put(&mark(digest, &user)?, id).await.map_err(store)?;
    media.blobs.put(&pointer(&user)?, Bytes::from(digest.to_string())).await.map_err(store)?;
    media.avatars.insert(digest, true).await;
    match before.filter(|before| *before != digest) {
        Some(before) => release(media, before, &user).await,
        None => Ok(()),
    }
}

/// Takes the avatar of a user away; does nothing for a user without one.
pub(crate) async fn remove(media: &Media, user: &UserId) -> Result<(), ApiError> {
    let user = hash(user);
    let Some(before) = pointed(media, &user).await? else { return Ok(()) };
    media.blobs.delete(&pointer(&user)?).await.map_err(store)?;
    release(media, before, &user).await
}

/// Returns whether a picture is the avatar of somebody. Another process sees a change after 30 seconds at most.
pub(crate) async fn is_one(media: &Media, digest: Digest) -> Result<bool, ApiError> {
    if let Some(known) = media.avatars.get(&digest).await {
        return Ok(known);
    }
    let is_one = !marks(media, digest).await?.is_empty();
    media.avatars.insert(digest, is_one).await;
    Ok(is_one)
}

/// Returns whether an avatar uses a picture. Removes the marks of users who have another one, and the avatars of users
/// who were erased.
pub(crate) async fn is_used(media: &Media, uses: &dyn Uses, digest: Digest) -> Result<bool, ApiError> {
    let mut is_used = false;
    for (user, name, written_ms) in marks(media, digest).await? {
        let is_pointed = pointed(media, &user).await? == Some(digest);
        if is_pointed && is_of_erased(media, uses, &user, &name).await? {
            media.blobs.delete(&pointer(&user)?).await.map_err(store)?;
            release(media, digest, &user).await?;
            continue;
        }
        let is_new = written_ms.saturating_add(MARK_MS) > barrage_clock::unix_ms();
        if is_new || is_pointed {
            is_used = true;
        } else {
            media.blobs.delete(&name).await.map_err(store)?;
        }
    }
    Ok(is_used)
}

/// Returns whether the user of a mark was erased. A mark of before this version has no id, and its user is kept.
async fn is_of_erased(media: &Media, uses: &dyn Uses, user: &str, mark: &BlobName) -> Result<bool, ApiError> {
    let Some(bytes) = media.blobs.get(mark, MARK_BYTES_MAX).await.map_err(store)? else { return Ok(false) };
    let id = std::str::from_utf8(&bytes).ok().and_then(|id| UserId::parse(id).ok());
    match id.filter(|id| hash(id) == user) {
        Some(id) => {
            let erased = uses.is_erased(&id).await;
            erased.map_err(|error| ApiError::new(Code::Unavailable, error.to_string()))
        }
        None => Ok(false),
    }
}

async fn release(media: &Media, digest: Digest, user: &str) -> Result<(), ApiError> {
    media.blobs.delete(&mark(digest, user)?).await.map_err(store)?;
    media.avatars.remove(&digest).await;
    Ok(())
}

/// Returns the marks of a picture, each with the hash of its user and the time of its write.
async fn marks(media: &Media, digest: Digest) -> Result<Vec<(String, BlobName, u64)>, ApiError> {
    let text = digest.to_string();
    let folder = name(&format!("refs/{}/{text}", start(&text)))?;
    let listed = media.blobs.list(&folder, OWNERS_MAX).await.map_err(store)?;
    let marks = listed.into_iter().filter_map(|blob| {
        let (_, last) = blob.name.as_str().rsplit_once('/')?;
        let user = last.strip_prefix(MARK)?.to_owned();
        Some((user, blob.name, blob.written_ms))
    });
    Ok(marks.collect())
}

/// Returns the picture that a user has.
async fn pointed(media: &Media, user: &str) -> Result<Option<Digest>, ApiError> {
    let found = media.blobs.get(&pointer(user)?, 64).await.map_err(store)?;
    Ok(found.and_then(|text| Digest::parse(std::str::from_utf8(&text).ok()?).ok()))
}

fn mark(digest: Digest, user: &str) -> Result<BlobName, ApiError> {
    let text = digest.to_string();
    name(&format!("refs/{}/{text}/{MARK}{user}", start(&text)))
}

fn pointer(user: &str) -> Result<BlobName, ApiError> {
    name(&format!("avatars/{}/{user}", start(user)))
}

fn start(text: &str) -> &str {
    text.get(..2).unwrap_or_default()
}

fn name(text: &str) -> Result<BlobName, ApiError> {
    BlobName::parse(text).map_err(|_| ApiError::new(Code::Internal, "an avatar has no name"))
}

/// Returns the name of a user in blobs: an id may have characters that a name has not.
fn hash(user: &UserId) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, user.as_str().as_bytes());
    hex(&hash.as_ref()[..16])
}
