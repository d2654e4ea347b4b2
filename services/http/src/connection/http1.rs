//! HTTP/1.1 over one connection, until either side closes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;

use super::activity::Activity;
use super::context::ConnectionContext;
use super::exchange::{EndOnDrop, Peer, Tracked, respond};
use super::guard::GuardedStream;
use crate::answer::error::ApiError;

/// Serves HTTP/1.1 until either side closes. A `refusal` answers the first request.
pub(super) async fn serve(
    guarded: GuardedStream,
    activity: &Arc<Activity>,
    refusal: Option<ApiError>,
    peer: SocketAddr,
    context: &Arc<ConnectionContext>,
) -> Result<(), hyper::Error> {
    let config = &context.config;
    let (refusal, peer) = (Mutex::new(refusal), &Peer::new(peer));
    let service = service_fn(|request: Request<Incoming>| {
        let end = EndOnDrop::begin(activity);
        let refusal = refusal.lock().take();
        async move {
            let response = respond(request, peer, refusal, context).await;
            Ok::<_, Infallible>(response.map(|body| Tracked::new(body, end)))
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(config.idle_secs))
        .max_buf_size(config.header_bytes_max.max(8192))
        .half_close(false);
    let connection = builder.serve_connection(TokioIo::new(guarded), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        served = connection.as_mut() => served,
        () = context.stop_requested(activity) => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    }
}
