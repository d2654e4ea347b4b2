//! Admin calls on rooms: list, create and change, mute all, slow mode, recall, close.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::{RoomPatch, RoomSettings};
use barrage_http::ApiError;
use barrage_protocol::{Code, RoomId, Sequence};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::{AdminContext, Answer, read_body};
use crate::room::parse_room_id;
use crate::text::CleanText;

const SLOW_MODE_SECS_MAX: u32 = 3_600;
const TITLE_CHARS_MAX: usize = 100;

#[derive(Serialize)]
struct RoomView<'a> {
    id: &'a RoomId,
    #[serde(flatten)]
    settings: &'a RoomSettings,
}

/// Lists all rooms, in the order of their ids.
pub(super) async fn list(State(admin): State<Arc<AdminContext>>) -> Json<Value> {
    let settings = admin.control.settings();
    let mut rooms: Vec<_> = settings.rooms.iter().map(|(id, settings)| RoomView { id, settings }).collect();
    rooms.sort_by_key(|room| room.id);
    Json(json!({ "rooms": rooms }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PutRoom {
    title: Option<String>,
    stream_started_at_ms: Option<u64>,
}

/// Creates a room, or changes its title or the start of its stream. Opens a closed room again.
pub(super) async fn put(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let id = parse_room_id(&room)?;
    let PutRoom { title, stream_started_at_ms } = read_body(request_body).await?;
    let title = title.map(|title| CleanText::new(&title, TITLE_CHARS_MAX)).transpose();
    let title = title.map_err(|error| ApiError::new(Code::BadText, format!("title: {error}")))?;
    let patch = RoomPatch::Put { title: title.map(CleanText::into_string), stream_started_at_ms };
    let changed = admin.control.patch(&id, patch).await?;
    let status = if changed.before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!(RoomView { id: &id, settings: &changed.room() }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MuteAll {
    on: bool,
}

/// Mutes all viewers of a room, or ends that.
pub(super) async fn mute_all(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = admin.control.known_room(&room)?;
    let MuteAll { on } = read_body(request_body).await?;
    let sequence = admin.control.mute_all(&id, on).await?;
    Ok(Json(json!({ "on": on, "sequence": sequence })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlowMode {
    secs: u32,
}

/// Sets the slow mode of a room.
pub(super) async fn slow_mode(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = admin.control.known_room(&room)?;
    let SlowMode { secs } = read_body(request_body).await?;
    if secs > SLOW_MODE_SECS_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("secs: 0 (off) to {SLOW_MODE_SECS_MAX}")));
    }
    let sequence = admin.control.slow_mode(&id, secs).await?;
    Ok(Json(json!({ "secs": secs, "sequence": sequence })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall {
    sequence: Sequence,
}

/// Recalls one message of a room, so that viewers hide it. Fails for a message that the room does not
/// have.
pub(super) async fn recall(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = admin.control.known_room(&room)?;
    let Recall { sequence } = read_body(request_body).await?;
    let signalled = admin.control.recall(&id, sequence).await?;
    Ok(Json(json!({ "recalled": sequence, "sequence": signalled })))
}

/// Closes a room; its viewers are disconnected.
pub(super) async fn close(State(admin): State<Arc<AdminContext>>, Path(room): Path<String>) -> Answer {
    let id = admin.control.known_room(&room)?;
    let sequence = admin.control.close(&id).await?;
    Ok(Json(json!({ "sequence": sequence })))
}
