//! The gateway's HTTP: the WebSocket handshake and the fallbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Path, Query, Request as HttpRequest, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use barrage_http::{ApiError, GuardedStream};
use barrage_protocol::frame::{SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON, SUBPROTOCOL_TOKEN_PREFIX};
use barrage_protocol::{Code, RoomId, Sequence};
use http::{HeaderMap, HeaderValue, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

use crate::batch::Encoding;
use crate::gateway::{Admission, Shared};
use crate::join::{Arrival, Request};
use crate::shard::Command;
use crate::{poll, sse};

pub(crate) struct Routes {
    pub(crate) shared: Arc<Shared>,
    next_shard: AtomicUsize,
}

pub(crate) fn router(shared: Arc<Shared>) -> axum::Router {
    let routes = Arc::new(Routes { shared, next_shard: AtomicUsize::new(0) });
    axum::Router::new()
        .route("/v1/rooms/{room}/ws", get(websocket))
        .route("/v1/rooms/{room}/sse", get(sse::handle))
        .route("/v1/rooms/{room}/poll", get(poll::handle))
        .with_state(routes)
}

/// Parses the room of a path.
pub(crate) fn room(text: &str) -> Result<RoomId, ApiError> {
    RoomId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

#[derive(Debug, Deserialize)]
pub(crate) struct WsQuery {
    after: Option<u64>,
    ticket: Option<String>,
}

async fn websocket(
    State(routes): State<Arc<Routes>>,
    Path(room_text): Path<String>,
    Query(query): Query<WsQuery>,
    mut http: HttpRequest,
) -> Result<Response, ApiError> {
    let room = room(&room_text)?;
    routes.shared.access.origins.check(http.headers())?;
    let protocols = offered(http.headers());
    let encoding = match protocols.iter().find(|p| [SUBPROTOCOL_JSON, SUBPROTOCOL_DEFLATE].contains(p)) {
        Some(&SUBPROTOCOL_DEFLATE) => Encoding::Deflate { effort: routes.shared.config.deflate_effort },
        _ => Encoding::Json,
    };
    let echo = match encoding {
        Encoding::Deflate { .. } => Some(SUBPROTOCOL_DEFLATE),
        Encoding::Json => protocols.contains(&SUBPROTOCOL_JSON).then_some(SUBPROTOCOL_JSON),
    };
    let by_protocol = protocols.iter().find_map(|p| p.strip_prefix(SUBPROTOCOL_TOKEN_PREFIX));
    let token = by_protocol.or_else(|| bearer(http.headers()));
    // A refusal that is known now is an HTTP answer, before anything is allocated.
    let identity = match token {
        Some(token) => routes.shared.check(&room, Some(token))?,
        None => {
            routes.shared.check_room(&room, None)?;
            None
        }
    };
    let pass = routes.shared.pass(&room, query.ticket.as_deref())?;
    let admission = routes.shared.admit_join(&pass).await?;
    let request = Request { room, identity, after: query.after.map(Sequence), encoding };
    let (answer, upgraded) = fastwebsockets::upgrade::upgrade(&mut http).map_err(|_| {
        ApiError::new(Code::BadRequest, "this resource takes WebSocket handshakes (version 13) alone")
    })?;
    let mut response = answer.into_response();
    if let Some(echo) = echo {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(echo));
    }
    let handover = hand_over(Arc::clone(&routes), upgraded, request, admission);
    tokio::spawn(handover);
    Ok(response)
}

fn offered(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect()
}

/// Takes the bare socket out of hyper and gives it to a shard.
async fn hand_over(
    routes: Arc<Routes>,
    upgraded: fastwebsockets::upgrade::UpgradeFut,
    request: Request,
    admission: Admission,
) {
    let Ok(websocket) = upgraded.await else { return };
    let upgraded = websocket.into_inner().into_inner();
    let Ok(parts) = upgraded.downcast::<TokioIo<GuardedStream>>() else {
        tracing::error!("an upgraded connection is not one of our listeners'");
        return;
    };
    let (stream, permit) = parts.io.into_inner().into_parts();
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "a connection went away during its handshake");
            return;
        }
    };
    let leftover = parts.read_buf.to_vec();
    let shards = &routes.shared.shards;
    let index = routes.next_shard.fetch_add(1, Ordering::Relaxed) % shards.len();
    let arrival = Box::new(Arrival { stream, permit, admission, request, leftover });
    drop(shards[index].send(Command::Adopt(arrival)).await);
}
