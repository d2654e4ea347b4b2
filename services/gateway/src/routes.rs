//! The gateway's HTTP: the WebSocket handshake and the fallbacks.

use std::sync::Arc;

use axum::routing::get;
use barrage_http::ApiError;
use barrage_protocol::{Code, RoomId};

use crate::gateway::Shared;
use crate::{handshake, poll, sse};

pub(crate) struct Routes {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) fn router(shared: Arc<Shared>) -> axum::Router {
    let routes = Arc::new(Routes { shared });
    axum::Router::new()
        .route("/v1/rooms/{room}/ws", get(handshake::handle))
        .route("/v1/rooms/{room}/sse", get(sse::handle))
        .route("/v1/rooms/{room}/poll", get(poll::handle))
        .with_state(routes)
}

/// Parses the room of a path.
pub(crate) fn room(text: &str) -> Result<RoomId, ApiError> {
    RoomId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}
