//! The handlers of `POST .../messages` and `POST .../packages`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barrage_http::{ApiError, ClientAddr, DirectAnswer, DirectRequest, DirectRoute, body};
use barrage_protocol::TraceId;
use barrage_protocol::post::{Package, PackageAnswer, Post, PostAnswer};
use barrage_token::LastToken;
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::caller::sender;
use crate::record::RequestTrace;
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Header that names the trace of a sampled request, as the draft of W3C Trace Context 2 has it.
const TRACERESPONSE: &str = "traceresponse";
/// Template of the route of single posts.
const MESSAGES: &str = "/v1/rooms/{room}/messages";

/// Takes one post. Its token and limits are checked before its body is read.
pub(super) async fn message(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let last_token = parts.extensions.get::<Arc<LastToken>>().cloned().unwrap_or_default();
    answer(&uplink, &room, DirectRequest { client, last_token, parts, body }).await
}

/// Single posts, past the router.
struct Messages(Arc<Uplink>);

/// Returns the route of single posts. The router has it, too.
pub fn direct_route(uplink: &Arc<Uplink>) -> Arc<dyn DirectRoute> {
    Arc::new(Messages(Arc::clone(uplink)))
}

impl DirectRoute for Messages {
    fn template(&self) -> &'static str {
        MESSAGES
    }

    fn takes(&self, path: &str) -> bool {
        room_of(path).is_some()
    }

    fn answer(&self, request: DirectRequest) -> DirectAnswer<'_> {
        Box::pin(async move {
            let room = room_of(request.parts.uri.path()).unwrap_or_default().to_owned();
            answer(&self.0, &room, request).await
        })
    }
}

/// Returns the room of a path of [`MESSAGES`]; `None` for another path, and for one that needs decoding.
fn room_of(path: &str) -> Option<&str> {
    let room = path.strip_prefix("/v1/rooms/")?.strip_suffix("/messages")?;
    (!room.is_empty() && !room.contains(['/', '%'])).then_some(room)
}

async fn answer(uplink: &Uplink, room: &str, request: DirectRequest) -> Response {
    let began = barrage_clock::now();
    let mut trace = RequestTrace::start(&uplink.tracer, Some(&request.parts.headers));
    let result = post_message(uplink, room, request, &mut trace).await;
    uplink.metrics.duration.observe(began.elapsed().as_secs_f64(), trace.id().map(TraceId::number));
    let response = respond(uplink, &trace, result.as_ref());
    trace.end("POST /v1/rooms/{room}/messages", result.as_ref().map(Some).map_err(|error| &error.0));
    response
}

async fn post_message(
    uplink: &Uplink,
    room: &str,
    request: DirectRequest,
    trace: &mut RequestTrace,
) -> Result<PostAnswer, ApiError> {
    let room = parse_room_id(room)?;
    let by = sender(&uplink.keyring, &request.parts.headers, &request.last_token, &room)?;
    uplink.pipeline.admit(request.client.0, &room, &by).await?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request.body, uplink.config.post_bytes_max, deadline).await?;
    let post: Post = body::json(&bytes)?;
    Ok(uplink.pipeline.post(&room, &by, &post, trace).await?)
}

/// Takes several posts that are published together, in their order.
pub(super) async fn package(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let last_token = parts.extensions.get::<Arc<LastToken>>().cloned().unwrap_or_default();
    let request = DirectRequest { client, last_token, parts, body };
    let mut trace = RequestTrace::start(&uplink.tracer, Some(&request.parts.headers));
    let result = post_package(&uplink, &room, request, &mut trace).await;
    let response = respond(&uplink, &trace, result.as_ref());
    let answers = result.as_ref().map(|package| &package.answers).map_err(|error| &error.0);
    trace.end("POST /v1/rooms/{room}/packages", answers);
    response
}

async fn post_package(
    uplink: &Uplink,
    room: &str,
    request: DirectRequest,
    trace: &mut RequestTrace,
) -> Result<PackageAnswer, ApiError> {
    let room = parse_room_id(room)?;
    let by = sender(&uplink.keyring, &request.parts.headers, &request.last_token, &room)?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request.body, uplink.config.package_bytes_max, deadline).await?;
    let package: Package = body::json(&bytes)?;
    let answers =
        uplink.pipeline.post_package(request.client.0, &room, &by, &package.messages, trace).await?;
    Ok(PackageAnswer { answers })
}

/// Counts a refusal by its code, and makes the response. That of a sampled request names its trace.
fn respond<T: Serialize>(uplink: &Uplink, trace: &RequestTrace, result: Result<&T, &ApiError>) -> Response {
    let mut response = match result {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            error.clone().into_response()
        }
    };
    if let Some(value) = trace.response().and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(HeaderName::from_static(TRACERESPONSE), value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_other_routes_and_those_that_need_decoding_are_left_to_the_router() {
        assert_eq!(room_of("/v1/rooms/demo/messages"), Some("demo"));
        for path in [
            "/v1/rooms//messages",
            "/v1/rooms/a/b/messages",
            "/v1/rooms/d%65mo/messages",
            "/v1/rooms/demo/messages/",
            "/v1/rooms/demo/packages",
            "/v1/rooms/messages",
            "/v2/rooms/demo/messages",
        ] {
            assert_eq!(room_of(path), None, "{path}");
        }
    }
}
