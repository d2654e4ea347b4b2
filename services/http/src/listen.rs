//! Listening sockets.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Pending connections that the kernel keeps while we are busy. tokio's own bind
/// asks for 1024; a reconnect storm then costs a SYN retransmit of a second.
const BACKLOG: u32 = 4096;

/// Binds with a deep backlog; port 0 lets the kernel choose.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
