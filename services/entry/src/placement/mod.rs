//! Placement: on which gateway a newcomer goes, and when. Pure: time and chance are arguments.

mod candidate;
mod factors;
mod grants;
mod join_queue;
mod placer;
mod race_times;
mod registry_outage;

pub(crate) use factors::Factors;
pub(crate) use grants::{GrantLimits, Grants, TooMany};
pub(crate) use placer::{Placed, Placer, PlacerConfig, Refused};
pub(crate) use race_times::{FAILED_MS, RESULTS_MAX, RaceTimes, race_resource};
pub(crate) use registry_outage::RegistryOutage;
