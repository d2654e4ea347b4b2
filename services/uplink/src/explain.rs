//! The admin API's window: switches, the way of a message, the audit log.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_bus::Change;
use barrage_http::ApiError;
use barrage_protocol::{Code, MessageId};
use barrage_store::HISTORY_LIMIT_MAX;
use http::header;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::room_id;
use crate::admin::{read, refused};
use crate::printable::rfc3339;
use crate::routes::Uplink;
use crate::send::unix_ms;

const AUDIT_LIMIT_DEFAULT: usize = 100;

type Answer = Result<Json<Value>, ApiError>;

pub(crate) async fn list_switches(State(uplink): State<Arc<Uplink>>) -> Json<Value> {
    let switches = uplink.bus.settings().borrow().switches;
    Json(json!({ "switches": switches.list() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSwitch {
    value: Value,
}

pub(crate) async fn set_switch(
    State(uplink): State<Arc<Uplink>>,
    Path(name): Path<String>,
    request_body: Body,
) -> Answer {
    let SetSwitch { value } = read(request_body).await?;
    let changed = uplink.bus.change(Change::Switch { name: name.clone(), value }).await.map_err(refused)?;
    tracing::warn!(switch = name, "a switch was set");
    Ok(Json(json!({ "switches": changed.switches().list() })))
}

/// The way of the newest posts under a message id.
pub(crate) async fn why(State(uplink): State<Arc<Uplink>>, Path(id): Path<String>) -> Answer {
    let id = MessageId::parse(&id).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    let posts = uplink.traces.find(&id);
    if posts.is_empty() {
        let message = "this uplink has not seen that id lately, or refused it before it was read \
                       (by address, user or platform: the answer said so)";
        return Err(ApiError::new(Code::NotFound, message));
    }
    let posts: Vec<_> = posts.iter().map(|post| Timed { at: rfc3339(post.at_ms()), of: post }).collect();
    Ok(Json(json!({ "posts": posts })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditPage {
    room: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// A record with its time for people.
#[derive(Serialize)]
struct Timed<'a, T> {
    at: String,
    #[serde(flatten)]
    of: &'a T,
}

pub(crate) async fn audit(
    State(uplink): State<Arc<Uplink>>,
    query: Result<Query<AuditPage>, QueryRejection>,
) -> Answer {
    let Query(page) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = page.room.as_deref().map(room_id).transpose()?;
    let limit = page.limit.unwrap_or(AUDIT_LIMIT_DEFAULT);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {HISTORY_LIMIT_MAX}")));
    }
    let lines = uplink.store.audit(room.as_ref(), page.before, limit).await.map_err(|error| {
        tracing::warn!(%error, "the audit log could not be read");
        ApiError::new(Code::Unavailable, "the audit log cannot be read now").retry_after_ms(1_000)
    })?;
    let next_before = (lines.len() == limit).then(|| lines.last().map(|line| line.id)).flatten();
    let lines: Vec<_> = lines.iter().map(|line| Timed { at: rfc3339(line.record.at_ms), of: line }).collect();
    Ok(Json(json!({ "lines": lines, "next_before": next_before })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfRoom {
    room: String,
}

/// A room's last minutes, post by post, as JSON Lines.
pub(crate) async fn recorder(
    State(uplink): State<Arc<Uplink>>,
    query: Result<Query<OfRoom>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(asked) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = room_id(&asked.room)?;
    let dump = tokio::task::spawn_blocking(move || uplink.recorder.dump(&room, "request", unix_ms())).await;
    let dump = dump.map_err(|_| ApiError::new(Code::Internal, "the dump failed"))?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], dump).into_response())
}
