//! The handlers of `/v1/rooms/{room}/words` and of its test.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use barrage_http::ClientAddr;
use barrage_protocol::words::{WordsRequest, WordsTestRequest};
use http::HeaderMap;

use super::caller::caller;
use super::reviews::{read, respond};
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Maximum bytes of a body with the rules of a room: the words with their quotes and escapes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Shows the rules of a room with their figures.
pub(super) async fn show(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Response {
    let show = async {
        let room = parse_room_id(&room)?;
        let by = caller(&uplink.keyring, &headers, &room)?;
        Ok(uplink.words.show(&room, &by).await?)
    };
    respond(&uplink, show.await)
}

/// Replaces the rules of a room.
pub(super) async fn put(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let put = async {
        let (room, by, request): (_, _, WordsRequest) =
            read(&uplink, &room, client, &headers, request_body, BODY_BYTES_MAX).await?;
        Ok(uplink.words.put(&room, &by, request).await?)
    };
    respond(&uplink, put.await)
}

/// Tests a text against the rules of a room, or against others.
pub(super) async fn test(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let test = async {
        let (room, by, request): (_, _, WordsTestRequest) =
            read(&uplink, &room, client, &headers, request_body, BODY_BYTES_MAX).await?;
        Ok(uplink.words.test(&room, &by, request).await?)
    };
    respond(&uplink, test.await)
}
