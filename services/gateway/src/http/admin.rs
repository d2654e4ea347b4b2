//! Admin API: drains, the flight recorder and the hottest rooms.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use barrage_clock::unix_ms;
use barrage_http::{AdminRoutes, ApiError, body};
use barrage_protocol::Code;
use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::room_path::room;
use crate::context::Context;
use crate::drain::Cause;
use crate::room::TopRoom;
use crate::tasks::drain;

const BODY_BYTES_MAX: usize = 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time of a drain that a request may ask for, in seconds.
const WITHIN_SECS_MAX: u64 = 3_600;

pub(super) fn router(context: Arc<Context>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/drain", get(drain_state).post(start_drain).delete(cancel_drain))
        .route("/v1/admin/give-back", post(give_back))
        .route("/v1/admin/recorder/gateway", get(recorder))
        .route("/v1/admin/top-rooms", get(top_rooms))
        .with_state(context);
    AdminRoutes::new(routes)
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DrainRequest {
    /// Time in which all viewers leave, 1 to 3,600 s; the configured time when absent.
    #[schemars(range(min = 1, max = 3_600))]
    within_secs: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GiveBackRequest {
    /// Share of the viewers that leave: more than 0, at most 1.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    share: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecorderQuery {
    /// Room of the records.
    #[schemars(with = "barrage_protocol::RoomId")]
    room: String,
}

/// Hottest rooms of one gateway.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HottestRooms {
    /// Id of the gateway.
    gateway: String,
    /// At most 100 rooms, those with most deliveries in the last two seconds first.
    rooms: Vec<TopRoom>,
}

/// Drain of a gateway.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DrainState {
    /// Id of the gateway.
    gateway: String,
    /// Whether all viewers leave and no new viewer is admitted.
    draining: bool,
    /// Cause of the drain: `shutdown`, `drain` or `give_back`; null without one.
    cause: Option<&'static str>,
    /// Milliseconds until the last viewer is asked to leave; null without a drain.
    ends_in_ms: Option<u64>,
    /// Viewers of the gateway now.
    viewers: u64,
}

/// Answers a room's newest batch records as JSON Lines.
async fn recorder(
    State(context): State<Arc<Context>>,
    query: Result<Query<RecorderQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = room(&query.room)?;
    let dump =
        tokio::task::spawn_blocking(move || context.history.recorder.dump(&room, "request", unix_ms()));
    let dump = dump.await.map_err(|_| ApiError::new(Code::Internal, "the dump of the recorder failed"))?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], dump).into_response())
}

/// Answers the hottest rooms of this gateway, hottest first.
async fn top_rooms(State(context): State<Arc<Context>>) -> Json<HottestRooms> {
    let rooms = context.history.top_rooms.newest().to_vec();
    Json(HottestRooms { gateway: context.config.id.clone(), rooms })
}

async fn drain_state(State(context): State<Arc<Context>>) -> Json<DrainState> {
    answer(&context)
}

async fn start_drain(
    State(context): State<Arc<Context>>,
    request: Body,
) -> Result<Json<DrainState>, ApiError> {
    let bytes = body::read(request, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let request: DrainRequest = if bytes.is_empty() { DrainRequest::default() } else { body::json(&bytes)? };
    if request.within_secs.is_some_and(|secs| !(1..=WITHIN_SECS_MAX).contains(&secs)) {
        return Err(ApiError::new(Code::BadRequest, format!("within_secs: 1 to {WITHIN_SECS_MAX}")));
    }
    refuse_if_shutting_down(&context)?;
    drain::start(&context, Cause::Drain, 1.0, request.within_secs.map(Duration::from_secs)).await;
    Ok(answer(&context))
}

async fn cancel_drain(State(context): State<Arc<Context>>) -> Result<Json<DrainState>, ApiError> {
    refuse_if_shutting_down(&context)?;
    drain::cancel(&context).await;
    Ok(answer(&context))
}

async fn give_back(State(context): State<Arc<Context>>, request: Body) -> Result<Json<DrainState>, ApiError> {
    let bytes = body::read(request, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let GiveBackRequest { share } = body::json(&bytes)?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(ApiError::new(Code::BadRequest, "share: more than 0, at most 1"));
    }
    if context.drains.is_draining() {
        return Err(ApiError::new(Code::Conflict, "this gateway drains already: all its viewers go"));
    }
    if drain::peers(&context).count == 0 {
        return Err(ApiError::new(Code::Conflict, "there is no other gateway that viewers could go to"));
    }
    drain::start(&context, Cause::GiveBack, share, None).await;
    Ok(answer(&context))
}

fn refuse_if_shutting_down(context: &Context) -> Result<(), ApiError> {
    if context.lifecycle.shutdown.is_cancelled() {
        return Err(ApiError::new(Code::Conflict, "the process is ending; its drain cannot be changed"));
    }
    Ok(())
}

fn answer(context: &Context) -> Json<DrainState> {
    let drain = context.drains.current();
    let now = tokio::time::Instant::now();
    Json(DrainState {
        gateway: context.config.id.clone(),
        draining: context.drains.is_draining(),
        cause: drain.as_ref().map(|drain| drain.cause.label()),
        ends_in_ms: drain.map(|drain| drain.ends_at().saturating_duration_since(now).as_millis() as u64),
        viewers: context.gate.places.taken(),
    })
}
