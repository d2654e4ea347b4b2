//! The admin API: rooms, users, switches, announcements, the audit log. The gate of `barrage-http`
//! checks tokens before these handlers and records the calls.

mod announce;
mod audit;
mod context;
mod emotes;
mod events;
mod media;
mod moderation;
mod operations;
mod partitions;
mod polls;
mod rooms;
mod sampling;
mod switches;
mod tokens;
mod users;
mod webhooks;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use barrage_http::AdminRoutes;

pub(crate) use context::AdminContext;
pub(crate) use operations::operations;

/// Returns the admin routes of an uplink.
pub(crate) fn routes(context: Arc<AdminContext>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/rooms", get(rooms::list))
        .route("/v1/admin/rooms/{room}", put(rooms::put))
        .route("/v1/admin/rooms/{room}/roles", get(moderation::roles))
        .route("/v1/admin/rooms/{room}/attributes", get(moderation::attributes))
        .route("/v1/admin/rooms/{room}/actions", post(moderation::act))
        .route("/v1/admin/rooms/{room}/mute", post(users::mute))
        .route("/v1/admin/rooms/{room}/unmute", post(users::unmute))
        .route("/v1/admin/rooms/{room}/mute-all", post(rooms::mute_all))
        .route("/v1/admin/rooms/{room}/slow-mode", post(rooms::slow_mode))
        .route("/v1/admin/rooms/{room}/recall", post(rooms::recall))
        .route("/v1/admin/rooms/{room}/kick", post(users::kick))
        .route("/v1/admin/rooms/{room}/unkick", post(users::unkick))
        .route("/v1/admin/rooms/{room}/restrictions", get(users::list_restrictions))
        .route("/v1/admin/users/{user}/revoke", post(tokens::revoke_user))
        .route("/v1/admin/tokens/revoke", post(tokens::revoke_all))
        .route("/v1/admin/rooms/{room}/close", post(rooms::close))
        .route("/v1/admin/rooms/{room}/events", post(events::send))
        .route("/v1/admin/rooms/{room}/emotes", get(emotes::show).put(emotes::import))
        .route("/v1/admin/rooms/{room}/emotes/{emote}", put(emotes::put).delete(emotes::remove))
        .route("/v1/admin/rooms/{room}/polls", get(polls::list).post(polls::open))
        .route("/v1/admin/rooms/{room}/polls/{poll}/close", post(polls::close))
        .route("/v1/admin/broadcast", post(announce::handle))
        .route("/v1/admin/media/remove", post(media::remove))
        .route("/v1/admin/media/allow", post(media::allow))
        .route("/v1/admin/switches", get(switches::list))
        .route("/v1/admin/switches/{name}", put(switches::set))
        .route("/v1/admin/trace", get(sampling::show).put(sampling::set))
        .route("/v1/admin/bus/partitions", get(partitions::show).put(partitions::set))
        .route("/v1/admin/webhooks", get(webhooks::list))
        .route("/v1/admin/webhooks/{endpoint}/deliveries", get(webhooks::deliveries))
        .route("/v1/admin/webhooks/{endpoint}/replay", post(webhooks::replay))
        .route("/v1/admin/webhooks/{endpoint}/enable", post(webhooks::enable))
        .route("/v1/admin/why/{id}", get(why::posts))
        .route("/v1/admin/audit", get(audit::list))
        .route("/v1/admin/recorder/uplink", get(why::recorder))
        .with_state(context);
    AdminRoutes::new(routes)
}
