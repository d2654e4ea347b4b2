//! HTTP over one connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
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

use crate::activity::Activity;
use crate::early::SharedBody;
use crate::error::{ApiError, Cause};
use crate::guard::{ConnectionPermit, GuardedStream};
use crate::manners;
use crate::serve::Shared;
use crate::transport::Transport;

/// Serves HTTP until either side ends; `refusal` answers the first request.
pub(crate) async fn serve(
    stream: Transport,
    permit: ConnectionPermit,
    head: Vec<u8>,
    refusal: Option<ApiError>,
    peer: SocketAddr,
    shared: Arc<Shared>,
) {
    let config = &shared.config;
    // Without this the kernel would keep several MiB for a client that never reads.
    if let Err(error) = socket2::SockRef::from(stream.socket()).set_tcp_notsent_lowat(config.unsent_bytes_max)
    {
        tracing::debug!(%error, "the bound of unsent bytes was refused");
    }
    let registered = shared.activities.register();
    let activity = Arc::clone(&registered.activity);
    let guarded = GuardedStream::new(stream, head.into(), permit, Arc::clone(&activity), config);
    let refusal = Mutex::new(refusal);
    let service = {
        let shared = Arc::clone(&shared);
        let activity = Arc::clone(&activity);
        service_fn(move |request: Request<Incoming>| {
            activity.begin();
            let shared = Arc::clone(&shared);
            let ends = Ends(Arc::clone(&activity));
            let refusal = refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move {
                let response = respond(request, peer, refusal, &shared).await;
                Ok::<_, Infallible>(response.map(|body| Tracked { body, _ends: ends }))
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
        () = ended(&shared, &activity) => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
    drop(registered);
}

/// Returns when the connection is to take no further request.
async fn ended(shared: &Shared, activity: &Activity) {
    tokio::select! {
        () = shared.shutdown.cancelled() => {}
        () = activity.told_to_give_way() => {}
    }
}

async fn respond(
    request: Request<Incoming>,
    peer: SocketAddr,
    refusal: Option<ApiError>,
    shared: &Shared,
) -> Response {
    let request_id = shared.request_ids.next();
    let expects_continue = request.headers().contains_key(header::EXPECT);
    let (parts, incoming) = request.into_parts();
    let shared_body = (!incoming.is_end_stream()).then(|| SharedBody::new(incoming));
    let body = shared_body.clone().map_or_else(Body::empty, Body::new);
    let request = Request::from_parts(parts, body);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match (refusal, manners::check(&request)) {
        (_, Err(response)) => response,
        (Some(refusal), Ok(())) => {
            let response = refusal.into_response();
            if let Some(metrics) = &shared.metrics {
                metrics.answered(Some("/v1/rooms/{room}/ws"), response.status());
            }
            response
        }
        (None, Ok(())) => route(request, peer, shared).await,
    };
    let mut response = manners::documented(response).await;
    if response.status().is_server_error() {
        report(shared, &response, &request_id, &method, &path);
    }
    manners::dress(response.headers_mut(), &request_id, shared.hsts.as_ref());
    if let Some(body) = shared_body
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
        && !body.finish(expects_continue).await
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn route(mut request: Request<Body>, peer: SocketAddr, shared: &Shared) -> Response {
    use tower_service::Service;
    let client = shared.proxies.client(peer.ip(), request.headers());
    request.extensions_mut().insert(client);
    match shared.router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Logs a failure with its cause: `internal` as an error, `unavailable` as a warning, because the part
/// that is away logs its own state as an error once. A refusal for want of room (`overloaded`,
/// `draining`, `slow_viewer`) is no failure: it is counted alone.
fn report(shared: &Shared, response: &Response, request_id: &HeaderValue, method: &http::Method, path: &str) {
    let cause = response.extensions().get::<Cause>();
    let is_away = cause.is_some_and(|cause| cause.code == Code::Unavailable);
    if cause.is_some_and(|cause| ![Code::Internal, Code::Unavailable].contains(&cause.code)) {
        return;
    }
    let Some(left_out) = shared.log_bound.admit() else { return };
    let status = response.status().as_u16();
    let request_id = request_id.to_str().unwrap_or_default();
    let cause = cause.map_or("not given", |cause| cause.message.as_str());
    if is_away {
        tracing::warn!(status, %method, path, request_id, cause, left_out, "a request failed");
    } else {
        tracing::error!(status, %method, path, request_id, cause, left_out, "a request failed");
    }
}

/// Ends a request when dropped.
struct Ends(Arc<Activity>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An answer's body: the connection is busy until it has gone.
struct Tracked {
    body: Body,
    _ends: Ends,
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
