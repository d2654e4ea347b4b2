//! Serving one connection by the version of HTTP that its TLS handshake chose.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::context::ConnectionContext;
use super::guard::{ConnectionPermit, GuardedStream};
use super::transport::Transport;
use super::{http1, http2};
use crate::answer::error::ApiError;

/// Serves HTTP until either side closes. A `refusal` answers the first request of HTTP/1.1.
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
    let is_http2 = stream.is_http2();
    let registered = context.activities.register();
    let activity = &registered.activity;
    let guarded = GuardedStream::new(stream, head.into(), permit, Arc::clone(activity), config);
    let served = if is_http2 {
        Box::pin(http2::serve(guarded, activity, peer, &context)).await
    } else {
        Box::pin(http1::serve(guarded, activity, refusal, peer, &context)).await
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended with an error");
        if let (Some(metrics), Some(cut)) = (&context.metrics, activity.cut_reason().or(http2::cut(&error))) {
            metrics.cut_connection(cut);
        }
    }
    drop(registered);
}
