//! Addresses that connections come from. On loopback they are spread over 127.0.0.0/8, as
//! viewers are spread over the world: no limit of an address, and no shortage of ports,
//! stands in the way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

/// For a TCP connect; the kernel's own is minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Receive buffer of a slow reader, so that it is the server's side that fills.
const SLOW_BUFFER_BYTES: u32 = 4_096;

/// How fast a connection is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Full,
    Slow,
}

/// The address of viewer or sender `n`.
fn source(n: u32) -> Ipv4Addr {
    // 127.0.x.x is left to the machine's own; the rest is larger than any crowd here.
    let n = n % (250 << 16);
    let [_, high, middle, low] = n.to_be_bytes();
    Ipv4Addr::new(127, 1 + high, middle, low.max(1))
}

/// Connects.
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
    fn addresses_are_many_and_all_on_loopback() {
        let mut addresses: Vec<_> = (0..200_000).map(source).collect();
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
        addresses.dedup();
        assert!(addresses.len() > 199_000);
        assert!(source(u32::MAX).is_loopback());
    }
}
