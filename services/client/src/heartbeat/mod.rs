//! Heartbeat of a connection, as values: time goes in, pings and losses come out.
//!
//! [`Heartbeat`] decides when a client pings and when a connection is dead. [`NetworkLimits`] searches the
//! longest idle time that a network bears, and [`NetworkMemory`] keeps the results by network. The page has
//! the same rules in `web/packages/client/src/heartbeat/heartbeat.ts`; both pass the cases of `services/client/vectors`.
//! [`simulation`] runs the rules against simulated NATs.

#[allow(clippy::module_inception, reason = "the main type of the folder")]
mod heartbeat;
mod keeper;
mod limits;
mod memory;
pub mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use heartbeat::{Action, Close, Heartbeat, Manner, Moment, Terms};
pub(crate) use keeper::Keeper;
pub use keeper::{HeartbeatConfig, Network};
pub use limits::{Bounds, NetworkLimits};
pub use memory::{NetworkMemory, network_key};
