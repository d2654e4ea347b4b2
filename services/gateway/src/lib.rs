//! The downlink: long connections, rooms, fan-out.
//!
//! The gateway knows no business: it routes messages by room and class, and splices their bodies as
//! opaque bytes. A room's hub builds each batch once. The shards, one thread each, own the viewers
//! and write the same bytes to them.
//!
//! A folder imports only folders of later lines:
//! - `gateway` builds the parts, starts the tasks and joins them;
//! - `http`: handshakes, event streams, polls, the admin API;
//! - `hub` (one room), `shard` (one thread and its viewers), `tasks` (loops of the whole gateway);
//! - `context`: handles that these share;
//! - `viewer`: one viewer's queue, limits and notices;
//! - `config`, `dispatch` (ways to reach viewers), `health`, `metrics`;
//! - `admission` (who joins, who must leave), `room` (rooms and batches);
//! - `clients`, `drain`, `load`, `mail` (attached users, and what waits for them), `socket`.

mod admission;
mod clients;
mod config;
mod context;
mod dispatch;
mod drain;
mod gateway;
mod health;
mod http;
mod hub;
mod load;
mod mail;
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
pub use http::operations;
#[doc(hidden)]
pub use http::parse_request_head;
#[doc(hidden)]
pub use hub::{SteppedBatch, SteppedHub, SteppedPace, SteppedPlan};
pub use load::{HEARTBEAT_AGE_MAX, OverloadConfig};
pub use metrics::GatewayMetrics;
pub use room::HeatConfig;
