//! The routes of an uplink, public and admin.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use barrage_http::AdminRoutes;

use super::answer_memory::AnswerMemory;
use super::history::{self, HistoryState};
use super::posts;
use super::tunnel::{self, Tunnel};
use crate::admin;
use crate::uplink::Uplink;

/// Returns the public routes: messages, packages, history and the tunnel.
pub fn router(uplink: &Arc<Uplink>) -> Router {
    let config = &uplink.config;
    let memory = Arc::new(AnswerMemory::new(config.answers_bytes_total_max, config.answer_bytes_max));
    let history = HistoryState { uplink: Arc::clone(uplink), memory: Arc::clone(&memory) };
    let rooms = Router::new()
        .route("/v1/rooms/{room}/messages", post(posts::message))
        .route("/v1/rooms/{room}/packages", post(posts::package))
        .with_state(Arc::clone(uplink))
        .merge(Router::new().route("/v1/rooms/{room}/history", get(history::handle)).with_state(history));
    let tunnel = Tunnel::new(rooms.clone(), config, memory);
    rooms.merge(Router::new().route("/v1/tunnel", post(tunnel::handle)).with_state(Arc::new(tunnel)))
}

/// Returns the admin routes, for the admin listener alone.
pub fn admin_router(uplink: &Uplink) -> AdminRoutes {
    admin::routes(uplink.admin_context())
}
