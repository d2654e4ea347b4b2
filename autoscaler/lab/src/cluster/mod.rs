//! The simulated fleet: gateways, and the two ways in which viewers are placed on them.

mod entry;
mod fleet;
mod gateway;
pub(crate) mod service;

pub(crate) use entry::Entry;
pub(crate) use fleet::Fleet;
pub(crate) use gateway::METRIC_LAG_SECS;
