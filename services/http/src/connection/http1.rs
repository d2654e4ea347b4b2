//! HTTP/1.1 over one connection, until either side closes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use barrage_protocol::Code;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use parking_lot::Mutex;
use tracing::Instrument;

use super::activity::Activity;
use super::context::ConnectionContext;
use super::guard::{ConnectionPermit, GuardedStream};
use super::span::{record_route, request_span};
use super::transport::Transport;
use crate::answer::documented;
use crate::answer::error::{ApiError, Cause};
use crate::request::{SharedBody, check_rules};

/// Route of a connection that a greeter refused.
const GREETED_ROUTE: &str = "/v1/rooms/{room}/ws";

/// Serves HTTP until either side closes. A `refusal` answers the first request.
pub(crate) async fn serve(
    stream: Transport,
    permit: ConnectionPermit,
    head: Vec<u8>,
    refusal: Option<ApiError>,
    peer: SocketAddr,
    context: Arc<ConnectionContext>,
) {
    let config = &context.config;
    // Without this bound the kernel would keep several MiB for a client that never reads.
    if let Err(error) = socket2::SockRef::from(stream.socket()).set_tcp_notsent_lowat(config.unsent_bytes_max)
    {
        tracing::debug!(%error, "the bound of unsent bytes cannot be set");
    }
    // An answer that fits into the kernel's buffers leaves no bytes to this process: the kernel
    // resets a client that takes nothing of it for the same time.
    let stall = Duration::from_secs(config.write_stall_secs.max(1));
    if let Err(error) = socket2::SockRef::from(stream.socket()).set_tcp_user_timeout(Some(stall)) {
        tracing::debug!(%error, "the time limit of unacknowledged bytes cannot be set");
    }
    let registered = context.activities.register();
    let activity = Arc::clone(&registered.activity);
    let guarded = GuardedStream::new(stream, head.into(), permit, Arc::clone(&activity), config);
    let refusal = Mutex::new(refusal);
    let service = {
        let context = Arc::clone(&context);
        let activity = Arc::clone(&activity);
        service_fn(move |request: Request<Incoming>| {
            activity.begin();
            let context = Arc::clone(&context);
            let end = EndOnDrop(Arc::clone(&activity));
            let refusal = refusal.lock().take();
            async move {
                let response = respond(request, peer, refusal, &context).await;
                Ok::<_, Infallible>(response.map(|body| Tracked { body, _end: end }))
            }
        })
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(config.idle_secs))
        .max_buf_size(config.header_bytes_max.max(8192))
        .half_close(false);
    let connection = builder.serve_connection(TokioIo::new(guarded), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop_requested(&context, &activity) => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended with an error");
    }
    drop(registered);
}

/// Returns when the connection is to take no further request.
async fn stop_requested(context: &ConnectionContext, activity: &Activity) {
    tokio::select! {
        () = context.shutdown.cancelled() => {}
        () = activity.close_requested() => {}
    }
}

/// Answers one request inside its span, so that log lines name the request.
async fn respond(
    request: Request<Incoming>,
    peer: SocketAddr,
    refusal: Option<ApiError>,
    context: &ConnectionContext,
) -> Response {
    let request_id = context.request_ids.next();
    let span = request_span(request.method(), &request_id);
    answer(request, peer, refusal, request_id, context).instrument(span).await
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    refusal: Option<ApiError>,
    request_id: HeaderValue,
    context: &ConnectionContext,
) -> Response {
    let expects_continue = request.headers().contains_key(header::EXPECT);
    let (parts, incoming) = request.into_parts();
    let shared_body = (!incoming.is_end_stream()).then(|| SharedBody::new(incoming));
    let body = shared_body.clone().map_or_else(Body::empty, Body::new);
    let request = Request::from_parts(parts, body);
    let response = match (refusal, check_rules(&request)) {
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

async fn route(mut request: Request<Body>, peer: SocketAddr, context: &ConnectionContext) -> Response {
    use tower_service::Service;
    let client = context.proxies.client(peer.ip(), request.headers());
    request.extensions_mut().insert(client);
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
struct EndOnDrop(Arc<Activity>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An answer's body. The connection is busy until the body was written or dropped.
struct Tracked {
    body: Body,
    _end: EndOnDrop,
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
