//! TLS of Barrage's clients: the authorities that they trust, and their encrypted connections.
//!
//! [`ClientTls`] is the one way to a client's TLS settings: the system's authorities, and those of a
//! PEM file. A client always verifies the server's certificate and name; no setting turns that off.

mod ca_file;
mod client_tls;
mod reason;
mod stream;

pub use ca_file::CaFileError;
pub use client_tls::ClientTls;
pub use reason::reason;
pub use stream::ClientStream;
