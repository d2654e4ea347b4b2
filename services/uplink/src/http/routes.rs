//! The routes of an uplink, public and admin.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use barrage_http::AdminRoutes;
use barrage_protocol::post::ReactionsAnswer;
use http::{HeaderName, StatusCode, header};

use super::actions;
use super::attributes;
use super::dplayer;
use super::emotes;
use super::export;
use super::gallery;
use super::history::{self, HistoryState};
use super::inbox;
use super::offered;
use super::polls;
use super::posts;
use super::reviews;
use super::tokens;
use super::tunnel::{self, Tunnel};
use super::words;
use crate::admin;
use crate::answer_memory::AnswerMemory;
use crate::uplink::Uplink;

/// Returns the public routes: messages, packages, actions, roles, polls, emotes, attributes, history, DPlayer's,
/// the tunnel and the ping.
pub fn router(uplink: &Arc<Uplink>) -> Router {
    let config = &uplink.config;
    let memory = Arc::new(AnswerMemory::new(config.answers_bytes_total_max, config.answer_bytes_max));
    let history = HistoryState { uplink: Arc::clone(uplink), memory: Arc::clone(&memory) };
    let rooms = Router::new()
        .route("/v1/rooms/{room}/messages", post(posts::message))
        .route("/v1/rooms/{room}/packages", post(posts::package))
        .route("/v1/rooms/{room}/actions", post(actions::act))
        .route("/v1/rooms/{room}/roles", get(actions::list_roles))
        .route("/v1/rooms/{room}/roles/{user}", put(actions::put_role))
        .route("/v1/rooms/{room}/polls", get(polls::list).post(polls::open))
        .route("/v1/rooms/{room}/polls/{poll}/votes", post(polls::vote))
        .route("/v1/rooms/{room}/polls/{poll}/close", post(polls::close))
        .route("/v1/rooms/{room}/reviews", get(reviews::list).put(reviews::configure))
        .route("/v1/rooms/{room}/reviews/{review}", post(reviews::decide))
        .route("/v1/rooms/{room}/reports", post(reviews::report))
        .route("/v1/rooms/{room}/emotes", get(emotes::of_room).put(emotes::put_room))
        .route("/v1/rooms/{room}/media", get(gallery::list))
        .route("/v1/rooms/{room}/attributes", get(attributes::list))
        .route(
            "/v1/rooms/{room}/attributes/{key}",
            get(attributes::read).put(attributes::put).delete(attributes::delete),
        )
        .with_state(Arc::clone(uplink))
        .merge(
            Router::new().route("/v1/rooms/{room}/history", get(history::handle)).with_state(history.clone()),
        )
        .merge(inbox::router(uplink));
    // DPlayer uses no tunnel. Inside of one, its answer would take memory twice, and no limit of an address.
    let dplayer = Router::new()
        .route("/v1/rooms/{room}/dplayer/v3/", get(dplayer::read).post(dplayer::send))
        .with_state(history);
    let tunnel = Tunnel::new(rooms.clone(), config, memory);
    let tunnel = Router::new().route("/v1/tunnel", post(tunnel::handle)).with_state(Arc::new(tunnel));
    // The words of a room may be larger than a body in the tunnel. A new token is in no answer that is kept.
    let words = Router::new()
        .route("/v1/rooms/{room}/words", get(words::show).put(words::put))
        .route("/v1/rooms/{room}/words/test", post(words::test))
        .route("/v1/rooms/{room}/tokens", post(tokens::make))
        .with_state(Arc::clone(uplink));
    let emotes = Router::new()
        .route("/v1/emotes", get(emotes::of_platform).put(emotes::put_platform))
        .route("/v1/reactions", get(reactions))
        .with_state(Arc::clone(uplink));
    rooms.merge(words).merge(dplayer).merge(tunnel).merge(emotes).route("/v1/ping", get(ping))
}

/// Lists the reactions that viewers may post. All rooms of a server have the same.
async fn reactions(State(uplink): State<Arc<Uplink>>) -> impl IntoResponse {
    let reactions = uplink.config.reactions.clone();
    ([(header::CACHE_CONTROL, "public, max-age=60")], Json(ReactionsAnswer { reactions }))
}

/// Answers a client that opens its connection ahead of its first post. A page needs no preflight for
/// this request: it has no header of its own.
async fn ping() -> (StatusCode, [(HeaderName, &'static str); 1]) {
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")])
}

/// Returns the admin routes, for the admin listener alone.
pub fn admin_router(uplink: &Arc<Uplink>) -> AdminRoutes {
    let offered = AdminRoutes::new(offered::router(Arc::clone(uplink)));
    let reviewing = Router::new()
        .route("/v1/admin/rooms/{room}/reviews", get(reviews::list).put(reviews::configure))
        .route("/v1/admin/rooms/{room}/reviews/{review}", post(reviews::decide))
        .route("/v1/admin/rooms/{room}/media", get(gallery::list))
        .route("/v1/admin/rooms/{room}/words", get(words::show).put(words::put))
        .route("/v1/admin/rooms/{room}/words/test", post(words::test))
        .route("/v1/admin/rooms/{room}/export", get(export::of_room))
        .with_state(Arc::clone(uplink));
    let letters = AdminRoutes::new(inbox::admin_router(uplink));
    admin::routes(uplink.admin_context()).merge(letters).merge(offered).merge(AdminRoutes::new(reviewing))
}
