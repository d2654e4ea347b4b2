//! Listeners of the gateway: slots by address, TLS, and the transport of each connection.

mod greet;
mod handshake;
#[allow(clippy::module_inception, reason = "the main type of the folder")]
mod server;
mod slots;

pub use server::{IrcParts, run};
