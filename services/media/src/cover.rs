//! Covers of clips: forms of a picture that a sender gives to a clip, copied beside the clip's bytes.
//!
//! A cover belongs to a reference and not to the clip: another sender of the same clip shows another cover, or none. The
//! copies go with the clip when it is collected or removed.

use barrage_http::ApiError;
use barrage_protocol::{Code, Digest, MediaKind};

use crate::error::store;
use crate::media::Media;
use crate::record::{MediaRecord, Variant};

/// Start of the names of covers, before the digits of the picture.
const START: &str = "cover-";
/// Digits of the picture's digest in a name: 128 bits.
const DIGITS: usize = 32;
/// Names of the picture's forms that a cover has.
const FORMS: [&str; 2] = ["96", "480"];
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

/// Finds a form of a cover beside a clip; `None` for another name, and for one that is not there.
pub(crate) async fn find(media: &Media, clip: Digest, variant: &str) -> Result<Option<Variant>, ApiError> {
    if !is_name(variant) {
        return Ok(None);
    }
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
    format!("{START}{}-{form}", picture.to_string().get(..DIGITS).unwrap_or_default())
}

fn is_name(variant: &str) -> bool {
    let parts = variant.strip_prefix(START).and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(digits, form)| {
        digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && FORMS.contains(&form)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_covers_are_looked_up() {
        let made = name(Digest::new([7; 32]), "480");
        assert_eq!(made, format!("cover-{}-480", "07".repeat(16)));
        assert!(is_name(&made));
        for other in
            ["cover-07-480", "original", "cover-", &made.replace("480", "1280"), &made.replace("07", "../")]
        {
            assert!(!is_name(other), "{other}");
        }
    }
}
