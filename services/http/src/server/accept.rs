//! The accept loop: from a listener to a task for each connection.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::crowd::Crowd;
use super::greeter::{Arrived, Greeted, Greeter};
use super::listener::Listener;
use super::refused::Refused;
use crate::answer::documented;
use crate::answer::error::ApiError;
use crate::connection::{self, ConnectionContext, ConnectionPermit, TlsStream, Transport};
use crate::limits::{NoFreeSlot, Slots};

/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Maximum connections accepted before they are handled and other tasks run.
const ACCEPTS_MAX: usize = 64;
/// Pause between two handfuls of a crowd that arrives.
const GATHER: Duration = Duration::from_millis(5);
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
    pub(super) tls: Option<Arc<ServerConfig>>,
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

/// Accepts connections until the shutdown. Pauses after a failure of the system, such as a lack of
/// descriptors.
pub(super) async fn accept(listener: Listener, context: Arc<AcceptContext>) {
    let mut accepted = Vec::with_capacity(ACCEPTS_MAX);
    let (mut crowd, started) = (Crowd::default(), barrage_clock::now());
    loop {
        let failure = tokio::select! {
            failure = listener.accept(&mut accepted, ACCEPTS_MAX) => failure,
            () = context.connections.shutdown.cancelled() => return,
        };
        let Ok(failure) = failure else { return };
        let is_last = accepted.len() < ACCEPTS_MAX;
        let is_crowd = crowd.count(accepted.len(), started.elapsed());
        // All connections are accepted before the first is handled: the heads of the early ones
        // arrive meanwhile.
        for (stream, peer) in accepted.drain(..) {
            if let Err(error) = handle(stream, peer, &context) {
                tracing::debug!(%error, "a connection closed before it was handled");
            }
        }
        if let Some(greeter) = &context.greeter {
            greeter.settle();
        }
        match failure {
            // The client closed the connection before the accept: no fault of this server.
            Some(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Some(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None if is_crowd && is_last => tokio::time::sleep(GATHER).await,
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
    let permit = match context.admit(peer) {
        Ok(permit) => permit,
        Err(refused) => {
            refuse(&stream, peer, refused, context);
            return Ok(());
        }
    };
    if let Some(config) = &context.tls {
        let (stream, config) = (TcpStream::from_std(stream)?, Arc::clone(config));
        context.tasks.spawn(serve_tls(stream, config, permit, peer, Arc::clone(context)));
        return Ok(());
    }
    let Some(greeter) = &context.greeter else {
        let http = Arrived { stream, tls: None, permit, head: Vec::new() };
        context.tasks.spawn(serve_http(http, None, peer, Arc::clone(&context.connections)));
        return Ok(());
    };
    let mut head = [0; HEAD_BYTES_MAX];
    match (&stream).read(&mut head) {
        Ok(read) => {
            let arrived = Arrived { stream, tls: None, permit, head: head[..read].to_vec() };
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
        // A close resets a connection with unread bytes, and the client may lose the answer. The first bytes
        // come with the accept.
        let mut unread = stream;
        let _amount = unread.read(&mut [0; HEAD_BYTES_MAX]);
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
        greet(&*greeter, Arrived { stream, tls: None, permit, head }, peer, &context);
        greeter.settle();
    }
}

fn greet(greeter: &dyn Greeter, arrived: Arrived, peer: SocketAddr, context: &AcceptContext) {
    let (http, refusal) = match greeter.greet(arrived) {
        Greeted::Taken => return,
        Greeted::Http(http) => (http, None),
        Greeted::Refused(http, refusal) => (http, Some(refusal)),
    };
    context.tasks.spawn(serve_http(http, refusal, peer, Arc::clone(&context.connections)));
}

/// Makes a TLS handshake and reads the first bytes behind it; both have the deadline of a header. Then
/// the greeter sees the connection, or HTTP serves it.
async fn serve_tls(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    permit: ConnectionPermit,
    peer: SocketAddr,
    context: Arc<AcceptContext>,
) {
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(
            context.header_deadline(),
            accept_tls(stream, config, context.greeter.is_some()),
        ) => accepted,
        () = context.connections.shutdown.cancelled() => return,
    };
    let (stream, head) = match accepted {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake did not end in time"),
    };
    if let (Some(greeter), false) = (&context.greeter, stream.is_http2()) {
        let (stream, tls) = stream.into_parts();
        if let Ok(stream) = stream.into_std() {
            let arrived = Arrived { stream, tls: Some(tls), permit, head };
            greet(&**greeter, arrived, peer, &context);
            greeter.settle();
        }
        return;
    }
    let connections = Arc::clone(&context.connections);
    Box::pin(connection::serve(Transport::Tls(stream), permit, head, None, peer, connections)).await;
}

/// Makes a TLS handshake. Reads the first bytes as well, where a greeter is to see them.
async fn accept_tls(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    is_greeted: bool,
) -> std::io::Result<(TlsStream, Vec<u8>)> {
    let mut stream = TlsStream::accept(stream, config).await?;
    let mut head = Vec::new();
    if is_greeted && !stream.is_http2() {
        head.reserve_exact(HEAD_BYTES_MAX);
        if stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        head.shrink_to_fit();
    }
    Ok((stream, head))
}

/// Serves HTTP. A `refusal` answers the first request.
async fn serve_http(
    arrived: Arrived,
    refusal: Option<ApiError>,
    peer: SocketAddr,
    connections: Arc<ConnectionContext>,
) {
    let Arrived { stream, tls, permit, head } = arrived;
    match TcpStream::from_std(stream) {
        Ok(stream) => {
            let stream = match tls {
                Some(session) => Transport::Tls(TlsStream::new(stream, session)),
                None => Transport::Plain(stream),
            };
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
