//! Covers of clips: forms of a picture that a sender gives to a clip, copied beside the clip's bytes.
//!
//! A cover belongs to a reference and not to the clip: another sender of the same clip shows another cover, or none. The
//! copies go with the clip when it is collected or removed.

use barrage_blob::BlobName;
use barrage_http::ApiError;
use barrage_protocol::{Code, Digest, MediaKind};

use crate::error::store;
use crate::media::Media;
use crate::record::{MediaRecord, Variant};

/// Start of the names of covers, before the digest of the picture.
const START: &str = "cover-";
/// Names of the picture's forms that a cover has.
const FORMS: [&str; 2] = ["96", "480"];
/// Blobs beside a clip from which on it gets no further cover: later senders show it without one.
const BLOBS_MAX: usize = 1_000;
/// Largest form that is copied, in bytes; a larger one is left out.
const FORM_BYTES_MAX: u64 = 1 << 20;

/// Copies the forms of a picture beside a clip. Returns the clip as its message shows it: the cover's forms first, with its
/// size and its placeholder.
///
/// # Errors
/// A refusal of a cover for something else than a clip, and of a cover that is no picture.
pub(crate) async fn give(
    media: &Media,
    clip: &MediaRecord,
    picture: &MediaRecord,
) -> Result<MediaRecord, ApiError> {
    if clip.kind != MediaKind::Video {
        return Err(ApiError::new(Code::BadRequest, "cover: only a clip has a cover"));
    }
    if picture.kind != MediaKind::Image {
        return Err(ApiError::new(Code::BadRequest, "cover: the cover of a clip is a picture"));
    }
    let mut variants = Vec::new();
    for form in picture.variants.iter().filter(|form| FORMS.contains(&form.name.as_str())) {
        let name = name(picture.digest, &form.name);
        let to = Media::blob(clip.digest, &name)?;
        if media.blobs.size(&to).await.map_err(store)?.is_none() {
            if !has_room(media, clip.digest).await? {
                return Ok(clip.clone());
            }
            let from = Media::blob(picture.digest, &form.name)?;
            let Some(bytes) = media.blobs.get(&from, FORM_BYTES_MAX).await.map_err(store)? else { continue };
            media.blobs.put(&to, bytes).await.map_err(store)?;
        }
        variants.push(Variant { name, ..form.clone() });
    }
    variants.extend(clip.variants.iter().cloned());
    Ok(MediaRecord {
        width: picture.width,
        height: picture.height,
        thumbhash: picture.thumbhash.clone(),
        variants,
        ..clip.clone()
    })
}

/// Whether a clip may get further covers.
async fn has_room(media: &Media, clip: Digest) -> Result<bool, ApiError> {
    let text = clip.to_string();
    let folder = format!("media/{}/{text}", text.get(..2).unwrap_or_default());
    let folder =
        BlobName::parse(&folder).map_err(|_| ApiError::new(Code::NotFound, "there is no such clip"))?;
    let listed = media.blobs.list(&folder, BLOBS_MAX).await.map_err(store)?;
    Ok(listed.len() < BLOBS_MAX)
}

/// Finds a form of a cover beside a clip; `None` for another name, and for one that is not there.
///
/// # Errors
/// A refusal of a cover whose picture was denied or removed everywhere: its copies are not read any more either.
pub(crate) async fn find(media: &Media, clip: Digest, variant: &str) -> Result<Option<Variant>, ApiError> {
    let Some(picture) = picture(variant) else { return Ok(None) };
    media.refuse_denied(picture)?;
    let length = media.blobs.size(&Media::blob(clip, variant)?).await.map_err(store)?;
    // The name has the digest of the picture, so that it names the bytes.
    Ok(length.map(|length| Variant {
        name: variant.to_owned(),
        media_type: "image/webp".to_owned(),
        length,
        etag: variant.to_owned(),
    }))
}

fn name(picture: Digest, form: &str) -> String {
    format!("{START}{picture}-{form}")
}

/// Returns the picture of a cover's name; `None` for another name.
fn picture(variant: &str) -> Option<Digest> {
    let (digits, form) = variant.strip_prefix(START)?.split_once('-')?;
    FORMS.contains(&form).then(|| Digest::parse(digits).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_covers_are_looked_up() {
        let made = name(Digest::new([7; 32]), "480");
        assert_eq!(made, format!("cover-{}-480", "07".repeat(32)));
        assert_eq!(picture(&made), Some(Digest::new([7; 32])));
        for other in
            ["cover-07-480", "original", "cover-", &made.replace("480", "1280"), &made.replace("07", "../")]
        {
            assert_eq!(picture(other), None, "{other}");
        }
    }
}
