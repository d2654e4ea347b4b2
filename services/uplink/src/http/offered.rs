//! The admin call that lists the rooms with most chat offered, before their display quotas.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::Serialize;

use crate::post::OfferedRate;
use crate::uplink::Uplink;

/// Rooms in the answer; each uplink measures its own share of the posts.
const ROOMS_MAX: usize = 50;

/// Answer of `GET /v1/admin/offered`.
#[derive(Serialize, JsonSchema)]
pub(super) struct OfferedRooms {
    /// Rooms with the highest offered rate, highest first.
    rooms: Vec<OfferedRate>,
}

/// Returns the route, which is served only behind the check of admin tokens.
pub(super) fn router(uplink: Arc<Uplink>) -> Router {
    Router::new().route("/v1/admin/offered", get(handle)).with_state(uplink)
}

/// Lists the rooms by the chat that viewers offered to this uplink in the last second.
async fn handle(State(uplink): State<Arc<Uplink>>) -> Json<OfferedRooms> {
    Json(OfferedRooms { rooms: uplink.pipeline.most_offered(ROOMS_MAX) })
}
