//! What is known of a medium, kept beside its bytes in the store.

use barrage_protocol::{Digest, MediaKind, MediaVariant, MediaView};
use barrage_token::Visibility;
use serde::{Deserialize, Serialize};

/// One form of a medium in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    /// Name of the form: the longest side in pixels, or `original`.
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) length: u64,
    /// Entity tag without quotes: it names the bytes, so that a form that was made anew has another one.
    pub(crate) etag: String,
}

/// What is known of a medium. Written last, so that its bytes are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MediaRecord {
    /// SHA-256 of the uploaded bytes.
    pub(crate) digest: Digest,
    /// Length of the uploaded bytes.
    pub(crate) length: u64,
    pub(crate) kind: MediaKind,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) is_animated: bool,
    /// Thumbhash of a picture, in Base64.
    pub(crate) thumbhash: Option<String>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) created_ms: u64,
}

impl MediaRecord {
    /// Returns what a client draws, without addresses.
    pub(crate) fn view(&self, visibility: Visibility) -> MediaView {
        let variant = |variant: &Variant| MediaVariant {
            name: variant.name.clone(),
            media_type: variant.media_type.clone(),
            length: variant.length,
            url: String::new(),
        };
        MediaView {
            digest: self.digest,
            kind: self.kind,
            width: self.width,
            height: self.height,
            is_animated: self.is_animated,
            is_public: visibility == Visibility::Public,
            thumbhash: self.thumbhash.clone(),
            variants: self.variants.iter().map(variant).collect(),
        }
    }

    /// Returns the name under which a browser saves a variant.
    pub(crate) fn file_name(&self, variant: &Variant) -> String {
        let extension = match variant.media_type.as_str() {
            "image/webp" => "webp",
            "image/gif" => "gif",
            "video/mp4" => "mp4",
            "video/webm" | "audio/webm" => "webm",
            "audio/mp4" => "m4a",
            "audio/mpeg" => "mp3",
            "audio/ogg" => "ogg",
            "application/pdf" => "pdf",
            _ => "bin",
        };
        let digest = self.digest.to_string();
        format!("{}.{extension}", digest.get(..16).unwrap_or_default())
    }
}
