//! `/v1/admin/media/reviews`: media that wait for a moderator.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use barrage_http::{AdminRoutes, ApiError, body};
use barrage_protocol::{Code, Digest, MediaView, UserId};
use barrage_token::Visibility;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media::Media;
use crate::review::{Decision, decide, lift, list};

const BODY_BYTES_MAX: usize = 1_024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Media in one answer.
const LISTED_MAX: usize = 100;

/// Media that wait for a moderator.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MediaReviews {
    /// At most 100 media, the oldest first.
    reviews: Vec<MediaReview>,
}

/// A medium that waits for a decision.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MediaReview {
    /// User who has uploaded the medium first.
    user: UserId,
    /// Unix time in milliseconds since which it waits.
    since_ms: u64,
    /// Whether the hook has not answered yet. A moderator may decide before it.
    awaits_hook: bool,
    /// Reason that the hook gave, at most 200 characters; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The medium, with addresses at which the moderator sees it.
    media: MediaView,
}

/// A decision about a medium that waits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideMedia {
    /// Whether the sender may send the medium.
    decision: Decision,
}

/// Returns the admin routes of the role.
pub(crate) fn admin_router(media: &Arc<Media>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/media/reviews", get(show))
        .route("/v1/admin/media/reviews/{digest}", post(handle))
        .route("/v1/admin/media/denials/{digest}", delete(lift_denial))
        .with_state(Arc::clone(media));
    AdminRoutes::new(routes)
}

async fn show(State(media): State<Arc<Media>>) -> Result<Json<MediaReviews>, ApiError> {
    let reviews = list(&media, LISTED_MAX).await?.into_iter().map(|(waits, record)| MediaReview {
        user: waits.user,
        since_ms: waits.since_ms,
        awaits_hook: waits.is_unanswered,
        reason: waits.reason,
        media: media.shown(&record, Visibility::Private),
    });
    Ok(Json(MediaReviews { reviews: reviews.collect() }))
}

async fn handle(
    State(media): State<Arc<Media>>,
    Path(digest): Path<String>,
    request_body: Body,
) -> Result<StatusCode, ApiError> {
    let digest = parse(&digest)?;
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let DecideMedia { decision } = body::json(&bytes)?;
    decide(&media, digest, decision).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn lift_denial(
    State(media): State<Arc<Media>>,
    Path(digest): Path<String>,
) -> Result<StatusCode, ApiError> {
    if !lift(&media.blobs, parse(&digest)?).await? {
        return Err(ApiError::new(Code::NotFound, "no moderator has denied a medium of this digest"));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn parse(digest: &str) -> Result<Digest, ApiError> {
    Digest::parse(digest).map_err(|error| ApiError::new(Code::BadRequest, format!("digest: {error}")))
}
