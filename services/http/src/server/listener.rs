//! A listening socket, which hands out connections that have something to say.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::setsockopt;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpListener;

/// Silence on an established connection after which the kernel probes whether the peer lives.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// Seconds for which the kernel keeps a connection whose client says nothing. In all protocols of these
/// listeners the client speaks first, so that its first bytes are read with the accept.
const DEFER_SECS: usize = 1;

nix::setsockopt_impl!(
    DeferAccept,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    usize,
    nix::sys::socket::sockopt::SetUsize
);

/// Option `TCP_DEFER_ACCEPT` of a listener, in seconds.
#[derive(Debug, Clone, Copy)]
struct DeferAccept;

/// A listener that is registered with this runtime, without tokio's wrapper. The wrapper would register
/// each accepted socket with this runtime, whichever runtime owns the socket in the end.
pub(super) struct Listener(AsyncFd<std::net::TcpListener>);

impl Listener {
    /// Registers a listener. Accepted sockets inherit the options that are set here.
    pub(super) fn register(listener: TcpListener) -> std::io::Result<Self> {
        let listener = listener.into_std()?;
        let socket = SockRef::from(&listener);
        let keepalive = TcpKeepalive::new().with_time(TCP_KEEPALIVE);
        let options = socket.set_tcp_nodelay(true).and(socket.set_tcp_keepalive(&keepalive));
        let deferred = setsockopt(&listener, DeferAccept, &DEFER_SECS).map_err(std::io::Error::from);
        if let Err(error) = options.and(deferred) {
            tracing::debug!(%error, "socket options of a listener cannot be set");
        }
        #[expect(deprecated, reason = "its replacement is unsafe, for types that lie about their descriptor")]
        AsyncFd::with_interest(listener, Interest::READABLE).map(Listener)
    }

    /// Waits for connections, and accepts at most `max` of them into `accepted`. An error of the system
    /// comes beside the connections before it. The sockets do not block.
    ///
    /// # Errors
    /// When the runtime is gone.
    pub(super) async fn accept(
        &self,
        accepted: &mut Vec<(TcpStream, SocketAddr)>,
        max: usize,
    ) -> std::io::Result<Option<std::io::Error>> {
        let mut ready = self.0.readable().await?;
        while accepted.len() < max {
            match ready.try_io(|listener| accept_one(listener.get_ref())) {
                Ok(Ok(connection)) => accepted.push(connection),
                Ok(Err(error)) => return Ok(Some(error)),
                Err(_) => break,
            }
        }
        Ok(None)
    }
}

/// Accepts a connection by one call of the system, which also makes its socket not blocking.
fn accept_one(listener: &std::net::TcpListener) -> std::io::Result<(TcpStream, SocketAddr)> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let (socket, address) = SockRef::from(listener).accept4(flags)?;
    let peer = address.as_socket().ok_or(std::io::ErrorKind::Unsupported)?;
    Ok((socket.into(), peer))
}
