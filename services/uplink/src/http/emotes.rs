//! The handlers of `/v1/emotes` and `/v1/rooms/{room}/emotes`, each with `GET` and `PUT`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use barrage_bus::EmoteWords;
use barrage_http::{ApiError, ClientAddr, bearer, body};
use barrage_protocol::code::Refusal;
use barrage_protocol::emote::{EMOTE_SET_BYTES_MAX, EmoteSet, PLATFORM_EMOTES_MAX, ROOM_EMOTES_MAX};
use barrage_protocol::{Code, RoomId};
use barrage_store::AuditRecord;
use barrage_token::{Identity, Role};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::caller::caller;
use super::history_access::authorize;
use crate::media::PutBy;
use crate::room::{check_emotes, in_room, open_room, parse_room_id, refuse_kicked};
use crate::uplink::Uplink;

/// Returns the emotes of the platform, which count in every room.
pub(super) async fn of_platform(State(uplink): State<Arc<Uplink>>, headers: HeaderMap) -> Response {
    let settings = uplink.bus.settings().borrow().clone();
    answer(&uplink.media.shown_emotes(&settings.platform_emotes), "public, max-age=60", &headers)
}

/// Returns the emotes of one room, without those of the platform.
pub(super) async fn of_room(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let room = parse_room_id(&room)?;
    authorize(&uplink, &room, &headers)?;
    let settings = uplink.bus.settings().borrow().clone();
    let emotes = settings.room_emotes.get(&room).cloned().unwrap_or_default();
    Ok(answer(&uplink.media.shown_emotes(&emotes), "private, no-cache", &headers))
}

/// Answers with a set, or with 304 to a client that has it.
fn answer(emotes: &EmoteWords, cache: &'static str, headers: &HeaderMap) -> Response {
    let json = emotes.json();
    let digest = Sha256::digest(&json);
    let tag = format!("\"{:x}\"", u64::from_be_bytes(digest[..8].try_into().expect("eight bytes")));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let fields = [(header::ETAG, tag), (header::CACHE_CONTROL, cache.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// Replaces the emotes of a room, for its host.
pub(super) async fn put_room(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<EmoteSet>, ApiError> {
    let replaced = async {
        let room = parse_room_id(&room)?;
        let by = caller(&uplink.keyring, &headers, &room)?;
        uplink.pipeline.admit(client.0, &room, &by).await?;
        may_set(&uplink, &room, &by)?;
        replace(&uplink, Some(room), &by, request_body).await
    };
    replaced.await.map(Json).inspect_err(|error| uplink.metrics.refused(error.0.code))
}

/// Replaces the emotes of the platform, for an admin of all rooms.
pub(super) async fn put_platform(
    State(uplink): State<Arc<Uplink>>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<EmoteSet>, ApiError> {
    let replaced = async {
        let token = bearer(&headers).unwrap_or_default();
        let by = uplink.keyring.verify(token)?;
        if by.role < Role::Admin || !by.rooms.0.iter().any(|room| room == "*") {
            return Err(ApiError::new(
                Code::Forbidden,
                "emotes: the platform's set needs an admin of all rooms",
            ));
        }
        replace(&uplink, None, &by, request_body).await
    };
    replaced.await.map(Json).inspect_err(|error| uplink.metrics.refused(error.0.code))
}

fn may_set(uplink: &Uplink, room: &RoomId, by: &Identity) -> Result<(), Refusal> {
    let settings = uplink.bus.settings().borrow().clone();
    open_room(&settings, room)?;
    refuse_kicked(&settings, room, &by.user, barrage_clock::unix_ms())?;
    if in_room(&settings, room, by).role < Role::Host {
        return Err(Refusal::new(Code::Forbidden, "emotes: a room's set needs the role host"));
    }
    Ok(())
}

async fn replace(
    uplink: &Uplink,
    room: Option<RoomId>,
    by: &Identity,
    request_body: Body,
) -> Result<EmoteSet, ApiError> {
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, EMOTE_SET_BYTES_MAX, deadline).await?;
    let mut set: EmoteSet = body::json(&bytes)?;
    let settings = uplink.bus.settings().borrow().clone();
    let before = match &room {
        Some(room) => settings.room_emotes.get(room).cloned().unwrap_or_default(),
        None => settings.platform_emotes.clone(),
    };
    let has_kept = uplink.media.put_pictures(&mut set, &before, PutBy::User(&by.user))?;
    check_emotes(&set, if room.is_some() { ROOM_EMOTES_MAX } else { PLATFORM_EMOTES_MAX })?;
    uplink.set_emotes(room.as_ref(), set.clone(), has_kept.then_some(before)).await?;
    let line = AuditRecord {
        at_ms: barrage_clock::unix_ms(),
        room,
        user: None,
        actor: by.user.to_string(),
        action: "emotes".into(),
        detail: json!({ "emotes": set.emotes.len() }),
    };
    uplink.audit_line(line).await;
    Ok(set)
}
