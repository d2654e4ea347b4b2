//! The downlink: long connections, rooms, fan-out.
//!
//! The gateway knows no business: it routes by room and class and splices bodies
//! as opaque bytes. Connections belong to shards (one thread each); a room's hub
//! builds each batch once, and a shard writes the same bytes to its viewers.

mod admin;
mod audience;
mod batch;
mod batcher;
mod beats;
mod config;
mod connections;
mod departure;
mod direct;
mod drain;
mod eviction;
mod explain;
mod fan_out;
mod farewell;
mod gateway;
mod handshake;
mod heat;
mod hub;
mod join;
mod listeners;
mod metrics;
mod online;
mod outbox;
mod overload;
mod poll;
mod record;
mod repair_debt;
mod report;
mod room;
mod routes;
mod session;
mod shard;
mod socket;
mod sse;
mod strain;
mod tell;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod tickets;
mod viewer;
mod wake;
mod wire;

pub use beats::{BEAT_AGE_MAX, BeatAge, Beats};
pub use config::GatewayConfig;
pub use gateway::{Access, Gateway, GatewayError};
pub use heat::HeatConfig;
pub use metrics::GatewayMetrics;
pub use overload::OverloadConfig;
