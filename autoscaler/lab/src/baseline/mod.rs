//! The rules of other autoscalers, implemented from their sources, as baselines of a
//! comparison.

pub mod hpa;
pub mod kpa;
pub mod replica_set;
