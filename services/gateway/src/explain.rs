//! The admin side: what became of a message that this gateway fanned out.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Json, Router};
use barrage_http::{AdminRoutes, ApiError};
use barrage_protocol::{Code, Sequence};
use serde_json::{Value, json};

use crate::gateway::Shared;
use crate::routes::room;

pub(crate) fn router(shared: Arc<Shared>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/rooms/{room}/fan-outs/{sequence}", axum::routing::get(handle))
        .with_state(shared);
    AdminRoutes::new(routes)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    Path((room_text, sequence)): Path<(String, u64)>,
) -> Result<Json<Value>, ApiError> {
    let found = shared.fan_outs.find(&room(&room_text)?, Sequence(sequence));
    let found = found.ok_or_else(|| {
        ApiError::new(Code::NotFound, "this gateway has no viewers in the room, or has forgotten that batch")
    })?;
    Ok(Json(json!({ "gateway": shared.config.id, "fan_out": found })))
}
