//! The handlers of polls: open, list, vote, close.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::RoomId;
use barrage_protocol::poll::{PollRequest, VoteRequest};
use barrage_token::Identity;
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::caller::caller;
use crate::poll::PollAuthor;
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Opens a poll in a room.
pub(super) async fn open(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let answer = async {
        let (room, by) = admit(&uplink, &room, client, &headers).await?;
        let request: PollRequest = read(&uplink, request_body).await?;
        Ok(uplink.polls.open(&room, PollAuthor::Sender(&by), &request).await?)
    };
    respond(&uplink, answer.await)
}

/// Lists the last polls of a room.
pub(super) async fn list(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (room, by) = admit(&uplink, &room, client, &headers).await?;
        Ok(uplink.polls.list(&room, PollAuthor::Sender(&by)).await?)
    };
    respond(&uplink, answer.await)
}

/// Takes the vote of a user.
pub(super) async fn vote(
    State(uplink): State<Arc<Uplink>>,
    Path((room, poll)): Path<(String, String)>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let answer = async {
        let (room, by) = admit(&uplink, &room, client, &headers).await?;
        let VoteRequest { option } = read(&uplink, request_body).await?;
        Ok(uplink.polls.vote(&room, &by, client.0, &poll, option).await?)
    };
    respond(&uplink, answer.await)
}

/// Closes a poll before its end. The request has no body, and one is not read.
pub(super) async fn close(
    State(uplink): State<Arc<Uplink>>,
    Path((room, poll)): Path<(String, String)>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (room, by) = admit(&uplink, &room, client, &headers).await?;
        Ok(uplink.polls.close(&room, PollAuthor::Sender(&by), &poll).await?)
    };
    respond(&uplink, answer.await)
}

/// Checks the token and the limits of a request, before its body is read.
async fn admit(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
) -> Result<(RoomId, Identity), ApiError> {
    let room = parse_room_id(room)?;
    let by = caller(&uplink.keyring, headers, &room)?;
    uplink.pipeline.admit(client.0, &room, &by).await?;
    Ok((room, by))
}

async fn read<T: DeserializeOwned>(uplink: &Uplink, request_body: Body) -> Result<T, ApiError> {
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.post_bytes_max, deadline).await?;
    body::json(&bytes)
}

/// Counts a refusal by its code, and makes the response.
fn respond<T: Serialize>(uplink: &Uplink, answer: Result<T, ApiError>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            error.into_response()
        }
    }
}
