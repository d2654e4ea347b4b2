//! The accept loop.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::TrustedProxies;
use crate::config::HttpConfig;
use crate::error::ApiError;
use crate::greeter::{Arrived, Greeted, Greeter};
use crate::guard::{Busy, ConnectionPermit, GuardedStream};
use crate::tls::Tls;
use crate::transport::Transport;

/// Silence on an established connection after which the kernel asks whether the
/// other side still lives.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections accepted before they are looked at; then other tasks have their turn.
const ACCEPTS_MAX: usize = 64;
/// Bytes of a head that a greeter is shown; one that is larger is HTTP's.
const HEAD_BYTES_MAX: usize = 4 * 1024;

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
    serve_public(listeners, router, Front::default(), config, shutdown).await;
}

/// What stands before the router.
#[derive(Default)]
pub struct Front {
    /// Sees each connection first, where there is no TLS.
    pub greeter: Option<Arc<dyn Greeter>>,
    /// Spoken on all listeners.
    pub tls: Option<Tls>,
}

/// The same with something before the router.
pub async fn serve_public(
    listeners: Vec<TcpListener>,
    router: Router,
    front: Front,
    config: HttpConfig,
    shutdown: CancellationToken,
) {
    let renewing = front.tls.clone().map(|tls| tokio::spawn(tls.renew(shutdown.clone())));
    let shared = Arc::new(Shared {
        permits: Arc::new(Semaphore::new(config.connections_max)),
        proxies: TrustedProxies::new(&config.trusted_proxies),
        router,
        greeter: front.greeter,
        acceptor: front.tls.as_ref().map(Tls::acceptor),
        tasks: TaskTracker::new(),
        shutdown,
        config,
    });
    let accepting = TaskTracker::new();
    for listener in listeners {
        match bare(listener) {
            Ok(listener) => drop(accepting.spawn(accept(listener, Arc::clone(&shared)))),
            Err(error) => tracing::error!(%error, "a listener cannot be used"),
        }
    }
    accepting.close();
    accepting.wait().await;
    shared.tasks.close();
    let grace = Duration::from_secs(shared.config.shutdown_secs);
    if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
        tracing::warn!(connections = shared.tasks.len(), "closing connections that did not finish in time");
    }
    if let Some(renewing) = renewing {
        renewing.abort();
    }
}

struct Shared {
    permits: Arc<Semaphore>,
    proxies: TrustedProxies,
    router: Router,
    greeter: Option<Arc<dyn Greeter>>,
    acceptor: Option<TlsAcceptor>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    config: HttpConfig,
}

/// The listener without the runtime's wrapper, which would register each accepted socket
/// with this runtime, whoever owns it in the end. Its options pass to what it accepts.
fn bare(listener: TcpListener) -> std::io::Result<AsyncFd<std::net::TcpListener>> {
    let listener = listener.into_std()?;
    let socket = socket2::SockRef::from(&listener);
    let keepalive = socket2::TcpKeepalive::new().with_time(TCP_KEEPALIVE);
    if let Err(error) = socket.set_tcp_nodelay(true).and(socket.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "socket options refused");
    }
    #[expect(deprecated, reason = "its replacement is unsafe, for types that lie about their descriptor")]
    AsyncFd::with_interest(listener, Interest::READABLE)
}

