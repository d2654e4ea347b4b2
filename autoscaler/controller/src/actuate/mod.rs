//! Writes to the cluster and commands to gateways and entry.

mod act;
mod actuator;
mod admin;
mod event;

pub(crate) use act::{Applied, act, rebalance};
pub(crate) use actuator::Actuator;
pub use admin::AdminCommands;
pub(crate) use admin::HttpAdminCommands;
pub(crate) use event::FleetEvent;
