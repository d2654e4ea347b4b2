//! Placement: on which gateway a newcomer goes, and when; the order of uplinks. Pure: time and chance
//! are arguments.

mod candidate;
mod factors;
mod grants;
mod join_queue;
mod placer;
mod registry_outage;
mod uplink_order;

pub(crate) use factors::Factors;
pub(crate) use grants::{GrantLimits, Grants, TooMany};
pub(crate) use placer::{Placed, Placer, PlacerConfig, Refused, Standing};
pub(crate) use registry_outage::RegistryOutage;
pub(crate) use uplink_order::uplink_order;
