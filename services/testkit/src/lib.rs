//! Starters and clients for integration tests.
//!
//! Every real server that a test needs, but those of Kubernetes, is started here, on a free port, in a temporary folder, and
//! is stopped when its value is dropped: [`Server`] (Barrage), [`NatsServer`], [`RedisServer`] and
//! [`PostgresServer`]. [`RawSocket`] is a WebSocket client that sends
//! any bytes, valid or not. [`wait`] polls a condition up to a deadline.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod answer;
pub mod certificates;
pub mod nats;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod redis;
mod server;
mod socket;
pub mod wait;

pub use answer::Answer;
pub use nats::NatsServer;
pub use postgres::PostgresServer;
pub use redis::RedisServer;
pub use server::{Endpoint, Server, ServerOptions};
pub use socket::{Frame, RawSocket, masked};
