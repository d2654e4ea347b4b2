//! WebSocket frames and handshakes (RFC 6455): the one crate that frames.
//!
//! [`server`] and [`client`] encode and decode single frames in memory, without I/O, so that
//! many connections can share one read buffer and many viewers one encoded frame. [`stream`]
//! reads and writes frames over one asynchronous connection. [`handshake`] answers and makes
//! upgrade requests.
//!
//! The two decoders take what Barrage sends: whole frames without extensions. A fragment or a
//! reserved bit is a [`Violation`].

pub mod client;
pub mod handshake;
mod header;
mod opcode;
pub mod raw;
pub mod server;
pub mod stream;
mod violation;

pub use opcode::Opcode;
pub use violation::Violation;
