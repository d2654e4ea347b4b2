//! What integration tests start and speak with: the real server as a process, and
//! a socket that sends whatever bytes a test wants.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

pub mod programs;
mod server;
mod socket;

pub use server::{Answer, Server, ServerOptions};
pub use socket::{Frame, RawSocket, masked};
