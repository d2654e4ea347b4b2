//! Greeters: they take over connections before HTTP. A WebSocket handshake needs one look at its
//! head, and neither an HTTP server nor a second registration of its socket.

use std::net::TcpStream;

use crate::answer::error::ApiError;
use crate::connection::{ConnectionPermit, TlsSession};

/// A new connection with its first bytes.
#[derive(Debug)]
pub struct Arrived {
    /// The socket: not blocking, and registered with no runtime.
    pub stream: TcpStream,
    /// The session after its handshake; `None` for a connection without TLS.
    pub tls: Option<Box<TlsSession>>,
    /// Slots of the connection, freed on drop.
    pub permit: ConnectionPermit,
    /// Bytes of the first read, which may be a part of a head; decrypted.
    pub head: Vec<u8>,
}

/// What a greeter did with a new connection.
#[derive(Debug)]
pub enum Greeted {
    /// The greeter owns the connection now; HTTP never sees it.
    Taken,
    /// HTTP serves the connection from its first byte.
    Http(Arrived),
    /// HTTP serves the connection, and answers its first request with this refusal.
    Refused(Arrived, ApiError),
}

/// Sees each new connection first. The accept loop calls the greeter, so it must not block.
pub trait Greeter: Send + Sync {
    /// Takes the connection over, or gives it back.
    fn greet(&self, arrived: Arrived) -> Greeted;

    /// Ends a handful of greetings: a greeter may keep what it took until here, so that its other
    /// threads are woken once.
    fn settle(&self) {}
}
