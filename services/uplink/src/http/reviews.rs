//! The handlers of `/v1/rooms/{room}/reviews` and `POST .../reports`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::review::{ReportRequest, ReviewRequest, ReviewSettings};
use barrage_protocol::{Code, MessageId, RoomId};
use barrage_token::Identity;
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::caller::caller;
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Lists the queue of a room for a moderator.
pub(super) async fn list(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Response {
    let list = || {
        let room = parse_room_id(&room)?;
        let by = caller(&uplink.keyring, &headers, &room)?;
        Ok(uplink.reviews.list(&room, &by)?)
    };
    respond(&uplink, list())
}

/// Sets the fallback of a room's queue.
pub(super) async fn configure(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let bytes_max = uplink.config.post_bytes_max;
    let configure = async {
        let (room, by, settings): (_, _, ReviewSettings) =
            read(&uplink, &room, client, &headers, request_body, bytes_max).await?;
        Ok(uplink.reviews.configure(&room, &by, settings).await?)
    };
    respond(&uplink, configure.await)
}

/// Takes one decision of a moderator about a review.
pub(super) async fn decide(
    State(uplink): State<Arc<Uplink>>,
    Path((room, review)): Path<(String, String)>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let bytes_max = uplink.config.post_bytes_max;
    let decide = async {
        let (room, by, request): (_, _, ReviewRequest) =
            read(&uplink, &room, client, &headers, request_body, bytes_max).await?;
        let id =
            MessageId::parse(&review).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
        Ok(uplink.reviews.decide(&room, &by, &id, &request).await?)
    };
    respond(&uplink, decide.await)
}

/// Takes a viewer's report about another user.
pub(super) async fn report(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let bytes_max = uplink.config.post_bytes_max;
    let report = async {
        let (room, by, request): (_, _, ReportRequest) =
            read(&uplink, &room, client, &headers, request_body, bytes_max).await?;
        Ok(uplink.reviews.report(&room, &by, request).await?)
    };
    respond(&uplink, report.await)
}

/// Reads a request. Its token and limits are checked before its body is read.
pub(super) async fn read<T: DeserializeOwned>(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
    bytes_max: usize,
) -> Result<(RoomId, Identity, T), ApiError> {
    let room = parse_room_id(room)?;
    let by = caller(&uplink.keyring, headers, &room)?;
    uplink.pipeline.admit(client.0, &room, &by).await?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, bytes_max, deadline).await?;
    Ok((room, by, body::json(&bytes)?))
}

/// Counts a refusal by its code, and makes the response.
pub(super) fn respond<T: Serialize>(uplink: &Uplink, answer: Result<T, ApiError>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            error.into_response()
        }
    }
}
