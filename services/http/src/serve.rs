//! The accept loop.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use barrage_protocol::Code;
use barrage_protocol::code::LimitHit;
use http::HeaderValue;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::Activities;
use crate::address::TrustedProxies;
use crate::address_limits::AddressLimits;
use crate::config::HttpConfig;
use crate::edge::{self, Edge};
use crate::error::ApiError;
use crate::greeter::{Arrived, Greeted, Greeter};
use crate::guard::ConnectionPermit;
use crate::metrics::{HttpMetrics, LogBound};
use crate::origin::AllowedOrigins;
use crate::place::{AllTaken, Places};
use crate::request_id::RequestIds;
use crate::tls::Tls;
use crate::transport::{Counted, Transport};
use crate::{connection, manners, unix};

/// Silence on an established connection after which the kernel asks whether the
/// other side still lives.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections accepted before they are looked at; then other tasks have their turn.
const ACCEPTS_MAX: usize = 64;
/// A refused connection is told to come back after this.
const REFUSED_RETRY_MS: u64 = 2_000;
/// Bytes of a head that a greeter is shown; one that is larger is HTTP's.
const HEAD_BYTES_MAX: usize = 4 * 1024;

/// When fewer places than this share of all are free, the longest idle connections are closed.
const RESERVE_SHARE: usize = 16;
/// At most so many at a look.
const RESERVE_MAX: usize = 256;

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
    /// Counts requests and refused connections.
    pub metrics: Option<HttpMetrics>,
    /// What one address may ask for.
    pub limits: Option<Arc<AddressLimits>>,
    /// Refuses requests for other hosts, and changes that a page of another site asks for.
    pub origins: Option<AllowedOrigins>,
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
    let edge = Edge { limits: front.limits, origins: front.origins, metrics: front.metrics.clone() };
    let shared = Arc::new(Shared {
        permits: Arc::new(Semaphore::new(config.connections_max)),
        places: Places::new(&config),
        activities: Activities::new(),
        proxies: TrustedProxies::new(&config.trusted_proxies),
        router: edge::layered(router, edge),
        metrics: front.metrics,
        request_ids: RequestIds::new(),
        log_bound: LogBound::new(),
        hsts: front.tls.as_ref().and_then(|_| manners::hsts(config.hsts_secs)),
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

pub(crate) struct Shared {
    permits: Arc<Semaphore>,
    places: Arc<Places>,
    pub(crate) activities: Arc<Activities>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) router: Router,
    pub(crate) metrics: Option<HttpMetrics>,
    pub(crate) request_ids: RequestIds,
    pub(crate) log_bound: LogBound,
    /// The value of Strict-Transport-Security.
    pub(crate) hsts: Option<HeaderValue>,
    greeter: Option<Arc<dyn Greeter>>,
    acceptor: Option<TlsAcceptor>,
    tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    pub(crate) config: HttpConfig,
}

impl Shared {
    /// A place for a new connection, or why there is none. When places run short, the
    /// connections that have been idle longest are told to close.
    fn admit(&self, peer: SocketAddr) -> Result<ConnectionPermit, Refused> {
        let of_address = self.places.take(peer.ip()).map_err(|AllTaken| Refused::Address)?;
        let reserve = (self.config.connections_max / RESERVE_SHARE).clamp(1, RESERVE_MAX);
        if self.permits.available_permits() <= reserve {
            self.activities.make_room(reserve);
        }
        let of_all = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Refused::Full)?;
        Ok(ConnectionPermit::new(of_all, of_address))
    }
}

/// Why a connection is refused at once.
#[derive(Debug, Clone, Copy)]
enum Refused {
    /// The server has as many as it may have.
    Full,
    /// The address has.
    Address,
    /// Tokens and HTTP dates cannot be handled before 1970.
    Clock,
}

impl Refused {
    /// The metric's label: the setting that refuses.
    fn reason(self) -> Option<&'static str> {
        match self {
            Refused::Full => Some("connections_max"),
            Refused::Address => Some("address_connections_max"),
            Refused::Clock => None,
        }
    }

    fn error(self, config: &HttpConfig) -> ApiError {
        match self {
            Refused::Full => {
                ApiError::new(Code::Overloaded, "this server has no free connection; try another")
            }
            Refused::Address => {
                let max = config.address_connections_max;
                let rule = "address_connections_max";
                let message = format!("this address has {max} connections, which is all that {rule} admits");
                let mut error = ApiError::new(Code::RateLimited, message);
                error.0.limit =
                    Some(Box::new(LimitHit { limit: max as u64, ..LimitHit::rule(rule, "address") }));
                error
            }
            Refused::Clock => {
                ApiError::new(Code::Unavailable, "the server's clock stands before 1970; set it")
            }
        }
        .retry_after_ms(REFUSED_RETRY_MS)
    }
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
    let admitted =
        if unix::is_after_1970(SystemTime::now()) { shared.admit(peer) } else { Err(Refused::Clock) };
    let permit = match admitted {
        Ok(permit) => permit,
        Err(refused) => {
            refuse(&stream, peer, refused, shared);
            return Ok(());
        }
    };
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
        accepted = tokio::time::timeout(deadline, acceptor.accept(Counted::new(stream))) => accepted,
        () = shared.shutdown.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let stream = Transport::Tls(Box::new(stream));
            Box::pin(connection::serve(stream, permit, Vec::new(), None, peer, shared)).await;
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
            Box::pin(connection::serve(stream, permit, head, refusal, peer, shared)).await;
        }
        Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
    }
}

/// Counts and answers a connection that has no place. Under TLS it is closed without a word: a
/// handshake costs more than the place would.
fn refuse(stream: &std::net::TcpStream, peer: SocketAddr, refused: Refused, shared: &Shared) {
    if let (Some(metrics), Some(reason)) = (&shared.metrics, refused.reason()) {
        metrics.refused_connection(reason);
    }
    if shared.acceptor.is_none() {
        manners::answer_at_once(stream, peer, refused.error(&shared.config));
    }
}
