//! `POST /v1/media/references`: a reference to a medium, for a message of the caller.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_http::{ApiError, body};
use barrage_protocol::Code;
use barrage_protocol::media::{ReferenceAnswer, ReferenceRequest};
use http::HeaderMap;

use super::caller::caller;
use crate::cover;
use crate::media::Media;

const BODY_BYTES_MAX: usize = 1_024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Signs a reference to a medium that the caller has uploaded, or that is public.
pub(super) async fn handle(
    State(media): State<Arc<Media>>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<ReferenceAnswer>, ApiError> {
    let by = caller(&media, &headers)?;
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let ReferenceRequest { digest, cover } = body::json(&bytes)?;
    media.refuse_denied(digest)?;
    // A medium of another user and none at all have the same answer: a digest says nothing about what others have.
    let missing = || ApiError::new(Code::NotFound, "there is no such medium of yours; upload it");
    let visibility = media.visible_to(digest, &by.user).await?.ok_or_else(missing)?;
    let record = media.record(digest).await?.ok_or_else(missing)?;
    let Some(cover) = cover else { return Ok(Json(media.referred(&record, visibility, &by.user).await?)) };
    media.refuse_denied(cover)?;
    let missing =
        || ApiError::new(Code::NotFound, "cover: there is no such picture of yours; upload it first");
    media.visible_to(cover, &by.user).await?.ok_or_else(missing)?;
    let picture = media.record(cover).await?.ok_or_else(missing)?;
    let shown = cover::give(&media, &record, &picture).await?;
    Ok(Json(media.referred(&shown, visibility, &by.user).await?))
}
