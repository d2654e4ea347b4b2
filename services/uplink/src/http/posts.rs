//! The handlers of `POST .../messages` and `POST .../packages`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::post::{Package, PackageAnswer, Post, PostAnswer};
use http::HeaderMap;

use super::caller::caller;
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Takes one post. Its token and limits are checked before its body is read.
pub(super) async fn message(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<PostAnswer>, ApiError> {
    let timer = uplink.metrics.duration.start_timer();
    let result = post_message(&uplink, &room, client, &headers, request_body).await;
    timer.observe_duration();
    counted(&uplink, result)
}

async fn post_message(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
) -> Result<PostAnswer, ApiError> {
    let room = parse_room_id(room)?;
    let by = caller(&uplink.keyring, headers, &room)?;
    uplink.pipeline.admit(client.0, &room, &by).await?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.post_bytes_max, deadline).await?;
    let post: Post = body::json(&bytes)?;
    Ok(uplink.pipeline.post(&room, &by, &post).await?)
}

/// Takes several posts that are published together, in their order.
pub(super) async fn package(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<PackageAnswer>, ApiError> {
    let result = post_package(&uplink, &room, client, &headers, request_body).await;
    counted(&uplink, result)
}

async fn post_package(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
) -> Result<PackageAnswer, ApiError> {
    let room = parse_room_id(room)?;
    let by = caller(&uplink.keyring, headers, &room)?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.package_bytes_max, deadline).await?;
    let package: Package = body::json(&bytes)?;
    let answers = uplink.pipeline.post_package(client.0, &room, &by, &package.messages).await?;
    Ok(PackageAnswer { answers })
}

/// Counts a refusal by its code; makes JSON of an answer.
fn counted<T>(uplink: &Uplink, result: Result<T, ApiError>) -> Result<Json<T>, ApiError> {
    if let Err(error) = &result {
        uplink.metrics.refused(error.0.code);
    }
    result.map(Json)
}
