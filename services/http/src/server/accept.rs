//! The accept loop: from a listener to a task for each connection.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::greeter::{Arrived, Greeted, Greeter};
use super::refused::Refused;
use crate::answer::documented;
use crate::answer::error::ApiError;
use crate::connection::{self, ConnectionContext, ConnectionPermit, Counted, Transport};
use crate::limits::{NoFreeSlot, Slots};

/// Silence on an established connection after which the kernel probes whether the peer lives.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Maximum connections accepted before they are handled and other tasks run.
const ACCEPTS_MAX: usize = 64;
/// Maximum bytes of a head that a greeter sees. HTTP serves connections with a larger head.
const HEAD_BYTES_MAX: usize = 4 * 1024;
/// When fewer than one in this many slots are free, the longest idle connections are closed.
const RESERVE_SHARE: usize = 16;
/// Maximum connections closed in one scan, and maximum reserve of free slots.
const RESERVE_MAX: usize = 256;

/// What the accept loops of a server share.
pub(super) struct AcceptContext {
    pub(super) permits: Arc<Semaphore>,
    pub(super) slots: Arc<Slots>,
    pub(super) greeter: Option<Arc<dyn Greeter>>,
    pub(super) tls: Option<TlsAcceptor>,
    /// One task for each open connection; the shutdown waits for them.
    pub(super) tasks: TaskTracker,
    pub(super) connections: Arc<ConnectionContext>,
}

impl AcceptContext {
    /// Takes the slots of a new connection. When slots run short, the longest idle connections are
    /// closed.
    fn admit(&self, peer: SocketAddr) -> Result<ConnectionPermit, Refused> {
        check_clock(barrage_clock::wall())?;
        let of_address = self.slots.take(peer.ip()).map_err(|NoFreeSlot| Refused::Address)?;
        let reserve = (self.connections.config.connections_max / RESERVE_SHARE).clamp(1, RESERVE_MAX);
        if self.permits.available_permits() <= reserve {
            self.connections.activities.close_idle(reserve);
        }
        let of_all = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Refused::Full)?;
        Ok(ConnectionPermit::new(of_all, of_address))
    }

    fn header_deadline(&self) -> Duration {
        Duration::from_secs(self.connections.config.header_secs)
    }
}

/// Refuses connections while the wall clock stands before 1970, because tokens and HTTP dates cannot
/// be handled then.
fn check_clock(wall: SystemTime) -> Result<(), Refused> {
    if wall < UNIX_EPOCH { Err(Refused::Clock) } else { Ok(()) }
}

/// Registers a listener with this runtime, without tokio's wrapper. The wrapper would register each
/// accepted socket with this runtime, whichever runtime owns the socket in the end. Accepted
/// sockets inherit the options set here.
pub(super) fn register(listener: TcpListener) -> std::io::Result<AsyncFd<std::net::TcpListener>> {
    let listener = listener.into_std()?;
    let socket = socket2::SockRef::from(&listener);
    let keepalive = socket2::TcpKeepalive::new().with_time(TCP_KEEPALIVE);
    if let Err(error) = socket.set_tcp_nodelay(true).and(socket.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "socket options of a listener cannot be set");
    }
    #[expect(deprecated, reason = "its replacement is unsafe, for types that lie about their descriptor")]
    AsyncFd::with_interest(listener, Interest::READABLE)
}

