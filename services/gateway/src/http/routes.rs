use std::sync::Arc;

use axum::routing::get;
use barrage_http::AdminRoutes;

use super::{admin, explain, handshake, inbox, poll, sse};
use crate::context::Context;

/// Builds the public routes: WebSocket, event stream and poll of a room, WebSocket and event stream of the inbox.
pub(crate) fn router(context: Arc<Context>) -> axum::Router {
    axum::Router::new()
        .route("/v1/rooms/{room}/ws", get(handshake::handle))
        .route("/v1/rooms/{room}/sse", get(sse::handle))
        .route("/v1/rooms/{room}/poll", get(poll::handle))
        .route("/v1/inbox/ws", get(handshake::handle_inbox))
        .route("/v1/inbox/sse", get(inbox::handle))
        .with_state(context)
}

/// Builds the admin routes: drains, flight records, fan-outs and the hottest rooms.
pub(crate) fn admin_router(context: &Arc<Context>) -> AdminRoutes {
    explain::router(Arc::clone(context)).merge(admin::router(Arc::clone(context)))
}
