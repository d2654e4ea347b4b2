//! Uploads and media as answers show them.

use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use schemars::JsonSchema;
use serde::Serialize;

use crate::media::Media;
use crate::record::{Kind, MediaRecord};
use crate::spool::Upload;
use crate::upload::{Stage, Visibility};

/// An upload as its sender sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UploadView {
    /// Id of the upload, the last part of its URL.
    id: String,
    /// How far the upload has come.
    state: State,
    /// Bytes that have arrived.
    offset: u64,
    /// Bytes of the whole upload.
    length: u64,
    /// Unix time in milliseconds after which the upload is forgotten; its medium stays.
    expires_ms: u64,
    /// Name of the file, without folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The medium, once the check has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<MediaView>,
    /// Why the check refused the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
}

/// How far an upload has come.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum State {
    /// The client has more bytes to send.
    Receiving,
    /// A part with all its bytes, which waits for the join.
    Whole,
    /// All bytes are there, and the check has not ended.
    Checking,
    /// The medium can be sent and seen.
    Ready,
    /// The check refused the file.
    Refused,
}

/// A medium with the addresses of its variants.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MediaView {
    /// SHA-256 of the uploaded bytes, by which the medium is named.
    pub digest: String,
    /// What a client shows it as.
    pub kind: Kind,
    /// Width in pixels, of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels, of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether the picture moves.
    pub is_animated: bool,
    /// Placeholder of a picture to draw before its bytes come: a thumbhash in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbhash: Option<String>,
    /// Forms of the medium, the smallest first.
    pub variants: Vec<VariantView>,
}

/// One form of a medium.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VariantView {
    /// Name of the form: the longest side in pixels, or `original`.
    pub name: String,
    /// Media type of the bytes, such as `image/webp`.
    pub media_type: String,
    /// Length of the form in bytes.
    pub length: u64,
    /// Address of the bytes, which ends at a full hour unless the medium is public.
    pub url: String,
}

impl UploadView {
    /// Makes the view of an upload; reads the record of a finished one.
    pub(super) async fn of(media: &Media, upload: &Upload) -> Result<Self, ApiError> {
        let (head, stage) = (&upload.head, upload.stage());
        let (state, record, refusal) = match stage {
            Stage::Receiving => (State::Receiving, None, None),
            Stage::Whole => (State::Whole, None, None),
            Stage::Checking { .. } => (State::Checking, None, None),
            Stage::Ready { digest } => (State::Ready, media.record(digest).await?, None),
            Stage::Refused { refusal } => (State::Refused, None, Some(refusal)),
        };
        Ok(UploadView {
            id: head.id.to_string(),
            state,
            offset: upload.received().bytes,
            length: head.length,
            expires_ms: head.expires_ms,
            name: head.metadata.name.clone(),
            media: record.map(|record| MediaView::of(media, &record, head.metadata.visibility)),
            refusal,
        })
    }
}

impl MediaView {
    /// Makes the view of a medium, with addresses that are signed now.
    pub(crate) fn of(media: &Media, record: &MediaRecord, visibility: Visibility) -> Self {
        let variants = record.variants.iter().map(|variant| VariantView {
            name: variant.name.clone(),
            media_type: variant.media_type.clone(),
            length: variant.length,
            url: media.address(record.digest, &variant.name, visibility),
        });
        MediaView {
            digest: record.digest.to_string(),
            kind: record.kind,
            width: record.width,
            height: record.height,
            is_animated: record.is_animated,
            thumbhash: record.thumbhash.clone(),
            variants: variants.collect(),
        }
    }
}
