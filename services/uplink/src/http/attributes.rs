//! The handlers of `.../attributes` and `.../attributes/{key}`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barrage_bus::Settings;
use barrage_http::{ApiError, ClientAddr, bearer, body};
use barrage_protocol::attribute::{
    AttributeAnswer, AttributeKey, AttributeRequest, AttributeView, AttributesAnswer,
};
use barrage_protocol::{Code, MessageId, RoomId};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::caller::caller;
use crate::attribute::{self, Wanted};
use crate::room::{parse_room_id, refuse_kicked};
use crate::uplink::Uplink;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteQuery {
    /// Id of the change, unique within its sender and room; the same id again repeats nothing.
    id: MessageId,
    /// Version that the attribute must have now; absent: whatever it is.
    if_version: Option<u64>,
}

/// Lists the attributes of a room, for all who may watch it.
pub(super) async fn list(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Json<AttributesAnswer>, ApiError> {
    let room = parse_room_id(&room)?;
    let settings = readable(&uplink, &room, &headers)?;
    Ok(Json(attribute::all(&settings, &room)))
}

/// Reads one attribute, for all who may watch the room.
pub(super) async fn read(
    State(uplink): State<Arc<Uplink>>,
    Path((room, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<AttributeView>, ApiError> {
    let (room, key) = (parse_room_id(&room)?, parse_key(&key)?);
    let settings = readable(&uplink, &room, &headers)?;
    let found = attribute::one(&settings, &room, &key);
    found.map(Json).ok_or_else(|| ApiError::new(Code::NotFound, "the room has no such attribute"))
}

/// Sets one attribute. Token and limits are checked before the body is read.
pub(super) async fn put(
    State(uplink): State<Arc<Uplink>>,
    Path((room, key)): Path<(String, String)>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let answer = async {
        let (room, key) = (parse_room_id(&room)?, parse_key(&key)?);
        let by = caller(&uplink.keyring, &headers, &room)?;
        uplink.pipeline.admit(client.0, &room, &by).await?;
        let deadline = Duration::from_secs(uplink.config.body_secs);
        let bytes = body::read(request_body, uplink.config.post_bytes_max, deadline).await?;
        let request: AttributeRequest = body::json(&bytes)?;
        let answer = uplink.attributes.change(&room, &by, &key, &request.into()).await?;
        uplink.metrics.changed_attribute(false, answer.duplicate);
        Ok(answer)
    };
    respond(&uplink, answer.await)
}

/// Removes one attribute; one that is not there is no error.
pub(super) async fn delete(
    State(uplink): State<Arc<Uplink>>,
    Path((room, key)): Path<(String, String)>,
    Extension(client): Extension<ClientAddr>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (room, key) = (parse_room_id(&room)?, parse_key(&key)?);
        let Query(DeleteQuery { id, if_version }) =
            query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
        let by = caller(&uplink.keyring, &headers, &room)?;
        uplink.pipeline.admit(client.0, &room, &by).await?;
        let wanted = Wanted { id, text: None, if_version, ttl_secs: None };
        let answer = uplink.attributes.change(&room, &by, &key, &wanted).await?;
        uplink.metrics.changed_attribute(true, answer.duplicate);
        Ok(answer)
    };
    respond(&uplink, answer.await)
}

fn parse_key(text: &str) -> Result<AttributeKey, ApiError> {
    AttributeKey::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// Returns the settings when the caller may watch the room: without a token, where that is allowed.
fn readable(uplink: &Uplink, room: &RoomId, headers: &HeaderMap) -> Result<Arc<Settings>, ApiError> {
    let needs_token = bearer(headers).is_some() || !uplink.anonymous;
    let by = needs_token.then(|| caller(&uplink.keyring, headers, room)).transpose()?;
    let settings = uplink.bus.settings().borrow().clone();
    if !settings.rooms.contains_key(room) {
        return Err(ApiError::new(Code::UnknownRoom, "there is no such room"));
    }
    if let Some(by) = by {
        refuse_kicked(&settings, room, &by.user, barrage_clock::unix_ms())?;
    }
    Ok(settings)
}

/// Counts a refusal by its code, and makes the response.
fn respond(uplink: &Uplink, answer: Result<AttributeAnswer, ApiError>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            error.into_response()
        }
    }
}
