//! `/v1/media/avatars` and `/v1/avatars/{digest}`: the picture that a user chose as its avatar.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, body};
use barrage_protocol::media::{AvatarAnswer, ReferenceRequest};
use barrage_protocol::{Code, Digest, MediaKind};
use barrage_token::Visibility;
use http::{HeaderMap, Method, StatusCode};

use super::caller::caller;
use super::media::answer;
use crate::avatar;
use crate::media::Media;
use crate::metrics::Delivery;

const BODY_BYTES_MAX: usize = 1_024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a picture the avatar of the caller, who has uploaded it. The one before is released.
pub(super) async fn set(
    State(media): State<Arc<Media>>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<AvatarAnswer>, ApiError> {
    let by = caller(&media, &headers)?;
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let ReferenceRequest { digest, cover: None } = body::json(&bytes)? else {
        return Err(ApiError::new(Code::BadRequest, "cover: an avatar has none"));
    };
    media.refuse_denied(digest)?;
    let missing = || ApiError::new(Code::NotFound, "there is no such medium of yours; upload it");
    media.visible_to(digest, &by.user).await?.ok_or_else(missing)?;
    let record = media.record(digest).await?.ok_or_else(missing)?;
    if record.kind != MediaKind::Image {
        return Err(ApiError::new(Code::BadRequest, "digest: an avatar is a picture"));
    }
    avatar::set(&media, digest, &by.user).await?;
    Ok(Json(AvatarAnswer { avatar: digest, url: format!("/v1/avatars/{digest}") }))
}

/// Takes the avatar of the caller away.
pub(super) async fn remove(
    State(media): State<Arc<Media>>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let by = caller(&media, &headers)?;
    avatar::remove(&media, &by.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers with the smallest form of a picture that is the avatar of somebody.
pub(super) async fn show(
    State(media): State<Arc<Media>>,
    Path(digest): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let shown = async {
        let digest = Digest::parse(&digest)
            .map_err(|error| ApiError::new(Code::BadRequest, format!("digest: {error}")))?;
        media.refuse_denied(digest)?;
        let missing = || ApiError::new(Code::NotFound, "nobody has this picture as an avatar");
        if !avatar::is_one(&media, digest).await? {
            return Err(missing());
        }
        let record = media.record(digest).await?.ok_or_else(missing)?;
        let variant = record.variants.first().cloned().ok_or_else(missing)?;
        answer(&media, &record, &variant, Visibility::Public, &method, &headers).await
    };
    shown.await.unwrap_or_else(|refusal: ApiError| {
        let missing = refusal.0.code == Code::NotFound;
        media.metrics.delivered(if missing { Delivery::Missing } else { Delivery::Refused });
        refusal.into_response()
    })
}
