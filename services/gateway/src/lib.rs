//! The downlink: long connections, rooms, fan-out.
//!
//! The gateway knows no business: it routes messages by room and class, and splices their bodies as
//! opaque bytes. A room's [`hub`] builds each batch once. The [`shard`]s, one thread each, own the
//! viewers and write the same bytes to them.
//!
//! Imports between the folders point down this list, never up: `gateway`; `http`; `tasks`; `hub` and
//! `shard`; `context`; `dispatch`; `viewer`; `metrics` and `config`; `admission`, `room` and `drain`;
//! `load`; `socket`.

mod admission;
mod config;
mod context;
mod dispatch;
mod drain;
mod gateway;
mod health;
mod http;
mod hub;
mod load;
mod metrics;
mod room;
mod shard;
mod socket;
mod tasks;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod viewer;

pub use admission::Access;
pub use config::GatewayConfig;
pub use gateway::{Gateway, GatewayError};
pub use health::{GatewayHealth, HeartbeatAge};
pub use load::{HEARTBEAT_AGE_MAX, OverloadConfig};
pub use metrics::GatewayMetrics;
pub use room::HeatConfig;
