//! Connections that somebody takes over before HTTP is spoken: a WebSocket handshake needs
//! one look at its head, and no HTTP server, router and second registration of its socket.

use std::net::TcpStream;

use crate::error::ApiError;
use crate::guard::ConnectionPermit;

/// A new connection and the first bytes that came over it.
#[derive(Debug)]
pub struct Arrived {
    /// Not blocking, and with no runtime yet.
    pub stream: TcpStream,
    /// Its place among the allowed connections.
    pub permit: ConnectionPermit,
    /// What the first read brought: perhaps not a whole head.
    pub head: Vec<u8>,
}

/// What became of a new connection.
#[derive(Debug)]
pub enum Greeted {
    /// It is somebody else's now.
    Taken,
    /// HTTP takes it from here.
    Http(Arrived),
    /// The same, and this is the answer to its first request.
    Refused(Arrived, ApiError),
}

/// Looks at each new connection first. Called by the accept loop: must not block.
pub trait Greeter: Send + Sync {
    /// Takes it, or gives it back.
    fn greet(&self, arrived: Arrived) -> Greeted;
}
