//! One exchange: a request and its answer, over either version of HTTP.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use barrage_protocol::Code;
use barrage_token::LastToken;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Version, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tracing::Instrument;

use super::activity::Activity;
use super::context::ConnectionContext;
use super::direct::{DirectRequest, DirectRoute};
use super::span::{record_route, request_span};
use crate::answer::documented;
use crate::answer::error::{ApiError, Cause};
use crate::request::{SharedBody, check_rules, name_host};

/// Route of a connection that a greeter refused.
const GREETED_ROUTE: &str = "/v1/rooms/{room}/ws";

/// The client's end of a connection, for all requests on it.
#[derive(Debug)]
pub(super) struct Peer {
    address: SocketAddr,
    /// Extension of the requests: a token that arrives again is not verified again.
    last_token: Arc<LastToken>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Self {
        Peer { address, last_token: Arc::default() }
    }
}

/// Answers one request inside its span, so that log lines name the request.
pub(super) async fn respond(
    request: Request<Incoming>,
    peer: &Peer,
    refusal: Option<ApiError>,
    context: &ConnectionContext,
) -> Response {
    let request_id = context.request_ids.next();
    let direct = context.direct(&request).map(DirectRoute::template);
    let span = request_span(request.method(), &request_id, direct);
    answer(request, peer, refusal, request_id, context).instrument(span).await
}

async fn answer(
    request: Request<Incoming>,
    peer: &Peer,
    refusal: Option<ApiError>,
    request_id: HeaderValue,
    context: &ConnectionContext,
) -> Response {
    let expects_continue = request.headers().contains_key(header::EXPECT);
    let (mut parts, incoming) = request.into_parts();
    // HTTP/2 has frames: an unread body is not parsed as the next request, and its stream ends alone.
    let is_http2 = parts.version == Version::HTTP_2;
    let form = if is_http2 { name_host(&mut parts) } else { Ok(()) };
    let has_body = !incoming.is_end_stream();
    let (shared_body, body) = match (has_body, is_http2) {
        (false, _) => (None, Body::empty()),
        (true, true) => (None, Body::new(incoming)),
        (true, false) => {
            let shared = SharedBody::new(incoming);
            (Some(shared.clone()), Body::new(shared))
        }
    };
    let request = Request::from_parts(parts, body);
    let rules = match form {
        Ok(()) => check_rules(&request),
        refused => refused,
    };
    let response = match (refusal, rules) {
        (_, Err(response)) => response,
        (Some(refusal), Ok(())) => {
            record_route(GREETED_ROUTE);
            let response = refusal.into_response();
            if let Some(metrics) = &context.metrics {
                metrics.answered(Some(GREETED_ROUTE), response.status());
            }
            response
        }
        (None, Ok(())) => route(request, peer, context).await,
    };
    let mut response = documented::document(response).await;
    if response.status().is_server_error() {
        log_failure(context, &response);
    }
    documented::add_headers(response.headers_mut(), &request_id, context.hsts.as_ref());
    if let Some(body) = shared_body
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
        && !body.finish(expects_continue).await
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn route(mut request: Request<Body>, peer: &Peer, context: &ConnectionContext) -> Response {
    use tower_service::Service;
    let client = context.proxies.client(peer.address.ip(), request.headers());
    if let Some(direct) = context.direct(&request) {
        let (parts, body) = request.into_parts();
        let last_token = Arc::clone(&peer.last_token);
        return direct.answer(DirectRequest { client, last_token, parts, body }).await;
    }
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(Arc::clone(&peer.last_token));
    match context.router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Logs a failure with its cause; method, route and request id are in the span.
///
/// `internal` is an error. `unavailable` is a warning, because the part that is away logs its own
/// state once, as an error. A refusal under load (`overloaded`, `draining`, `slow_viewer`) is
/// counted alone.
fn log_failure(context: &ConnectionContext, response: &Response) {
    let cause = response.extensions().get::<Cause>();
    let is_away = cause.is_some_and(|cause| cause.code == Code::Unavailable);
    if cause.is_some_and(|cause| ![Code::Internal, Code::Unavailable].contains(&cause.code)) {
        return;
    }
    let Some(suppressed) = context.log_bound.admit() else { return };
    let status = response.status().as_u16();
    let cause = cause.map_or("not given", |cause| cause.message.as_str());
    if is_away {
        tracing::warn!(status, cause, suppressed, "a request failed");
    } else {
        tracing::error!(status, cause, suppressed, "a request failed");
    }
}

/// Marks the end of a request on drop.
pub(super) struct EndOnDrop(Arc<Activity>);

impl EndOnDrop {
    /// Marks the start of a request.
    pub(super) fn begin(activity: &Arc<Activity>) -> EndOnDrop {
        activity.begin();
        EndOnDrop(Arc::clone(activity))
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An answer's body. The connection is busy until the body was written or dropped.
pub(super) struct Tracked {
    body: Body,
    _end: EndOnDrop,
}

impl Tracked {
    pub(super) const fn new(body: Body, end: EndOnDrop) -> Tracked {
        Tracked { body, _end: end }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