/// Accepts connections until the shutdown. Pauses after a failure of the system, such as a lack of
/// descriptors.
pub(super) async fn accept(listener: AsyncFd<std::net::TcpListener>, context: Arc<AcceptContext>) {
    let mut accepted = Vec::with_capacity(ACCEPTS_MAX);
    loop {
        let ready = tokio::select! {
            ready = listener.readable() => ready,
            () = context.connections.shutdown.cancelled() => return,
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
        // All connections are accepted before the first is handled: the heads of the early ones
        // arrive meanwhile.
        for (stream, peer) in accepted.drain(..) {
            if let Err(error) = handle(stream, peer, &context) {
                tracing::debug!(%error, "a connection closed before it was handled");
            }
        }
        match failure {
            // The client closed the connection before the accept: no fault of this server.
            Some(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Some(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => tokio::task::yield_now().await,
        }
    }
}

/// Handles a new connection: the greeter sees it at once if its first bytes have arrived, and
/// otherwise when they arrive.
fn handle(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    context: &Arc<AcceptContext>,
) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    let permit = match context.admit(peer) {
        Ok(permit) => permit,
        Err(refused) => {
            refuse(&stream, peer, refused, context);
            return Ok(());
        }
    };
    if let Some(acceptor) = &context.tls {
        let (stream, acceptor) = (TcpStream::from_std(stream)?, acceptor.clone());
        context.tasks.spawn(serve_tls(stream, acceptor, permit, peer, Arc::clone(context)));
        return Ok(());
    }
    let Some(greeter) = &context.greeter else {
        let http = Arrived { stream, permit, head: Vec::new() };
        context.tasks.spawn(serve_plain(http, None, peer, Arc::clone(&context.connections)));
        return Ok(());
    };
    let mut head = [0; HEAD_BYTES_MAX];
    match (&stream).read(&mut head) {
        Ok(read) => {
            let arrived = Arrived { stream, permit, head: head[..read].to_vec() };
            greet(&**greeter, arrived, peer, context);
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            let (stream, greeter) = (TcpStream::from_std(stream)?, Arc::clone(greeter));
            context.tasks.spawn(wait_for_head(stream, permit, peer, greeter, Arc::clone(context)));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Counts and answers a refused connection. Under TLS the connection is closed without an answer,
/// because a handshake costs more than the slot would.
fn refuse(stream: &std::net::TcpStream, peer: SocketAddr, refused: Refused, context: &AcceptContext) {
    if let (Some(metrics), Some(reason)) = (&context.connections.metrics, refused.reason()) {
        metrics.refused_connection(reason);
    }
    if context.tls.is_none() {
        documented::answer_at_once(stream, peer, refused.error(&context.connections.config));
    }
}

async fn wait_for_head(
    stream: TcpStream,
    permit: ConnectionPermit,
    peer: SocketAddr,
    greeter: Arc<dyn Greeter>,
    context: Arc<AcceptContext>,
) {
    let deadline = context.header_deadline();
    let mut head = Vec::new();
    loop {
        let readable = tokio::select! {
            readable = tokio::time::timeout(deadline, stream.readable()) => readable,
            () = context.connections.shutdown.cancelled() => return,
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
        greet(&*greeter, Arrived { stream, permit, head }, peer, &context);
    }
}

fn greet(greeter: &dyn Greeter, arrived: Arrived, peer: SocketAddr, context: &AcceptContext) {
    let (http, refusal) = match greeter.greet(arrived) {
        Greeted::Taken => return,
        Greeted::Http(http) => (http, None),
        Greeted::Refused(http, refusal) => (http, Some(refusal)),
    };
    context.tasks.spawn(serve_plain(http, refusal, peer, Arc::clone(&context.connections)));
}

/// Serves HTTP after a TLS handshake, which has the deadline of a header.
async fn serve_tls(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    permit: ConnectionPermit,
    peer: SocketAddr,
    context: Arc<AcceptContext>,
) {
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(
            context.header_deadline(),
            acceptor.accept(Counted::new(stream)),
        ) => accepted,
        () = context.connections.shutdown.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let stream = Transport::Tls(Box::new(stream));
            let connections = Arc::clone(&context.connections);
            Box::pin(connection::serve(stream, permit, Vec::new(), None, peer, connections)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake did not end in time"),
    }
}

/// Serves HTTP without TLS. A `refusal` answers the first request.
async fn serve_plain(
    arrived: Arrived,
    refusal: Option<ApiError>,
    peer: SocketAddr,
    connections: Arc<ConnectionContext>,
) {
    let Arrived { stream, permit, head } = arrived;
    match TcpStream::from_std(stream) {
        Ok(stream) => {
            let stream = Transport::Plain(stream);
            Box::pin(connection::serve(stream, permit, head, refusal, peer, connections)).await;
        }
        Err(error) => tracing::warn!(%error, "a connection cannot be registered with the runtime"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_refused_while_the_clock_stands_before_1970() {
        assert_eq!(check_clock(UNIX_EPOCH - Duration::from_secs(1)), Err(Refused::Clock));
        assert_eq!(check_clock(UNIX_EPOCH), Ok(()));
        assert_eq!(check_clock(barrage_clock::wall()), Ok(()));
    }
}
