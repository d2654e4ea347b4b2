//! The routes of letters, groups and the inbox.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};

use super::{groups, letters, lists, own, push};
use crate::uplink::Uplink;

/// Returns the routes, which a tunnel has too.
pub(crate) fn router(uplink: &Arc<Uplink>) -> Router {
    Router::new()
        .route("/v1/users/{user}/messages", post(letters::to_user))
        .route("/v1/users/{user}/packages", post(letters::package_to_user))
        .route("/v1/conversations/{conversation}/messages", get(lists::items).post(letters::to_conversation))
        .route("/v1/conversations/{conversation}/packages", post(letters::package_to_conversation))
        .route("/v1/conversations/{conversation}/read", get(lists::read_places))
        .route("/v1/conversations/{conversation}/recall", post(own::recall))
        .route("/v1/conversations/{conversation}/hide", post(own::hide))
        .route("/v1/conversations/{conversation}/clear", post(own::clear))
        .route("/v1/inbox", get(lists::sync))
        .route("/v1/inbox/reads", post(own::reads))
        .route("/v1/inbox/preferences", get(own::preferences).put(own::prefer))
        .route("/v1/conversations/{conversation}", axum::routing::patch(own::see))
        .route("/v1/blocks/{user}", put(own::block).delete(own::unblock))
        .route("/v1/reports", post(own::report))
        .route("/v1/groups", post(groups::create))
        .route("/v1/groups/{group}", get(groups::show).patch(groups::settings).delete(groups::delete))
        .route("/v1/groups/{group}/join", post(groups::join))
        .route("/v1/groups/{group}/leave", post(groups::leave))
        .route("/v1/groups/{group}/members", get(groups::members))
        .route("/v1/groups/{group}/members/{user}", put(groups::appoint))
        .with_state(Arc::clone(uplink))
        .merge(push::router(uplink))
}
