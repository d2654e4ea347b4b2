//! Admin calls on rooms: list, create and change, mute all, slow mode, recall, close.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::{RoomSettings, SignalMark};
use barrage_http::ApiError;
use barrage_protocol::{Code, RoomId, Sequence};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, read_body};
use crate::room::parse_room_id;
use crate::text::CleanText;

const SLOW_MODE_SECS_MAX: u32 = 3_600;
const TITLE_CHARS_MAX: usize = 100;

/// A room with its settings.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RoomView {
    /// Id of the room.
    id: RoomId,
    #[serde(flatten)]
    settings: RoomSettings,
}

impl RoomView {
    /// Shows settings without what the uplinks note for themselves.
    fn new(id: RoomId, mut settings: RoomSettings) -> Self {
        settings.signals = SignalMark::default();
        RoomView { id, settings }
    }
}

/// All rooms, open and closed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RoomList {
    /// Rooms in the order of their ids.
    rooms: Vec<RoomView>,
}

/// Position of the signal that a change sent to the room's viewers.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Signalled<T> {
    #[serde(flatten)]
    change: T,
    /// Position of the signal in the room's chain.
    sequence: Sequence,
}

/// Lists all rooms, in the order of their ids.
pub(super) async fn list(State(admin): State<Arc<AdminContext>>) -> Json<RoomList> {
    let settings = admin.control.settings();
    let view = |(id, settings): (&RoomId, &RoomSettings)| RoomView::new(id.clone(), settings.clone());
    let mut rooms: Vec<_> = settings.rooms.iter().map(view).collect();
    rooms.sort_by(|a, b| a.id.cmp(&b.id));
    Json(RoomList { rooms })
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PutRoom {
    /// Title of at most 100 characters; the old one stays when absent.
    title: Option<String>,
    /// Start of the stream in Unix milliseconds: offsets into the stream count from here.
    stream_started_at_ms: Option<u64>,
}

/// Creates a room, or changes its title or the start of its stream. Opens a closed room again.
pub(super) async fn put(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Result<(StatusCode, Json<RoomView>), ApiError> {
    let id = parse_room_id(&room)?;
    if id.is_probe() {
        return Err(ApiError::new(Code::BadRequest, "this room is reserved for probes; take another id"));
    }
    if [RoomId::letters(), RoomId::groups()].contains(&id) {
        return Err(ApiError::new(Code::BadRequest, "this id is reserved for letters; take another one"));
    }
    let PutRoom { title, stream_started_at_ms } = read_body(request_body).await?;
    let title = title.map(|title| CleanText::new(&title, TITLE_CHARS_MAX)).transpose();
    let title = title.map_err(|error| ApiError::new(Code::BadText, format!("title: {error}")))?;
    let title = title.map(CleanText::into_string);
    let changed = admin.control.put(&id, title, stream_started_at_ms).await?;
    let status = if changed.before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(RoomView::new(id, changed.room()))))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteAll {
    /// Whether only moderators and above may chat.
    on: bool,
}

/// Mutes all viewers of a room, or ends that.
pub(super) async fn mute_all(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<Signalled<MuteAll>> {
    let id = admin.control.known_room(&room)?;
    let change: MuteAll = read_body(request_body).await?;
    let sequence = admin.control.mute_all(&id, change.on).await?;
    Ok(Json(Signalled { change, sequence }))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowMode {
    /// Minimum seconds between two chats of one viewer, 0 (off) to 3,600.
    #[schemars(range(max = 3_600))]
    secs: u32,
}

/// Sets the slow mode of a room.
pub(super) async fn slow_mode(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<Signalled<SlowMode>> {
    let id = admin.control.known_room(&room)?;
    let change: SlowMode = read_body(request_body).await?;
    if change.secs > SLOW_MODE_SECS_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("secs: 0 (off) to {SLOW_MODE_SECS_MAX}")));
    }
    let sequence = admin.control.slow_mode(&id, change.secs).await?;
    Ok(Json(Signalled { change, sequence }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Recall {
    /// Position of the message.
    sequence: Sequence,
}

/// The message that was recalled.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Recalled {
    /// Position of the message that viewers hide.
    recalled: Sequence,
}

/// The answer to a closed room.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Closed {}

/// Recalls one message of a room, so that viewers hide it. Fails for a message that the room does not
/// have.
pub(super) async fn recall(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<Signalled<Recalled>> {
    let id = admin.control.known_room(&room)?;
    let Recall { sequence } = read_body(request_body).await?;
    let signalled = admin.control.recall(&id, sequence).await?;
    Ok(Json(Signalled { change: Recalled { recalled: sequence }, sequence: signalled }))
}

/// Closes a room; its viewers are disconnected.
pub(super) async fn close(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
) -> Answer<Signalled<Closed>> {
    let id = admin.control.known_room(&room)?;
    let sequence = admin.control.close(&id).await?;
    Ok(Json(Signalled { change: Closed {}, sequence }))
}
