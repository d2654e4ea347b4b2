//! What a file is, by its first bytes.

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, MediaKind};
use serde::{Deserialize, Serialize};

/// Bytes of a file that are looked at.
pub(super) const LOOKED_AT_BYTES: usize = 8 * 1024;

/// A format of pictures that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    Gif,
    Jpeg,
    Png,
    Webp,
}

/// What a file is, and how it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Decoded, and written anew.
    Picture(Format),
    /// A clip or sound in the boxes of MP4, whose index must be at its start.
    Boxes(MediaKind, &'static str),
    /// Delivered as it is.
    Plain(MediaKind, &'static str),
}

impl Found {
    const fn kind(self) -> MediaKind {
        match self {
            Found::Picture(_) => MediaKind::Image,
            Found::Boxes(kind, _) | Found::Plain(kind, _) => kind,
        }
    }
}

/// Finds out what a file is. The type that the client declares chooses between the sound and the clip of one container,
/// and must agree with what is found.
pub(super) fn find(start: &[u8], declared: Option<&str>) -> Result<Found, Refusal> {
    let is_sound = declared.is_some_and(|declared| declared.starts_with("audio/"));
    let found = match infer::get(start).map(|found| found.mime_type()) {
        Some("image/gif") => Found::Picture(Format::Gif),
        Some("image/jpeg") => Found::Picture(Format::Jpeg),
        Some("image/png") => Found::Picture(Format::Png),
        Some("image/webp") => Found::Picture(Format::Webp),
        Some("video/mp4" | "video/quicktime" | "video/x-m4v") if is_sound => {
            Found::Boxes(MediaKind::Audio, "audio/mp4")
        }
        Some("video/mp4" | "video/quicktime" | "video/x-m4v") => Found::Boxes(MediaKind::Video, "video/mp4"),
        Some("audio/m4a" | "audio/mp4" | "audio/x-m4a") => Found::Boxes(MediaKind::Audio, "audio/mp4"),
        Some("video/webm" | "video/x-matroska") if is_sound => Found::Plain(MediaKind::Audio, "audio/webm"),
        Some("video/webm") => Found::Plain(MediaKind::Video, "video/webm"),
        Some("audio/mpeg") => Found::Plain(MediaKind::Audio, "audio/mpeg"),
        Some("audio/ogg" | "audio/opus" | "application/ogg" | "video/ogg") => {
            Found::Plain(MediaKind::Audio, "audio/ogg")
        }
        Some("application/pdf") => Found::Plain(MediaKind::File, "application/pdf"),
        _ => Found::Plain(MediaKind::File, "application/octet-stream"),
    };
    let declared_kind = match declared.and_then(|declared| declared.split('/').next()) {
        Some("image") if declared == Some("image/svg+xml") => MediaKind::File,
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        _ => return Ok(found),
    };
    if declared_kind != found.kind() {
        let declared = declared.unwrap_or_default();
        let message =
            format!("the bytes are not of the type {declared}, or of a kind of it that is not shown here");
        return Err(Refusal::new(Code::UnsupportedMedia, message));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isommp42";
    const GIF_JS: &[u8] = b"GIF89a/*\0\0\0\0\0*/=1;alert(1)";

    #[test]
    fn bytes_decide_and_the_declared_type_must_agree() {
        assert_eq!(find(PNG, None), Ok(Found::Picture(Format::Png)));
        assert_eq!(find(PNG, Some("image/jpeg")), Ok(Found::Picture(Format::Png)), "both are pictures");
        assert_eq!(find(GIF_JS, None), Ok(Found::Picture(Format::Gif)), "decoded, and written anew");
        assert_eq!(find(MP4, None), Ok(Found::Boxes(MediaKind::Video, "video/mp4")));
        assert_eq!(find(MP4, Some("audio/mp4")), Ok(Found::Boxes(MediaKind::Audio, "audio/mp4")));
        for (bytes, declared) in
            [(PNG, "video/mp4"), (MP4, "image/png"), (&b"<html>"[..], "image/png"), (b"", "audio/ogg")]
        {
            assert_eq!(find(bytes, Some(declared)).unwrap_err().code, Code::UnsupportedMedia, "{declared}");
        }
    }

    #[test]
    fn pages_scripts_and_archives_are_files() {
        let file = Ok(Found::Plain(MediaKind::File, "application/octet-stream"));
        for bytes in [
            &b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>"[..],
            b"<html><script>",
            b"PK\x03\x04",
            b"MZ",
            b"",
        ] {
            assert_eq!(find(bytes, None), file);
            assert_eq!(find(bytes, Some("text/html")), file);
        }
        assert_eq!(find(b"<svg>", Some("image/svg+xml")), file);
        assert_eq!(find(b"%PDF-1.7 PK\x03\x04", None), Ok(Found::Plain(MediaKind::File, "application/pdf")));
    }
}
