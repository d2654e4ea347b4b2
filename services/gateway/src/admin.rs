//! The admin side: sending viewers elsewhere, and what the recorder kept.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use barrage_http::{AdminRoutes, ApiError, body};
use barrage_protocol::Code;
use http::header;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::drain::Cause;
use crate::gateway::{Shared, unix_ms};

const BODY_BYTES_MAX: usize = 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time that may be asked for.
const WITHIN_SECS_MAX: u64 = 3_600;

pub(crate) fn router(shared: Arc<Shared>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/drain", get(state).post(drain).delete(call_off))
        .route("/v1/admin/give-back", post(give_back))
        .route("/v1/admin/recorder/gateway", get(recorder))
        .with_state(shared);
    AdminRoutes::new(routes)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drain {
    within_secs: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GiveBack {
    share: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorder {
    room: String,
}

/// A room's last minutes, batch by batch, as JSON Lines.
async fn recorder(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Recorder>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(asked) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = crate::routes::room(&asked.room)?;
    let dump = tokio::task::spawn_blocking(move || shared.recorder.dump(&room, "request", unix_ms())).await;
    let dump = dump.map_err(|_| ApiError::new(Code::Internal, "the dump failed"))?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], dump).into_response())
}

async fn state(State(shared): State<Arc<Shared>>) -> Json<Value> {
    answer(&shared)
}

async fn drain(State(shared): State<Arc<Shared>>, request_body: Body) -> Result<Json<Value>, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let asked: Drain = if bytes.is_empty() { Drain::default() } else { body::json(&bytes)? };
    if asked.within_secs.is_some_and(|secs| !(1..=WITHIN_SECS_MAX).contains(&secs)) {
        return Err(ApiError::new(Code::BadRequest, format!("within_secs: 1 to {WITHIN_SECS_MAX}")));
    }
    refuse_if_shutting_down(&shared)?;
    shared.depart(Cause::Drain, 1.0, asked.within_secs.map(Duration::from_secs)).await;
    Ok(answer(&shared))
}

async fn call_off(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, ApiError> {
    refuse_if_shutting_down(&shared)?;
    shared.stay().await;
    Ok(answer(&shared))
}

async fn give_back(State(shared): State<Arc<Shared>>, request_body: Body) -> Result<Json<Value>, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let GiveBack { share } = body::json(&bytes)?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(ApiError::new(Code::BadRequest, "share: more than 0, at most 1"));
    }
    if shared.departures.is_draining() {
        return Err(ApiError::new(Code::Conflict, "this gateway drains: all its viewers go anyway"));
    }
    if shared.others().count == 0 {
        return Err(ApiError::new(Code::Conflict, "there is no other gateway that viewers could go to"));
    }
    shared.depart(Cause::GiveBack, share, None).await;
    Ok(answer(&shared))
}

fn refuse_if_shutting_down(shared: &Shared) -> Result<(), ApiError> {
    if shared.shutdown.is_cancelled() {
        return Err(ApiError::new(Code::Conflict, "the process is ending; that cannot be called off"));
    }
    Ok(())
}

fn answer(shared: &Shared) -> Json<Value> {
    let leaving = shared.departures.now();
    let now = tokio::time::Instant::now();
    Json(json!({
        "gateway": shared.config.id,
        "draining": shared.departures.is_draining(),
        "cause": leaving.as_ref().map(|leaving| leaving.cause.label()),
        "ends_in_ms": leaving.map(|leaving| leaving.ends_at().saturating_duration_since(now).as_millis() as u64),
        "viewers": shared.viewers(),
    }))
}
