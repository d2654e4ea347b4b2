//! Listening sockets whose backlog is deep enough for a reconnect storm.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Pending connections that the kernel keeps while the accept loop is busy. tokio's own bind asks
/// for 1024, and a reconnect storm then costs clients a SYN retransmit of a second.
pub const BACKLOG: u32 = 4096;

/// Binds a listener with a deep backlog. For port 0 the kernel chooses the port.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
