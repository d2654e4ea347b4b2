//! Uploads and media as answers show them.

use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use barrage_protocol::{MediaReference, MediaView};
use schemars::JsonSchema;
use serde::Serialize;

use crate::media::Media;
use crate::spool::Upload;
use crate::upload::Stage;

/// An upload as its sender sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UploadView {
    /// Id of the upload, the last part of its URL.
    id: String,
    /// How far the upload has come.
    state: State,
    /// Bytes that have arrived.
    offset: u64,
    /// Bytes of the whole upload; absent while its client has not stated them.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    /// Unix time in milliseconds after which the upload is forgotten; its medium stays.
    expires_ms: u64,
    /// Name of the file, without folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The medium, once the check has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<MediaView>,
    /// What a post or a letter of the sender has in `media`, once the check has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<MediaReference>,
    /// Unix time in milliseconds from which uplinks refuse the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference_expires_ms: Option<u64>,
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
    /// All bytes are there, and the check, the hook or a moderator has not decided.
    Checking,
    /// The medium can be sent and seen.
    Ready,
    /// The check refused the file.
    Refused,
}

impl UploadView {
    /// Makes the view of an upload; reads the record of a finished one.
    pub(super) async fn of(media: &Media, upload: &Upload) -> Result<Self, ApiError> {
        let (head, stage) = (&upload.head, upload.stage());
        let (state, record, refusal) = match stage {
            Stage::Receiving => (State::Receiving, None, None),
            Stage::Whole => (State::Whole, None, None),
            Stage::Checking { .. } | Stage::InReview { .. } => (State::Checking, None, None),
            Stage::Ready { digest } => (State::Ready, media.record(digest).await?, None),
            Stage::Refused { refusal } => (State::Refused, None, Some(refusal)),
        };
        let visibility = head.metadata.visibility;
        let (view, reference, expires_ms) = match record {
            Some(record) => {
                let answer = media.referred(&record, visibility, &head.user).await?;
                (Some(answer.media), Some(answer.reference), Some(answer.expires_ms))
            }
            None => (None, None, None),
        };
        Ok(UploadView {
            id: head.id.to_string(),
            state,
            offset: upload.received().bytes,
            length: upload.stated(),
            expires_ms: head.expires_ms,
            name: head.metadata.name.clone(),
            media: view,
            reference,
            reference_expires_ms: expires_ms,
            refusal,
        })
    }
}
