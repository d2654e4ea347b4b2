//! `POST /v1/uploads/known`: an upload without bytes, for a client that proves that it has the file.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_http::{ApiError, body};
use barrage_protocol::digest::hex;
use barrage_protocol::media::ReferenceAnswer;
use barrage_protocol::{Code, Digest, UserId};
use barrage_token::Visibility;
use bytes::Bytes;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::caller;
use crate::error::store;
use crate::known::{ANSWERS, Answers, CHALLENGES, Challenge, challenge};
use crate::media::Media;
use crate::metrics::Created;

const BODY_BYTES_MAX: usize = 1_024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest list of answers in bytes.
const ANSWERS_BYTES_MAX: u64 = 8 * 1_024;

/// A question whether a file is here, and with the last two fields the proof.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownRequest {
    /// SHA-256 of the file in hexadecimal digits.
    sha256: String,
    /// Length of the file in bytes.
    length: u64,
    /// Nonce of the challenge that is answered.
    nonce: Option<String>,
    /// HMAC-SHA-256 under the nonce over the ranges of the file, in hexadecimal digits.
    answer: Option<String>,
}

/// The next step of an instant upload.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub(super) enum KnownAnswer {
    /// The client must prove that it has the file. A file that is not here is asked for in the same way.
    Challenge {
        /// Key of the HMAC in hexadecimal digits.
        nonce: String,
        /// Parts of the file over which the HMAC goes, in this order.
        ranges: Vec<RangeView>,
    },
    /// The medium is the caller's as well.
    Known {
        /// The medium with its addresses, and a reference to it.
        #[serde(flatten)]
        medium: ReferenceAnswer,
    },
    /// The proof is wrong, was given before, or the file is not here: upload it.
    Unknown,
}

/// Bytes of a file, from one place on.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RangeView {
    /// Place of the first byte.
    start: u64,
    /// Number of bytes from there on.
    length: u64,
}

/// Answers one of the two steps.
pub(super) async fn handle(
    State(media): State<Arc<Media>>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<KnownAnswer>, ApiError> {
    let by = caller(&media, &headers)?;
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let request: KnownRequest = body::json(&bytes)?;
    let digest = Digest::parse(&request.sha256)
        .map_err(|error| ApiError::new(Code::BadRequest, format!("sha256: {error}")))?;
    if request.length == 0 || request.length > media.config.upload_bytes_max {
        let message = format!("length must be 1 to {}", media.config.upload_bytes_max);
        return Err(ApiError::new(Code::BadRequest, message));
    }
    let answers = answers(&media, digest, &by.user).await?;
    match (&request.nonce, &request.answer) {
        (None, None) => {
            let open = answers.map(|answers| answers.open(request.length)).filter(|open| !open.is_empty());
            // One of the same challenges for a file that is not here: which it is stays unknown.
            let open = open.unwrap_or_else(|| (0..CHALLENGES).collect());
            let index = open[usize::from(rand::random::<u8>()) % open.len()];
            Ok(Json(ask(&challenge(&media.known_secret, digest, request.length, index))))
        }
        (Some(nonce), Some(answer)) => {
            let Some(answers) = answers else { return Ok(Json(KnownAnswer::Unknown)) };
            prove(&media, &request, (digest, &by.user), nonce, answer, answers).await
        }
        _ => Err(ApiError::new(Code::BadRequest, "send nonce and answer together, or neither of them")),
    }
}

fn ask(challenge: &Challenge) -> KnownAnswer {
    let ranges = challenge
        .ranges
        .iter()
        .map(|range| RangeView { start: range.start, length: range.end - range.start });
    KnownAnswer::Challenge { nonce: hex(&challenge.nonce), ranges: ranges.collect() }
}

/// Reads the answers of a medium that the user may have without its bytes: one that the user has uploaded before, or one
/// that is public.
async fn answers(media: &Media, digest: Digest, user: &UserId) -> Result<Option<Answers>, ApiError> {
    if media.denied.has(digest) || media.visible_to(digest, user).await?.is_none() {
        return Ok(None);
    }
    let name = Media::blob(digest, ANSWERS)?;
    let bytes = media.blobs.get(&name, ANSWERS_BYTES_MAX).await.map_err(store)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

async fn prove(
    media: &Arc<Media>,
    request: &KnownRequest,
    (digest, user): (Digest, &UserId),
    nonce: &str,
    answer: &str,
    mut answers: Answers,
) -> Result<Json<KnownAnswer>, ApiError> {
    let is_asked =
        |index: &u8| hex(&challenge(&media.known_secret, digest, request.length, *index).nonce) == nonce;
    let index = answers.open(request.length).into_iter().find(is_asked);
    let answer = Digest::parse(answer).ok();
    let is_right = index.zip(answer).is_some_and(|(index, answer)| answers.take(index, answer.as_bytes()));
    let record = if is_right { media.record(digest).await? } else { None };
    let Some(record) = record else { return Ok(Json(KnownAnswer::Unknown)) };
    let kept = serde_json::to_vec(&answers).unwrap_or_default();
    media.blobs.put(&Media::blob(digest, ANSWERS)?, Bytes::from(kept)).await.map_err(store)?;
    media.metrics.created(Created::Known);
    let visibility = media.visible_to(digest, user).await?.unwrap_or(Visibility::Private);
    Ok(Json(KnownAnswer::Known { medium: media.referred(&record, visibility, user).await? }))
}
