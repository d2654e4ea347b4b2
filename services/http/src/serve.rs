//! The accept loop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::TrustedProxies;
use crate::config::HttpConfig;
use crate::guard::{Busy, ConnectionPermit, GuardedStream};

/// Silence on an established connection after which the kernel asks whether the
/// other side still lives.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Type: application/json\r\nContent-Length: 113\r\nConnection: close\r\n\r\n{\"error\":{\"code\":\"overloaded\",\"message\":\"this server has no free connection; try another\",\"retry_after_ms\":2000}}";

/// Serves `router` on all `listeners` until `shutdown`, then lets running requests
/// finish for the configured time. Returns when everything is closed. The router
/// brings its own fallbacks.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    config: HttpConfig,
    shutdown: CancellationToken,
) {
    let shared = Arc::new(Shared {
        permits: Arc::new(Semaphore::new(config.connections_max)),
        proxies: TrustedProxies::new(&config.trusted_proxies),
        router,
        tasks: TaskTracker::new(),
        shutdown,
        config,
    });
    let accepting = TaskTracker::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&shared)));
    }
    accepting.close();
    accepting.wait().await;
    shared.tasks.close();
    let grace = Duration::from_secs(shared.config.shutdown_secs);
    if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
        tracing::warn!(connections = shared.tasks.len(), "closing connections that did not finish in time");
    }
}

struct Shared {
    permits: Arc<Semaphore>,
    proxies: TrustedProxies,
    router: Router,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    config: HttpConfig,
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let shared_too = Arc::clone(&shared);
                match Arc::clone(&shared.permits).try_acquire_owned() {
                    Ok(permit) => {
                        shared.tasks.spawn(connection(stream, peer, ConnectionPermit(permit), shared_too));
                    }
                    Err(_) => refuse(stream),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Over the bound: one short write, which a new socket's buffer always takes.
fn refuse(mut stream: TcpStream) {
    tokio::spawn(async move {
        let answer = async {
            stream.write_all(FULL).await?;
            stream.shutdown().await
        };
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(1), answer).await {
            tracing::debug!(%error, "refused connection went away");
        }
    });
}

async fn connection(stream: TcpStream, peer: SocketAddr, permit: ConnectionPermit, shared: Arc<Shared>) {
    let keepalive = socket2::TcpKeepalive::new().with_time(TCP_KEEPALIVE);
    let configured =
        stream.set_nodelay(true).and(socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = configured {
        tracing::debug!(%error, "socket options refused");
    }
    let busy = Busy::default();
    let header = Duration::from_secs(shared.config.header_secs);
    let io = TokioIo::new(GuardedStream::new(stream, permit, busy.clone(), header));
    let service = {
        let shared = Arc::clone(&shared);
        service_fn(move |request: Request<Incoming>| {
            busy.set(true);
            let busy = busy.clone();
            let shared = Arc::clone(&shared);
            async move {
                let response = answer(request, peer, &shared).await;
                busy.set(false);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(shared.config.idle_secs))
        .max_buf_size(shared.config.header_bytes_max.max(8192))
        .half_close(false);
    let mut connection = std::pin::pin!(builder.serve_connection(io, service).with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shared.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

async fn answer(request: Request<Incoming>, peer: SocketAddr, shared: &Shared) -> http::Response<Body> {
    use tower_service::Service;
    let mut request = request.map(Body::new);
    let client = shared.proxies.client(peer.ip(), request.headers());
    request.extensions_mut().insert(client);
    match shared.router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
