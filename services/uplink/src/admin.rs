//! The admin API: rooms, mutes, signals. Every change is durable before it is answered.
//! Tokens are checked and calls recorded by [`barrage_http::AdminGate`].

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::{BusError, Change, Draft, Restriction, RestrictionKind, RoomSettings};
use barrage_http::{ApiError, body};
use barrage_protocol::{Class, Code, RoomId, Sequence, UserId};
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::room_id;
use crate::compose::{Signal, signal};
use crate::routes::Uplink;
use crate::send::{publish, unix_ms};
use crate::text::clean;

const BODY_BYTES_MAX: usize = 16 * 1024;
/// Signals published at a time by a broadcast to all rooms.
const BROADCAST_CHUNK: usize = 500;
/// Longest mute or kick: ten years, which is for ever.
const RESTRICTION_SECS_MAX: u64 = 315_360_000;
const SLOW_MODE_SECS_MAX: u32 = 3_600;
const TITLE_CHARS_MAX: usize = 100;

type Answer = Result<Json<Value>, ApiError>;

pub(crate) async fn read<T: DeserializeOwned>(request_body: Body) -> Result<T, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, Duration::from_secs(10)).await?;
    body::json(if bytes.is_empty() { b"{}" } else { &bytes })
}

#[allow(clippy::needless_pass_by_value, reason = "it is made for map_err")]
pub(crate) fn refused(error: BusError) -> ApiError {
    match error {
        BusError::Full(_) => ApiError::new(Code::Overloaded, error.to_string()),
        BusError::Unavailable(_) | BusError::Conflict | BusError::SeveralTopics => {
            ApiError::new(Code::Unavailable, error.to_string()).retry_after_ms(500)
        }
    }
}

impl Uplink {
    fn room(&self, text: &str) -> Result<(RoomId, RoomSettings), ApiError> {
        let id = room_id(text)?;
        let settings = self.bus.settings().borrow().clone();
        let found = settings.rooms.get(&id).cloned();
        found
            .map(|room| (id, room))
            .ok_or_else(|| ApiError::new(Code::UnknownRoom, "there is no such room; PUT makes one"))
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

fn signal_draft(room: &RoomId, what: &Signal<'_>, to: Option<UserId>) -> Draft {
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
    let known = uplink.bus.settings().borrow().rooms.get(&id).cloned();
    let is_new = known.is_none();
    let mut settings =
        known.unwrap_or_else(|| RoomSettings { stream_started_at_ms: unix_ms(), ..RoomSettings::default() });
    if let Some(title) = asked.title {
        settings.title = clean(&title, TITLE_CHARS_MAX)
            .map_err(|error| ApiError::new(Code::BadText, format!("title: {error}")))?;
    }
    settings.stream_started_at_ms = asked.stream_started_at_ms.unwrap_or(settings.stream_started_at_ms);
    settings.closed = false;
    uplink.bus.change(Change::Room(id.clone(), settings.clone())).await.map_err(refused)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!(RoomView { id: &id, settings: &settings }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restrict {
    user: UserId,
    secs: u64,
}

impl Restrict {
    fn until_ms(&self) -> Result<u64, ApiError> {
        if !(1..=RESTRICTION_SECS_MAX).contains(&self.secs) {
            return Err(ApiError::new(Code::BadRequest, format!("secs: 1 to {RESTRICTION_SECS_MAX}")));
        }
        Ok(unix_ms() + self.secs * 1000)
    }
}

pub(crate) async fn mute(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let (id, _) = uplink.room(&room)?;
    let asked: Restrict = read(request_body).await?;
    let until_ms = asked.until_ms()?;
    uplink.mute_until(&id, &asked.user, until_ms).await?;
    Ok(Json(json!({ "user": asked.user, "until_ms": until_ms })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lift {
    user: UserId,
}

/// Lifts a mute or a kick.
pub(crate) async fn unmute(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let (id, _) = uplink.room(&room)?;
    let asked: Lift = read(request_body).await?;
    let change = Change::Restrict { room: id.clone(), user: asked.user.clone(), restriction: None };
    uplink.bus.change(change).await.map_err(refused)?;
    if let Err(error) = uplink.store.unmute(&id, &asked.user).await {
        tracing::error!(%error, "a mute was lifted but is still in the store");
    }
    uplink.signal(&id, &Signal::Unmute { user: &asked.user }, Some(asked.user.clone())).await?;
    Ok(Json(json!({ "user": asked.user })))
}

pub(crate) async fn kick(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let (id, _) = uplink.room(&room)?;
    let asked: Restrict = read(request_body).await?;
    let until_ms = asked.until_ms()?;
    let sequence = uplink.signal(&id, &Signal::Kick { user: &asked.user, until_ms }, None).await?;
    let restriction = Some(Restriction { kind: RestrictionKind::Kick, until_ms });
    let change = Change::Restrict { room: id, user: asked.user.clone(), restriction };
    uplink.bus.change(change).await.map_err(refused)?;
    Ok(Json(json!({ "user": asked.user, "until_ms": until_ms, "sequence": sequence })))
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
    let (id, settings) = uplink.room(&room)?;
    let Switch { on } = read(request_body).await?;
    let settings = RoomSettings { mute_all: on, ..settings };
    uplink.bus.change(Change::Room(id.clone(), settings)).await.map_err(refused)?;
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
    let (id, settings) = uplink.room(&room)?;
    let Slow { secs } = read(request_body).await?;
    if secs > SLOW_MODE_SECS_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("secs: 0 (off) to {SLOW_MODE_SECS_MAX}")));
    }
    let settings = RoomSettings { slow_mode_secs: secs, ..settings };
    uplink.bus.change(Change::Room(id.clone(), settings)).await.map_err(refused)?;
    let sequence = uplink.signal(&id, &Signal::SlowMode { secs }, None).await?;
    Ok(Json(json!({ "secs": secs, "sequence": sequence })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall {
    sequence: Sequence,
}

/// A recall is a message of its own: viewers hide the named one, and the archiver
/// hides it in the history.
pub(crate) async fn recall(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer {
    let (id, _) = uplink.room(&room)?;
    let Recall { sequence } = read(request_body).await?;
    let by = uplink.signal(&id, &Signal::Recall { sequence }, None).await?;
    Ok(Json(json!({ "recalled": sequence, "sequence": by })))
}

/// The signal goes out before the gateways send the viewers away.
pub(crate) async fn close(State(uplink): State<Arc<Uplink>>, Path(room): Path<String>) -> Answer {
    let (id, settings) = uplink.room(&room)?;
    let sequence = uplink.signal(&id, &Signal::Close, None).await?;
    uplink.bus.change(Change::Room(id, RoomSettings { closed: true, ..settings })).await.map_err(refused)?;
    Ok(Json(json!({ "sequence": sequence })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    text: String,
}

pub(crate) async fn broadcast(State(uplink): State<Arc<Uplink>>, request_body: Body) -> Answer {
    let asked: Announcement = read(request_body).await?;
    let text = clean(&asked.text, uplink.config.text_chars_max)
        .map_err(|error| ApiError::new(Code::BadText, format!("text: {error}")))?;
    let settings = uplink.bus.settings().borrow().clone();
    let open: Vec<_> = settings.rooms.iter().filter(|(_, room)| !room.closed).map(|(id, _)| id).collect();
    let what = Signal::Announcement { text: &text };
    for chunk in open.chunks(BROADCAST_CHUNK) {
        publish(&uplink, chunk.iter().map(|room| signal_draft(room, &what, None)).collect()).await?;
    }
    Ok(Json(json!({ "rooms": open.len() })))
}
