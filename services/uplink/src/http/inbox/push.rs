//! The routes of notifications: devices, settings, follows, and hosts who go live.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post, put};
use barrage_http::ApiError;
use barrage_openapi::Method::{Delete, Get, Post, Put};
use barrage_openapi::{Access, Method, Operation, Server};
use barrage_protocol::inbox::{
    DeviceAnswer, DeviceRemoved, DeviceRequest, DevicesAnswer, FollowAnswer, FollowsPage, LiveAnswer,
    LiveRequest, NotificationSettings, PushKeyAnswer,
};
use barrage_protocol::{Code, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::caller::{Asked, query, read, respond, user_id};
use crate::uplink::Uplink;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 500;

type Shared = State<Arc<Uplink>>;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FollowsQuery {
    /// Lists hosts behind this one: `next_after` of the page before.
    after: Option<UserId>,
    /// Hosts of a page, 1 to 500; 100 when absent.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// Returns the public routes.
pub(super) fn router(uplink: &Arc<Uplink>) -> Router {
    Router::new()
        .route("/v1/push/key", get(key))
        .route("/v1/inbox/devices", get(devices))
        .route("/v1/inbox/devices/{device}", put(register).delete(remove))
        .route("/v1/inbox/notifications", get(settings).put(set_settings))
        .route("/v1/follows", get(follows))
        .route("/v1/follows/{host}", put(follow).delete(unfollow))
        .with_state(Arc::clone(uplink))
}

/// Returns the admin route.
pub(super) fn admin_router(uplink: &Arc<Uplink>) -> Router {
    Router::new().route("/v1/admin/hosts/{host}/live", post(live)).with_state(Arc::clone(uplink))
}

/// Returns the services of this server, and the key for browsers. Needs no token: a page asks before it asks the user.
async fn key(State(uplink): Shared) -> Response {
    let answer = async {
        let Some(inbox) = uplink.inbox.as_ref() else { return Ok(PushKeyAnswer::default()) };
        Ok(inbox.push_key().await?)
    };
    respond(&uplink, answer.await)
}

async fn devices(asked: Asked) -> Response {
    asked.read(async |by| Ok(by.inbox.devices(&by.user).await?)).await
}

async fn register(Path(device): Path<String>, asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let request: DeviceRequest = by.body().await?;
        Ok(by.inbox.register_device(&by.user, &device, &request).await?)
    });
    answer.await
}

async fn remove(Path(device): Path<String>, asked: Asked) -> Response {
    asked.change(async |by| Ok(by.inbox.remove_device(&by.user, &device).await?)).await
}

async fn settings(asked: Asked) -> Response {
    asked.read(async |by| Ok(by.inbox.notification_settings(&by.user).await?)).await
}

async fn set_settings(asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let settings: NotificationSettings = by.body().await?;
        Ok(by.inbox.set_notification_settings(&by.user, settings).await?)
    });
    answer.await
}

async fn follows(wanted: Result<Query<FollowsQuery>, QueryRejection>, asked: Asked) -> Response {
    let answer = asked.read(async |by| {
        let FollowsQuery { after, limit } = query(wanted)?;
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {LIMIT_MAX}")));
        }
        Ok(by.inbox.follows(&by.user, after.as_ref(), limit).await?)
    });
    answer.await
}

async fn follow(Path(host): Path<String>, asked: Asked) -> Response {
    asked.change(async |by| Ok(by.inbox.follow(&by.user, &user_id(&host)?).await?)).await
}

async fn unfollow(Path(host): Path<String>, asked: Asked) -> Response {
    asked.change(async |by| Ok(by.inbox.unfollow(&by.user, &user_id(&host)?).await?)).await
}

async fn live(
    State(uplink): Shared,
    Path(host): Path<String>,
    body: Body,
) -> Result<Json<LiveAnswer>, ApiError> {
    let host = user_id(&host)?;
    let request: LiveRequest = read(&uplink, body, uplink.config.post_bytes_max).await?;
    let inbox = uplink.inbox.as_ref();
    let inbox = inbox.ok_or_else(|| ApiError::new(Code::Forbidden, "letters are off on this server"))?;
    Ok(Json(inbox.go_live(&host, &request).await?))
}

/// Describes the public routes.
pub(super) fn operations() -> Vec<Operation> {
    let of = |id, method: Method, path, summary| {
        Operation::new(id, method, path, summary).by(Server::Uplink, Access::Sender)
    };
    vec![
        Operation::new("push_key", Get, "/v1/push/key", "Returns the services that notifications go to.")
            .by(Server::Uplink, Access::Open)
            .answers::<PushKeyAnswer>(200, "Services, and the key for browsers."),
        of("devices_list", Get, "/v1/inbox/devices", "Lists the devices of a user.")
            .answers::<DevicesAnswer>(200, "Devices, without their tokens."),
        of("device_register", Put, "/v1/inbox/devices/{device}", "Registers a device for notifications.")
            .body::<DeviceRequest>()
            .answers::<DeviceAnswer>(200, "The device gets notifications from now on."),
        of("device_remove", Delete, "/v1/inbox/devices/{device}", "Removes a device.")
            .answers::<DeviceRemoved>(200, "The device gets no notifications any more."),
        of("notifications_show", Get, "/v1/inbox/notifications", "Returns what a user is notified of.")
            .answers::<NotificationSettings>(200, "The settings."),
        of("notifications_set", Put, "/v1/inbox/notifications", "Sets what a user is notified of.")
            .body::<NotificationSettings>()
            .answers::<NotificationSettings>(200, "The settings in force."),
        of("follows_list", Get, "/v1/follows", "Lists the hosts whom a user follows.")
            .query::<FollowsQuery>()
            .answers::<FollowsPage>(200, "A page of hosts, by id."),
        of("follow_begin", Put, "/v1/follows/{host}", "Follows a host.")
            .answers::<FollowAnswer>(200, "The user follows the host."),
        of("follow_end", Delete, "/v1/follows/{host}", "Ends that a user follows a host.")
            .answers::<FollowAnswer>(200, "The user does not follow the host."),
    ]
}

/// Describes the admin route.
pub(super) fn admin_operations() -> Vec<Operation> {
    let path = "/v1/admin/hosts/{host}/live";
    vec![
        Operation::admin(
            Server::Uplink,
            "inbox_live",
            Post,
            path,
            "Tells the followers of a host that it is live.",
        )
        .body::<LiveRequest>()
        .answers::<LiveAnswer>(200, "How far the followers are told; the first call begins it.")
        .refuses(&[Code::Conflict, Code::BadText]),
    ]
}
