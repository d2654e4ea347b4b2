//! The admin API: rooms, mutes, signals. Every change is durable before it is answered.
//! Tokens are checked and calls recorded by [`barrage_http::AdminGate`].

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::{BusError, Change, Changed, Draft, RangeLimits, RoomPatch, RoomSettings, Topic};
use barrage_http::{ApiError, body};
use barrage_protocol::{Class, Code, RoomId, Sequence, UserId};
use barrage_store::HistoryRange;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::room_id;
use crate::compose::{Signal, signal};
use crate::routes::Uplink;
use crate::send::publish;
use crate::text::clean;

const BODY_BYTES_MAX: usize = 16 * 1024;
const SLOW_MODE_SECS_MAX: u32 = 3_600;
const TITLE_CHARS_MAX: usize = 100;

pub(crate) type Answer = Result<Json<Value>, ApiError>;

pub(crate) async fn read<T: DeserializeOwned>(request_body: Body) -> Result<T, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, Duration::from_secs(10)).await?;
    body::json(if bytes.is_empty() { b"{}" } else { &bytes })
}

pub(crate) fn refused(error: BusError) -> ApiError {
    ApiError(error.into())
}

impl Uplink {
    /// The id of a room that is there.
    pub(crate) fn known_room(&self, text: &str) -> Result<RoomId, ApiError> {
        let id = room_id(text)?;
        if self.bus.settings().borrow().rooms.contains_key(&id) {
            return Ok(id);
        }
        Err(ApiError::new(Code::UnknownRoom, "there is no such room; PUT makes one"))
    }

    /// Changes one thing of a room.
    async fn patch(&self, room: &RoomId, patch: RoomPatch) -> Result<Changed, ApiError> {
        self.bus.change(Change::Patch(room.clone(), patch)).await.map_err(refused)
    }

    pub(crate) async fn signal(
        &self,
        room: &RoomId,
        what: &Signal<'_>,
        to: Option<UserId>,
    ) -> Result<Sequence, ApiError> {
        let receipts = publish(self, vec![signal_draft(room, what, to)]).await?;
        Ok(receipts.first().map_or(Sequence::ZERO, |receipt| receipt.sequence))
    }
}

pub(crate) fn signal_draft(room: &RoomId, what: &Signal<'_>, to: Option<UserId>) -> Draft {
    let body = signal(what);
    Draft { room: room.clone(), class: Class::Signal, sender: None, id: None, fingerprint: 0, to, body }
}

#[derive(Serialize)]
struct RoomView<'a> {
    id: &'a RoomId,
    #[serde(flatten)]
    settings: &'a RoomSettings,
}

pub(crate) async fn list_rooms(State(uplink): State<Arc<Uplink>>) -> Json<Value> {
    let settings = uplink.bus.settings().borrow().clone();
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

/// Creates a room, or changes its title or the start of its stream; opens it again
/// when it was closed.
pub(crate) async fn put_room(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let id = room_id(&room)?;
    let asked: PutRoom = read(request_body).await?;
    let title = asked.title.map(|title| clean(&title, TITLE_CHARS_MAX)).transpose();
    let title = title.map_err(|error| ApiError::new(Code::BadText, format!("title: {error}")))?;
    let patch = RoomPatch::Put { title, stream_started_at_ms: asked.stream_started_at_ms };
    let changed = uplink.patch(&id, patch).await?;
    let status = if changed.before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!(RoomView { id: &id, settings: &changed.room() }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

pub(crate) async fn mute_all(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = uplink.known_room(&room)?;
    let Switch { on } = read(request_body).await?;
    uplink.patch(&id, RoomPatch::MuteAll(on)).await?;
    let sequence = uplink.signal(&id, &Signal::MuteAll { on }, None).await?;
    Ok(Json(json!({ "on": on, "sequence": sequence })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    secs: u32,
}

pub(crate) async fn slow_mode(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = uplink.known_room(&room)?;
    let Slow { secs } = read(request_body).await?;
    if secs > SLOW_MODE_SECS_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("secs: 0 (off) to {SLOW_MODE_SECS_MAX}")));
    }
    uplink.patch(&id, RoomPatch::SlowMode { secs }).await?;
    let sequence = uplink.signal(&id, &Signal::SlowMode { secs }, None).await?;
    Ok(Json(json!({ "secs": secs, "sequence": sequence })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall {
    sequence: Sequence,
}

impl Uplink {
    /// Whether the room has this message: among those kept for repair, or in the history.
    async fn has_message(&self, room: &RoomId, sequence: Sequence) -> Result<bool, ApiError> {
        let Some(after) = sequence.0.checked_sub(1).map(Sequence).filter(|_| sequence < Sequence::MAX) else {
            return Ok(false);
        };
        let limits = RangeLimits { chat_max: 1, precious_max: 1, ..RangeLimits::default() };
        let topic = Topic::Room(room.clone());
        let range = self.bus.range(&topic, after, Some(Sequence(sequence.0 + 1)), limits).await;
        if range.map_err(refused)?.messages.iter().any(|message| message.sequence == sequence) {
            return Ok(true);
        }
        let page = self.store.history(room, HistoryRange::After(after), 1).await.map_err(|error| {
            tracing::warn!(%error, "the history could not be read");
            ApiError::new(Code::Unavailable, "the history cannot be read now").retry_after_ms(1_000)
        })?;
        Ok(page.messages.first().is_some_and(|message| message.sequence == sequence))
    }
}

/// A recall is a message of its own: viewers hide the named one, and the archiver
/// hides it in the history.
pub(crate) async fn recall(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let id = uplink.known_room(&room)?;
    let Recall { sequence } = read(request_body).await?;
    if !uplink.has_message(&id, sequence).await? {
        let message = "this room has no message with that sequence, or it was recalled before";
        return Err(ApiError::new(Code::NotFound, message));
    }
    let by = uplink.signal(&id, &Signal::Recall { sequence }, None).await?;
    Ok(Json(json!({ "recalled": sequence, "sequence": by })))
}

/// The signal goes out before the gateways send the viewers away.
pub(crate) async fn close(State(uplink): State<Arc<Uplink>>, Path(room): Path<String>) -> Answer {
    let id = uplink.known_room(&room)?;
    let sequence = uplink.signal(&id, &Signal::Close, None).await?;
    uplink.patch(&id, RoomPatch::Close).await?;
    Ok(Json(json!({ "sequence": sequence })))
}
