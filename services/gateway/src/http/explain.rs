//! Admin API: the fan-out of one message at this gateway.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Json, Router};
use barrage_http::{AdminRoutes, ApiError};
use barrage_protocol::{Code, Sequence};
use schemars::JsonSchema;
use serde::Serialize;

use super::room_path::room;
use crate::context::Context;
use crate::room::FanOutView;

pub(super) fn router(context: Arc<Context>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/rooms/{room}/fan-outs/{sequence}", axum::routing::get(handle))
        .with_state(context);
    AdminRoutes::new(routes)
}

/// The batch of one message at one gateway.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explained {
    /// Id of the gateway.
    gateway: String,
    /// The batch that the message was in, or was dropped from.
    fan_out: FanOutView,
}

async fn handle(
    State(context): State<Arc<Context>>,
    Path((room_text, sequence)): Path<(String, u64)>,
) -> Result<Json<Explained>, ApiError> {
    let found = context.history.fan_outs.find(&room(&room_text)?, Sequence(sequence));
    let found = found.ok_or_else(|| {
        ApiError::new(Code::NotFound, "this gateway has no viewers in the room, or has forgotten that batch")
    })?;
    Ok(Json(Explained { gateway: context.config.id.clone(), fan_out: found }))
}
