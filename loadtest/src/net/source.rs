//! Source addresses of connections. On loopback they are spread over 127.0.0.0/8, as real viewers
//! are spread over many addresses, so that no limit of one address and no shortage of ports
//! applies.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

/// Time limit for a TCP connect; the kernel's own is minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Receive buffer of a slow reader, so that the buffers of the server fill.
const SLOW_BUFFER_BYTES: u32 = 4_096;

/// Speed at which a connection reads; a slow viewer causes backpressure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Full,
    Slow,
}

/// Returns the loopback source address of viewer or sender `n`.
fn source(n: u32) -> Ipv4Addr {
    // 127.0.x.x stays free for the machine itself; the rest is larger than any scenario.
    let n = n % (250 << 16);
    let [_, high, middle, low] = n.to_be_bytes();
    Ipv4Addr::new(127, 1 + high, middle, low.max(1))
}

/// Opens a TCP connection from an address of its own.
pub(crate) async fn connect(address: SocketAddr, n: u32, pace: Pace) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if address.ip().is_loopback() && address.is_ipv4() {
        socket.bind(SocketAddr::new(IpAddr::V4(source(n)), 0))?;
    }
    if pace == Pace::Slow {
        socket.set_recv_buffer_size(SLOW_BUFFER_BYTES)?;
    }
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, socket.connect(address))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_many_and_all_on_loopback() {
        let mut addresses: Vec<_> = (0..200_000).map(source).collect();
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
        addresses.dedup();
        assert!(addresses.len() > 199_000);
        assert!(source(u32::MAX).is_loopback());
    }
}
