//! `GET /v1/rooms/{room}/media`: what messages of a room show, for its moderators.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use barrage_http::ApiError;
use barrage_protocol::media::{GALLERY_LIMIT_MAX, RoomMedia};
use barrage_protocol::{Code, Sequence};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::caller::caller;
use super::history_access::may_read;
use crate::review::moderator;
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Media of a page when the query has no `limit`.
const LIMIT_DEFAULT: usize = 50;

/// Part of a gallery.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GalleryQuery {
    /// `before` of the page before; without it, the newest media.
    before: Option<u64>,
    /// Media of a page, 1 to 200; 50 when absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
}

/// Returns a page of the media that messages of a room show, about a second after they were posted.
pub(super) async fn list(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    query: Result<Query<GalleryQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<RoomMedia>, ApiError> {
    let listed = page(&uplink, &room, query, &headers).await;
    listed.map(Json).inspect_err(|error| uplink.metrics.refused(error.0.code))
}

async fn page(
    uplink: &Uplink,
    room: &str,
    query: Result<Query<GalleryQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<RoomMedia, ApiError> {
    let Query(GalleryQuery { before, limit }) =
        query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = parse_room_id(room)?;
    let by = caller(&uplink.keyring, headers, &room)?;
    let settings = uplink.bus.settings().borrow().clone();
    may_read(uplink, &settings, &room, Some(&by))?;
    moderator(&settings, &room, &by)?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=GALLERY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {GALLERY_LIMIT_MAX}")));
    }
    let before = before.map_or(Sequence::MAX, Sequence);
    Ok(uplink.history.gallery(&room, before, limit).await?)
}
