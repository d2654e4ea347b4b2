//! HTTP/2 over one connection, until either side closes.
//!
//! A page's posts, history and media share one connection. WebSockets do not: they stay on HTTP/1.1,
//! because a viewer's socket is taken over by a shard (the extended CONNECT of RFC 8441 is off).

use std::convert::Infallible;
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::activity::Activity;
use super::answer_body::{self, AnswerBody};
use super::context::ConnectionContext;
use super::exchange::{EndOnDrop, Peer, Tracked, respond};
use super::guard::GuardedStream;
use crate::cut::Cut;

/// Bytes that the HTTP/2 library buffers for each stream: two frames.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// Serves HTTP/2 until either side closes, or the connection had no request for `http.idle_secs`.
pub(super) async fn serve(
    guarded: GuardedStream,
    activity: &Arc<Activity>,
    peer: SocketAddr,
    context: &Arc<ConnectionContext>,
) -> Result<(), hyper::Error> {
    let service = {
        let (activity, context, peer) =
            (Arc::clone(activity), Arc::clone(context), Arc::new(Peer::new(peer)));
        service_fn(move |request: Request<Incoming>| {
            let end = EndOnDrop::begin(&activity);
            let (context, peer) = (Arc::clone(&context), Arc::clone(&peer));
            async move {
                let response = respond(request, &peer, None, &context).await;
                Ok::<_, Infallible>(response.map(|body| AnswerBody::new(Tracked::new(body, end))))
            }
        })
    };
    let connection = builder(context).serve_connection(TokioIo::new(guarded), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        served = connection.as_mut() => served,
        () = context.stop_requested(activity) => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
        () = activity.idle_for(Duration::from_secs(context.config.idle_secs)) => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    }
}

fn builder(context: &ConnectionContext) -> http2::Builder<StreamTasks> {
    let config = &context.config;
    let limits = &config.http2;
    let stall_max = Duration::from_secs(config.write_stall_secs.max(1));
    let mut builder = http2::Builder::new(StreamTasks { stall_max });
    let streams_max = usize::try_from(limits.streams_max).unwrap_or(usize::MAX);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX))
        // Beyond, the library closes the connection with ENHANCE_YOUR_CALM.
        .max_pending_accept_reset_streams(streams_max)
        .max_local_error_reset_streams(streams_max)
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_send_buf_size(SEND_BUFFER_BYTES);
    builder
}

/// Runs each stream in a task of its own, with the write deadline of a stream.
#[derive(Debug, Clone)]
struct StreamTasks {
    stall_max: Duration,
}

impl<F> Executor<F> for StreamTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        tokio::spawn(answer_body::run(Box::pin(task), self.stall_max));
    }
}

/// Returns the reason of a connection that the HTTP/2 library closed by its own bounds.
pub(super) fn cut(error: &hyper::Error) -> Option<Cut> {
    let library = error.source()?.downcast_ref::<h2::Error>()?;
    (library.is_library() && library.is_go_away()).then_some(Cut::Protocol)
}