async fn accept(listener: AsyncFd<std::net::TcpListener>, shared: Arc<Shared>) {
    let mut accepted = Vec::with_capacity(ACCEPTS_MAX);
    loop {
        let ready = tokio::select! {
            ready = listener.readable() => ready,
            () = shared.shutdown.cancelled() => return,
        };
        let Ok(mut ready) = ready else { return };
        let mut failure = None;
        while accepted.len() < ACCEPTS_MAX {
            match ready.try_io(|listener| listener.get_ref().accept()) {
                Ok(Ok(connection)) => accepted.push(connection),
                Ok(Err(error)) => {
                    failure = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        // All of them first: the heads of the early ones arrive meanwhile.
        for (stream, peer) in accepted.drain(..) {
            if let Err(error) = arrived(stream, peer, &shared) {
                tracing::debug!(%error, "a connection went away at once");
            }
        }
        match failure {
            // Gone before it was accepted: nothing is wrong here.
            Some(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Some(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => tokio::task::yield_now().await,
        }
    }
}

/// A new connection: greeted at once if its first bytes are there, else when they come.
fn arrived(stream: std::net::TcpStream, peer: SocketAddr, shared: &Arc<Shared>) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    let Ok(permit) = Arc::clone(&shared.permits).try_acquire_owned() else {
        refuse(TcpStream::from_std(stream)?);
        return Ok(());
    };
    let permit = ConnectionPermit(permit);
    if let Some(acceptor) = &shared.acceptor {
        let (stream, acceptor) = (TcpStream::from_std(stream)?, acceptor.clone());
        shared.tasks.spawn(encrypted(stream, acceptor, permit, peer, Arc::clone(shared)));
        return Ok(());
    }
    let Some(greeter) = &shared.greeter else {
        let http = Arrived { stream, permit, head: Vec::new() };
        shared.tasks.spawn(plain(http, None, peer, Arc::clone(shared)));
        return Ok(());
    };
    let mut head = [0; HEAD_BYTES_MAX];
    match (&stream).read(&mut head) {
        Ok(read) => greet(&**greeter, Arrived { stream, permit, head: head[..read].to_vec() }, peer, shared),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            let stream = TcpStream::from_std(stream)?;
            shared.tasks.spawn(wait_for_head(stream, permit, peer, Arc::clone(shared)));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn wait_for_head(stream: TcpStream, permit: ConnectionPermit, peer: SocketAddr, shared: Arc<Shared>) {
    let Some(greeter) = &shared.greeter else { return };
    let deadline = Duration::from_secs(shared.config.header_secs);
    let mut head = Vec::new();
    loop {
        let readable = tokio::select! {
            readable = tokio::time::timeout(deadline, stream.readable()) => readable,
            () = shared.shutdown.cancelled() => return,
        };
        if !matches!(readable, Ok(Ok(()))) {
            return;
        }
        head.resize(HEAD_BYTES_MAX, 0);
        match stream.try_read(&mut head) {
            Ok(read) => {
                head.truncate(read);
                break;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
    head.shrink_to_fit();
    if let Ok(stream) = stream.into_std() {
        greet(&**greeter, Arrived { stream, permit, head }, peer, &shared);
    }
}

fn greet(greeter: &dyn Greeter, arrived: Arrived, peer: SocketAddr, shared: &Arc<Shared>) {
    let (http, refusal) = match greeter.greet(arrived) {
        Greeted::Taken => return,
        Greeted::Http(http) => (http, None),
        Greeted::Refused(http, refusal) => (http, Some(refusal)),
    };
    shared.tasks.spawn(plain(http, refusal, peer, Arc::clone(shared)));
}

/// HTTP after a handshake, which may take as long as a header.
async fn encrypted(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    permit: ConnectionPermit,
    peer: SocketAddr,
    shared: Arc<Shared>,
) {
    let deadline = Duration::from_secs(shared.config.header_secs);
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(deadline, acceptor.accept(stream)) => accepted,
        () = shared.shutdown.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let stream = Transport::Tls(Box::new(stream));
            Box::pin(connection(stream, permit, Vec::new(), None, peer, shared)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// HTTP as it comes; `refusal` answers its first request.
async fn plain(arrived: Arrived, refusal: Option<ApiError>, peer: SocketAddr, shared: Arc<Shared>) {
    let Arrived { stream, permit, head } = arrived;
    match TcpStream::from_std(stream) {
        Ok(stream) => {
            let stream = Transport::Plain(stream);
            Box::pin(connection(stream, permit, head, refusal, peer, shared)).await;
        }
        Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
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

/// HTTP over one connection.
async fn connection(
    stream: Transport,
    permit: ConnectionPermit,
    head: Vec<u8>,
    refusal: Option<ApiError>,
    peer: SocketAddr,
    shared: Arc<Shared>,
) {
    let busy = Busy::default();
    let header = Duration::from_secs(shared.config.header_secs);
    let io = TokioIo::new(GuardedStream::new(stream, head.into(), permit, busy.clone(), header));
    let refusal = Mutex::new(refusal);
    let service = {
        let shared = Arc::clone(&shared);
        service_fn(move |request: Request<Incoming>| {
            busy.set(true);
            let busy = busy.clone();
            let shared = Arc::clone(&shared);
            let refusal = refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move {
                let response = match refusal {
                    Some(refusal) => refusal.into_response(),
                    None => answer(request, peer, &shared).await,
                };
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
